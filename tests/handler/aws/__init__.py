"""Tests of `handler/aws`."""

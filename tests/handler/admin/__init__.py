"""Tests of `handler/admin`."""

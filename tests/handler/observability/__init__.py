"""Tests of `handler/observability`."""

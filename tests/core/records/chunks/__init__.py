"""Tests of `records/chunks.py`."""

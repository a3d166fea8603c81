"""Tests of `records/parser.py`."""

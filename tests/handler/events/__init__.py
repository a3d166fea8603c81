"""Tests of `handler/events.py`."""

"""Tests of `handler/aws/errors.py` and `error_codes.py`."""

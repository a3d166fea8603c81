"""Tests of `salespro_core/upsert/batch_upsert.py`, by topic."""

"""Tests of `salespro_core/upsert`."""

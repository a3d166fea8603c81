"""Tests of `salespro_core/records`."""

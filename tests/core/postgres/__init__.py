"""Tests of `salespro_core/postgres`."""

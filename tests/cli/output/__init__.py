"""Tests of `salespro_cli/output`."""

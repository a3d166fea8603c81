"""Tests of `salespro_cli/reports`."""

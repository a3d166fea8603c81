"""Tests of `salespro_cli/sample_data`."""

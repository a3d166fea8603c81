"""Tests of `salespro_cli/inputs`."""

"""Tests of `salespro_cli/imports`."""

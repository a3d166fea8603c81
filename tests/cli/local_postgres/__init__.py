"""Tests of `salespro_cli/local_postgres`."""

"""Tests of `salespro_cli/commands`."""

"""Tests of `salespro_cli/commands/past_imports`."""

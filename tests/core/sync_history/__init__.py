"""Tests of `salespro_core/sync_history`."""

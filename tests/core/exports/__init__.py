"""Tests of `salespro_core/exports`."""

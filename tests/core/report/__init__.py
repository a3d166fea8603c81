"""Tests of `salespro_core/report`."""

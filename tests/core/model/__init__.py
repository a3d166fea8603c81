"""Tests of `salespro_core/model`."""

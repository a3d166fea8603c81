"""Tests of `salespro_core/csv_reader`."""

"""Tests of `salespro_core/importer/validation.py`, by topic."""

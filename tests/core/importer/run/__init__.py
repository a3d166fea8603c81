"""Tests of `salespro_core/importer/run.py`, by topic."""

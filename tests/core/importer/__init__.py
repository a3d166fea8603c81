"""Tests of `salespro_core/importer`."""

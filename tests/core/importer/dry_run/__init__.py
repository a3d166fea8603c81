"""Tests of `salespro_core/importer/dry_run.py` and `shadow_tables.py`."""

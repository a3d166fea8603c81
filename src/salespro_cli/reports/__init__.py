"""Reports and rejected rows in local folders.

In: an `Outcome`; out: files under `.salespro/reports/`, written, opened or listed.
May import: `salespro_core`, `salespro_cli.inputs`, `salespro_cli.local_postgres`.
Start at `writer.py`.
"""

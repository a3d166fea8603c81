"""Reports and rejects on the local disk.

In: an `Outcome`; out: files below `.salespro/reports/`, opened or listed.
May import: `salespro_core`, `salespro_cli.inputs`, `salespro_cli.local_postgres`.
Start at `writer.py`.
"""

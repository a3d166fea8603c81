"""Import SalesPro CSV exports into Postgres; knows neither AWS nor a terminal.

In: the bytes of one upload and a database connection.
Out: rows in the tables, a row in the sync history, and an `Outcome`.
Imports nothing of `handler` or `salespro_cli`.
Start at `importer/run.py`; docs/architecture.md draws the packages.
"""

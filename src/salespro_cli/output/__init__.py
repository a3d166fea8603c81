"""The output of commands: tables, amounts and times for a terminal.

In: values of `salespro_core`; out: rich tables and safe text.
May import: `salespro_core`, `salespro_cli.local_postgres`.
Start at `formatting.py`.
"""

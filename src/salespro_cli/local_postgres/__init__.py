"""The database of a command: DATABASE_URL, or the embedded Postgres.

In: `DATABASE_URL` or nothing; out: the conninfo of a running server.
May import: `salespro_core`.
Start at `database_url.py`; `embedded.py` starts the server, `binaries.py` finds it.
"""

"""Which database a command talks to; the embedded Postgres if none is named.

In: `DATABASE_URL` or nothing; out: a URL of a server that runs.
May import: `salespro_core`.
Start at `database_url.py`; `embedded.py` starts the server.
"""

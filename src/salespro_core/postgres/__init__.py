"""The connection to Postgres, whatever runs on it.

In: a libpq URL; out: a connection, retries, mapped errors, the tables and the grants.
May import: `errors`.
Start at `connection.py`; `sqlstates.py` says which errors are retried.
"""

"""The connection to Postgres, its errors and retries, the tables and the grants.

In: a libpq URL. Out: a connection, and `StoreError` instead of psycopg's errors.
May import: `errors`.
Start at `connection.py`; `sqlstates.py` decides which errors are retryable, `connecting`
for a connection that fails.
"""

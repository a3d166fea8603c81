"""The start of a connection, which tells by codes why it fails.

In: a libpq URL. Out: an open connection, or a `StoreError` with the cause and the fix.
May import: `errors`, `postgres`.
Start at `connect_errors.py`; `verbose_connection.py` makes libpq tell the codes.
"""

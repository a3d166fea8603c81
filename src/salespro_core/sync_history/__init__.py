"""The sync history: one row per import of one upload.

In: a connection and an upload; out: a claim with its checkpoint, and the list of imports.
May import: `errors`, `model`, `postgres`.
Start at `claims.py`; `queries.py` lists imports and their states.
"""

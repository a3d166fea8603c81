"""Checks whether a database is ready for imports, and what is unusual about it.

In: a connection. Out: problems with their remedies, and notes with their meanings.
May import: `errors`, `postgres`.
Start at `database.py`; `migration.py` says what a migration does, `server_notes.py` knows
settings, `pooler.py` finds a pooler.
"""

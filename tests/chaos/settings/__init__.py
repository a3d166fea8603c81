"""Imports on databases, roles and sessions that are set up in unusual ways; `make settings`.

Start at `scenario.py`, the imports and dry runs that each test repeats.  `sweep.py` repeats
them under each value of each setting of Postgres.
"""

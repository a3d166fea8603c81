"""One upload, start to end, as an import or as a dry run.

In: a connection, an upload, its stream and options; out: the `Outcome`.
May import: everything but `report`, which the caller hands in as a callback.
Start at `run.py`; `dry_run.py` does the same on temporary copies of the tables.
"""

"""The commands that tell of past imports: the list, one of them, its report, its changes.

In: the id of an import, or filters; out: printed text or JSON.
May import: all of `salespro_cli`, except `main`.
Start at `history.py`; `changes.py` prints what an import changed.
"""

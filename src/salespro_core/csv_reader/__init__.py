"""Bytes to rows of cells, each with the line on which it starts.

In: a binary stream, plain or gzipped; out: blocks of rows, and the layout of the header.
May import: `errors`, `model`, `exports`.
Start at `row_blocks.py`; `recovery.py` finds the next sound row after damage.
"""

"""Bytes to rows of cells.

In: a binary stream, plain or gzipped; out: blocks of rows, and the layout of the header.
May import: `errors`, `model`, `exports`.
Start at `row_blocks.py`; `recovery` finds the next row after a damaged row, and
`screening` leaves out blank rows and finds repeated headers.
"""

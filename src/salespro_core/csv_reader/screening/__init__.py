"""Rows that are no data: blank rows, the header again, and rows that the header does not fit.

In: blocks of rows and their layout.  Out: the blocks without blank rows, with a problem for
each repeated header.  May import `errors` and `exports`.  Start at `row_screening.screened`.
"""

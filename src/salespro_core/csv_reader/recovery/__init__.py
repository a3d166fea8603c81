"""Recovery after a damaged row: why it is not valid CSV, and where the next row starts.

In: lines of a file.  Out: the end, the cells and the problem of a row.  May import `errors`.
Start at `next_row.recover_row`.
"""

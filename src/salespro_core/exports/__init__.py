"""What an export is: its labels, its columns, their types and its tables.

In: nothing; out: the declarations `APPOINTMENTS` and `USERS`.
May import: `errors`, `model`.
Start at `catalogue.py`; `column_types.py` has how a cell of each type is read.
"""

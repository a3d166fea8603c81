"""The exports: their labels, columns, column types and tables.

In: nothing; out: the declarations `APPOINTMENTS` and `USERS`.
May import: `errors`, `model`.
Start at `catalogue.py`; `column_types.py` parses the cells of each type.
"""

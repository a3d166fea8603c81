"""Imports into databases that differ from those that `salespro migrate` creates.

Start at `case.py`.  The catalogue lists the databases, and what an import must do in each.
"""

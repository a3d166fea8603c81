"""Tests of rows that are no data: blank rows, headers among the rows, rows of other widths."""

"""Tests of the header: layouts, refusals, labels, and headers among the rows."""

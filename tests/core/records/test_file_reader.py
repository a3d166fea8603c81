"""How the rows of a file are counted; a checkpoint is a number of rows."""

from __future__ import annotations

from salespro_core.model.counts import COUNTING_VERSION
from tests.core.records.readers import read_chunks

_HEADER = "_id,resultFullString,saleAmount\n"
_ROW_COUNTS = {
    "a,Sold,1.00\nb,Sold,\n": 2,
    "a,Sold,1.00\n\n\r\nb,Sold,": 2,
    # No data.
    "a,Sold,1.00\n,,\n , ,\n,\n": 1,
    _HEADER + "a,Sold,1.00\n" + _HEADER: 3,
    # Damage.
    "a,Sold\nb,Sold,1.00,\n": 2,
    'a,"Sold,1.00\nb,Sold,2.00\n': 2,
    'a,"Sold\nand paid",1.00\nb,"Sold,2.00\nc,Sold,3.00\n': 3,
    'a,"Sold" and paid,1.00\nb,Sold,2.00\n': 2,
    'a,Sold,1.00\nb,"Sold': 2,
}


def test_rows_are_counted_by_the_rules_of_this_version() -> None:
    """If a count changes, raise the version: see `COUNTING_VERSION`."""
    counts = {
        rows: sum(chunk.rows for chunk in read_chunks((_HEADER + rows).encode()))
        for rows in _ROW_COUNTS
    }

    assert (COUNTING_VERSION, counts) == (2, _ROW_COUNTS)

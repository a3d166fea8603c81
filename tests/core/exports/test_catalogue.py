"""The declared columns accept exactly what the columns of the tables can store."""

from __future__ import annotations

from contextlib import suppress

import pytest
from psycopg import Connection

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Column, Export

COLUMNS = [
    pytest.param(export, column, id=f"{export.table}-{column.name}")
    for export in (APPOINTMENTS, USERS)
    for column in export.columns
    if column.column_type.sql in {"varchar", "numeric"}
]


def longest(column: Column, cells: list[str]) -> int:
    """The length of the longest cell that is accepted."""
    accepted = 0
    for cell in cells:
        with suppress(ValueError):
            column.parse_cell(cell)
            accepted = max(accepted, len(cell))
    return accepted


@pytest.mark.parametrize(("export", "column"), COLUMNS)
def test_longest_accepted_cell_fits_the_column_and_no_longer_one_would(
    conn: Connection, export: Export, column: Column
) -> None:
    """A longer one would be refused by Postgres, a shorter limit would lose valid rows."""
    query = """
        SELECT character_maximum_length, numeric_precision - numeric_scale
          FROM information_schema.columns
         WHERE table_name = %s AND column_name = %s
        """
    [(characters, digits)] = conn.execute(query, [export.table, column.name])
    if column.column_type.sql == "numeric":
        assert longest(column, ["9" * length for length in range(1, 40)]) == digits
    elif column.name == "office_id":
        cells = [f"({'a' * length})" for length in range(1, 300)]
        assert longest(column, cells) == characters + len("()")
    elif characters is None:
        assert longest(column, ["a" * 100_000]) == 100_000
    else:
        cells = ["a" * length for length in range(1, 2 * characters)]
        assert longest(column, cells) == characters


@pytest.mark.parametrize(("export", "column"), COLUMNS)
def test_whole_column_is_accepted_only_if_each_cell_would_be(
    export: Export, column: Column
) -> None:
    """Columns of ordinary cells are checked as a whole, which is faster."""
    all_canonical = column.column_type.all_canonical
    cells = [
        character * length
        for character in "a1é"
        for length in (1, 5, 49, 50, 51, 254, 256)
    ]
    for cell in [*cells, "1.00", "9" * 20 + ".00", "a b", "a\u200bb", " a", "\0"]:
        with suppress(ValueError):
            if column.parse_cell(cell) == cell:
                continue
        assert all_canonical is None or not all_canonical(["1.00", cell]), export.table
        assert all_canonical is None or not all_canonical([cell]), export.table

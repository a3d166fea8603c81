"""A column parsed as a whole gives the same values as its cells parsed one by one."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.column_types import (
    address,
    identifier,
    instant,
    key,
    money,
    text,
)
from salespro_core.exports.columns import Column, ColumnType, Export

COLUMNS = {
    f"{column.name}-of-{export.sync_type}": column
    for export in (APPOINTMENTS, USERS)
    for column in export.columns
}
cells = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            *("", " ", "\t", "\N{NO-BREAK SPACE}", "\0", "x", " x ", "NULL", "\udcff"),
            *("2025-06-06T00:16:45.538Z", "2025-06-31T00:16:45.538Z", "2025-06-06"),
            *("2025-06-06T24:00:00.000Z", "2025-06-06T23:60:00.000Z"),
            *("2025-06-06T23:59:60.000Z", "0000-06-06T00:16:45.538Z"),
            *("2025-06-06T00:16:45.53Z", "\u0662025-06-06T00:16:45.538Z"),
            *("2025-W23-5T00:16:45.538Z", " 2025-06-06T00:16:45.538Z"),
            *("1.00 2.00", "0.5", "01.5", "-1.5", "1.500", "12345678901.5", "12."),
            *("TRUE", "no", "12.50", "$1,234.5", "1e5", "06/18/2025", "x (a1)"),
            *("x" * length for length in (50, 51, 100, 101, 254, 255, 256)),
        ]
    ),
)


@pytest.mark.parametrize("name", COLUMNS)
@settings(deadline=None)
@given(st.lists(cells, max_size=6))
@example(["2025-06-06T00:16:45.538Z", "2025-06-06T00:16:45.538Z"])
@example(["2025-06-06T24:00:00.000Z"])
@example(["A1", "b2"])
@example(["1.00 2.00"])
@example(["0.00", "12.5", "01.5"])
def test_column_parsed_at_once_gives_the_same_values_as_cell_by_cell(
    name: str, drawn: list[str]
) -> None:
    column = COLUMNS[name]
    invalid: set[int] = set()

    values = column.parse_cells(drawn, invalid)

    assert len(values) == len(drawn)
    for row_index, cell in enumerate(drawn):
        if row_index in invalid:
            with pytest.raises(ValueError, match=r"\w"):
                column.parse_cell(cell)
        else:
            assert values[row_index] == column.parse_cell(cell)


@pytest.mark.parametrize(
    ("column_type", "salespro_cells"),
    [
        pytest.param(instant(), ["2025-06-06T00:16:45.538Z"] * 2, id="instants"),
        pytest.param(text(100), ["Müller", "x y"], id="text"),
        pytest.param(key(50), ["xWMyZ4YEGZ"], id="keys"),
        pytest.param(identifier(50), ["EMP-10000", "4000"], id="identifiers"),
        pytest.param(
            address(254), ["ann.lee+sales@example.com", "ann"], id="addresses"
        ),
        pytest.param(money(12), ["23245.09", "0.5", "1234567890.12"], id="amounts"),
    ],
)
def test_values_as_salespro_writes_them_take_the_fast_path(
    column_type: ColumnType, salespro_cells: list[str]
) -> None:
    """Otherwise the results would be right, but slow."""
    assert column_type.all_canonical is not None
    assert column_type.all_canonical(salespro_cells)
    assert (
        Column("x", "x", column_type).parse_cells(salespro_cells, set())
        is salespro_cells
    )


@pytest.mark.parametrize("name", COLUMNS)
@settings(deadline=None)
@given(cells)
def test_column_accepts_the_cells_that_it_parses(name: str, cell: str) -> None:
    column = COLUMNS[name]
    invalid: set[int] = set()

    column.parse_cells([cell], invalid)

    assert column.accepts(cell) == (not invalid)


@pytest.mark.parametrize("export", [APPOINTMENTS, USERS], ids=["appointments", "users"])
def test_labels_of_an_export_are_those_of_its_columns_each_once(export: Export) -> None:
    own = {label for column in export.columns for label in column.labels}

    assert set(export.labels) == own
    assert len(export.labels) == len(own)


@pytest.mark.parametrize(
    ("export", "found", "label"),
    [
        (USERS, 9, "Assigned Office"),  # of two columns
        (APPOINTMENTS, 5, "customerLastName"),
    ],
)
def test_missing_labels_are_those_of_the_other_columns(
    export: Export, found: int, label: str
) -> None:
    others = export.columns[found:]

    missing = export.missing_labels(export.columns[:found])

    assert set(missing) == {label for column in others for label in column.labels}
    assert label in missing

"""Many rows at once come out as one by one: what is read fast is read as closely."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader import row_blocks
from salespro_core.csv_reader.decoding import open_text
from salespro_core.csv_reader.row_blocks import Block, block_of, joined
from salespro_core.csv_reader.row_reader import Row, read_closely
from salespro_core.errors import UnreadableObject
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.column_types import instant, key, money, text
from salespro_core.exports.columns import Column, ColumnType
from tests.support.builders import read_rows

HEADER = "a,b\n"


def one_by_one(body: bytes) -> list[Row] | str:
    """The rows of a file as the close reader has them; or why it refuses."""
    csv.field_size_limit(row_blocks.CELL_CHARACTERS)
    whole = open_text(io.BytesIO(body))
    next(whole)
    try:
        return read_closely(list(whole), (), line=2, width=2)[0]
    except UnreadableObject as error:
        return str(error)


def many_at_once(body: bytes) -> list[Row] | str:
    """The rows of a file as they are read in production; or why it is refused."""
    try:
        return list(read_rows(io.BytesIO(body)))[1:]
    except UnreadableObject as error:
        return str(error)


damaged = st.lists(
    st.sampled_from(
        ["x,y", '"', '""', ",", "\n", "\r", "\r\n", 'x,"y"', '"x\n",y', "x", " ", "\udcff"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@settings(deadline=None, max_examples=1500)
@given(damaged, st.sampled_from([1, 7, 50, 10_000]))
@example('"x\r","\ny"\n', 10_000)
@example('x,y\n"x\ny\n', 5)
@example('x,y\nx"y"z,y\nx,y\n', 1000)
def test_whatever_the_file_it_does_not_matter_how_many_rows_are_read_at_once(
    rows: str, block_bytes: int
) -> None:
    """Not which rows there are, nor on which lines, nor what is wrong with them."""
    body = (HEADER + rows).encode(errors="surrogateescape")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_blocks, "BLOCK_BYTES", block_bytes)
        found = many_at_once(body)

    assert found == one_by_one(body)


@given(
    st.lists(st.tuples(st.text("ab"), st.sampled_from([None, "bad"])), min_size=1),
    st.lists(st.integers(1, 5), min_size=1),
)
def test_a_block_that_is_cut_and_joined_again_is_the_same(
    drawn: list[tuple[str, str | None]], sizes: list[int]
) -> None:
    rows = [Row(n, [cell], problem) for n, (cell, problem) in enumerate(drawn)]
    rest: Block | None = block_of(rows)
    parts: list[Block] = []
    for size in sizes:
        if rest is not None:
            part, rest = rest.cut(size)
            parts.append(part)
    parts += [rest] if rest is not None else []

    whole = joined(parts)

    assert list(whole) == rows
    assert len(whole) == len(rows) == sum(map(len, parts))
    assert [len(part) for part in parts][: len(parts) - 1] == sizes[: len(parts) - 1]


KINDS = {
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


@pytest.mark.parametrize("name", KINDS)
@settings(deadline=None)
@given(st.lists(cells, max_size=6))
@example(["2025-06-06T00:16:45.538Z", "2025-06-06T00:16:45.538Z"])
@example(["2025-06-06T24:00:00.000Z"])
@example(["A1", "b2"])
@example(["1.00 2.00"])
@example(["0.00", "12.5", "01.5"])
def test_a_column_that_is_read_at_once_is_read_as_cell_by_cell(
    name: str, found: list[str]
) -> None:
    column = KINDS[name]
    bad: set[int] = set()

    values = column.read_all(found, bad)

    assert len(values) == len(found)
    for place, cell in enumerate(found):
        if place in bad:
            with pytest.raises(ValueError, match=r"\w"):
                column.read(cell)
        else:
            assert values[place] == column.read(cell)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        pytest.param(instant(), ["2025-06-06T00:16:45.538Z"] * 2, id="instants"),
        pytest.param(text(100), ["Müller", "x y"], id="text"),
        pytest.param(key(50), ["xWMyZ4YEGZ"], id="keys"),
        pytest.param(money(12), ["23245.09", "0.5", "1234567890.12"], id="amounts"),
    ],
)
def test_what_salespro_writes_is_read_a_column_at_once(
    kind: ColumnType, found: list[str]
) -> None:
    """Otherwise all would be right, and slow."""
    assert kind.all_canonical is not None
    assert kind.all_canonical(found)
    assert Column("x", "x", kind).read_all(found, set()) is found

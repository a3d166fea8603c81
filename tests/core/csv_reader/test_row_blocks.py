"""Reading in bulk gives the same rows as reading one by one."""

from __future__ import annotations

import csv
import io
from itertools import chain, product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader import row_blocks
from salespro_core.csv_reader.decoding.text_stream import open_text
from salespro_core.csv_reader.row_blocks import read_well_formed
from salespro_core.csv_reader.row_reader import Row, read_with_recovery
from salespro_core.errors import UnreadableObject
from salespro_core.records.plausible_records import PlausibleRecords
from tests.support.builders import read_rows

HEADER = "a,b\n"


def read_one_by_one(body: bytes) -> list[Row] | str:
    """The rows after the header from the row-by-row reader; or its error."""
    csv.field_size_limit(row_blocks.MAX_CELL_CHARACTERS)
    whole = open_text(io.BytesIO(body))
    next(whole)
    try:
        pieces = read_with_recovery(list(whole), (), line=2, width=2)
        return list(chain.from_iterable(pieces))
    except UnreadableObject as error:
        return str(error)


def read_in_bulk(body: bytes) -> list[Row] | str:
    """The rows after the header as production reads them, in bulk; or the error."""
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
def test_bulk_reading_gives_the_same_rows_with_any_block_size(
    rows: str, block_characters: int
) -> None:
    """The same cells, line numbers and problems."""
    body = (HEADER + rows).encode(errors="surrogateescape")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_blocks, "BLOCK_CHARACTERS", block_characters)
        found = read_in_bulk(body)

    assert found == read_one_by_one(body)


def test_row_that_may_have_swallowed_another_is_left_to_recovery_if_damage_follows() -> (
    None
):
    """It is a record itself; only a record after it would show that its quotes are right."""
    check = PlausibleRecords()  # every row is a record until the header is known
    swallowed = ['b1,"Sold\n', "c1,Sold,Lee\n", '",Lee\n']
    damaged = 'd1,"x" y,Lee\n'

    block, line_count, _ = read_well_formed(
        ["a1,Sold,Lee\n", *swallowed, damaged], 2, 3, check
    )
    after, _, _ = read_well_formed([*swallowed, "e1,Sold,Lee\n", damaged], 2, 3, check)

    assert [row[0] for row in block.rows] == ["a1"]
    assert line_count == 1
    assert [row[0] for row in after.rows] == ["b1", "e1"]


def rows_of_reader(lines: list[str]) -> tuple[list[list[str]], list[int], bool]:
    """The rows that Python's strict reader reads before its first error."""
    reader = csv.reader(lines, strict=True)
    rows: list[list[str]] = []
    starts = [0]
    try:
        for cells in reader:
            rows.append(cells)
            starts.append(reader.line_num)
    except csv.Error:
        return rows, starts, reader.line_num == len(lines)
    return rows, starts, False


def assert_split_as_by_reader(text: str) -> None:
    lines = io.StringIO(text, newline="").readlines()
    rows, starts, is_incomplete = rows_of_reader(lines)

    split = row_blocks.split_rows(lines)

    assert (split.rows, list(split.starts)) == (rows, starts), text
    assert split.is_incomplete == is_incomplete, text
    quotes = [index for index, cells in enumerate(rows) if '"' in "".join(cells)]
    assert list(split.rows_with_quotes) == quotes, text


@pytest.mark.parametrize("alphabet", ['a",\n', '",\r\n', '" \n\0'])
def test_every_short_text_is_split_as_by_the_csv_module(alphabet: str) -> None:
    for length in range(7):
        for characters in product(alphabet, repeat=length):
            assert_split_as_by_reader("".join(characters))


@settings(deadline=None, max_examples=500)
@given(damaged)
def test_long_text_is_split_as_by_the_csv_module(text: str) -> None:
    assert_split_as_by_reader(text)

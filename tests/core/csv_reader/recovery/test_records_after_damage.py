"""After damage, text that has as many commas as a row belongs to the damaged row."""

from __future__ import annotations

import csv
import gzip
import io
from itertools import product

import pytest

from salespro_core.csv_reader import row_blocks
from tests.core.csv_reader.recovery.exports import (
    AMOUNT,
    DATE,
    NARROW,
    USER,
    WIDE,
    read,
)

LINE_ENDS = pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
LENIENT = pytest.mark.parametrize("is_lenient", [False, True])


FRAGMENTS = {
    "list-of-a-wide-file": (
        WIDE,
        f'a1,{DATE},{DATE},TRUE,"Demo',
        ["roof, siding, gutters, windows, doors,Lee,10.00"],
        [f"b{n},{DATE},{DATE},TRUE,Sold,Lee,10.00" for n in range(9)],
    ),
    "list-without-spaces": (
        WIDE,
        f'a1,{DATE},{DATE},TRUE,"Demo',
        ["roof,siding,gutters,windows,doors,Lee,10.00"],
        [f"b{n},{DATE},{DATE},TRUE,Sold,Lee,10.00" for n in range(9)],
    ),
    "list-with-blanks": (
        WIDE,
        f'a1,{DATE},{DATE},TRUE,"Demo',
        ["roof,,,,doors,Lee,10.00"],
        [f"b{n},{DATE},{DATE},TRUE,Sold,Lee,10.00" for n in range(9)],
    ),
    "prose": (
        NARROW,
        'a1,"Sold',
        ["Call Ann, not Bob,Lee"],
        [f"b{n},Sold,Lee" for n in range(9)],
    ),
    "prose-of-three-lines": (
        NARROW,
        'a1,"Sold',
        ["Call Ann, not Bob,Lee", "or Tim, then Joe, and Al", "at 5, or 6,Lee"],
        [f"b{n},Sold,Lee" for n in range(9)],
    ),
    "one-word": (
        NARROW,
        'a1,"Sold',
        ["Call,not Bob,Lee"],
        [f"b{n},Sold,Lee" for n in range(9)],
    ),
    "text-after-a-quote": (
        NARROW,
        'a1,"Sold" and',
        ["Call Ann, not Bob,Lee"],
        [f"b{n},Sold,Lee" for n in range(9)],
    ),
    "stray-quote": (
        NARROW,
        'a1,Sold" and',
        ["Call Ann, not Bob,Lee"],
        [f"b{n},Sold,Lee" for n in range(9)],
    ),
    "line-break-without-quotes": (
        NARROW,
        "a1,Sold",
        ["Call Ann, not Bob,Lee"],
        [f"b{n},Sold,Lee" for n in range(9)],
    ),
    "line-breaks-and-a-blank-line-without-quotes": (
        NARROW,
        "a1,Sold",
        ["", "Call Ann, not Bob,Lee"],
        [f"b{n},Sold,Lee" for n in range(9)],
    ),
    "with-an-amount": (
        AMOUNT,
        'a1,"Sold',
        ["Call Ann, not Bob,10.00"],
        [f"b{n},Sold,1.00" for n in range(9)],
    ),
    "users": (
        USER,
        'a1,"Ann',
        ["Call Ann, not Bob,Lee"],
        [f"b{n},Ann,Lee" for n in range(9)],
    ),
}


@pytest.mark.parametrize("name", FRAGMENTS)
@LINE_ENDS
@LENIENT
def test_text_after_damage_belongs_to_the_rejected_row(
    name: str, line_end: str, *, is_lenient: bool
) -> None:
    """At the begin, in the middle and at the end of a file; with and without neighbours."""
    header, damaged, fragments, sound = FRAGMENTS[name]
    for before, after, is_gzipped in product((0, 1, 9), (0, 1, 9), (False, True)):
        lines = [header, *sound[:before], damaged, *fragments]
        lines += [line.replace("b", "c", 1) for line in sound[:after]]
        body = line_end.join([*lines, ""]).encode()

        found, rejects, text = read(
            gzip.compress(body) if is_gzipped else body, is_lenient=is_lenient
        )

        assert found == [line.split(",")[0] for line in lines if line[:1] in ("b", "c")]
        assert [reject.line for reject in rejects] == [2 + before]
        [_, row] = csv.reader(io.StringIO(text, newline=""))
        assert ",".join(row[3:]) == line_end.join([damaged, *fragments])


def test_two_damages_with_text_after_each_reject_two_rows() -> None:
    fragment = "Call Ann, not Bob,Lee"
    lines = [
        NARROW,
        "b1,x,y",
        'a1,"Sold',
        fragment,
        "b2,x,y",
        "a2,Sold",
        fragment,
        "b3,x,y",
    ]

    found, rejects, _ = read("\n".join(lines).encode())

    assert found == ["b1", "b2", "b3"]
    assert [reject.line for reject in rejects] == [3, 6]


@pytest.mark.parametrize("block_characters", [1, 10, 40, 200])
@pytest.mark.parametrize("name", FRAGMENTS)
def test_text_after_damage_is_found_where_blocks_end_inside_of_it(
    name: str, block_characters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_blocks, "BLOCK_CHARACTERS", block_characters)
    header, damaged, fragments, sound = FRAGMENTS[name]
    body = "\n".join([header, *sound[:5], damaged, *fragments, *sound[5:]])

    found, rejects, _ = read(body.encode())

    assert found == [line.split(",")[0] for line in sound]
    assert [reject.line for reject in rejects] == [7]


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param([f"{n}" for n in range(30)], id="numbers"),
        pytest.param([f"A-{n}" for n in range(30)], id="with-a-hyphen"),
        pytest.param(["Ann", "Bob", "Cy", "Dee", "Eve", "Flo", "Gus"], id="words"),
        pytest.param([f"rep{n}@example.com" for n in range(30)], id="emails"),
        pytest.param(["aXbQcWdErTyUiOpLk", "b2XbQcWdErTyUiOpLk"] * 9, id="random"),
    ],
)  # fmt: skip
def test_neighbours_are_imported_whatever_ids_look_like(ids: list[str]) -> None:
    """Even if the first row is damaged."""
    for index in (0, 3, len(ids) - 2):
        lines = [f"{id_},Sold,Lee" for id_ in ids]
        lines[index] = f'{ids[index]},"Sold,Lee'
        body = "\n".join([NARROW, *lines]).encode()

        found, rejects, _ = read(body)

        assert len(rejects) == 1
        assert found == [id_ for n, id_ in enumerate(ids) if n != index]


def test_invalid_row_after_a_damaged_row_is_rejected_by_itself() -> None:
    sound = f"{DATE},{DATE},TRUE,Sold,Lee,10.00"
    body = f'{WIDE}\na1,{DATE},"{DATE},TRUE,Sold,Lee,1\na2,{sound}x\na3,{sound}\n'

    found, rejects, _ = read(body.encode())

    assert found == ["a3"]
    assert [reject.line for reject in rejects] == [2, 3]


@LENIENT
@pytest.mark.parametrize("before", [0, 3, 30])
@pytest.mark.parametrize(
    "damaged", ["K-13,lot,Sold", 'K-13,1.00,"Sold,TRUE', 'K-13,1.00,Sold" x,TRUE']
)
def test_rows_with_invalid_cells_after_damage_are_rows_of_their_own(
    damaged: str, before: int, *, is_lenient: bool
) -> None:
    """Their ids are like the others, so they are no text; the lenient mode imports them."""
    header = "_id,saleAmount,resultFullString,isSale"
    bad = ["K-1,lot,Sold,TRUE", "K-7,lot,,maybe", "K-8,lot,Sold,"]
    sound = [f"K-{n + 20},1.00,Sold,TRUE" for n in range(before)]
    last = ["K-99,1.00,Sold,TRUE", ""]
    body = "\n".join([header, *sound, damaged, *bad, *last]).encode()

    found, rejects, _ = read(body, is_lenient=is_lenient)

    imported = ["K-1", "K-7", "K-8"] if is_lenient else []
    assert {*found} == {*(row.split(",")[0] for row in sound), *imported, "K-99"}
    lines = [2 + before] if is_lenient else [2 + before + n for n in range(4)]
    assert [reject.line for reject in rejects] == lines

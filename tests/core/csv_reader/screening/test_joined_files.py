"""Files that were put together without a line end before the second header."""

from __future__ import annotations

import time

import pytest

from salespro_core.csv_reader.screening.header_rows import (
    JOINED_HEADER,
    find_joined_header,
)
from salespro_core.errors import HeaderMismatch
from salespro_core.model.rejects import Problem
from tests.core.csv_reader.damage import LABELS, imported, keys, written
from tests.core.csv_reader.screening.header_forms import (
    EXPORTS,
    headers,
    other_headers,
)


def joined_files(export: str, header: str, quoting: str, place: int) -> bytes:
    """A row, the header without a line end before it, and the other rows."""
    rows = written(export, quoting)
    before = [",".join(LABELS[export]), *rows[:place]]
    return "\n".join([*before, rows[place] + header, *rows[place + 1 :], ""]).encode()


@pytest.mark.parametrize("place", [0, 17, 38])
@pytest.mark.parametrize("quoting", ["minimal", "all"])
@pytest.mark.parametrize("form", [f for f in headers("users") if "comma" not in f])
@pytest.mark.parametrize("export", EXPORTS)
def test_header_without_a_line_end_before_it_is_named(
    export: str, form: str, quoting: str, place: int
) -> None:
    body = joined_files(export, headers(export)[form], quoting, place)

    found, [reject], warnings = imported(body)

    assert found == [*keys(export)[:place], *keys(export)[place + 1 :]]
    assert reject.problems == (Problem(None, JOINED_HEADER),)
    assert keys(export)[place] in reject.cells[0]
    assert warnings == {}


@pytest.mark.parametrize("line_end", ["\n", ""])
@pytest.mark.parametrize("export", EXPORTS)
def test_rejects_file_after_an_export_is_another_header(
    export: str, line_end: str
) -> None:
    """Its cells are one column after the other, and its apostrophes would be stored."""
    labels = ",".join(LABELS[export])
    rejects = f"reject_line,reject_column,reject_reason,{labels}"
    row = written(export, "minimal")[0]
    body = f"{labels}\n{row}{line_end}{rejects}\n3,x,is empty,{row}\n"
    line, verb = (3, "is") if line_end else (2, "goes on with")

    with pytest.raises(HeaderMismatch, match=f"^Line {line} {verb} another header"):
        imported(body.encode())


@pytest.mark.parametrize("last", ["", "5", "x", '"x"', "$5.00", "_id"])
@pytest.mark.parametrize("header", ["_id,saleAmount", "_id,resultFullString,Notes"])
def test_header_of_a_narrow_file_without_a_line_end_before_it_is_named(
    header: str, last: str
) -> None:
    width = header.count(",")

    found, [reject], _ = imported(
        f"{header}\na1{',' * width}{last}{header}\nb1{',' * width}\n".encode()
    )

    assert (found, reject.line) == (["b1"], 2)
    assert reject.problems == (Problem(None, JOINED_HEADER),)


@pytest.mark.parametrize("place", [0, 17, 38])
@pytest.mark.parametrize("form", ["other-order", "key-last", "one-column-missing", "one-column-renamed", "other-export"])  # fmt: skip
@pytest.mark.parametrize("export", EXPORTS)
def test_other_header_without_a_line_end_before_it_refuses_the_file(
    export: str, form: str, place: int
) -> None:
    body = joined_files(export, other_headers(export)[form], "minimal", place)

    with pytest.raises(HeaderMismatch, match="goes on with another header"):
        imported(body)


@pytest.mark.parametrize(
    "row", ["a1,x,_id", "a1,x,User Object ID", "a1,x,y_id", "a1", "a1,x,y,_id,z"]
)  # fmt: skip
def test_row_with_more_cells_and_a_label_is_no_header(row: str) -> None:
    found, rejects, _ = imported(
        f"_id,resultFullString\nb1,x\n{row}\nb2,x\nb3,x\n".encode()
    )

    assert found == ["b1", "b2", "b3"]
    assert "cells where the header has 2" in rejects[0].problems[0].reason


def test_row_of_many_cells_is_looked_at_in_time_that_grows_with_their_number() -> None:
    """The labels that follow were counted again for each cell: minutes for one row."""
    start = time.process_time()

    assert find_joined_header(["ab"] * 200_000, {"_id"}) == []
    assert time.process_time() - start < 5

"""A damaged row: its problem, its text, and where the next row starts."""

from __future__ import annotations

import csv
import io
from itertools import islice

import pytest

from salespro_core.csv_reader import row_blocks
from salespro_core.csv_reader.recovery import line_buffer, next_row
from salespro_core.csv_reader.recovery.line_buffer import RowSize, RowTooLong
from salespro_core.csv_reader.recovery.problems import (
    CELL_TOO_LONG,
    STRAY_QUOTE,
    TEXT_AFTER_QUOTE,
    TRUNCATED_ROW,
    UNCLOSED_QUOTE,
    UNCLOSED_QUOTE_AT_END,
)
from salespro_core.csv_reader.row_reader import Row
from salespro_core.errors import UnreadableObject
from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.model.rejects import MAYBE_CUT
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.csv_reader.damage import file_of, imported, keys, written
from tests.support.builders import items_of, read_rows


def read(body: bytes) -> list[Row]:
    return list(read_rows(io.BytesIO(body)))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'a,b\n"1,2\n3,4\n', [Row(2, ['"1', "2"], UNCLOSED_QUOTE), Row(3, ["3", "4"])], id="open-in-the-first-cell"),
        pytest.param(b'a,b\n1,"2\n3,4\n', [Row(2, ["1", '"2'], UNCLOSED_QUOTE), Row(3, ["3", "4"])], id="open-in-the-last-cell"),
        pytest.param(b'a,b\n1,"2\n3,"4"\n5,6', [Row(2, ["1", '"2'], UNCLOSED_QUOTE), Row(3, ["3", "4"]), Row(4, ["5", "6"])], id="open-and-ended-by-the-next-quote"),
        pytest.param(b'a,b\n1,2"\n3,"4\n5"\n', [Row(2, ["1", '2"'], STRAY_QUOTE), Row(3, ["3", "4\n5"])], id="never-opened"),
        pytest.param(b'a,b\n1,"2\n3,"4\n5"\n', [Row(2, ["1", '"2'], UNCLOSED_QUOTE), Row(3, ["3", "4\n5"])], id="the-next-row-has-lines"),
        pytest.param(b'a,b\n1,"2\n\n\n3,4\n', [Row(2, ["1", '"2'], UNCLOSED_QUOTE), Row(5, ["3", "4"])], id="blank-lines-after-it"),
        pytest.param(b'a,b\n1,"2\n3\n4,5\n', [Row(2, ["1", '"2\n3'], UNCLOSED_QUOTE), Row(4, ["4", "5"])], id="a-line-that-is-not-a-row"),
        pytest.param(b'a,b\n1,"2""\n3,4\n', [Row(2, ["1", '"2""'], UNCLOSED_QUOTE), Row(3, ["3", "4"])], id="doubled-quote-closes-nothing"),
        pytest.param(b'a,b\n1,"2\n3,4\n5,",6"\n7,8', [Row(2, ["1", '"2'], UNCLOSED_QUOTE), Row(3, ["3", "4"]), Row(4, ["5", ",6"]), Row(5, ["7", "8"])], id="closed-by-accident-in-another-row"),
        pytest.param(b'a,b\n1,"2"3\n4,5\n', [Row(2, ["1", '"2"3'], TEXT_AFTER_QUOTE), Row(3, ["4", "5"])], id="text-after-a-quote"),
        pytest.param(b'a,b\n1,"2" \n4,5\n', [Row(2, ["1", '"2" '], TEXT_AFTER_QUOTE), Row(3, ["4", "5"])], id="space-after-a-quote"),
        pytest.param(b'a,b\n1,"2"3\n4,"5"6\n7,8\n', [Row(2, ["1", '"2"3'], TEXT_AFTER_QUOTE), Row(3, ["4", '"5"6'], TEXT_AFTER_QUOTE), Row(4, ["7", "8"])], id="two-bad-rows-in-a-row"),
        pytest.param(b'a,b,c\n"2"3,"4\n5",6\n7,8,9\n', [Row(2, ['"2"3', '"4\n5"', "6"], TEXT_AFTER_QUOTE), Row(4, ["7", "8", "9"])], id="a-bad-row-of-two-lines"),
        pytest.param(b'a,b,c\n1,"2\n3" 4,5\n7,8,9\n', [Row(2, ["1", '"2\n3" 4', "5"], TEXT_AFTER_QUOTE), Row(4, ["7", "8", "9"])], id="text-after-a-quote-of-two-lines"),
        pytest.param(b'a,b,c\n1,"2\n3",4" pipe\n7,8,9\n', [Row(2, ["1", "2\n3", '4" pipe'], STRAY_QUOTE), Row(4, ["7", "8", "9"])], id="stray-quote-after-a-cell-of-two-lines"),
        pytest.param(b'a,b\n1,"say \\"hi\\""\n4,5\n', [Row(2, ["1", '"say \\"hi\\""'], TEXT_AFTER_QUOTE), Row(3, ["4", "5"])], id="backslashes"),
        pytest.param(b'a,b,c,d\n1,"2\n5,6,7,8\n3,",9",4\n', [Row(2, ["1", '"2'], UNCLOSED_QUOTE), Row(3, ["5", "6", "7", "8"]), Row(4, ["3", ",9", "4"])], id="row-inside-a-row-of-the-right-width"),
        pytest.param(b'a,b,c\n1,"2\n3,4,5\n6,"\n7,8,9\n', [Row(2, ["1", '"2'], UNCLOSED_QUOTE), Row(3, ["3", "4", "5"]), Row(4, ["6", '"'], UNCLOSED_QUOTE), Row(5, ["7", "8", "9"])], id="row-inside-a-legal-row-of-another-width"),
        pytest.param(b'a,b\n1,"2\n3,""4\n5,6\n7,8\n', [Row(2, ["1", '"2'], UNCLOSED_QUOTE), Row(3, ["3", '""4'], TEXT_AFTER_QUOTE), Row(4, ["5", "6"]), Row(5, ["7", "8"])], id="lines-given-back-twice"),
        pytest.param(b'a,b,c\n1,"2"3,4\n4,"5\n6",7"\n7,8,9\n', [Row(2, ["1", '"2"3', "4"], TEXT_AFTER_QUOTE), Row(3, ["4", "5\n6", '7"'], STRAY_QUOTE), Row(5, ["7", "8", "9"])], id="two-bad-rows-the-second-of-two-lines"),
        pytest.param(b'a,b\n1,"2\n3",4\n5\n6,7\n', [Row(2, ["1", "2\n3", "4"]), Row(4, ["5"]), Row(5, ["6", "7"])], id="too-wide-then-too-short"),
        pytest.param(b'a,b\n1,5" pipe\n4,5\n', [Row(2, ["1", '5" pipe'], STRAY_QUOTE), Row(3, ["4", "5"])], id="stray-quote"),
        pytest.param(b'a,b\n1, "2"\n4,5\n', [Row(2, ["1", ' "2"'], STRAY_QUOTE), Row(3, ["4", "5"])], id="space-before-a-quote"),
        pytest.param(b'a,b\n1,"2\n3",4\n5,6', [Row(2, ["1", "2\n3", "4"]), Row(4, ["5", "6"])], id="legal-but-too-wide"),
        pytest.param(b"a,b\n1,2,\n3,4\n", [Row(2, ["1", "2", ""]), Row(3, ["3", "4"])], id="trailing-comma"),
        pytest.param(b'a,b\n1,"2\n', [Row(2, ["1", '"2'], UNCLOSED_QUOTE_AT_END)], id="open-in-the-last-row"),
        pytest.param(b'a,b\n1,"', [Row(2, ["1", '"'], UNCLOSED_QUOTE_AT_END)], id="opened-last"),
        pytest.param(b'a,b\n1,2\n3,"4\nand more', [Row(2, ["1", "2"]), Row(3, ["3", '"4\nand more'], UNCLOSED_QUOTE_AT_END)], id="truncated-in-a-cell-of-two-lines"),
        pytest.param(b"a,b\n1,2\n3", [Row(2, ["1", "2"]), Row(3, ["3"], TRUNCATED_ROW)], id="truncated-after-the-first-cell"),
        pytest.param(b"a,b\n1,2\n3\n", [Row(2, ["1", "2"]), Row(3, ["3"])], id="short-but-not-truncated"),
        pytest.param(b'a,b\n1,"2"3', [Row(2, ["1", '"2"3'], TEXT_AFTER_QUOTE)], id="bad-last-row"),
        pytest.param(b'a,b\n1,"2\0\xff\r\n3,4\r\n', [Row(2, ["1", '"2\0\udcff'], UNCLOSED_QUOTE), Row(3, ["3", "4"])], id="open-with-nul-and-invalid-utf-8"),
    ],
)  # fmt: skip
def test_damaged_row_has_a_problem_and_neighbours_are_read(
    body: bytes, expected: list[Row]
) -> None:
    """Its cells are its text between commas.  A wrong number of cells is not a CSV problem."""
    [_, *found] = read(body)

    assert found == expected


def test_rows_before_an_unclosed_quote_are_yielded_before_the_search() -> None:
    stream = io.BytesIO(b'a,b\n1,2\n3,"4\n' + b"5\n" * 1_000_000)
    found = read_rows(stream)

    assert list(islice(found, 2)) == [Row(1, ["a", "b"]), Row(2, ["1", "2"])]
    assert stream.tell() < 1_000_000


def test_file_without_a_row_within_the_look_ahead_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest of a large file is neither read into memory nor one rejected row."""
    monkeypatch.setattr(row_blocks, "MAX_CELL_CHARACTERS", 1000)
    monkeypatch.setattr(next_row, "LOOK_AHEAD_CHARACTERS", 5000)
    stream = io.BytesIO(b'a,b\n1,2\n"3\n",\n"4\n' + b"5\n" * 1_000_000)
    found = read_rows(stream)

    assert list(islice(found, 2)) == [Row(1, ["a", "b"]), Row(2, ["1", "2"])]
    with pytest.raises(UnreadableObject) as refusal:
        list(found)
    assert stream.tell() < 2_000_000
    assert str(refusal.value) == (
        "Line 5 is not valid CSV, and no row was found after it. "
        "A quote may be opened there and never closed."
    )


@pytest.mark.parametrize(
    "cell",
    ["2" * 1001, f'"{"2" * 1001}"', f'"{"2 " * 600}\n"', '"' + "2\n" * 600 + '"'],
)
def test_cell_over_the_limit_rejects_its_row_only(
    monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    # A line that is longer than a block is read by Python's reader, which has the limit.
    for limit in ("MAX_CELL_CHARACTERS", "BLOCK_CHARACTERS"):
        monkeypatch.setattr(row_blocks, limit, 1000)

    [_, bad, good] = read(f"a,b\n1,{cell}\n3,4\n".encode())

    assert bad == Row(2, ["1", cell], CELL_TOO_LONG)
    assert good == Row(3 + cell.count("\n"), ["3", "4"])


def test_60_000_damaged_rows_are_read_in_linear_time() -> None:
    """Lines that are given back must not be copied for each damaged row."""
    body = b"a,b\n" + b'1,"2"3\n' * 60_000 + b"6,7\n"

    found = read(body)

    assert len(found) == 60_002
    assert found[-1] == Row(60_002, ["6", "7"])


def test_unclosed_quote_without_a_row_after_it_refuses_the_file() -> None:
    """One reject would hide the loss of many rows."""
    good = [it for it in written("appointments", "minimal") if '"' not in it]
    opened = 'X-1,"never closed' + "," * 10
    odd = [f"{line},and one too many" for line in good] * 13
    body = file_of("appointments", [*good, opened, *odd], "\r\n")

    with pytest.raises(
        UnreadableObject, match=f"Line {len(good) + 2} is not valid CSV"
    ):
        imported(body)


def test_last_row_truncated_in_a_long_text_is_rejected_alone() -> None:
    good = written("appointments", "minimal")
    text = "\r\n".join(f"line {n} of a mail" for n in range(90))
    body = file_of("appointments", [*good, f'X-1,,,,"{text}'], "\r\n", ends=False)

    found, rejects, warnings = imported(body)

    assert sorted(map(str, found)) == sorted(keys("appointments"))
    assert [reject.cells[0] for reject in rejects] == ["X-1"]
    assert warnings == {MAYBE_CUT: 1}


def test_rejects_file_has_every_character_of_a_damaged_row() -> None:
    """Its cells are the text between commas, so that they can be corrected."""
    bad = 'A-2,2025-06-06T00:16:45.538Z,"said \\"no\\", and left\r\nat once,TRUE'
    body = f"_id,_created_at,resultFullString,isSale\r\nA-1,,,\r\n{bad}\r\nA-3,,,\r\n"

    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body.encode()), (APPOINTMENTS,), rejects, is_lenient=False
        )
        assert [item.line for item in items_of(reader)] == [2, 3, 5]
        file = rejects.open()
        assert file is not None
        text = file.read().decode()
    [_, [line, column, reason, *cells]] = csv.reader(io.StringIO(text, newline=""))

    assert (line, column, reason) == ("3", "", TEXT_AFTER_QUOTE)
    assert ",".join(cells) == bad


@pytest.mark.parametrize("line", ["a,b,c\n", 'a,"b,b,b",c\n'])
def test_row_of_the_most_cells_is_accepted(line: str) -> None:
    RowSize(max_cells=3).add(line)


@pytest.mark.parametrize("line", ["a,b,c,d\n", ",,,,,,,\n", '"a","b,b","c",d,e\n'])
def test_row_of_more_cells_is_too_long(line: str) -> None:
    with pytest.raises(RowTooLong):
        RowSize(max_cells=3).add(line)


def test_commas_in_a_cell_with_line_breaks_are_text() -> None:
    size = RowSize(max_cells=3)
    size.add('a,"b,b,b\n')
    size.add("b,b,b,b,b\n")
    size.add('b,b,b",c\n')

    with pytest.raises(RowTooLong):
        size.add('b",d\n')


def test_row_of_the_most_lines_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_buffer, "MAX_ROW_LINES", 3)
    size = RowSize()
    for _ in range(3):
        size.add("a\n")

    with pytest.raises(RowTooLong):
        size.add("a\n")


def test_row_of_the_most_characters_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_buffer, "MAX_ROW_CHARACTERS", 6)
    size = RowSize()
    size.add("abc\n")
    size.add("d\n")

    with pytest.raises(RowTooLong):
        size.add("e")

"""Memory does not depend on the size of a damaged file, and no text is read repeatedly."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from salespro_core.csv_reader.recovery.line_buffer import MAX_ROW_CELLS, LineBuffer
from salespro_core.csv_reader.recovery.next_row import _Recovery
from salespro_core.csv_reader.recovery.problems import ROW_TOO_LONG, UNCLOSED_QUOTE
from salespro_core.csv_reader.row_reader import MAX_COLUMNS, Row
from salespro_core.errors import UnreadableObject
from tests.core.csv_reader.damage import imported
from tests.support.builders import read_rows

LABELS = "_id,_created_at,_updated_at,isSale,resultFullString,customer.nameLast,customer.nameFirst,customer.estimateName,salesrep.email,salesrep.nameFirst,salesrep.nameLast,saleAmount"  # fmt: skip
DATE = "2025-06-06T00:16:45.538Z"
# Peak RSS of the whole process (about 35 MB without a row), and what a file of twice the
# size adds; both are larger than what the search for the next row may read.
CEILING_MB = 190
GROWTH_MB = 20


def appointment(number: int, result: str = "Sold") -> str:
    return (
        f"a{number:08},{DATE},{DATE},TRUE,{result},Lee,Ann,Kitchen of Lee,"
        "rep@example.com,Rep,Low,10.00\n"
    )


# The line of each number.
KINDS: dict[str, Callable[[int], str]] = {
    "every-30000th-row-opens-a-quote": lambda n: appointment(
        n, '"Sold' if n % 30_000 == 0 else "Sold"
    ),
    "each-row-has-text-after-a-quote": lambda n: appointment(n, '"Sold"x'),
    "each-second-row-opens-a-quote": lambda n: appointment(n, '"Sold' if n % 2 else ""),
    "lines-of-a-quote-only": lambda _: '"' + " " * 50 + "\n",
    "lines-of-two-quotes": lambda _: '""' + " " * 50 + "\n",
    "open-quote-and-rows-that-are-legal-inside-of-it": lambda n: (
        appointment(n, '"Sold') if n % 100_000 == 1 else 'b,",x,"' + ",c" * 10 + "\n"
    ),
    # Most rows fit the header, which would be refused otherwise.
    "rows-of-100000-cells": lambda n: appointment(n) if n % 3 else "ab," * 100_000 + "\n",
    "rows-of-a-million-cells": lambda n: (
        appointment(n) if n % 3 else "ab," * 1_000_000 + "\n"
    ),
    "rows-with-a-cell-too-many": lambda n: (
        appointment(n) if n % 3 else appointment(n).replace("\n", ",\n")
    ),
    "rows-with-a-cell-too-few": lambda n: (
        appointment(n) if n % 3 else appointment(n).replace(",10.00", "")
    ),
    "open-quote-and-short-lines": lambda n: appointment(n, '"Sold') if n == 1 else "5\n",
}  # fmt: skip


class Lines(io.RawIOBase):
    """A file with the lines of one kind, made while it is read."""

    def __init__(self, kind: str, size: int) -> None:
        self._lines = self._make(KINDS[kind], size)
        self._rest = b""

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read a piece of a line."""
        self._rest = self._rest or next(self._lines, b"")
        piece = self._rest[: len(buffer)]
        self._rest = self._rest[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)

    @staticmethod
    def _make(line_of: Callable[[int], str], size: int) -> Iterator[bytes]:
        yield f"{LABELS}\n".encode()
        for number in count(1):
            line = line_of(number).encode()
            yield line
            size -= len(line)
            if size <= 0:
                return


# The peak from the kernel; ru_maxrss would include the fork of pytest.
MEASURE = """
import io, re, sys
from pathlib import Path
from salespro_core.errors import UnreadableObject
from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.csv_reader.recovery.test_memory_of_damage import Lines
Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
kind, size = sys.argv[1:]
with Rejects() as rejects:
    reader = ExportReader(
        io.BufferedReader(Lines(kind, int(size))), (APPOINTMENTS,), rejects, is_lenient=False
    )
    try:
        for _ in reader.chunks(checkpoint_rows=5000, batch_size=1000):
            pass
    except UnreadableObject:
        pass
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak_rss_mb(kind: str, size: int) -> float:
    output = subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, "-c", MEASURE, kind, str(size)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(output.stdout) / 1024


@pytest.mark.parametrize("kind", KINDS)
def test_peak_memory_of_a_damaged_file_does_not_grow_with_its_size(kind: str) -> None:
    # Some rows of a million cells, 3 MB each, have to be read before the peak is reached.
    size = 14_000_000 if kind == "rows-of-a-million-cells" else 7_000_000
    small_mb = peak_rss_mb(kind, size)
    big_mb = peak_rss_mb(kind, 2 * size)

    assert big_mb < CEILING_MB
    assert big_mb - small_mb < GROWTH_MB


@pytest.mark.parametrize("kind", KINDS)
def test_characters_that_recovery_reads_grow_linearly(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text that is searched for the next row is not searched again for each row in it."""
    read = 0

    class Counting(LineBuffer):
        def take(self) -> str | None:
            nonlocal read
            line = super().take()
            read += len(line or "")
            return line

    monkeypatch.setattr("salespro_core.csv_reader.row_reader.LineBuffer", Counting)
    size = 3_000_000
    try:
        for _ in read_rows(io.BufferedReader(Lines(kind, size))):
            pass
    except UnreadableObject:
        pass

    assert read < 4 * size


def test_lines_of_a_quote_only_are_searched_once_for_the_text_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two of them are a blank row; each of those rows looked at the next hundred."""
    read = 0
    read_row = _Recovery._read_row  # noqa: SLF001 -- counted

    def counting(self: _Recovery, index: int) -> tuple[list[str], int] | None:
        nonlocal read
        read += 1
        return read_row(self, index)

    monkeypatch.setattr(_Recovery, "_read_row", counting)
    rows = 500
    body = f"{LABELS}\n{appointment(1)}" + '"\n"\n' * rows + appointment(2)

    found, rejects, warnings = imported(body.encode())

    assert (sorted(map(str, found)), rejects, warnings) == (
        ["a00000001", "a00000002"],
        [],
        {},
    )
    assert read < 3 * rows


def test_text_after_lines_of_a_quote_only_is_no_appointment() -> None:
    text = "roof, siding, gutters, windows, doors, a, b, c, d, e, f, g\n"
    rows = "".join(map(appointment, range(30)))

    for lines in ('"\n"\n' * 50, '"\n"\n\n' * 3, '"\n"\n' + "," * 11 + "\n"):
        found, [reject], _ = imported(f"{LABELS}\n{rows}{lines}{text}".encode())

        assert len(found) == 30
        assert reject.cells[-1] == " g"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("_id" + "," * 16_000_000, id="16-mb-of-commas"),
        pytest.param(",".join(f"c{n}" for n in range(1_000_000)), id="a-million-labels"),
        pytest.param('"_id"' + ',"x"' * MAX_COLUMNS, id="quoted-and-one-too-many"),
        pytest.param('_id,"a\nb"' + ",x" * MAX_COLUMNS, id="after-a-line-break"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", ""])
def test_header_with_too_many_columns_refuses_the_file(
    header: str, line_end: str
) -> None:
    with pytest.raises(UnreadableObject) as refusal:
        list(read_rows(io.BytesIO(f"\n{header}{line_end}".encode())))

    assert str(refusal.value) == (
        "The header in line 2 has more than 16,384 columns, so this is not an export from "
        "SalesPro. Export the file again."
    )


def test_header_with_as_many_columns_as_a_spreadsheet_is_read() -> None:
    [header] = read_rows(io.BytesIO(b"_id" + b"," * (MAX_COLUMNS - 1) + b"\n"))

    assert len(header.cells) == MAX_COLUMNS


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "before", ["", "1,2\n", '1,"2\n'], ids=["first", "after-a-row", "after-a-damaged-row"]
)  # fmt: skip
@pytest.mark.parametrize("rows", [1, 3])
def test_row_of_16_mb_of_commas_is_rejected_in_a_bounded_number_of_cells(
    line_end: str, before: str, rows: int
) -> None:
    """All its text is kept; rows around it are read."""
    bad = "x" + "," * 15_000_000
    lines = ["a,b", *before.splitlines(), "5,6", *[bad] * rows, "3,4", ""]
    body = line_end.join(lines)

    found = list(read_rows(io.BytesIO(body.encode())))

    rejected = [row for row in found if row.problem == ROW_TOO_LONG]
    assert [len(row.cells) for row in rejected] == [MAX_ROW_CELLS] * rows
    assert [",".join(row.cells) == bad for row in rejected] == [True] * rows
    others = [row.cells for row in found if row.problem is None]
    assert others[-2:] == [["5", "6"], ["3", "4"]]


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("," * 4_000_000, id="commas"),
        pytest.param("a,b,c,d\n" * 400_000, id="lines-with-commas"),
        pytest.param("," * 1_000_000 + '"quoted",' * 200_000, id="commas-and-quotes"),
    ],
)
def test_quoted_cell_with_millions_of_commas_is_legal(cell: str) -> None:
    body = 'a,b\n1,"' + cell.replace('"', '""') + '"\n3,4\n'

    found = list(read_rows(io.BytesIO(body.encode())))

    assert found[1].problem is None
    is_unchanged = found[1].cells == ["1", cell]
    assert is_unchanged  # a difference of megabytes takes minutes to print
    assert found[2].cells == ["3", "4"]


def test_open_quote_before_rows_that_are_legal_inside_of_it_is_found() -> None:
    """No cell is too long there, so only the length of the row ends it."""
    body = 'a,b,c\n1,"2,3\n' + 'b,",x,",c\n' * 1_700_000

    rows = read_rows(io.BytesIO(body.encode()))
    [_, bad, good] = (next(rows) for _ in range(3))

    assert bad == Row(2, ["1", '"2', "3"], UNCLOSED_QUOTE)
    assert good == Row(3, ["b", ",x,", "c"])


def test_cell_of_too_many_lines_is_rejected() -> None:
    body = 'a,b\n1,"' + "\n" * 600_000 + '"\n3,4\n'

    found = list(read_rows(io.BytesIO(body.encode())))

    assert [(row.line, row.problem) for row in found[1:]] == [
        (2, ROW_TOO_LONG),
        (600_003, None),
    ]

"""Each kind of damage, at each position: only the damaged row is rejected."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from salespro_core.csv_reader.recovery import problems
from salespro_core.model.rejects import MAYBE_CUT
from tests.core.csv_reader.damage import (
    DAMAGES,
    QUOTINGS,
    ROWS,
    TABLES,
    file_of,
    imported,
    keys,
    minimal,
    plain,
    replace_cell,
    written,
)

ROW_INDEXES = {"first": 0, "second": 1, "middle": 20, "next-to-last": ROWS - 2}


@pytest.mark.parametrize("export", TABLES)
@pytest.mark.parametrize("quoting", QUOTINGS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_undamaged_tables_are_imported_completely(
    export: str, quoting: str, line_end: str
) -> None:
    body = file_of(export, written(export, quoting), line_end)

    assert imported(body) == (keys(export), [], Counter())


@pytest.mark.parametrize("where", ROW_INDEXES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_row_is_rejected_and_neighbours_are_imported(
    damage: str, where: str
) -> None:
    """In both exports, with both quotings and all line ends."""
    row_index = ROW_INDEXES[where]
    for export in TABLES:
        for quoting, quote in QUOTINGS.items():
            for line_end in ("\n", "\r\n", "\r"):
                lines = written(export, quoting)
                lines[row_index] = DAMAGES[damage](TABLES[export][row_index], quote)
                body = file_of(export, lines, line_end)

                found, rejects, warnings = imported(body)

                undamaged = keys(export)
                del undamaged[row_index]
                assert found == undamaged
                assert not warnings
                # A line break without quotes leaves two rows that are too short.
                is_split = damage.startswith("line-break")
                assert 1 <= len(rejects) <= (3 if is_split else 1)
                [first, *_] = rejects
                before = file_of(export, lines[:row_index], line_end).decode()
                assert first.line == 1 + len(re.findall("\r\n|\r|\n", before))


@pytest.mark.parametrize("damage", DAMAGES)
def test_rows_between_two_damaged_rows_are_imported(damage: str) -> None:
    """An unclosed quote must not be closed by the quote of another damaged row."""
    for export in TABLES:
        for quoting, quote in QUOTINGS.items():
            lines = written(export, quoting)
            for row_index in (10, 30):
                lines[row_index] = DAMAGES[damage](TABLES[export][row_index], quote)

            found, rejects, _ = imported(file_of(export, lines, "\r\n"))

            undamaged = [key for n, key in enumerate(keys(export)) if n not in (10, 30)]
            assert found == undamaged
            assert len(rejects) >= 2


@pytest.mark.parametrize("export", TABLES)
@pytest.mark.parametrize("quoting", QUOTINGS)
@pytest.mark.parametrize("row_index", [0, 5, 19, 20, ROWS - 2])
def test_missing_line_end_rejects_the_two_joined_rows(
    export: str, quoting: str, row_index: int
) -> None:
    lines = written(export, quoting)
    lines[row_index : row_index + 2] = ["".join(lines[row_index : row_index + 2])]

    found, rejects, warnings = imported(file_of(export, lines, "\r\n"))

    assert found == keys(export)[:row_index] + keys(export)[row_index + 2 :]
    assert len(rejects) == 1
    assert not warnings


@pytest.mark.parametrize("export", TABLES)
@pytest.mark.parametrize("quoting", QUOTINGS)
@pytest.mark.parametrize("rows", [1, 21, ROWS])
def test_file_truncated_in_its_last_row_has_a_warning(
    export: str, quoting: str, rows: int
) -> None:
    """Unless the truncated row looks complete: all cells, and no open quote."""
    lines = written(export, quoting)[:rows]
    whole = file_of(export, lines, "\r\n", ends=False).decode()
    start = len(file_of(export, lines[:-1], "\r\n").decode())
    # After the last comma the row has all cells; only an open quote is detected.
    last_cell = whole.rindex(",") + 1
    closed_from = len(whole) if whole.endswith('"') else last_cell

    warned = []
    for end in range(start + 1, len(whole)):
        found, rejects, warnings = imported(whole[:end].encode())
        assert found[: rows - 1] == keys(export)[: rows - 1]
        assert len(found) + len(rejects) == rows
        warned.append(warnings == Counter({MAYBE_CUT: 1}))
        if end < last_cell:
            assert len(rejects) == 1

    # A file that ends right after the last comma looks like a row with a blank cell.
    detectable = [
        end < last_cell or (end > last_cell and end < closed_from)
        for end in range(start + 1, len(whole))
    ]
    assert warned == detectable


@pytest.mark.parametrize("export", TABLES)
@pytest.mark.parametrize("column_index", [0, 4, -1])
def test_unclosed_quote_in_the_last_row_rejects_that_row_only(
    export: str, column_index: int
) -> None:
    lines = written(export, "minimal")
    lines[-1] = replace_cell(column_index, lambda cell: '"' + plain(cell))(
        TABLES[export][-1], minimal
    )

    found, [reject], warnings = imported(file_of(export, lines, "\r\n"))

    assert found == keys(export)[:-1]
    assert [problem.reason for problem in reject.problems] == [
        problems.UNCLOSED_QUOTE_AT_END
    ]
    assert warnings == Counter({MAYBE_CUT: 1})

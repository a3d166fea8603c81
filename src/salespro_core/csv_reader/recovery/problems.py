"""The problems of a row that is not valid CSV."""

from __future__ import annotations

from collections.abc import Sequence

from salespro_core.csv_reader.recovery.grammar import ROW, UNCLOSED_ROW

UNCLOSED_QUOTE = "has a quote that is never closed"
UNCLOSED_QUOTE_AT_END = "has a quote that is never closed before the file ends"
TRUNCATED_ROW = "is cut off: the file ends in the middle of the row"
STRAY_QUOTE = "has a quote in a cell that is not quoted"
TEXT_AFTER_QUOTE = "has text after a closing quote"
CELL_TOO_LONG = "has a cell that is too long to be read"
ROW_TOO_LONG = "is too long to be read"
LINE_BREAK = "has a line break in a cell that is not quoted"
# The rest of the file may be missing.
TRUNCATION_PROBLEMS = frozenset((UNCLOSED_QUOTE_AT_END, TRUNCATED_ROW))


def find_csv_problem(cells: list[str], lines: list[str], width: int) -> str | None:
    """Why a row that Python's reader accepts is not valid CSV.

    The number of cells is not checked, except in a row that ends the file.

    Args:
        cells: the row as Python's reader returns it.
        lines: its lines, with their ends.
        width: number of cells of the header.
    """
    if len(cells) < width and not lines[-1].endswith(("\r", "\n")):
        return TRUNCATED_ROW
    # The reader takes a misplaced quote for text.
    if '"' in "".join(cells) and not ROW.fullmatch("".join(lines)):
        return STRAY_QUOTE
    return None


def may_contain_other_rows(lines: list[str]) -> bool:
    """Whether a damaged row may have swallowed the rows after its first line."""
    text = "".join(lines)
    if len(lines) > 1:
        return not ROW.fullmatch(text)
    return UNCLOSED_ROW.fullmatch(text) is not None


def may_have_swallowed(lines: Sequence[str], width: int) -> bool:
    """Whether a row may hold other rows as the text of a cell."""
    if len(lines) == 1:
        return False
    # A quote after a comma, or at the start of a line, may open a cell, and not close one.
    last = lines[-1].rstrip("\r\n")
    return f",{last}".endswith(',"') or any(
        line.count(",") >= width - 1 for line in lines[1:]
    )

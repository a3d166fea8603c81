"""Two tables written as CSV files, and functions that damage a row of them."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable

from salespro_cli.sample_data import generator
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Record, Reject
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import items_of

ROWS = 40
LABELS = {
    "appointments": list(generator.APPOINTMENT_LABELS),
    "users": list(generator.USER_LABELS),
}
TABLES = {
    "appointments": list(generator.appointments(ROWS, 7)),
    "users": list(generator.users(ROWS, 7)),
}
# One row of each table has a cell with commas, quotes and line breaks, as SalesPro's do.
TABLES["appointments"][20][4] = 'Said "no, not now"\r\ncall again\r\n, in June'
TABLES["users"][20][9] = 'The "Annex"\r\nBaltimore, MD ( a1B2c3D4e5 )'


def quoted(cell: str) -> str:
    """The cell in quotes."""
    return '"' + cell.replace('"', '""') + '"'


def minimal(cell: str) -> str:
    """The cell, in quotes if CSV requires them."""
    return quoted(cell) if re.search(r'[,"\r\n]', cell) else cell


QUOTINGS = {"minimal": minimal, "all": quoted}


def plain(cell: str) -> str:
    """The cell without characters that require quotes."""
    return re.sub(r'[,"\r\n]', " ", cell) or "?"


# Arguments: the cells of a row, and the function that quotes the undamaged cells.
Damage = Callable[[list[str], Callable[[str], str]], str]


def replace_cell(column_index: int, damaged: Callable[[str], str]) -> Damage:
    """Damage of one cell only."""

    def damage(cells: list[str], quote: Callable[[str], str]) -> str:
        written = [quote(cell) for cell in cells]
        written[column_index] = damaged(cells[column_index])
        return ",".join(written)

    return damage


def missing_delimiter(cells: list[str], quote: Callable[[str], str]) -> str:
    """The row without the comma after its third cell."""
    written = [quote(cell) for cell in cells]
    return ",".join([*written[:2], written[2] + written[3], *written[4:]])


def extra_delimiter(cells: list[str], quote: Callable[[str], str]) -> str:
    """The row with an empty cell after its fourth cell."""
    written = [quote(cell) for cell in cells]
    return ",".join([*written[:4], "", *written[4:]])


def trailing_delimiter(cells: list[str], quote: Callable[[str], str]) -> str:
    """The row with an empty cell at its end."""
    return ",".join([*map(quote, cells), ""])


DAMAGES: dict[str, Damage] = {
    **{
        f"{name}-in-the-{where}-cell": replace_cell(column_index, damaged)
        for where, column_index in {"first": 0, "fifth": 4, "last": -1}.items()
        for name, damaged in {
            "quote-never-closed": lambda c: '"' + plain(c),
            "quote-never-closed-but-doubled": lambda c: '"' + plain(c) + '""',
            "quote-never-opened": lambda c: plain(c) + '"',
            "text-after-a-quote": lambda c: f'"{plain(c)}" more',
            "backslashes": lambda c: f'"said \\"{plain(c)}\\", and left"',
            "stray-quote": lambda c: f'{plain(c)} 5" pipe',
            "quote-after-space": lambda c: f' "{plain(c)}"',
        }.items()
    },
    # Not in the first cell: its second line would have the cells of a whole row.
    **{
        f"{name}-in-the-{where}-cell": replace_cell(column_index, damaged)
        for where, column_index in {"fifth": 4, "last": -1}.items()
        for name, damaged in {
            "quote-never-closed-and-lines": lambda c: f'"{plain(c)}\n\nand, more',
            "text-after-a-quote-of-lines": lambda c: f'"{plain(c)}\nmore" than that',
        }.items()
    },
    "line-break-without-quotes": replace_cell(4, lambda c: plain(c) + "\rmore"),
    "missing-delimiter": missing_delimiter,
    "extra-delimiter": extra_delimiter,
    "trailing-delimiter": trailing_delimiter,
}


def file_of(
    export: str, lines: list[str], line_end: str, *, ends: bool = True
) -> bytes:
    """A file with the header of the export and these lines."""
    text = line_end.join([",".join(LABELS[export]), *lines])
    return (text + line_end * ends).encode()


def written(export: str, quoting: str) -> list[str]:
    """The rows of the table as lines of CSV."""
    quote = QUOTINGS[quoting]
    return [",".join(map(quote, cells)) for cells in TABLES[export]]


def file_with(export: str, added: str, place: int) -> bytes:
    """A file of all rows, with lines added after `place` rows."""
    rows = written(export, "minimal")
    return file_of(export, [*rows[:place], added, *rows[place:]], "\n")


def keys(export: str) -> list[str]:
    """The keys of the table's rows."""
    return [cells[0] for cells in TABLES[export]]


def imported(body: bytes) -> tuple[list[str | None], list[Reject], Counter[str]]:
    """The keys of the records, the rejects, and the warnings."""
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS, USERS), rejects, is_lenient=False
        )
        items = items_of(reader)
    return (
        [item.values[0] for item in items if isinstance(item, Record)],
        [item for item in items if isinstance(item, Reject)],
        reader.warnings,
    )

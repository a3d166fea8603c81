"""Each kind of pollution of a row, at each cell, for `file_of` to put at several places."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator

from tests.chaos.pollution.reading import PollutedFile, file_of
from tests.chaos.pollution.sheets import (
    LINE_ENDS,
    QUOTINGS,
    ROWS,
    Quoting,
    Sheet,
    line_of,
)

# Arguments: the cells of a row, the function that quotes them, and the index of the cell
# that is polluted.  Returns the line, or None if the pollution changes nothing there.
Pollution = Callable[[list[str], Quoting, int], str | None]
PLACES = {
    "first": (0,),
    "second": (1,),
    "middle": (4,),
    "with-lines": (3,),
    "last": (ROWS - 1,),
    "two-apart": (1, 7),
    "three-together": (1, 2, 3),
    "every": tuple(range(ROWS)),
}


def cell_as(change: Callable[[str, str], str]) -> Pollution:
    """Pollution of one cell; arguments of `change`: the cell as text and as written."""

    def pollute(cells: list[str], quote: Quoting, index: int) -> str:
        written = [quote(cell) for cell in cells]
        written[index] = change(cells[index], written[index])
        return ",".join(written)

    return pollute


def _joined(delimiter: str) -> Pollution:
    """The row with another delimiter after one cell."""

    def pollute(cells: list[str], quote: Quoting, index: int) -> str | None:
        written = [quote(cell) for cell in cells]
        head, tail = written[: index + 1], written[index + 1 :]
        # After the last cell, a delimiter that is no comma would be text of the cell.
        if not tail and "," not in delimiter:
            return None
        return ",".join(head) + delimiter + ",".join(tail)

    return pollute


def _other_delimiter(delimiter: str) -> Pollution:
    def pollute(cells: list[str], quote: Quoting, index: int) -> str | None:
        return delimiter.join(map(quote, cells)) if index == 0 else None

    return pollute


def _instead(line: str) -> Pollution:
    """Another line instead of the row."""
    return lambda cells, _, index: line if index == 0 and cells else None


def _plain(cell: str) -> str:
    return re.sub(r'[,"\r\n]', " ", cell) or "word"


CELL_POLLUTIONS: dict[str, Pollution] = {
    "opened-quote": cell_as(lambda c, w: w if "\n" in c else '"' + w),
    "opened-quote-around-plain": cell_as(lambda c, _: '"' + _plain(c)),
    "closing-quote-missing": cell_as(lambda _, w: w.removesuffix('"')),
    "unquoted-at-its-start": cell_as(lambda _, w: w.removeprefix('"')),
    "surplus-quote-at-end": cell_as(lambda c, _: _plain(c) + '"'),
    "surplus-quote-after-quoted": cell_as(lambda c, _: f'"{_plain(c)}""'),
    "two-surplus-quotes-before": cell_as(lambda c, _: f'""{_plain(c)}'),
    "two-surplus-quotes-after": cell_as(lambda c, _: f'{_plain(c)}""'),
    "three-quotes-before": cell_as(lambda c, _: f'"""{_plain(c)}'),
    "quotes-doubled-twice": cell_as(lambda c, _: f'""{_plain(c)}""'),
    "stray-quote-in-the-middle": cell_as(lambda c, _: f'{_plain(c)} 5" pipe'),
    "stray-quote-in-quoted": cell_as(lambda c, _: f'"{_plain(c)} 5" pipe"'),
    "two-stray-quotes-in-quoted": cell_as(lambda c, _: f'"{_plain(c)} "so, to" say"'),
    "quotes-not-doubled": cell_as(lambda c, w: '"' + c + '"' if '"' in c else w),
    "backslash-quotes": cell_as(lambda c, _: f'"{_plain(c)} \\"so, to\\" say"'),
    "backslash-quote-at-end": cell_as(lambda c, _: f'"{_plain(c)} 5\\""'),
    "backslash-quote-unquoted": cell_as(lambda c, _: f'{_plain(c)} 5\\" pipe'),
    "backslash-comma": cell_as(lambda c, _: f"{_plain(c)}\\, so"),
    "space-before-quote": cell_as(lambda c, _: f' "{_plain(c)}"'),
    "space-after-quote": cell_as(lambda c, _: f'"{_plain(c)}" '),
    "spaces-around-quotes": cell_as(lambda c, _: f' "{_plain(c)}, so" '),
    "tab-before-quote": cell_as(lambda c, _: f'\t"{_plain(c)}, so"'),
    "text-after-quote": cell_as(lambda c, _: f'"{_plain(c)}" more'),
    "text-before-quote": cell_as(lambda c, _: f'more "{_plain(c)}"'),
    "text-of-lines-after-quote": cell_as(lambda c, _: f'"{_plain(c)}\nmore" than that'),
    "apostrophes-around-commas": cell_as(lambda c, _: f"'{_plain(c)}, so'"),
    "curly-quotes-around-commas": cell_as(lambda c, _: f"\u201c{_plain(c)}, so\u201d"),
    "unclosed-with-lines": cell_as(lambda c, _: f'"{_plain(c)}\n\nand, more'),
    "unclosed-with-commas": cell_as(lambda c, _: f'"{_plain(c)}\nroof, siding, doors'),
    "surplus-comma": _joined(",,"),
    "surplus-comma-in-cell": cell_as(lambda c, w: f"{_plain(c)},{w}"),
    "two-surplus-commas": _joined(",,,"),
    "missing-comma": _joined(""),
    "semicolon-for-comma": _joined(";"),
    "tab-for-comma": _joined("\t"),
    "line-end-for-comma": _joined("\n"),
    "blank-line-for-comma": _joined("\n\n"),
    "unquoted-line-end": cell_as(lambda c, _: f"{_plain(c)}\nmore"),
    "unquoted-cr": cell_as(lambda c, _: f"{_plain(c)}\rmore"),
    "unquoted-crlf": cell_as(lambda c, _: f"{_plain(c)}\r\nmore"),
    "unquoted-blank-lines": cell_as(lambda c, _: f"{_plain(c)}\n\n\nmore, than that"),
    "cell-lost": lambda cells, quote, index: line_of(
        cells[:index] + cells[index + 1 :], quote
    ),
    "cut-off-after": lambda cells, quote, index: (
        line_of(cells[: index + 1], quote) if index < len(cells) - 1 else None
    ),
}
ROW_POLLUTIONS: dict[str, Pollution] = {
    **{
        f"delimited-by-{name}": _other_delimiter(delimiter)
        for name, delimiter in {
            "semicolon": ";", "tab": "\t", "bar": "|", "space": " ", "colon": ":",
            "caret": "^", "tilde": "~", "unit-separator": "\x1f", "ctrl-a": "\x01",
            "two-commas": ",,", "fullwidth-comma": "\uff0c",
            "arabic-comma": "\u060c", "section": "\u00a7",
        }.items()
    },
    "whole-row-quoted": lambda cells, quote, index: (
        '"' + line_of(cells, quote).replace('"', '""') + '"' if index == 0 else None
    ),
    "whole-row-quoted-undoubled": lambda cells, quote, index: (
        '"' + line_of(cells, quote) + '"' if index == 0 else None
    ),
    "indented-by-a-delimiter": lambda cells, quote, index: (
        "," + line_of(cells, quote) if index == 0 else None
    ),
    "commented": lambda cells, quote, index: (
        "# " + line_of(cells, quote) if index == 0 and re.fullmatch(r"\w+", cells[0]) else None
    ),
    "quotes-only": _instead('""""'),
    "a-quote-only": _instead('"'),
}  # fmt: skip
POLLUTIONS = {**CELL_POLLUTIONS, **ROW_POLLUTIONS}


def is_legal(text: str, width: int) -> bool:
    """Whether a file is legal CSV of this width: then it means what it says."""
    cell = r'(?:"(?:[^"]|"")*+"|[^",\r\n]*+)'
    if not re.fullmatch(rf"(?:{cell}(?:,{cell})*+(?:\r\n|\r|\n|\Z))*+", text):
        return False
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    return {len(row) for row in rows if row} == {width}


def _is_undetectable(pollution: str, line: str, index: int, width: int) -> bool:
    """Whether a line end that is not quoted leaves a whole row and other lines.

    What is left is a legal row, and the other lines look like a comment or a footer.
    """
    if "unquoted" not in pollution and pollution != "closing-quote-missing":
        return False
    lines = line.splitlines()
    parts = [lines[0], *("\n".join(lines[i:]) for i in range(len(lines)))]
    is_at_an_end = "unquoted" in pollution and index in (0, width - 1)
    return is_at_an_end or any(it and is_legal(it, width) for it in parts)


def _places(sheet: Sheet, index: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """All places for the special cells of a sheet, some places for the others."""
    texts = ("resultFullString", "Assigned Office")
    is_special = index in (0, 1, len(sheet.labels) - 1) or sheet.labels[index] in texts
    for place, rows in PLACES.items():
        if is_special or place in ("first", "middle", "last"):
            yield place, rows


def row_files(sheet: Sheet, pollution: str) -> Iterator[PollutedFile]:
    """The sheet with this pollution at each cell, at each place, in each form of the file."""
    pollute = POLLUTIONS[pollution]
    for quoting, quote in QUOTINGS.items():
        sound = [line_of(sheet.texts(i), quote) for i in range(ROWS)]
        for index in range(len(sheet.labels)):
            for place, rows in _places(sheet, index):
                changed = {
                    i: line
                    for i in rows
                    if (line := pollute(sheet.texts(i), quote, index)) is not None
                    and line != sound[i]
                }
                # A last cell of `""" and text` is closed by a row that begins with a quote
                # and a line end: the row is legal by itself.
                ends_legally = index == len(sheet.labels) - 1 and any(
                    i + 1 < ROWS and sheet.texts(i + 1)[0].startswith("\n")
                    for i in rows
                )
                if pollution == "three-quotes-before" and ends_legally:
                    continue
                if len(changed) < len(rows) or any(
                    _is_undetectable(pollution, line, index, len(sheet.labels))
                    for line in changed.values()
                ):
                    continue
                lines = [changed.get(i, sound[i]) for i in range(ROWS)]
                # The line ends matter less than the rest: in turn.
                ends = list(LINE_ENDS.values())
                end = ends[(index + len(place)) % 3]
                text = end.join([line_of(sheet.labels, quote), *lines, ""])
                if is_legal(text, len(sheet.labels)):
                    continue
                yield file_of(
                    sheet,
                    f"{pollution} in cell {index} of the {place} row, {quoting} quoting, {end!r}",
                    text,
                    changed.keys(),
                    may_be_refused=place == "every",
                    polluted_text="\n".join(changed.values()),
                )

"""Each kind of pollution of a whole file: its form, and lines that are no rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.chaos.pollution.reading import PollutedFile, file_of
from tests.chaos.pollution.sheets import (
    APPOINTMENTS,
    QUOTINGS,
    ROWS,
    USERS,
    Quoting,
    Sheet,
    line_of,
    minimal,
)

Files = Iterator[PollutedFile]


def lines_of(sheet: Sheet, quote: Quoting = minimal) -> list[str]:
    return [line_of(cells, quote) for cells in [sheet.labels, *texts_of(sheet)]]


def texts_of(sheet: Sheet) -> list[list[str]]:
    return [sheet.texts(i) for i in range(ROWS)]


def table_text(lines: Sequence[str], end: str = "\n") -> str:
    return end.join([*lines, ""])


# In other columns space around the text is part of it.
SPACE_IS_REMOVED = frozenset(("_id", "User Object ID", "_updated_at", "saleAmount"))
LINE_ENDS = {
    "lf": "\n", "crlf": "\r\n", "cr": "\r", "crcrlf": "\r\r\n", "lfcr": "\n\r", "two-lf": "\n\n",
    "two-crlf": "\r\n\r\n", "three-lf": "\n\n\n", "space-lf": " \n",
}  # fmt: skip
OTHER_LINE_ENDS = {
    "line-separator": "\u2028", "paragraph-separator": "\u2029", "next-line": "\u0085",
    "vertical-tab": "\x0b", "form-feed": "\x0c", "record-separator": "\x1e", "space": " ",
    "semicolon": ";", "backslash-n": "\\n", "br": "<br>", "comma": ",", "nothing": "", "nul": "\0",
    "group-separator": "\x1d", "file-separator": "\x1c",
}  # fmt: skip


def line_ends(sheet: Sheet) -> Files:
    """Line ends of all kinds and mixtures, at the end of the file as well."""
    for quoting, quote in QUOTINGS.items():
        lines = lines_of(sheet, quote)
        for name, end in LINE_ENDS.items():
            is_changed = name == "space-lf"
            if is_changed and sheet.labels[-1] not in SPACE_IS_REMOVED:
                continue
            yield file_of(sheet, f"ends {name}, {quoting}", table_text(lines, end),
                          range(ROWS) if is_changed else (), may_be_refused=is_changed)  # fmt: skip
            yield file_of(sheet, f"ends {name}, none at the end, {quoting}", end.join(lines),
                          range(ROWS) if is_changed else (), may_be_refused=is_changed)  # fmt: skip
        for first in ("\n", "\r\n", "\r"):
            for second in ("\n", "\r\n", "\r"):
                ends = [first, second] * len(lines)
                mixed = "".join(map("".join, zip(lines, ends, strict=False)))
                yield file_of(
                    sheet, f"ends mixed {first!r} {second!r}, {quoting}", mixed
                )
                header_only = lines[0] + first + second.join(lines[1:])
                yield file_of(
                    sheet, f"end of the header {first!r}, {second!r}", header_only
                )
                last = second.join(lines) + first
                yield file_of(sheet, f"last end {first!r}, {second!r}, {quoting}", last)
        for tail in ("\n\n", "\n" * 50, "\r\n\r\n", " \n", "\t\n \n", "\n,\n", "\x1a", "\n\x1a", "\x1a\x1a"):  # fmt: skip
            yield file_of(
                sheet, f"tail {tail[:5]!r}, {quoting}", table_text(lines) + tail
            )
        for name, end in OTHER_LINE_ENDS.items():
            yield file_of(sheet, f"ends {name}, {quoting}", table_text(lines, end), range(ROWS), may_be_refused=True)  # fmt: skip
            for place in (1, 5, ROWS - 1):
                joined = lines[place] + end + lines[place + 1]
                if end == ",":
                    joined = lines[place] + "," + lines[place + 1]
                text = table_text([*lines[:place], joined, *lines[place + 2 :]])
                yield file_of(sheet, f"{name} after row {place}, {quoting}", text, (place - 1, place))  # fmt: skip


def blank_and_foreign_lines(sheet: Sheet) -> Files:
    """Lines that are no rows, between rows, before the header, and after the last row."""
    width = len(sheet.labels)
    commas = "," * (width - 1)
    harmless = {
        "blank": "", "three-blank": "\n\n", "space": " ", "tab": "\t", "commas": commas,
        "commas-and-spaces": " , " * (width - 1), "quoted-blanks": ",".join(['""'] * width),
        "header": ",".join(sheet.labels), "quoted-header": ",".join(f'"{it}"' for it in sheet.labels),
        "header-in-upper-case": ",".join(sheet.labels).upper(),
    }  # fmt: skip
    foreign = {
        "one-comma": ",", "more-commas": commas + ",,,", "few-commas": commas[:-1] + "",
        "total": "Total" + commas, "total-of-one-cell": "Total", "grand-total": "Grand Total:,254",
        "row-count": "(254 rows)", "records": "254 records", "comment": "# exported by SalesPro",
        "comment-with-commas": "# by, SalesPro, on, Monday", "dashes": "-" * 20, "stars": "***",
        "dashed-cells": ",".join(["---"] * width), "equals": "=" * 10, "end": "END OF FILE",
        "confidential": "Confidential, do not distribute", "page": "Page 1 of 3",
        "sep": "sep=,", "html": "</body></html>", "ellipsis": "...", "quoted-note": '"Note, see above"',
        "sum": commas + "12345.00", "total-with-sum": "Total" + commas + "12345.00",
               "merge-marks": "<<<<<<< HEAD", "empty-quotes": '""', "generated": "Generated on 6/18/2025 8:00 AM",
        "null-bytes": "\0\0\0\0", "truncated": "... 100 more rows", "error": "ERROR: connection lost",
        "sql": "INSERT 0 254", "timeout": '{"error":"timeout"}', "tail": "==> b.csv <==",
    }  # fmt: skip
    for end in ("\n", "\r\n"):
        lines = lines_of(sheet)
        for place in (0, 1, 2, 6, ROWS, ROWS + 1):
            for name, line in {**harmless, **foreign}.items():
                is_row = line.count(",") == width - 1 and '"' not in line
                if is_row and name in (
                    "grand-total",
                    "comment-with-commas",
                    "confidential",
                    "sum",
                    "sep",
                ):
                    continue  # it cannot be told from a row of few columns
                if name == "total-with-sum" and sheet.key_index:
                    continue  # the sum may be an id
                text = end.join([*lines[:place], line, *lines[place:], ""])
                is_refusable = place == 0 or "header" in name
                yield replace(
                    file_of(sheet, f"{name} before line {place}, {end!r}", text,
                            may_be_refused=is_refusable),
                )  # fmt: skip
        for name, count in {"preamble-of-2": 2, "preamble-of-9": 9}.items():
            preamble = [
                "SalesPro export",
                *["Company: Windows, Inc."] * (count - 2),
                "",
            ]
            yield file_of(sheet, f"{name}, {end!r}", table_text([*preamble, *lines], end), range(ROWS),
                          may_be_refused=True)  # fmt: skip


def tables(sheet: Sheet) -> Files:
    """No rows, one row, no header, several tables in one file."""
    other = USERS if sheet.labels[sheet.key_index] == "_id" else APPOINTMENTS
    lines = lines_of(sheet)
    empty = replace(sheet, rows=())
    for name, text in {
        "header only": lines[0], "header and line end": lines[0] + "\n",
        "header and blank lines": lines[0] + "\n\n\n", "empty": "", "a line end": "\n",
        "a byte order mark": "\ufeff", "spaces": "   ", "commas": ",,,,\n,,,,\n", "a zero": "\0",
    }.items():  # fmt: skip
        yield file_of(empty, f"{sheet.name} {name}", text, may_be_refused=True)
    for i in range(ROWS):
        one = replace(sheet, rows=sheet.rows[i : i + 1])
        for end in ("", "\n", "\r\n", "\r"):
            yield file_of(one, f"row {i} only, {end!r}", lines[0] + (end or "\n") + lines[i + 1] + end)  # fmt: skip
    yield file_of(
        sheet, "no header", table_text(lines[1:]), range(ROWS), may_be_refused=True
    )
    yield file_of(sheet, "twice", table_text([*lines, *lines]))
    yield file_of(
        sheet, "twice, a blank line between", table_text([*lines, "", *lines])
    )
    yield file_of(
        sheet,
        "twice, byte order marks",
        "\ufeff" + table_text(lines) + "\ufeff" + table_text(lines),
    )
    yield file_of(sheet, "twice, joined without line end", "\n".join(lines) + table_text(lines), (0, ROWS - 1))  # fmt: skip
    both = table_text([*lines, *lines_of(other)])
    found = file_of(sheet, "with the other export after it", both, may_be_refused=True)
    yield found
    found = file_of(
        sheet,
        "with the other export after a blank line",
        table_text([*lines, "", *lines_of(other)]),
        may_be_refused=True,
    )
    yield found
    reverse = replace(
        sheet, labels=sheet.labels[::-1], rows=tuple(r[::-1] for r in sheet.rows)
    )
    yield file_of(sheet, "with the columns in reverse after it", table_text([*lines, *lines_of(reverse)]), may_be_refused=True)  # fmt: skip
    fewer = replace(
        sheet, labels=sheet.labels[:2], rows=tuple(r[:2] for r in sheet.rows)
    )
    yield file_of(sheet, "with fewer columns after it", table_text([*lines, *lines_of(fewer)]), may_be_refused=True)  # fmt: skip
    for n in (1, 2, 5):
        wider = [line + "," * n for line in lines]
        yield file_of(sheet, f"{n} surplus commas in all lines", table_text(wider))
        leading = ["," * n + line for line in lines]
        yield file_of(sheet, f"{n} commas before all lines", table_text(leading))
        if sheet.labels[0] not in SPACE_IS_REMOVED:
            continue
        spaces = [" " * n + line for line in lines]
        yield file_of(sheet, f"all lines indented by {n}", table_text(spaces), range(ROWS), may_be_refused=True)  # fmt: skip


KINDS: dict[str, Callable[[Sheet], Files]] = {
    "line-ends": line_ends,
    "foreign-lines": blank_and_foreign_lines,
    "tables": tables,
}

"""Whole files in other dialects and encodings."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Callable
from dataclasses import replace

from tests.chaos.pollution.file_pollution import Files, lines_of, table_text, texts_of
from tests.chaos.pollution.reading import file_of
from tests.chaos.pollution.sheets import (
    QUOTINGS,
    ROWS,
    WHOLE,
    Quoting,
    Sheet,
    line_of,
    minimal,
)


def rewritten(sheet: Sheet, delimiter: str, quote: Quoting) -> str:
    """The sheet in another dialect, complete with its header."""
    rows = [list(sheet.labels), *texts_of(sheet)]
    return table_text([delimiter.join(map(quote, cells)) for cells in rows])


DELIMITERS = {
    "semicolon": ";", "tab": "\t", "bar": "|", "colon": ":", "caret": "^", "tilde": "~",
    "section": "\u00a7", "ctrl-a": "\x01", "unit-separator": "\x1f", "record-separator": "\x1e",
    "space": " ", "two-spaces": "  ", "two-commas": ",,", "bars": "||", "dagger": "\u2021",
    "fullwidth-comma": "\uff0c", "arabic-comma": "\u060c", "ideographic-comma": "\u3001",
    "slash": "/", "hash": "#", "star": "*", "bang": "!", "dollar": "$", "at": "@", "nul": "\0",
    "thorn": "\u00fe", "broken-bar": "\u00a6", "exclamation-bar": "!|!",
}  # fmt: skip
QUOTES = {
    "apostrophe": ("'", "'"), "backtick": ("`", "`"), "curly": ("\u201c", "\u201d"),
    "low": ("\u201e", "\u201c"), "guillemets": ("\u00ab", "\u00bb"), "bar": ("|", "|"),
    "tilde": ("~", "~"), "single-curly": ("\u2018", "\u2019"), "two-apostrophes": ("''", "''"),
    "dollar": ("$", "$"), "percent": ("%", "%"), "slash": ("/", "/"), "primes": ("\u2033", "\u2033"),
    "fullwidth": ("\uff02", "\uff02"), "acute": ("\u00b4", "\u00b4"), "thorn": ("\u00fe", "\u00fe"),
}  # fmt: skip


def other_delimiters(sheet: Sheet) -> Files:
    """The whole file, with another delimiter; with and without its quotes around all."""
    for name, delimiter in DELIMITERS.items():
        for quoting, quote in QUOTINGS.items():

            def needed(
                cell: str, delimiter: str = delimiter, quote: Quoting = quote
            ) -> str:
                special = delimiter in cell or "\n" in cell or '"' in cell
                return (
                    '"' + cell.replace('"', '""') + '"'
                    if special or quote is not minimal
                    else cell
                )

            yield file_of(
                sheet,
                f"delimiter {name}, {quoting} quoting",
                rewritten(sheet, delimiter, needed),
                range(ROWS),
                may_be_refused=True,
            )


def other_quotes(sheet: Sheet) -> Files:
    """Other characters around cells: around all of them, or only around some."""
    for name, (left, right) in QUOTES.items():

        def everywhere(cell: str, left: str = left, right: str = right) -> str:
            return left + cell.replace(right, right * 2) + right

        def needed(cell: str, everywhere: Quoting = everywhere) -> str:
            return everywhere(cell) if "," in cell or "\n" in cell else cell

        quotings: dict[str, Quoting] = {"all": everywhere, "where needed": needed}
        for how, quote in quotings.items():
            if how != "all" and sheet not in WHOLE:
                continue  # lines of such a cell may be whole rows of few columns
            for delimiter in (",", ";"):
                yield file_of(
                    sheet,
                    f"quotes {name} {how}, {delimiter!r}",
                    rewritten(sheet, delimiter, quote),
                    range(ROWS),
                    may_be_refused=True,
                )
        lines = [
            line_of(sheet.labels, minimal),
            *[line_of(cells, everywhere_of(left, right)) for cells in texts_of(sheet)],
        ]
        yield file_of(sheet, f"quotes {name} around the cells of all rows, not of the header",
                      table_text(lines), range(ROWS), may_be_refused=True)  # fmt: skip


def everywhere_of(left: str, right: str) -> Quoting:
    """A function that puts a cell into these quotes."""
    return lambda cell: left + cell.replace(right, right * 2) + right


def backslash_dialect(sheet: Sheet) -> Files:
    """Quotes escaped by a backslash or another character, as some databases write them."""
    for name, escape in {
        "backslash": "\\",
        "caret": "^",
        "nul": "\0",
        "slash": "/",
    }.items():

        def everywhere(cell: str, escape: str = escape) -> str:
            return '"' + cell.replace('"', escape + '"') + '"'

        def unquoted(cell: str, escape: str = escape) -> str:
            for special in ('"', ",", "\n"):
                cell = cell.replace(special, escape + special)
            return cell

        polluted = [i for i in range(ROWS) if '"' in "".join(sheet.texts(i))]
        yield file_of(sheet, f"quotes escaped by {name}", rewritten(sheet, ",", everywhere),
                      polluted, may_be_refused=True)  # fmt: skip
        polluted = [
            i for i in range(ROWS) if set(',"\n') & set("".join(sheet.texts(i)))
        ]
        if sheet in WHOLE:
            yield file_of(sheet, f"all escaped by {name}", rewritten(sheet, ",", unquoted),
                      polluted, may_be_refused=True)  # fmt: skip


# Encoding -> what replaces an accented name that it does not have.
ENCODINGS = {
    **dict.fromkeys(
        ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp1252",
         "latin-1", "cp437", "cp850", "mac-roman", "cp037", "cp500", "cp1140", "cp1250",
         "iso-8859-15", "gb18030", "utf-7"),
        "José",
    ),
    **dict.fromkeys(("shift_jis", "euc-jp", "big5", "gbk", "iso-2022-jp", "hz"), "中山"),
    **dict.fromkeys(("koi8-r", "cp1251", "iso-8859-5"), "Пётр"),
    **dict.fromkeys(("euc-kr", "johab", "iso-2022-kr"), "김"),
}  # fmt: skip


def encodings(sheet: Sheet) -> Files:
    """Other encodings, byte order marks, and damaged UTF-8."""
    text = table_text(lines_of(sheet))
    for encoding, name in ENCODINGS.items():
        polluted = file_of(
            sheet, f"in {encoding}", "", range(ROWS), may_be_refused=True
        )
        meant = {
            key: {
                column: name if value == "José" else value
                for column, value in values.items()
            }
            for key, values in polluted.polluted.items()
        }
        body = text.replace("José", name).encode(encoding)
        yield replace(polluted, body=body, polluted=meant)
    utf8 = text.encode()
    marks = {
        "utf-8-sig": codecs.BOM_UTF8 + utf8,
        "two byte order marks": codecs.BOM_UTF8 * 2 + utf8,
        "gzip": gzip.compress(utf8, mtime=0),
        "gzip with byte order mark": gzip.compress(codecs.BOM_UTF8 + utf8, mtime=0),
        "byte order mark before gzip": codecs.BOM_UTF8 + gzip.compress(utf8, mtime=0),
        "gzip in two members": gzip.compress(utf8[:99], mtime=0) + gzip.compress(utf8[99:], mtime=0),
        "gzip of gzip": gzip.compress(gzip.compress(utf8, mtime=0), mtime=0),
        "cut-off gzip": gzip.compress(utf8, mtime=0)[:-9],
    }  # fmt: skip
    for name, body in marks.items():
        yield replace(
            file_of(sheet, name, "", may_be_refused=name != "utf-8-sig"), body=body
        )
    accented = [i for i in range(ROWS) if "José" in sheet.texts(i)]
    for name, wrong in {"latin-1": b"\xe9", "cut off": b"\xc3", "overlong": b"\xc1\xa9",
                        "surrogate": b"\xed\xa0\x80", "cp437": b"\x82"}.items():  # fmt: skip
        yield replace(
            file_of(sheet, f"an accent in {name}", "", accented),
            body=utf8.replace("é".encode(), wrong),
        )


KINDS: dict[str, Callable[[Sheet], Files]] = {
    "other-delimiters": other_delimiters,
    "other-quotes": other_quotes,
    "backslashes": backslash_dialect,
    "encodings": encodings,
}

"""Each kind of pollution of the header, and of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, permutations

from tests.chaos.pollution.reading import PollutedFile, file_of
from tests.chaos.pollution.sheets import (
    QUOTINGS,
    ROWS,
    Cell,
    Sheet,
    line_of,
    minimal,
    quoted,
)

Files = Iterator[PollutedFile]


def with_header(sheet: Sheet, name: str, *header: str) -> PollutedFile:
    """The rows of a sheet after another header, which may be refused."""
    rows = [line_of(sheet.texts(i), minimal) for i in range(ROWS)]
    return file_of(sheet, f"header: {name}", "\n".join([*header, *rows, ""]), may_be_refused=True)  # fmt: skip


# How one label is damaged.  A file whose label is read as the meant one, or refused, is
# right; a file that is imported without its column is not.
LABEL_DAMAGES: dict[str, Callable[[str], str]] = {
    "quote before": lambda it: '"' + it,
    "quote after": lambda it: it + '"',
    "two quotes before": lambda it: '""' + it,
    "two quotes after": lambda it: it + '""',
    "two quotes around": lambda it: f'""{it}""',
    "three quotes around": lambda it: f'"""{it}"""',
    "quote in the middle": lambda it: it[:3] + '"' + it[3:],
    "backslash quotes": lambda it: f'\\"{it}\\"',
    "space before quotes": lambda it: f' "{it}"',
    "space after quotes": lambda it: f'"{it}" ',
    "spaces around": lambda it: f"  {it} ",
    "tabs around": lambda it: f"\t{it}\t",
    "apostrophes": lambda it: f"'{it}'",
    "curly quotes": lambda it: f"\u201c{it}\u201d",
    "guillemets": lambda it: f"\u00ab{it}\u00bb",
    "backticks": lambda it: f"`{it}`",
    "brackets": lambda it: f"[{it}]",
    "formula": lambda it: f'"=""{it}"""',
    "apostrophe before": lambda it: f"'{it}",
    "equals before": lambda it: f"={it}",
    "hash before": lambda it: f"#{it}",
    "zero-width space": lambda it: it[:2] + "\u200b" + it[2:],
    "zero-width joiner": lambda it: it + "\u200d",
    "soft hyphen": lambda it: it[:3] + "\u00ad" + it[3:],
    "byte order mark": lambda it: "\ufeff" + it,
    "misread byte order mark": lambda it: "\u00ef\u00bb\u00bf" + it,
    "no-break space": lambda it: f"\u00a0{it}\u00a0",
    "narrow no-break space": lambda it: f"{it}\u202f",
    "ideographic space": lambda it: f"\u3000{it}",
    "right-to-left mark": lambda it: f"\u200f{it}",
    "variation selector": lambda it: f"{it}\ufe0f",
    "control character": lambda it: f"{it}\x07",
    "line end inside quotes": lambda it: f'"{it}\n"',
    "line end before, inside quotes": lambda it: f'"\n{it}"',
    "NUL": lambda it: it + "\0",
    "0x1A": lambda it: it + "\x1a",
    "upper case": str.upper,
    "lower case": str.lower,
    "title case": str.title,
    "full-width": lambda it: "".join(
        chr(ord(char) + 0xFEE0) if "!" <= char <= "~" and char != "," else char
        for char in it
    ),
    "no-break space for space": lambda it: it.replace(" ", "\u00a0"),
    "two spaces": lambda it: it.replace(" ", "  "),
    "underscore for space": lambda it: it.replace(" ", "_"),
    "space for point": lambda it: it.replace(".", " "),
    "underscore for point": lambda it: it.replace(".", "_"),
    "hyphen for underscore": lambda it: it.replace("_", "-"),
    "no punctuation": lambda it: "".join(filter(str.isalnum, it)),
    "cyrillic a": lambda it: it.replace("a", "\u0430"),
    "cyrillic e": lambda it: it.replace("e", "\u0435"),
    "accent": lambda it: it.replace("a", "\u00e1", 1),
    "letter lost": lambda it: it[:4] + it[5:],
    "letter doubled": lambda it: it[:4] + it[3:],
    "letters swapped": lambda it: it[:4] + it[5:6] + it[4:5] + it[6:],
    "number after": lambda it: it + ".1",
    "number and underscore after": lambda it: it + "_1",
    "number in brackets": lambda it: it + " (1)",
    "colon after": lambda it: it + ":",
    "star after": lambda it: it + " *",
    "point after": lambda it: it + ".",
    "cut off": lambda it: it[:-1],
    "doubled": lambda it: f"{it} {it}",
    "line break in words": lambda it: '"' + it.replace(" ", "\n") + '"',
}


def labels(sheet: Sheet) -> Files:
    """Each label damaged in each way; and all labels at once."""
    for name, damage in LABEL_DAMAGES.items():
        for index, label in enumerate(sheet.labels):
            damaged = damage(label)
            if damaged == label or (label == "_id" and not damaged.strip()):
                continue
            others = list(sheet.labels)
            others[index] = damaged
            yield with_header(sheet, f"{name}, label {index}", ",".join(others))
        yield with_header(sheet, f"{name}, all labels", ",".join(map(damage, sheet.labels)))  # fmt: skip
        yield with_header(sheet, f"{name}, all but the first label",
                          ",".join([sheet.labels[0], *map(damage, sheet.labels[1:])]))  # fmt: skip


def delimiters(sheet: Sheet) -> Files:
    """Delimiters of the header lost, added, or other ones; labels lost or added."""
    width = len(sheet.labels)
    for quoting, quote in QUOTINGS.items():
        written = [quote(label) for label in sheet.labels]
        for i in range(1, width):
            for name, text in {
                "comma lost": "", "two commas": ",,", "semicolon": ";", "tab": "\t", "bar": "|",
                "space": " ", "point": ".", "line end": "\n", "blank line": "\n\n", "comma and space": ", ",
                "full-width comma": "\uff0c", "space and comma": " ,",
            }.items():  # fmt: skip
                header = ",".join(written[:i]) + text + ",".join(written[i:])
                yield with_header(
                    sheet, f"{name} at {i}, {quoting}", *header.split("\n")
                )
        for i in range(width):
            rest = [*written[:i], *written[i + 1 :]]
            yield with_header(sheet, f"label {i} lost, {quoting}", ",".join(rest))
        for n in (1, 2, 9):
            yield with_header(sheet, f"{n} commas after, {quoting}", ",".join(written) + "," * n)  # fmt: skip
            yield with_header(sheet, f"{n} commas before, {quoting}", "," * n + ",".join(written))  # fmt: skip
        for delimiter in (";", "\t", "|", " ", "~", "\x01", ":"):
            yield with_header(sheet, f"delimiter {delimiter!r} of the header only, {quoting}", delimiter.join(written))  # fmt: skip
    whole = quoted(",".join(sheet.labels))
    yield with_header(sheet, "the whole header in quotes", whole)
    for i in range(width):
        unlabelled = [*sheet.labels[:i], "", *sheet.labels[i + 1 :]]
        found = with_header(sheet, f"label {i} empty", ",".join(unlabelled))
        yield _without_column(found, sheet, i)
        renamed = [*sheet.labels[:i], f"Extra {i}", *sheet.labels[i + 1 :]]
        found = with_header(sheet, f"label {i} of no column", ",".join(renamed))
        yield _without_column(found, sheet, i)


def _without_column(file: PollutedFile, sheet: Sheet, index: int) -> PollutedFile:
    """The same file, where nothing is expected of one column."""
    names = sheet.rows[0][index].values
    sound = {
        key: {name: value for name, value in values.items() if name not in names}
        for key, values in file.sound.items()
    }
    return replace(file, sound=sound)


def lines(sheet: Sheet) -> Files:
    """Headers of several lines, headers again, lines around the header, sep=."""
    header = ",".join(sheet.labels)
    width = len(sheet.labels)
    groups = ",".join(label.split(".")[0] for label in sheet.labels)
    for name, added in {
        "twice": [header, header], "three times": [header] * 3, "groups before it": [groups, header],
        "groups after it": [header, groups],
        "letters before it": [",".join("ABCDEFGHIJKLMNOP"[:width]), header],
        "numbers before it": [",".join(map(str, range(1, width + 1))), header],
        "dashes after it": [header, ",".join(["---"] * width)],
        "blank line before it": ["", header], "three blank lines before it": ["", "", "", header],
        "spaces before it": ["  ", header], "commas before it": ["," * (width - 1), header],
        "blank line after it": [header, "", ""], "sep= before it": ["sep=,", header],
        "sep=; before it": ["sep=;", header], "a title before it": ["SalesPro export", "", header],
        "a comment before it": ["# SalesPro", header], "commented": ["#" + header],
        "a title of its width before it": ["SalesPro" + "," * (width - 1), header],
        "xml before it": ['<?xml version="1.0"?>', header], "a quote before it": ['"', header],
        "quotes before it": ['""', header], "a shebang": ["#!/bin/cat", header],
        "markdown": ["| " + header + " |"], "http header before it": ["Content-Type: text/csv", "", header],
    }.items():  # fmt: skip
        yield with_header(sheet, name, *added)
    for label in sheet.labels:
        yield with_header(sheet, f"{label} again at the end, rows without", f"{header},{label}")  # fmt: skip
        rows = [line_of([*sheet.texts(i), "x"], minimal) for i in range(ROWS)]
        yield file_of(sheet, f"{label} again at the end", "\n".join([f"{header},{label}", *rows, ""]),
                      may_be_refused=True)  # fmt: skip


def columns(sheet: Sheet) -> Files:
    """Other orders of the columns, and columns that no table has: all are imported."""
    width = len(sheet.labels)
    orders = {
        "reverse": range(width)[::-1],
        "rotated": [*range(1, width), 0],
        "key last": sorted(range(width), key=lambda i: i == sheet.key_index),
        **{
            f"swapped {i}": [*range(i), i + 1, i, *range(i + 2, width)]
            for i, _ in pairwise(range(width))
        },
    }
    if width < 5:
        orders |= {f"order {order}": order for order in permutations(range(width))}
    for quoting, quote in QUOTINGS.items():
        for name, order in orders.items():
            yield _table(f"columns {name}, {quoting}", ordered(sheet, order), quoting)
        for place in range(width + 1):
            for label, text in {
                "Extra": "x", "": "", " ": "", "Notes": 'a "note", so\nto say', "saleAmountTax": "1.00",
                "customer.phone": "555", "Manager": "Lee",
            }.items():  # fmt: skip
                rows = tuple(
                    (*row[:place], Cell(text, {}), *row[place:]) for row in sheet.rows
                )
                more = (*sheet.labels[:place], label, *sheet.labels[place:])
                wider = Sheet(sheet.name, more, rows)
                text_of = [line_of(more, quote)]
                text_of += [line_of(wider.texts(i), quote) for i in range(ROWS)]
                yield file_of(wider, f"column {label!r} at {place}, {quoting}", "\n".join([*text_of, ""]))  # fmt: skip


def ordered(sheet: Sheet, order: Sequence[int]) -> Sheet:
    """The sheet with its columns in this order."""
    rows = tuple(tuple(row[i] for i in order) for row in sheet.rows)
    return Sheet(sheet.name, tuple(sheet.labels[i] for i in order), rows)


def _table(name: str, sheet: Sheet, quoting: str) -> PollutedFile:
    quote = QUOTINGS[quoting]
    text = [line_of(sheet.labels, quote), *(line_of(sheet.texts(i), quote) for i in range(ROWS))]  # fmt: skip
    return file_of(sheet, name, "\n".join([*text, ""]))


KINDS: dict[str, Callable[[Sheet], Files]] = {
    "labels": labels,
    "header-delimiters": delimiters,
    "header-lines": lines,
    "columns": columns,
}

"""Escapes cells that a spreadsheet would run as formulas, and removes the escape again.

Only a rejects file has escapes; it is recognised by its labels, also if they are renamed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from salespro_core.csv_reader.block import Block
from salespro_core.csv_reader.labels import (
    REJECT_LABELS,
    clean_label,
    fold_label,
    label_parts,
    near_miss,
    printable_label,
)
from salespro_core.errors import HeaderMismatch
from salespro_core.exports.columns import Export

# First characters of a formula, with their full-width forms; spreadsheets skip white
# space before them.
# Source: OWASP, "CSV Injection".
_FORMULA_STARTS = "=+\\-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
_FORMULA = rf"(?:[\t\r\n]|\s*[{_FORMULA_STARTS}])"
_ESCAPE = "'"
# A formula after apostrophes is escaped, too, so that removing one apostrophe always
# restores the cell.
_NEEDS_ESCAPE = re.compile(f"{_ESCAPE}*{_FORMULA}")
_ESCAPED = re.compile(f"{_ESCAPE}+{_FORMULA}")

# What people call the three columns of a rejects file.
_KINDS = {
    "line": "line", "lines": "line", "row": "line", "rows": "line", "column": "column", "columns": "column", "col": "column", "field": "column",
    "reason": "reason", "reasons": "reason", "error": "reason", "errors": "reason", "problem": "reason",
    "problems": "reason", "cause": "reason", "why": "reason",
}  # fmt: skip
_BESIDE_A_KIND = frozenset(("number", "no", "nr", "num", "name", "text", "message"))
_REJECTED = re.compile(r"reject(?:s|ed|ions?)?")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
# No export has two of them.
_MIN_KINDS = 2
# How reasons begin; before them is the label of a column, or nothing.
_REASON = re.compile(
    r"is (?:empty|not a|not an|not TRUE or|not UTF-8|longer than|beyond the years|an error value"
    r"|a number such as|a date, to|a time of day|TRUE or FALSE, perhaps|a word such as|the label of|cut off|too long)\b"
    r"|contains (?:an? (?:invisible|NUL)|U\+FFFD)|holds an office id|repeats the header"
    r"|goes on with the header|has (?:[0-9]+ cells? where|more than [0-9]+ digits|more than one @|an = or '|0x1A|quotes or|a space inside"
    r"|a character that|other characters|a quote (?:that|in)|text after a|a cell that|a line break)"
    r"|has the label"
)


def escape_formula(cell: str) -> str:
    """The cell, with an apostrophe before it if a spreadsheet would run it."""
    if not cell or cell[0].isalnum() or not _NEEDS_ESCAPE.match(cell):
        return cell
    return _ESCAPE + cell


def unescape_formula(cell: str) -> str:
    """The cell before `escape_formula`; a cell without an escape is unchanged."""
    return cell[1:] if cell.startswith(_ESCAPE) and _ESCAPED.match(cell) else cell


def unescape_block(block: Block) -> Block:
    """Rows of a rejects file, with their cells as in the rejected file."""
    rows = [
        [unescape_formula(cell) if cell[:1] == _ESCAPE else cell for cell in row]
        for row in block.rows
    ]
    return replace(block, rows=rows)


def find_reject_labels(
    labels: Sequence[str], known: AbstractSet[str]
) -> tuple[int, ...]:
    """The indexes of `REJECT_LABELS`: one is enough, since no export has any of them.

    Of renamed ones two of the three are enough: Line, Column, Reason.

    Args:
        labels: the cells of the header.
        known: the folded labels of all exports.
    """
    unknown = [
        (i, label) for i, label in enumerate(labels) if fold_label(label) not in known
    ]
    found = {
        index
        for index, label in unknown
        if near_miss(label, REJECT_LABELS) or label_parts(label, REJECT_LABELS)
    }
    kinds = {index: kind for index, label in unknown if (kind := _kind(label))}
    if len(set(kinds.values())) >= _MIN_KINDS:
        found.update(kinds)
    return tuple(sorted(found))


def names_labels(label: str) -> bool:
    """Whether the cells below this label of ours name labels of the file."""
    return near_miss(label, REJECT_LABELS[1:2]) is not None or _kind(label) == "column"


def check_reasons(
    labels: Sequence[str],
    ignored: Iterable[int],
    rows: Sequence[Sequence[str]],
    export: Export,
) -> None:
    """Refuse a rejects file whose labels were all changed: a column holds reasons.

    Args:
        labels: the cells of the header.
        ignored: the indexes of the labels that are not known.
        rows: the first rows.
        export: the recognised export.
    """
    names = ("", *(f"{label} " for label in labels if label.strip()))
    for index in ignored:
        cells = [row[index] for row in rows if index < len(row)]
        if sum(_is_reason(cell, names) for cell in cells) * 2 > len(rows):
            raise _renamed(labels[index], "reject_reason", export)


def find_renamed(labels: Sequence[str], ignored: Iterable[int]) -> str | None:
    """A label that may be one of `REJECT_LABELS`, the only one that is left: Line, Rejected."""
    return next((labels[i] for i in ignored if _kind(labels[i]) is not None), None)


def check_escapes(label: str, block: Block, export: Export) -> None:
    """Refuse rows with escapes, next to a label that may be one of `REJECT_LABELS`."""
    for row in block.rows:
        if any(cell[:1] == _ESCAPE and _ESCAPED.match(cell) for cell in row):
            raise _renamed(label, f"reject_{_kind(label) or 'line'}", export)


def _kind(label: str) -> str | None:
    """Which of the three a label may be: line, column, reason; "" if it may be any."""
    words = [word.lower() for word in _WORDS.findall(clean_label(label))]
    kinds = [_KINDS[word] for word in words if word in _KINDS]
    is_rejected = any(map(_REJECTED.fullmatch, words))
    others = {word for word in words if not _REJECTED.fullmatch(word)} - _KINDS.keys()
    if others - _BESIDE_A_KIND or not (kinds or is_rejected):
        return None
    return kinds[0] if kinds else ""


def _is_reason(cell: str, names: tuple[str, ...]) -> bool:
    return any(
        cell.startswith(name) and _REASON.match(cell, len(name)) for name in names
    )


def _renamed(label: str, ours: str, export: Export) -> HeaderMismatch:
    return HeaderMismatch(
        f"This seems to be a rejects file whose labels were changed: {printable_label(label)!r} "
        f"may have been {ours!r}. Restore that label, and import or upload the "
        "file again: then the apostrophes before formulas are removed. If it is no rejects "
        "file, remove the column.",
        export.sync_type,
    )

"""Damaged headers: refused, because an ignored label would lose its column silently."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from salespro_core.csv_reader.labels import (
    REJECT_LABELS,
    fold_label,
    label_parts,
    near_miss,
    printable_label,
    similar_label,
)
from salespro_core.errors import HeaderMismatch, UnreadableObject
from salespro_core.exports.columns import Column, Export

MAX_SIMILAR = 5
_OWN_LABEL = re.compile("|".join(REJECT_LABELS))
# An amount, a date, a time, a boolean or an email: cells of a row, and no labels.
_VALUE = re.compile(
    r"-?\$?[0-9][0-9,]*\.[0-9]{1,2}|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+Z?)?|[0-9]{1,2}[-/]"
    r"[0-9]{1,2}[-/][0-9]{4}|TRUE|FALSE|[^\s@]+@[^\s@]+\.[a-z]+",
    re.IGNORECASE,
)


def check_swallowed_rows(labels: Sequence[str], export: Export, line: int) -> None:
    """Refuse a label that holds rows: a quote was opened in the header, and closed later."""
    for index, label in enumerate(labels):
        first, *others = label.splitlines() or [""]
        # As many commas as the header has up to the end of its first line.
        commas = max(1, index + first.count(","))
        # Text has a space after a comma.
        if any(len(re.findall(r",(?! )", other)) >= commas for other in others):
            raise HeaderMismatch(
                f"The header in line {line} has a quote that is opened in label "
                f"{index + 1} and closed in a later row. Remove the quote and import or "
                "upload the file again.",
                export.sync_type,
            )


def check_joined_rows(labels: Sequence[str], export: Export, line: int) -> None:
    """Refuse a header that goes on with rows: the line ends are lost."""
    known = set(map(fold_label, export.labels))
    for label in labels:
        first, quote, rest = label.strip(' "').partition('"')
        if fold_label(label) not in known and (
            _VALUE.fullmatch(label.strip())
            or (quote and fold_label(first) in known and fold_label(rest))
        ):
            raise _joined_rows(export, f"The header in line {line}")


def check_broken_label(
    first_row: Sequence[str],
    labels: Sequence[str],
    export: Export,
    columns: Sequence[Column],
) -> None:
    """Refuse a header that continues in the next line.

    Args:
        first_row: the cells after the header.
        labels: the cells of the header.
        export: the recognised export.
        columns: those that the header has.
    """
    missing = export.missing_labels(columns)
    folded = set(map(fold_label, missing))
    if all(fold_label(cell) in folded for cell in first_row if cell.strip()):
        raise HeaderMismatch(
            "The header has a line break between its labels: the next row has labels only. "
            "Remove the line break and import or upload the file again.",
            export.sync_type,
        )
    if len(first_row) != 1 or len(labels) == 1:
        return
    if label := near_miss(labels[-1] + first_row[0], missing):
        raise HeaderMismatch(
            f"The header has a line break in its last label, which seems to be {label!r}. "
            "Remove the line break and import or upload the file again.",
            export.sync_type,
        )


def check_width(widths: Counter[int], labels: Sequence[str], export: Export) -> None:
    """Refuse a file if most of its first rows have another number of cells.

    Otherwise each row would be rejected, and the person would not learn why; or cells of
    the few rows that fit by chance would be stored in other columns.

    Args:
        widths: number of cells -> rows that have as many.
        labels: the cells of the header.
        export: the recognised export.
    """
    width = len(labels)
    [(usual_width, count)] = widths.most_common(1) or [(width, 0)]
    # One row may be damaged itself, and in a short file some may be damaged alike.
    tolerated = max(1, widths.total() // 2)
    if width > 1 and width in widths:
        tolerated = max(3, widths.total() * 3 // 4)
    if usual_width != width and count > tolerated:
        mismatch = _width_mismatch(width, usual_width, is_most=width in widths)
        raise HeaderMismatch(
            f"{mismatch} Correct the header or the rows and import or upload the file "
            "again.",
            export.sync_type,
        )


def _width_mismatch(width: int, usual_width: int, *, is_most: bool) -> str:
    labels = f"{width} label{'s' if width > 1 else ''}"
    rows = "most rows" if is_most else "the rows"
    cells = f"{usual_width} cell{'s' if usual_width > 1 else ''}"
    comma = (
        "missing in the header or surplus in the rows"
        if usual_width > width
        else "surplus in the header or missing in the rows"
    )
    return f"The header has {labels}, but {rows} have {cells} each. A comma may be {comma}."


def check_header_alone(
    labels: Sequence[str], export: Export, found: Mapping[Column, int]
) -> None:
    """Refuse a file without rows whose header has the length of several rows.

    The last label and the first cell of the next row are one label; so are the last and
    the first cell of the other rows.

    Args:
        labels: the cells of the header.
        export: the recognised export.
        found: the columns that the header has, and the indexes of their labels.
    """
    missing = tuple(map(fold_label, export.missing_labels(found)))
    last = len(labels) - 1
    # All labels are before the cells of the first row.
    for index in range(max(found.values()) + 1, last // 2 + 1):
        label = fold_label(labels[index])
        if last % index == 0 and (
            label.startswith(missing)
            or all('"' in labels[i] for i in range(index, last, index))
        ):
            raise _joined_rows(export, "The header")


def _joined_rows(export: Export, header: str) -> HeaderMismatch:
    return HeaderMismatch(
        f"{header} goes on with the cells of rows: line ends are lost. Export the file "
        "again.",
        export.sync_type,
    )


def check_near_misses(
    unknown: Sequence[str], export: Export, found: Mapping[Column, object], line: int
) -> None:
    """Refuse labels that seem to be damaged: ignored, they would lose a column."""
    mistakes = list(find_mistakes(unknown, export.missing_labels(found)))
    if mistakes:
        raise HeaderMismatch(
            f"The header in line {line} is damaged: {'; '.join(mistakes[:5])}. "
            "Correct the header and import or upload the file again.",
            export.sync_type,
        )


def nul_in_label(labels: Sequence[str]) -> UnreadableObject:
    """The error of a label with a NUL character."""
    number = 1 + next(i for i, label in enumerate(labels) if "\0" in label)
    return UnreadableObject(
        f"The header has a NUL character in label {number}. Remove it, or export the file "
        "again."
    )


def check_prefixes(
    labels: Sequence[str],
    matches: Sequence[tuple[Export, Mapping[Column, object]]],
    line: int,
) -> None:
    """Refuse known labels with one prefix, whose point is no delimiter: `appointment._id`."""
    prefix, point, _ = labels[0].partition(".")
    if len(labels) > 1 and all(it.startswith(prefix + (point or ".")) for it in labels):
        check_style(labels, matches, line)


def check_style(
    labels: Sequence[str],
    matches: Sequence[tuple[Export, Mapping[Column, object]]],
    line: int,
) -> None:
    """Refuse a header in another style, which has hardly a known label."""
    for export, _ in matches:
        # A name may look like a label by chance: Emil.
        count = sum(bool(near_miss(label, export.labels)) for label in labels)
        if count > 2 or count == len(labels) > 1:  # noqa: PLR2004 -- two may be chance
            check_near_misses(labels, export, {}, line)


def check_joined_labels(
    labels: Sequence[str], known: Sequence[str], export: Export, line: int
) -> None:
    """Refuse a cell with several labels, one of them that of the key."""
    folded = {fold_label(label): label for label in known}
    for label in labels:
        # A single one may be text of a file without a header.
        if len(parts := label_parts(label, folded)) > 1:
            raise HeaderMismatch(
                f"The header in line {line} is damaged: {_listed(parts, folded)} are in one "
                "cell, so a comma or a quote is missing. Correct the header and import or "
                "upload the file again.",
                export.sync_type,
            )


def find_mistakes(unknown: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """What is wrong with each label that seems to be damaged, without a full stop."""
    folded = {fold_label(label): label for label in known}
    for label in unknown:
        shown = printable_label(label)
        if parts := label_parts(label, folded):
            # Other text in it may be a cell of a row: personal data, never repeated.
            rest = _OWN_LABEL.sub("", fold_label(label))
            others = len(rest) > sum(map(len, parts)) + len(parts) + 1
            shown = "a label" if others else repr(shown)
            yield f"{shown} contains {_listed(parts, folded)}: a comma or a quote is missing"
        elif fold_label(label) not in folded and (near := near_miss(label, known)):
            yield f"{shown!r} is not a known label, but nearly {near!r}"


def find_similar(
    ignored: Iterable[str], missing: Collection[str]
) -> Iterator[tuple[str, str]]:
    """A few ignored labels, each with the label of a missing column that it may be."""
    pairs = ((label, similar_label(label, missing)) for label in ignored)
    found = ((printable_label(label), known) for label, known in pairs if known)
    return islice(found, MAX_SIMILAR)


def _listed(parts: Sequence[str], labels: Mapping[str, str]) -> str:
    return " and ".join(repr(labels[part]) for part in parts)

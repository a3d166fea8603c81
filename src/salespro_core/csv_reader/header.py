"""The header of a file: recognises the export and finds the position of each column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from textwrap import shorten
from typing import NoReturn

from salespro_core.csv_reader.block import Block, is_utf8
from salespro_core.csv_reader.csv_injection import find_reject_labels, unescape_formula
from salespro_core.csv_reader.decoding.encoding_guess import EncodingGuess
from salespro_core.csv_reader.dialects import check_label_quotes, delimiter_name
from salespro_core.csv_reader.header_damage import (
    check_joined_labels,
    check_joined_rows,
    check_near_misses,
    check_prefixes,
    check_style,
    check_swallowed_rows,
    find_mistakes,
    nul_in_label,
)
from salespro_core.csv_reader.labels import (
    REJECT_LABELS,
    clean_label,
    fold_label,
    printable_label,
)
from salespro_core.errors import HeaderMismatch, UnknownExport, UnreadableObject
from salespro_core.exports.columns import Column, Export

# Where a header is looked for if the first line is none.
MAX_PREAMBLE_ROWS = 100
MAX_PREAMBLE_BLOCKS = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column each cell of a row belongs to.

    Attributes:
        labels: the header's cells, unchanged.
        columns: the columns that the file has, in the order of `export.columns`.
        column_indexes: for each of `columns`, the index of its cell in a row.
        ignored: labels that belong to no column, each once, without blank labels.
        reject_indexes: of the labels of a rejects file, `REJECT_LABELS`, in the order of
            the file; a person may have moved them or removed some.
    """

    export: Export
    labels: tuple[str, ...]
    columns: tuple[Column, ...]
    column_indexes: tuple[int, ...]
    ignored: tuple[str, ...]
    reject_indexes: tuple[int, ...] = ()

    @property
    def indexed_columns(self) -> tuple[tuple[Column, int], ...]:
        """The columns, each with the index of its cell in a row."""
        return tuple(zip(self.columns, self.column_indexes, strict=True))

    @property
    def ignored_indexes(self) -> tuple[int, ...]:
        """The indexes of the cells that are not imported, also those without a label."""
        known = {*self.column_indexes, *self.reject_indexes}
        return tuple(i for i in range(len(self.labels)) if i not in known)

    @property
    def is_rejects_file(self) -> bool:
        """Whether the cells are escaped, see `csv_injection`."""
        return bool(self.reject_indexes)


def read_header(
    labels: Sequence[str], exports: Sequence[Export], *, line: int = 1
) -> Layout:
    """Recognise the export by its labels.

    Labels are compared without quotes and invisible characters, see `clean_label`: first
    exactly, then without regard to case.  If the keys of two exports are present, the
    export with more columns in the file is chosen.

    Args:
        labels: the cells of the header.
        exports: the known exports.
        line: number of the header's line, for messages.

    Raises:
        UnknownExport: no export has its key among the labels.
        HeaderMismatch: a label is repeated, two labels name the same column, a label is
            nearly that of a column which the file lacks otherwise, several labels are in
            one cell, or rows are in the line of the header or inside a quoted label.
        UnreadableObject: the labels are not UTF-8 text, in other quotes, not separated by
            commas, or after a line for Excel (sep=).
    """
    _check_text(labels, exports)
    known = {fold_label(label) for export in exports for label in export.labels}
    reject_indexes = find_reject_labels(labels, known)
    if reject_indexes:
        labels = [unescape_formula(label) for label in labels]
    matches = [(export, find_columns(labels, export)) for export in exports]
    complete = [match for match in matches if match[0].columns[0] in match[1]]
    if not complete:
        _raise_unknown_export(labels, matches, line)
    export, found = max(complete, key=lambda match: len(match[1]))
    # First, because other errors repeat labels, which may be cells of these rows.
    check_joined_rows(labels, export, line)
    _check_repeated(labels, export, found)
    column_indexes = tuple(indexes[0] for indexes in found.values())
    check_swallowed_rows(labels, export, line)
    unknown = [label for i, label in enumerate(labels) if i not in column_indexes]
    check_near_misses(unknown, export, found, line)
    ignored = dict.fromkeys(
        label.strip()
        for index, label in enumerate(labels)
        if index not in (*column_indexes, *reject_indexes) and clean_label(label)
    )
    return Layout(
        export=export,
        labels=tuple(labels),
        columns=tuple(found),
        column_indexes=column_indexes,
        ignored=tuple(ignored),
        reject_indexes=reject_indexes,
    )


def find_header(blocks: Iterable[Block], exports: Sequence[Export]) -> int | None:
    """The line of a header among the first rows: one with the key and another label.

    Its cells may be separated by another delimiter.
    """

    def count_columns(cells: Sequence[str]) -> int:
        found = (find_columns(cells, export) for export in exports)
        keys = {export.columns[0] for export in exports}
        return max(len(columns) if keys & columns.keys() else 0 for columns in found)

    rows = (row for block in islice(blocks, MAX_PREAMBLE_BLOCKS) for row in block)
    for row in islice(rows, MAX_PREAMBLE_ROWS):
        if count_columns(row.cells) > 1 or (
            len(row.cells) == 1 and delimiter_name(row.cells[0], 1, count_columns)
        ):
            return row.line
    return None


def find_columns(labels: Sequence[str], export: Export) -> dict[Column, list[int]]:
    """The indexes of each column's labels; more than one index is an error.

    A label in other case counts only if the exact label is missing.
    """
    clean: dict[str, list[int]] = {}
    folded: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        clean.setdefault(clean_label(label), []).append(index)
        folded.setdefault(fold_label(label), []).append(index)
    found = {}
    for column in export.columns:
        is_exact = any(label in labels for label in column.labels)
        indexes = [
            index
            for label in column.labels
            for index in (
                clean.get(label, ()) if is_exact else folded.get(fold_label(label), ())
            )
        ]
        if indexes:
            found[column] = indexes
    return found


def _check_repeated(
    labels: Sequence[str], export: Export, found: Mapping[Column, Sequence[int]]
) -> None:
    """Refuse two labels of one column: either could have the right values.

    A repeated label of no column would lose nothing, but the file is broken.  It may be a
    cell of a row: personal data, never repeated.
    """
    places: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        if label.strip():
            places.setdefault(label, []).append(index)
    if indexes := _first_repeated(found.values()):
        shown = " and ".join(printable_label(labels[index]) for index in indexes)
        said = f"The header names one column twice: {shown}."
    elif indexes := _first_repeated(places.values()):
        cells = " and ".join(str(index + 1) for index in indexes)
        said = f"The header has one label twice, in cells {cells} of the header."
    else:
        return
    raise HeaderMismatch(
        f"{said} Remove one of the two and import or upload the file again.",
        export.sync_type,
    )


def _first_repeated(places: Iterable[Sequence[int]]) -> Sequence[int]:
    return next((indexes for indexes in places if len(indexes) > 1), ())


def _check_text(labels: Sequence[str], exports: Sequence[Export]) -> None:
    """Labels are stored in Postgres and in reports, which need valid text.

    Bytes that are not UTF-8 may be delimiters or quotes: a section sign of Windows-1252.
    """
    text = "".join(labels)
    if "\0" in text or not is_utf8(text):
        decoded = list(map(_as_latin_1, labels))
        # Of bytes, a single label is there by chance.
        _check_delimiter(decoded, exports, 0, least_columns=2)
        if is_utf8(text):
            raise nul_in_label(labels)
        guess = EncodingGuess()
        guess.add(labels)
        likely = f" but probably {guess.name}" if guess.name else ""
        raise UnreadableObject(
            f"The header is not UTF-8 text{likely}; save the file as CSV UTF-8 and upload "
            "it again."
        )


def _as_latin_1(label: str) -> str:
    return label.encode(errors="surrogateescape").decode("latin-1")


def _raise_unknown_export(
    labels: Sequence[str],
    matches: Sequence[tuple[Export, dict[Column, list[int]]]],
    line: int,
) -> NoReturn:
    nearest, found = max(matches, key=lambda match: len(match[1]))
    check_prefixes(labels, matches, line)
    _check_delimiter(labels, [export for export, _ in matches], len(found))
    known = {index for indexes in found.values() for index in indexes}
    unknown = [label for index, label in enumerate(labels) if index not in known]
    for export, _ in matches:
        check_joined_labels(unknown, [*export.labels, *REJECT_LABELS], export, line)
    if len(known) < 2:  # noqa: PLR2004 -- a single cell may equal a label by chance
        check_style(labels, matches, line)
        # This may be a row of a file without a header: personal data, never repeated.
        wanted = "; ".join(
            f"{export.sync_type} needs {export.columns[0].label!r}, and may have "
            + ", ".join(_missing_labels(export, {export.columns[0]: ()}))
            for export, _ in matches
        )
        raise UnknownExport(
            f"Line {line} is not the header of a known export: {len(known) or 'none'} of "
            f"its {len(labels)} cells is a known label. Export the file with its header: "
            f"{wanted}."
        )
    check_joined_rows(labels, nearest, line)
    missing = ", ".join(_missing_labels(nearest, found))
    labels_found = shorten(
        ", ".join(printable_label(labels[index]) for index in sorted(known)), 300
    )
    # These may be cells of rows: personal data, never repeated.
    if others := len(labels) - len(known):
        labels_found += f" and {others} other cell{'s' if others > 1 else ''}"
    mistakes = "".join(
        f" {it}." for it in islice(find_mistakes(unknown, nearest.columns[0].labels), 1)
    )
    raise UnknownExport(
        f"Line {line} looks like a header of {nearest.sync_type}, but its required label "
        f"{nearest.columns[0].label!r} is missing. "
        f"Missing: {missing}. Found: {labels_found}.{mistakes}",
        nearest.sync_type,
    )


def _missing_labels(export: Export, found: Mapping[Column, object]) -> tuple[str, ...]:
    labels = (c.labels[0] for c in export.columns if c not in found)
    return tuple(dict.fromkeys(labels))


def _check_delimiter(
    labels: Sequence[str],
    exports: Sequence[Export],
    columns_found: int,
    *,
    least_columns: int = 1,
) -> None:
    """Refuse a header that names more columns if it is split at another delimiter."""
    line = ",".join(labels)
    if line.lower().startswith("sep="):
        raise UnreadableObject(
            "The file begins with a line for Excel (sep=); export it with commas and "
            "without that line."
        )

    def count_columns(cells: Sequence[str]) -> int:
        return max(len(find_columns(cells, export)) for export in exports)

    check_label_quotes(labels, columns_found, count_columns)
    least = max(columns_found, count_columns(labels), least_columns - 1)
    name = delimiter_name(line, least, count_columns)
    if name:
        raise UnreadableObject(
            f"The cells are separated by {name}; export the file with commas."
        )

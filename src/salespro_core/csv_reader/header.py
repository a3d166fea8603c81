"""The header of a file: which export it is, and where each column stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

from salespro_core.csv_reader.csv_injection import original
from salespro_core.errors import HeaderMismatch, UnknownExport, UnreadableObject
from salespro_core.exports.columns import Column, Export

# What this project adds to rejects.csv; a corrected one may be uploaded as it is.
REJECT_LABELS = ("reject_line", "reject_column", "reject_reason")
_DELIMITERS = {
    ";": "semicolons",
    "\t": "tabs",
    "|": "bars",
    "^": "carets",
    ":": "colons",
}
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Layout:
    """What the rows of one file hold.

    Attributes:
        labels: as they stand in the header, one per cell of a row.
        columns: those the file carries, in the order of `export.columns`.
        positions: for each of `columns`, where its cell stands in a row.
        ignored: labels that the table does not know, each once, without blank ones.
        is_of_rejects: whether it is a rejects file of ours, whose first labels are those
            that we added and whose cells are neutral to spreadsheets.
    """

    export: Export
    labels: tuple[str, ...]
    columns: tuple[Column, ...]
    positions: tuple[int, ...]
    ignored: tuple[str, ...]
    is_of_rejects: bool = False


def read_header(
    labels: Sequence[str], exports: Sequence[Export], *, line: int = 1
) -> Layout:
    """Recognise the export by its labels.

    A label is matched exactly first, then without regard to case, surrounding space and
    a byte order mark.

    Args:
        labels: the cells of the header.
        exports: those that are known.
        line: where the header stands, for messages.

    Raises:
        UnknownExport: no export has its key among the labels.
        HeaderMismatch: a label stands there twice, or two name one column.
        UnreadableObject: the labels are no UTF-8 text, or not parted by commas.
    """
    _check_text(labels)
    is_of_rejects = tuple(labels[: len(REJECT_LABELS)]) == REJECT_LABELS
    if is_of_rejects:
        labels = [original(label) for label in labels]
    found = [(export, _positions(labels, export)) for export in exports]
    complete = [pair for pair in found if pair[0].columns[0] in pair[1]]
    if not complete:
        _refuse(labels, found, line)
    export, positions = max(complete, key=lambda pair: len(pair[1]))
    _check_repeated(labels, export, positions)
    known = {places[0] for places in positions.values()}
    return Layout(
        export=export,
        labels=tuple(labels),
        columns=tuple(positions),
        positions=tuple(places[0] for places in positions.values()),
        ignored=tuple(
            dict.fromkeys(
                label.strip()
                for place, label in enumerate(labels)
                if place not in known and _folded(label) not in ("", *REJECT_LABELS)
            )
        ),
        is_of_rejects=is_of_rejects,
    )


def _check_repeated(
    labels: Sequence[str], export: Export, positions: Mapping[Column, Sequence[int]]
) -> None:
    """Which of two columns counts is not to be guessed."""
    names = next((p for p in positions.values() if len(p) > 1), ())
    repeated = tuple(labels[place].strip() for place in names)
    if not repeated:
        # One that the table does not know is harmless, and yet a sign of a broken file.
        seen = Counter(label for label in labels if label.strip())
        repeated = next(((name, name) for name, n in seen.items() if n > 1), ())
    if repeated:
        raise HeaderMismatch(
            f"The header names one column twice: {' and '.join(repeated)}. "
            "Remove one of the two and upload the file again.",
            export.sync_type,
            repeated,
        )


def _check_text(labels: Sequence[str]) -> None:
    """Labels go into messages, which Postgres and reports have to hold."""
    text = "".join(labels)
    if "\0" in text or text.encode(errors="ignore").decode() != text:
        raise UnreadableObject(
            "The header is not UTF-8 text; save the file as CSV UTF-8 and upload it again."
        )


def _positions(labels: Sequence[str], export: Export) -> dict[Column, list[int]]:
    """Where each column of the export stands; more than one place is a mistake."""
    exact: dict[str, list[int]] = {}
    folded: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        exact.setdefault(label, []).append(place)
        folded.setdefault(_folded(label), []).append(place)
    positions = {}
    for column in export.columns:
        places = [p for label in column.labels for p in exact.get(label, ())] or [
            p for label in column.labels for p in folded.get(_folded(label), ())
        ]
        if places:
            positions[column] = places
    return positions


def _folded(label: str) -> str:
    return label.strip().strip(_MARK).strip().casefold()


def _refuse(
    labels: Sequence[str],
    found: Sequence[tuple[Export, dict[Column, list[int]]]],
    line: int,
) -> None:
    """Say what is wrong with a header that is no known export's."""
    nearest, positions = max(found, key=lambda pair: len(pair[1]))
    _check_delimiter(labels, [export for export, _ in found], len(positions))
    known = {place for places in positions.values() for place in places}
    if len(known) < 2:  # noqa: PLR2004 -- a single cell may read like a label by chance
        # What stands here may be a row of a file without a header: not to be repeated.
        wanted = "; ".join(
            f"{export.sync_type} needs {export.columns[0].label!r}, and may have "
            + ", ".join(_missing(export, {export.columns[0]: ()}))
            for export, _ in found
        )
        raise UnknownExport(
            f"Line {line} is no header of a known export: {len(known) or 'none'} of its "
            f"{len(labels)} cells is a known label. Export the file with its header: "
            f"{wanted}."
        )
    missing = _missing(nearest, positions)
    seen = shorten(", ".join(labels), 300)
    raise UnknownExport(
        f"Line {line} looks like a header of {nearest.sync_type} but lacks "
        f"{nearest.columns[0].label!r}, which is needed. "
        f"Missing: {', '.join(missing)}. Seen: {seen}.",
        nearest.sync_type,
        missing,
    )


def _missing(export: Export, positions: Mapping[Column, object]) -> tuple[str, ...]:
    labels = (c.labels[0] for c in export.columns if c not in positions)
    return tuple(dict.fromkeys(labels))


def _check_delimiter(
    labels: Sequence[str], exports: Sequence[Export], known: int
) -> None:
    line = ",".join(labels)
    if line.lower().startswith("sep="):
        raise UnreadableObject(
            "The file begins with a line for Excel (sep=); export it with commas and "
            "without that line."
        )
    for delimiter, name in _DELIMITERS.items():
        cells = line.split(delimiter)
        if len(cells) > 1 and any(
            len(_positions(cells, export)) > known for export in exports
        ):
            raise UnreadableObject(
                f"The cells are parted by {name}; export the file with commas."
            )

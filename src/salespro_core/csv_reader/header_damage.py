"""Damaged headers: refused, because an ignored label would lose its column silently."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from salespro_core.csv_reader.labels import (
    fold_label,
    label_parts,
    near_miss,
    printable_label,
)
from salespro_core.errors import HeaderMismatch
from salespro_core.exports.columns import Column, Export

_SPACE_AND_QUOTES = ' "'


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
                f"{index + 1} and closed in a later row. Remove the quote and upload the "
                "file again.",
                export.sync_type,
            )


def check_near_misses(
    unknown: Sequence[str], export: Export, found: Mapping[Column, object], line: int
) -> None:
    """Refuse labels that seem to be damaged: ignored, they would lose a column."""
    known = [label for c in export.columns if c not in found for label in c.labels]
    mistakes = list(find_mistakes(unknown, list(dict.fromkeys(known))))
    if mistakes:
        raise HeaderMismatch(
            f"The header in line {line} is damaged: {'; '.join(mistakes[:5])}. "
            "Correct the header and upload the file again.",
            export.sync_type,
        )


def check_style(
    labels: Sequence[str],
    matches: Sequence[tuple[Export, Mapping[Column, object]]],
    line: int,
) -> None:
    """Refuse a header in another style, which has hardly a known label."""
    for export, _ in matches:
        known = [label for column in export.columns for label in column.labels]
        # A name may look like a label by chance: Emil.
        if sum(bool(near_miss(label, known)) for label in labels) > 2:  # noqa: PLR2004
            check_near_misses(labels, export, {}, line)


def check_joined_labels(
    labels: Sequence[str], known: Sequence[str], export: Export, line: int
) -> None:
    """Refuse labels in one cell, of which one is the key."""
    folded = {fold_label(label): label for label in known}
    for label in labels:
        # A single one may be text of a file without a header.
        if len(parts := label_parts(label, folded)) > 1:
            raise HeaderMismatch(
                f"The header in line {line} is damaged: {_listed(parts, folded)} are in one "
                "cell, so a comma or a quote is missing. Correct the header and upload the "
                "file again.",
                export.sync_type,
            )


def find_mistakes(unknown: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """What is wrong with each label that seems to be damaged, without a full stop."""
    folded = {fold_label(label): label for label in known}
    for label in unknown:
        shown = printable_label(label)
        head, quote, _ = label.strip(_SPACE_AND_QUOTES).partition('"')
        if quote and (followed := folded.get(fold_label(head))):
            # What follows may be a row: personal data.
            yield f"{followed!r} is followed by a quote and text: a line end is missing"
        elif parts := label_parts(label, folded):
            yield f"{shown!r} contains {_listed(parts, folded)}: a comma or a quote is missing"
        elif fold_label(label) not in folded and (near := near_miss(label, known)):
            yield f"{shown!r} is not a known label, but nearly {near!r}"


def _listed(parts: Sequence[str], labels: Mapping[str, str]) -> str:
    return " and ".join(repr(labels[part]) for part in parts)

"""What the tests of labels share: every label of both exports, and how a header is read."""

from __future__ import annotations

import io

import pytest

from salespro_core.csv_reader.header import Layout, read_header
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from tests.support.builders import read_rows

EXPORTS = (APPOINTMENTS, USERS)
# Every label but those of the keys, with its export and its column.
LABELS = [
    pytest.param(export, label, id=label)
    for export in EXPORTS
    for column in dict.fromkeys(c.label for c in export.columns[1:])
    for label in column.split(" | ")
]
labels = pytest.mark.parametrize(("export", "label"), LABELS)


def layout(line: str) -> Layout:
    """The layout of a file with this header."""
    return read_header(next(read_rows(io.BytesIO(line.encode()))).cells, EXPORTS)


def with_label(export: Export, label: str) -> list[str]:
    """A header of the key and this label."""
    return [export.columns[0].label, label]

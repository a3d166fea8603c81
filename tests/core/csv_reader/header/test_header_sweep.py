"""Every small edit of a header: no known column is lost silently."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import product

import pytest

from salespro_core.errors import InputError
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Record
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.csv_reader.damage import LABELS, QUOTINGS, TABLES
from tests.support.builders import items_of

# Characters that are inserted, or replace another one.
TYPED = "\",; \t'\u200b\u00a0\ufeffx\n"


def edits(header: str) -> Iterator[str]:
    """The header with one character removed, inserted or replaced."""
    for index in range(len(header) + 1):
        yield header[:index] + header[index + 1 :]
        for char in TYPED:
            yield header[:index] + char + header[index:]
            yield header[:index] + char + header[index + 1 :]


def imported(text: str) -> list[dict[str, str | None]]:
    """The records by column; empty if the file is refused."""
    with Rejects() as rejects:
        try:
            reader = ExportReader(
                io.BytesIO(text.encode()),
                (APPOINTMENTS, USERS),
                rejects,
                is_lenient=False,
            )
            items = items_of(reader)
        except InputError:
            return []
    names = [column.name for column in reader.layout.columns]
    return [
        dict(zip(names, item.values, strict=True))
        for item in items
        if isinstance(item, Record)
    ]


@pytest.mark.parametrize(
    ("export", "quoting"), list(product(["appointments", "users"], QUOTINGS))
)
def test_header_with_one_edit_is_read_completely_or_refused(
    export: str, quoting: str
) -> None:
    quote = QUOTINGS[quoting]
    header = ",".join(map(quote, LABELS[export]))
    rows = "\n".join(",".join(map(quote, cells)) for cells in TABLES[export][:3])
    sound = imported(f"{header}\n{rows}\n")

    results = {edited: imported(f"{edited}\n{rows}\n") for edited in set(edits(header))}

    assert len(sound) == 3
    assert len(results) > 1500
    assert [
        edited for edited, found in results.items() if found not in ([], sound)
    ] == []
    # Not everything is refused.
    assert sum(map(bool, results.values())) > 300

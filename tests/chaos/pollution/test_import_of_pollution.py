"""A sample of the polluted files, imported into Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice

import pytest
from psycopg import Connection

from salespro_core.importer.options import DEFAULTS
from tests.chaos.pollution import (
    cell_pollution,
    dialect_pollution,
    file_pollution,
    header_pollution,
)
from tests.chaos.pollution.reading import PollutedFile, read
from tests.chaos.pollution.row_pollution import POLLUTIONS, row_files
from tests.chaos.pollution.sheets import SHEETS
from tests.support.import_runs import run
from tests.support.table_contents import APPOINTMENT_TABLE, USERS_TABLE, clear, stored

pytestmark = pytest.mark.pollution
# A prime number: every kind, place and quoting has its turn.
EACH = 251


def all_files() -> Iterator[PollutedFile]:
    """All files of all kinds."""
    kinds = (
        dialect_pollution.KINDS,
        file_pollution.KINDS,
        header_pollution.KINDS,
        cell_pollution.KINDS,
    )
    for sheet in SHEETS:
        yield from chain.from_iterable(row_files(sheet, name) for name in POLLUTIONS)
        for files in kinds:
            yield from chain.from_iterable(kind(sheet) for kind in files.values())


@pytest.mark.parametrize("is_lenient", [False, True], ids=["strict", "lenient"])
def test_import_stores_and_counts_what_the_reader_has_read(
    conn: Connection,
    record_property: Callable[[str, object], None],
    *,
    is_lenient: bool,
) -> None:
    """The sweeps judge the reader; this shows that the table and the counts follow it."""
    imported = 0
    for file in islice(all_files(), int(is_lenient), None, EACH):
        clear(conn)
        reading = read(file.body, is_lenient=is_lenient)

        outcome = run(conn, file.body, options=replace(DEFAULTS, is_lenient=is_lenient))

        tables = {**stored(conn, APPOINTMENT_TABLE), **stored(conn, USERS_TABLE)}
        kept = {
            key: {name: tables[key][name] for name in values}
            for key, values, _ in reading.records
            if key in tables
        }
        assert (outcome.error is None) == (reading.error is None), file.name
        assert tables.keys() <= {key for key, _, _ in reading.records}, file.name
        assert kept == {
            key: values for key, values, _ in reading.records if key in tables
        }, file.name
        if reading.error is None:
            assert tables.keys() == {key for key, _, _ in reading.records}, file.name
            assert outcome.counts.processed == reading.rows, file.name
            assert outcome.counts.rejected == len(reading.rejects), file.name
            assert outcome.counts.created == len(tables), file.name
        imported += 1
    record_property("pollution", f"imports={imported}")

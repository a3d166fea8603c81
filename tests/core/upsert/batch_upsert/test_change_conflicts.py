"""Another session changes a row after the statement has compared it, and before its lock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import Connection, sql

from salespro_core.csv_reader.header import Layout
from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.exports.columns import Export
from salespro_core.model.counts import Counts
from salespro_core.postgres.session import transaction
from salespro_core.postgres.sqlstates import (
    CHANGED_MEANWHILE,
    is_conflict,
    is_row_error,
)
from salespro_core.records.chunks import Chunk
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.batch_upsert import destination_of, upsert_batch
from salespro_core.upsert.transaction import ChunkResult, write_chunk
from tests.core.upsert.batch_upsert.changes import recorded
from tests.core.upsert.triggers import add_trigger, both_exports, name_column
from tests.core.upsert.writers import (
    NOON,
    BatchWriter,
    ChunkWriter,
    read_layout_and_chunks,
)
from tests.support.builders import CsvRow, appointment, batch, upload, user
from tests.support.table_contents import stored, wait_until_blocked

# What the other session does with the row K; {table}, {key} and {name} are identifiers.
CHANGE = "UPDATE {table} SET {name} = 'Other' WHERE {key} = 'K'"
SAME = "UPDATE {table} SET {name} = 'New' WHERE {key} = 'K'"
TOUCH = "UPDATE {table} SET {name} = {name} WHERE {key} = 'K'"
DELETE = "DELETE FROM {table} WHERE {key} = 'K'"
CREATE = "INSERT INTO {table} ({key}, {name}) VALUES ('K', 'Other')"
REPLACE = f"{DELETE}; {CREATE}"
LOCK = "SELECT FROM {table} WHERE {key} = 'K' FOR UPDATE"

setup = BatchWriter(compare_before_insert=True, records_changes=True)


def row(export: Export, name: str, key: str = "K") -> CsvRow:
    if export is APPOINTMENTS:
        return appointment(key, customer_nameLast=name)
    return user(key, Last_Name=name)


def execute(conn: Connection, export: Export, statements: str) -> None:
    names = {
        "table": sql.Identifier(export.table),
        "key": sql.Identifier(export.key),
        "name": sql.Identifier(name_column(export)),
    }
    for statement in statements.split("; "):
        conn.execute(sql.SQL(statement).format(**names))


@contextmanager
def meanwhile(
    other: Connection, export: Export, statements: str, waiting: Connection
) -> Iterator[ThreadPoolExecutor]:
    """A thread for what then waits for these statements; they are committed at the end."""
    with ThreadPoolExecutor(1) as pool, other.transaction():
        execute(other, export, statements)
        yield pool
        wait_until_blocked(other, waiting.info.backend_pid)


def write_once(conn: Connection, claim: Claim, *rows: CsvRow, compare: bool) -> Counts:
    """One try to write these rows, as the batch of a newer file."""
    layout, sent = batch(*rows)
    with conn.transaction():
        return upsert_batch(
            conn,
            layout,
            sent,
            destination=destination_of(claim),
            uploaded_at=NOON,
            compare_before_insert=compare,
        )


def names(conn: Connection, export: Export) -> dict[object, object]:
    """Key -> last name."""
    rows = stored(conn, export.table).items()
    return {key: row[name_column(export)] for key, row in rows}


def recorded_names(conn: Connection, export: Export) -> dict[str, list[str | None]]:
    """Key -> the old and the new name; no key has two records."""
    changes = recorded(conn)
    found = {c.key: c.fields[name_column(export)] for c in changes}
    assert len(found) == len(changes)
    return found


@both_exports
@pytest.mark.parametrize("statements", [CHANGE, SAME, TOUCH, DELETE, REPLACE])
def test_statement_fails_if_a_row_that_it_has_compared_is_changed_or_deleted(
    conn: Connection,
    other_conn: Connection,
    claim: Claim,
    export: Export,
    statements: str,
) -> None:
    setup(conn, claim, row(export, "Old"))

    with meanwhile(other_conn, export, statements, conn) as pool:
        written = pool.submit(write_once, conn, claim, row(export, "New"), compare=True)
    error = written.exception()

    assert isinstance(error, psycopg.Error)
    assert is_conflict(error)
    # The pipeline then writes the chunk the careful way at once, without a pause.
    assert is_row_error(error)
    assert recorded(conn) == []


@both_exports
def test_statement_fails_if_another_version_of_its_row_is_created(
    conn: Connection,
    other_conn: Connection,
    claim: Claim,
    export: Export,
    *,
    compare_before_insert: bool,
) -> None:
    with meanwhile(other_conn, export, CREATE, conn) as pool:
        written = pool.submit(
            write_once,
            conn,
            claim,
            row(export, "New"),
            compare=compare_before_insert,
        )
    error = written.exception()

    assert isinstance(error, psycopg.Error)
    assert is_conflict(error)
    assert names(conn, export) == {"K": "Other"}


@both_exports
def test_lock_of_another_session_is_no_conflict(
    conn: Connection, other_conn: Connection, claim: Claim, export: Export
) -> None:
    setup(conn, claim, row(export, "Old"))

    with meanwhile(other_conn, export, LOCK, conn) as pool:
        written = pool.submit(write_once, conn, claim, row(export, "New"), compare=True)

    assert written.result() == Counts(updated=1)
    assert recorded_names(conn, export) == {"K": ["Old", "New"]}


@both_exports
def test_change_that_is_rolled_back_is_no_conflict(
    conn: Connection, other_conn: Connection, claim: Claim, export: Export
) -> None:
    setup(conn, claim, row(export, "Old"))

    with ThreadPoolExecutor(1) as pool:
        with other_conn.transaction(force_rollback=True):
            execute(other_conn, export, CHANGE)
            written = pool.submit(
                write_once, conn, claim, row(export, "New"), compare=True
            )
            wait_until_blocked(other_conn, conn.info.backend_pid)

        assert written.result() == Counts(updated=1)
    assert recorded_names(conn, export) == {"K": ["Old", "New"]}


@both_exports
def test_stored_row_is_not_updated_without_a_comparison(
    conn: Connection, claim: Claim, export: Export
) -> None:
    """Without a comparison there is no old value."""
    setup(conn, claim, row(export, "Old"))

    if export is APPOINTMENTS:
        with pytest.raises(psycopg.Error) as raised:
            write_once(conn, claim, row(export, "New"), compare=False)
        assert is_conflict(raised.value)
        same = write_once(conn, claim, row(export, "Old"), compare=False)
        assert same == Counts(unchanged=1)
        assert recorded(conn) == []
    else:
        assert write_once(conn, claim, row(export, "New"), compare=False) == Counts(
            updated=1
        )
        assert recorded_names(conn, export) == {"K": ["Old", "New"]}


def in_one_transaction(
    conn: Connection, layout: Layout, chunk: Chunk, claim: Claim
) -> ChunkResult:
    """Write the chunk the careful way, in batches."""
    with transaction(conn):
        return write_chunk(
            conn, layout, chunk, destination=destination_of(claim), uploaded_at=NOON
        )


@both_exports
@pytest.mark.parametrize(
    ("statements", "counts", "change"),
    [
        pytest.param(CHANGE, Counts(updated=1), ["Other", "New"], id="changed"),
        pytest.param(TOUCH, Counts(updated=1), ["Old", "New"], id="rewritten"),
        pytest.param(SAME, Counts(unchanged=1), None, id="changed-to-the-same"),
        pytest.param(DELETE, Counts(created=1), None, id="deleted"),
        pytest.param(REPLACE, Counts(updated=1), ["Other", "New"], id="replaced"),
    ],
)
def test_chunk_has_the_right_old_value_after_a_conflict(
    conn: Connection,
    other_conn: Connection,
    claim: Claim,
    export: Export,
    statements: str,
    counts: Counts,
    change: list[str | None] | None,
) -> None:
    """The batches before and after the conflict are written once."""
    old = [row(export, "Old", key) for key in "AKZ"]
    setup(conn, claim, *old)
    layout, [chunk] = read_layout_and_chunks(
        *(row(export, "New", key) for key in "ABKLZ"), batch_size=2
    )
    second = claims.claim(conn, upload(version="2"), keeps_changes=True)

    with meanwhile(other_conn, export, statements, conn) as pool:
        written = pool.submit(in_one_transaction, conn, layout, chunk, second)

    assert written.result() == ChunkResult(Counts(created=2, updated=2) + counts)
    assert names(conn, export) == dict.fromkeys("ABKLZ", "New")
    others: dict[str, list[str | None]] = {"A": ["Old", "New"], "Z": ["Old", "New"]}
    assert recorded_names(conn, export) == others | ({"K": change} if change else {})
    created = {
        key: r["created_by_import"] for key, r in stored(conn, export.table).items()
    }
    assert (created["B"], created["L"]) == (second.import_id, second.import_id)
    if statements == DELETE:
        assert created["K"] == second.import_id


@both_exports
def test_chunk_has_the_right_old_value_if_its_row_is_created_meanwhile(
    conn: Connection, other_conn: Connection, claim: Claim, export: Export
) -> None:
    layout, [chunk] = read_layout_and_chunks(row(export, "New"))

    with meanwhile(other_conn, export, CREATE, conn) as pool:
        written = pool.submit(in_one_transaction, conn, layout, chunk, claim)

    assert written.result() == ChunkResult(Counts(updated=1))
    assert recorded_names(conn, export) == {"K": ["Other", "New"]}
    assert stored(conn, export.table)["K"]["created_by_import"] is None


@pytest.mark.parametrize("statements", [CHANGE, DELETE])
def test_pipelined_chunk_that_meets_a_conflict_has_no_record_twice(
    conn: Connection,
    other_conn: Connection,
    claim: Claim,
    writer: ChunkWriter,
    statements: str,
) -> None:
    """The whole chunk is sent again, with batches that had been written before."""
    setup(conn, claim, *(row(APPOINTMENTS, "Old", key) for key in "AKZ"))
    second = claims.claim(conn, upload(version="2"), keeps_changes=True)
    writer.claim = second
    writer.file = read_layout_and_chunks(
        *(row(APPOINTMENTS, "New", key) for key in "ABKLZ"), batch_size=2
    )

    with meanwhile(other_conn, APPOINTMENTS, statements, conn) as pool:
        written = pool.submit(list[ChunkResult], writer.write())

    of_k = Counts(updated=1) if statements == CHANGE else Counts(created=1)
    assert written.result() == [ChunkResult(Counts(created=2, updated=2) + of_k)]
    expected = {"A": ["Old", "New"], "Z": ["Old", "New"]}
    if statements == CHANGE:
        expected["K"] = ["Other", "New"]
    assert recorded_names(conn, APPOINTMENTS) == expected


def test_row_that_changes_at_each_try_is_left_for_a_later_attempt(
    conn: Connection, claim: Claim
) -> None:
    """Otherwise an import could try for ever."""
    layout, [chunk] = read_layout_and_chunks(appointment("K"))
    setup(conn, claim, appointment("K", saleAmount="1"))
    add_trigger(conn, APPOINTMENTS, f"RAISE EXCEPTION '{CHANGED_MEANWHILE}';")

    with pytest.raises(psycopg.errors.SerializationFailure):
        in_one_transaction(conn, layout, chunk, claim)

    assert recorded(conn) == []

"""A row that a trigger changes, or need not be written, is not taken for a skipped row."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from psycopg import Connection

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.importer.options import Options
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from tests.core.upsert.triggers import (
    add_trigger,
    both_exports,
    both_modes,
    name_column,
    row,
    with_invalid_cells,
)
from tests.core.upsert.writers import BatchWriter
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import CHUNKS_OF_20, run
from tests.support.table_contents import wait_until_blocked

# Triggers that change a row, or write elsewhere, and skip none.
HARMLESS: dict[str, Callable[[Export], str]] = {
    "touch": lambda export: (
        "NEW.imported_at := clock_timestamp();"
        if export is APPOINTMENTS
        else "NEW.updated_at := clock_timestamp();"
    ),
    "normalised-value": lambda export: (
        f"NEW.{name_column(export)} := upper(NEW.{name_column(export)});"
    ),
    "normalised-key": lambda export: f"NEW.{export.key} := lower(NEW.{export.key});",
    "failure-caught": lambda _: (
        "BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;"
    ),
}


@both_exports
@both_modes
@pytest.mark.parametrize("trigger", HARMLESS)
def test_row_that_a_trigger_changes_is_not_rejected(
    conn: Connection, export: Export, options: Options, trigger: str
) -> None:
    """The same file again differs from the changed rows, and is unchanged all the same."""
    add_trigger(conn, export, HARMLESS[trigger](export))
    rows = [row(export, i) for i in range(45)]
    if options.is_lenient:
        rows = with_invalid_cells(export, rows)
    data = csv_bytes(*rows)

    assert run(conn, data, options=options).counts == Counts(created=45)
    assert run(conn, data, options=options).counts == Counts(unchanged=45)
    edited = csv_bytes(*(row(export, i, "Li" if i < 9 else "Lee") for i in range(45)))
    if not options.is_lenient:
        counts = run(conn, edited, options=options).counts
        assert counts == Counts(updated=9, unchanged=36)


@both_exports
def test_equal_row_that_a_trigger_skips_is_unchanged(
    conn: Connection, export: Export
) -> None:
    data = csv_bytes(*(row(export, i) for i in range(45)))
    run(conn, data)
    add_trigger(conn, export, "RETURN NULL;")

    assert run(conn, data, options=CHUNKS_OF_20).counts == Counts(unchanged=45)


def test_stale_row_that_a_trigger_skips_is_stale(conn: Connection) -> None:
    run(conn, csv_bytes(appointment("A"), appointment("B")))
    add_trigger(conn, APPOINTMENTS, "RETURN NULL;")
    older = {"_updated_at": "2025-06-01T00:00:00.000Z", "customer_nameLast": "Li"}

    outcome = run(conn, csv_bytes(appointment("A", **older), appointment("B", **older)))

    assert outcome.counts == Counts(stale=2)


@both_exports
def test_trigger_against_redundant_updates_skips_no_edited_row(
    conn: Connection, export: Export
) -> None:
    """Postgres' own trigger, which skips an UPDATE that changes nothing."""
    conn.execute(
        f"CREATE TRIGGER z BEFORE UPDATE ON {export.table} FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()".encode()
    )
    run(conn, csv_bytes(*(row(export, i) for i in range(5))))

    edited = csv_bytes(*(row(export, i, "Li" if i < 3 else "Lee") for i in range(6)))

    assert run(conn, edited).counts == Counts(created=1, updated=3, unchanged=2)


@both_exports
@pytest.mark.parametrize("other_name", ["Li", "Newer"], ids=["equal", "newer"])
@pytest.mark.parametrize("is_new", [True, False], ids=["new-row", "stored-row"])
def test_concurrent_change_is_not_taken_for_a_trigger(
    database_url: str,
    conn: Connection,
    claim: Claim,
    export: Export,
    other_name: str,
    *,
    is_new: bool,
) -> None:
    """The statement's snapshot does not have the row that it must not overwrite."""
    add_trigger(conn, export, HARMLESS["touch"](export))
    claim = replace(claim, has_before_triggers=True)
    other_claim = replace(
        claims.claim(conn, upload(version="2")), has_before_triggers=True
    )
    write = BatchWriter(compare_before_insert=True)
    other = row(export, 1, other_name)
    if export is APPOINTMENTS and other_name == "Newer":
        other |= {"_updated_at": "2025-06-08T00:00:00.000Z"}
    if not is_new:
        write(conn, other_claim, row(export, 1, "Old"))

    with connection.connect(database_url) as other_conn, ThreadPoolExecutor(1) as pool:
        with other_conn.transaction():
            write(other_conn, other_claim, other)
            waiting = pool.submit(write, conn, claim, row(export, 1, "Li"))
            wait_until_blocked(other_conn, conn.info.backend_pid)
        written = waiting.result()

    # A user of an upload at the same time is written, unless it is equal.
    is_written = export is USERS and other_name == "Newer"
    assert written == (Counts(updated=1) if is_written else Counts(unchanged=1))

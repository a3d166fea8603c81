"""A row that a BEFORE ROW trigger of the warehouse skips is rejected alone."""

from __future__ import annotations

import pytest
from psycopg import Connection

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.postgres.relations import has_before_triggers
from salespro_core.records.rejects_file import Rejects
from tests.core.upsert.triggers import (
    add_trigger,
    both_exports,
    both_modes,
    name_column,
    row,
    skip,
    with_invalid_cells,
)
from tests.core.upsert.writers import USER_KEY, only_columns
from tests.support.builders import csv_bytes
from tests.support.import_runs import CHUNKS_OF_20, dry_run, newest_import, run
from tests.support.table_contents import stored

REASON = "is skipped by a trigger of the table"


@both_exports
@both_modes
def test_skipped_rows_are_rejected_alone_with_their_lines_and_the_reason(
    conn: Connection, export: Export, options: Options
) -> None:
    """Of 45 rows 10 are equal, 20 are edited and 15 are new."""
    first = [row(export, i) for i in range(30)]
    second = [row(export, i, "Lee" if i < 10 else "Li") for i in range(45)]
    if options.is_lenient:
        first = with_invalid_cells(export, first)
        second = with_invalid_cells(export, second)
    run(conn, csv_bytes(*first), options=options)
    add_trigger(conn, export, skip(export, 15, 29), when="BEFORE UPDATE")
    add_trigger(conn, export, skip(export, 30, 37, 44), when="BEFORE INSERT")
    files: list[str] = []

    def publish(_: Outcome, rejects: Rejects) -> str:
        file = rejects.open()
        files.append(file.read().decode() if file else "")
        return "r/"

    outcome = run(
        conn,
        csv_bytes(*second),
        options=options,
        callbacks=ImportCallbacks(publish=publish),
    )

    assert outcome.counts == Counts(created=12, updated=18, unchanged=10, rejected=5)
    skipped = [15, 29, 30, 37, 44]
    assert sorted(r.line for r in outcome.rejects) == [i + 2 for i in skipped]
    assert {str(p) for reject in outcome.rejects for p in reject.problems} == {REASON}
    assert files[0].count(REASON) == 5
    names = {
        key: values[name_column(export)]
        for key, values in stored(conn, export.table).items()
    }
    assert names == {
        f"A-{i:03}": "Lee" if i < 10 or i in skipped else "Li"
        for i in range(45)
        if i not in (30, 37, 44)
    }
    import_ = newest_import(conn)
    assert (import_.status, import_.counts) == ("completed", outcome.counts)


@both_exports
@pytest.mark.parametrize("bad", [[0], [6], [7], [19], [20], [44], [3, 4], range(45)])
def test_skipped_row_is_found_at_each_position(
    conn: Connection, export: Export, bad: list[int]
) -> None:
    add_trigger(conn, export, skip(export, *bad))

    outcome = run(
        conn,
        csv_bytes(*(row(export, i) for i in range(45))),
        options=CHUNKS_OF_20,
    )

    assert outcome.counts == Counts(created=45 - len(bad), rejected=len(bad))
    assert [reject.line for reject in outcome.rejects] == [i + 2 for i in bad]


@both_exports
def test_rejected_row_is_imported_once_the_trigger_is_gone(
    conn: Connection, export: Export
) -> None:
    """For users: the time of the upload is not stored for a row that is not."""
    rows = csv_bytes(*(row(export, i) for i in range(5)))
    add_trigger(conn, export, skip(export, 3))
    assert run(conn, rows).counts == Counts(created=4, rejected=1)
    conn.execute(f"ALTER TABLE {export.table} DISABLE TRIGGER USER".encode())

    assert run(conn, rows).counts == Counts(created=1, unchanged=4)


@pytest.mark.parametrize(
    ("export", "label"),
    [(APPOINTMENTS, "_id"), (USERS, USER_KEY)],
    ids=["appointments", "users"],
)
def test_skipped_row_of_a_file_with_only_the_key_is_rejected(
    conn: Connection, export: Export, label: str
) -> None:
    """Nothing is updated then, so stored rows are unchanged."""
    rows = [only_columns(row(export, i), label) for i in range(5)]
    run(conn, csv_bytes(*rows[:2]))
    add_trigger(conn, export, skip(export, 3))

    outcome = run(conn, csv_bytes(*rows))

    assert outcome.counts == Counts(created=2, unchanged=2, rejected=1)
    assert [reject.line for reject in outcome.rejects] == [5]


@both_exports
def test_row_refused_by_another_error_keeps_its_reason(
    conn: Connection, export: Export
) -> None:
    raising = f"IF NEW.{export.key} = 'A-001' THEN RAISE 'no'; END IF;"
    add_trigger(conn, export, raising + skip(export, 3))

    outcome = run(conn, csv_bytes(*(row(export, i) for i in range(5))))

    reasons = [str(reject.problems[0]) for reject in outcome.rejects]
    assert reasons == [
        "is refused by Postgres (RaiseException, SQLSTATE P0001)",
        REASON,
    ]


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("BEFORE INSERT ON {} FOR EACH ROW", True),
        ("BEFORE UPDATE ON {} FOR EACH ROW", True),
        ("BEFORE UPDATE OF is_sale ON {} FOR EACH ROW", True),
        ("BEFORE DELETE OR INSERT ON {} FOR EACH ROW", True),
        ("BEFORE DELETE ON {} FOR EACH ROW", False),
        ("BEFORE INSERT ON {} FOR EACH STATEMENT", False),
        ("AFTER INSERT OR UPDATE ON {} FOR EACH ROW", False),
    ],
)
def test_only_before_row_triggers_for_insert_or_update_can_skip_rows(
    conn: Connection,
    trigger: str,
    expected: bool,  # noqa: FBT001 -- a parameter
) -> None:
    table = APPOINTMENTS.table
    conn.execute(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN NEW; END $$"
    )
    conn.execute(
        f"CREATE TRIGGER t {trigger.format(table)} EXECUTE FUNCTION nothing()".encode()
    )

    assert has_before_triggers(conn, "public", table) is expected
    assert not has_before_triggers(conn, "public", USERS.table)
    assert not has_before_triggers(conn, "other", table)
    conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER t".encode())
    assert not has_before_triggers(conn, "public", table)


@both_exports
def test_dry_run_does_not_run_triggers(
    conn: Connection, database_url: str, export: Export
) -> None:
    add_trigger(conn, export, "RETURN NULL;")

    outcome = dry_run(database_url, csv_bytes(row(export, 1)))

    assert outcome.counts == Counts(created=1)

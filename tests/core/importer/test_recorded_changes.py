"""The rows that an import has changed, in its outcome: as in a dry run before it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from psycopg import Connection, RawCursor

from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import SAMPLED_CHANGES, Change, Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres.session import transaction
from salespro_core.upsert import recorded_changes
from tests.core.upsert.test_query_plans import first_plan, scanned_tables
from tests.support.builders import MORNING, appointment, csv_bytes, upload, user
from tests.support.import_runs import dry_run, new_version

OLD, NEW = "2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z"


def import_(
    conn: Connection,
    data: bytes,
    of: Upload | None = None,
    *,
    options: Options = DEFAULTS,
) -> Outcome:
    return import_upload(conn, of or new_version(), io.BytesIO(data), options=options)


FILES = {
    "appointments": (
        csv_bytes(
            appointment("a", _updated_at=OLD),
            appointment("b", saleAmount="7", _updated_at=OLD),
            appointment("c", _updated_at=OLD),
        ),
        csv_bytes(
            appointment("a", _updated_at=OLD),
            appointment(
                "b", saleAmount="", customer_nameLast="Ö\n'\"", _updated_at=NEW
            ),
            appointment("c", isSale="FALSE", _updated_at=NEW),
            appointment("d", salesrep_email=""),
            appointment("e"),
        ),
    ),
    "users": (
        csv_bytes(user("a"), user("b")),
        csv_bytes(user("a", First_Name="Bea"), user("b"), user("c", Last_Login="")),
    ),
    "fewer-columns": (
        csv_bytes(user("a"), user("b")),
        csv_bytes(
            user("a", Username="x"), user("c"), header=["User Object ID", "Username"]
        ),
    ),
}


@pytest.mark.parametrize(("before", "after"), FILES.values(), ids=FILES.keys())
def test_import_tells_the_changes_that_its_dry_run_foretold(
    conn: Connection, database_url: str, before: bytes, after: bytes
) -> None:
    later = upload(version="v2", uploaded_at=MORNING + timedelta(hours=1))
    import_(conn, before, upload())
    foretold = dry_run(database_url, after, later).changes

    told = import_(conn, after, later).changes

    assert told == foretold
    assert {change.is_new for change in told} == {True, False}


def test_row_that_occurs_several_times_is_one_change(conn: Connection) -> None:
    """From its first old values to its last new ones."""
    import_(conn, csv_bytes(appointment("A", saleAmount="1", _updated_at=OLD)))
    rows = [
        appointment("A", saleAmount=f"{n}.00", isSale=is_sale, _updated_at=f"2025-06-0{n}T00:00:00Z")
        for n, is_sale in ((2, "FALSE"), (3, "TRUE"))
    ]  # fmt: skip

    outcome = import_(
        conn, csv_bytes(*rows), options=Options(checkpoint_rows=1, batch_size=1)
    )

    assert outcome.counts.updated == 2
    assert outcome.changes == (
        Change(
            key="A",
            is_new=False,
            fields={
                "updated_at": ("2025-06-01 00:00:00+00", "2025-06-03 00:00:00+00"),
                "sale_amount": ("1.00", "3.00"),
            },
        ),
    )


def test_first_rows_of_each_kind_are_told(conn: Connection) -> None:
    names = [f"{n:03}" for n in range(60)]
    import_(conn, csv_bytes(*(appointment(n, _updated_at=OLD) for n in names[:30])))

    outcome = import_(
        conn,
        csv_bytes(*(appointment(n, _updated_at=NEW) for n in names)),
        options=Options(checkpoint_rows=7, batch_size=3),
    )

    assert (outcome.counts.updated, outcome.counts.created) == (30, 30)
    updated = [change.key for change in outcome.changes if not change.is_new]
    created = [change.key for change in outcome.changes if change.is_new]
    assert updated == names[:SAMPLED_CHANGES]
    assert created == names[30 : 30 + SAMPLED_CHANGES]


def test_import_without_changes_or_that_keeps_none_tells_none(conn: Connection) -> None:
    data = csv_bytes(appointment("A"))

    created = import_(conn, data, options=Options(keep_changes_days=0))
    unchanged = import_(conn, data)

    assert (created.counts.created, created.changes) == (1, ())
    assert (unchanged.counts.unchanged, unchanged.changes) == (1, ())


def test_resumed_import_tells_the_changes_of_all_attempts(conn: Connection) -> None:
    data = csv_bytes(*(appointment(str(n)) for n in range(6)))
    options = replace(DEFAULTS, checkpoint_rows=2)
    of = new_version()

    class Cut(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > len(data) // 2:
                raise KeyboardInterrupt
            return super().read(min(size or 1, 64) if size and size > 0 else 64)

    with pytest.raises(KeyboardInterrupt):
        import_upload(conn, of, Cut(data), options=options)
    outcome = import_upload(conn, of, io.BytesIO(data), options=options)

    assert outcome.attempts == 2
    assert [change.key for change in outcome.changes] == [str(n) for n in range(6)]


@pytest.mark.parametrize(
    "is_analysed", [False, True], ids=["no-statistics", "analysed"]
)
def test_created_rows_are_found_by_the_index_of_their_import(
    conn: Connection, *, is_analysed: bool
) -> None:
    """And the search ends at the last row that is shown."""
    conn.execute("""
        INSERT INTO salespro_appointment (id, created_by_import)
        SELECT n, n / 50000 FROM generate_series(1, 200000) AS n""")
    # As autovacuum does within a minute.
    conn.execute("SELECT brin_summarize_new_values('salespro_appointment_created_by')")
    if is_analysed:
        conn.execute("ANALYZE")
    names = tuple(column.name for column in APPOINTMENTS.columns[1:])
    statement = recorded_changes._created(APPOINTMENTS, names, "public")  # noqa: SLF001 -- its plan is tested

    with transaction(conn):
        explain = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement.text
        plan = first_plan(RawCursor(conn).execute(explain, ["3", "20"]))

    assert scanned_tables(plan) == []
    assert plan["Plan"]["Actual Rows"] == 20
    assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 300

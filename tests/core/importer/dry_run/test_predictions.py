"""The counts and the changes of a dry run are those of the import."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.importer.options import Options
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import SAMPLED_CHANGES, Change, Outcome, Stale
from salespro_core.model.rejects import Problem, Reject
from tests.core.importer.dry_run.database_state import database_state
from tests.support.builders import MORNING, CsvRow, appointment, csv_bytes, upload, user
from tests.support.databases import ignore_case
from tests.support.import_runs import (
    CHUNKS_OF_4,
    FILES,
    FileSpec,
    dry_run,
    file_bytes,
    new_version,
    run,
    run_counts,
)
from tests.support.table_contents import APPOINTMENT_TABLE, clear

OLD, NEW = "2025-06-07T09:00:00.000Z", "2025-06-08T10:00:00.000Z"
LATER = "2025-06-09T10:00:00.000Z"


STORED = [
    appointment("same"),
    appointment("edited"),
    appointment("newer", _updated_at=NEW),
]


EACH_RESULT = [
    appointment("same"),
    appointment("edited", saleAmount="99"),
    appointment("newer", _updated_at=OLD),
    appointment("new"),
    appointment("twice", saleAmount="1"),
    appointment("twice", saleAmount="2"),
    appointment("bad", saleAmount="a lot"),
    appointment(""),
]


MORE = [
    appointment("new", saleAmount="7"),
    appointment("twice", _updated_at=OLD),
    appointment("same"),
    appointment("edited", saleAmount="99"),
    appointment("last"),
]


KEYS_ONLY = [{"_id": key} for key in ("same", "new", "new")]


@pytest.mark.parametrize("stored", [[], STORED, [*STORED, *EACH_RESULT]], ids=len)
@pytest.mark.parametrize(
    ("rows", "options"),
    [
        pytest.param(EACH_RESULT, Options(), id="one-of-each"),
        pytest.param([*EACH_RESULT, *MORE], Options(), id="duplicates-sent-together"),
        pytest.param(
            [*EACH_RESULT, *MORE], CHUNKS_OF_4, id="duplicates-across-commits"
        ),
        pytest.param(
            [*EACH_RESULT, *MORE, *EACH_RESULT], CHUNKS_OF_4, id="again-and-again"
        ),
        pytest.param(EACH_RESULT, Options(is_lenient=True), id="lenient"),
        pytest.param(KEYS_ONLY, CHUNKS_OF_4, id="only-keys"),
    ],
)
def test_dry_run_has_the_counts_of_the_import(
    database_url: str,
    conn: Connection,
    stored: Sequence[CsvRow],
    rows: Sequence[CsvRow],
    options: Options,
) -> None:
    if stored:
        run(conn, csv_bytes(*stored))
    before = database_state(conn)
    data = csv_bytes(*rows)

    predicted = dry_run(database_url, data, options=options)

    assert database_state(conn) == before
    imported = run(conn, data, options=options)
    assert predicted.counts == imported.counts
    assert predicted.counts.processed == len(rows)
    assert (predicted.rejects, predicted.warnings) == (
        imported.rejects,
        imported.warnings,
    )


@pytest.mark.parametrize("hours", [-1, 0, 1], ids=["late", "as-new", "newer"])
@pytest.mark.parametrize(
    "options", [Options(), CHUNKS_OF_4], ids=["together", "in-parts"]
)
def test_dry_run_of_users_has_the_counts_of_the_import(
    database_url: str, conn: Connection, hours: int, options: Options
) -> None:
    """The upload times are in another table, which is shadowed too."""
    run(conn, csv_bytes(user("same"), user("edited"), user("twice")))
    rows = [
        user("same"),
        user("edited", Email="a@b.c"),
        user("twice"),
        user("new"),
        user("bad", Last_Login="31/31/2025"),
        user("twice", Email="a@b.c"),
        user("new", Email="a@b.c"),
    ]
    upload_ = new_version(upload(uploaded_at=MORNING + timedelta(hours=hours)))
    before = database_state(conn)

    predicted = dry_run(database_url, csv_bytes(*rows), upload_, options=options)

    assert database_state(conn) == before
    assert (
        predicted.counts == run(conn, csv_bytes(*rows), upload_, options=options).counts
    )
    assert predicted.counts.processed == len(rows)


@pytest.mark.parametrize("is_dated", [True, False], ids=["appointments", "users"])
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(files=FILES, checkpoint_rows=st.integers(1, 9), batch_size=st.integers(1, 4))
def test_dry_run_of_any_file_has_the_counts_of_the_import(
    database_url: str,
    conn: Connection,
    files: list[FileSpec],
    checkpoint_rows: int,
    batch_size: int,
    *,
    is_dated: bool,
) -> None:
    clear(conn)
    options = Options(checkpoint_rows=checkpoint_rows, batch_size=batch_size)
    for file in files:
        at = MORNING + timedelta(hours=file.hour)
        upload_ = new_version(upload(uploaded_at=at))
        data = file_bytes(file, is_dated=is_dated)
        before = database_state(conn)

        predicted = dry_run(database_url, data, upload_, options=options)

        assert database_state(conn) == before
        assert predicted.counts == run(conn, data, upload_, options=options).counts


def test_dry_run_shows_changes_by_field_with_old_and_new_value(
    database_url: str, conn: Connection
) -> None:
    """Values as Postgres writes them; equal fields are left out."""
    run_counts(conn, csv_bytes(*STORED))
    data = csv_bytes(
        appointment("same"),
        appointment("edited", saleAmount="$1,099", _updated_at=NEW, isSale="no"),
        appointment("newer", _updated_at=OLD, saleAmount="1"),
        appointment("bad", saleAmount="a lot"),
        {"_id": "new", "saleAmount": "5", "customer.nameLast": "Silva"},
    )

    outcome = dry_run(database_url, data, upload())

    assert outcome == Outcome(
        upload=upload(),
        status="completed",
        is_dry_run=True,
        seconds=0.0,
        sync_type="csv_appointments",
        counts=Counts(created=1, updated=1, unchanged=1, stale=1, rejected=1),
        rejects=(
            Reject(
                5,
                (Problem("saleAmount", "is not an amount such as 23245.09"),),
                tuple(appointment("bad", saleAmount="a lot").values()),
            ),
        ),
        stale=(
            Stale(
                key="newer",
                stored="2025-06-08 10:00:00+00",
                incoming="2025-06-07 09:00:00+00",
            ),
        ),
        changes=(
            Change(
                key="edited",
                is_new=False,
                fields={
                    "updated_at": ("2025-06-07 10:00:00+00", "2025-06-08 10:00:00+00"),
                    "is_sale": ("true", "false"),
                    "sale_amount": ("12.50", "1099.00"),
                },
            ),
            Change(
                key="new",
                is_new=True,
                fields={
                    "is_sale": (None, "false"),
                    "customer_last_name": (None, "Silva"),
                    "sale_amount": (None, "5.00"),
                },
            ),
        ),
    )


def test_dry_run_shows_a_value_that_would_become_null(
    database_url: str, conn: Connection
) -> None:
    """A dry run must reveal an export that lost its amounts."""
    run_counts(conn, csv_bytes(appointment("A")))

    outcome = dry_run(database_url, csv_bytes(appointment("A", saleAmount="")))

    assert outcome.changes == (
        Change(key="A", is_new=False, fields={"sale_amount": ("12.50", None)}),
    )


def test_dry_run_shows_the_final_change_of_a_row_in_two_chunks(
    database_url: str, conn: Connection
) -> None:
    run_counts(conn, csv_bytes(appointment("A"), appointment("B")))
    data = csv_bytes(
        appointment("A", saleAmount="1"),
        appointment("B", saleAmount="1"),
        appointment("A", saleAmount="2"),
        appointment("B"),
    )
    options = Options(checkpoint_rows=2)

    outcome = dry_run(database_url, data, options=options)

    assert outcome.counts == Counts(updated=4)
    assert outcome.changes == (
        Change(key="A", is_new=False, fields={"sale_amount": ("12.50", "2.00")}),
    )


def test_dry_run_shows_the_first_changes_in_the_order_of_the_keys(
    database_url: str, conn: Connection
) -> None:
    keys = [f"{i:03}" for i in range(60)]
    run_counts(conn, csv_bytes(*(user(key) for key in keys[:30])))

    outcome = dry_run(
        database_url, csv_bytes(*(user(key, Email="a@b.c") for key in keys))
    )

    assert outcome.counts == Counts(created=30, updated=30)
    assert [(change.key, change.is_new) for change in outcome.changes] == [
        *((key, False) for key in keys[:SAMPLED_CHANGES]),
        *((key, True) for key in keys[30 : 30 + SAMPLED_CHANGES]),
    ]


def test_dry_run_of_a_lenient_file_does_not_show_the_older_row_of_a_key_as_stale(
    database_url: str, conn: Connection
) -> None:
    """Both rows of "edited" are written, the newer one without the invalid value."""
    run_counts(conn, csv_bytes(*STORED))
    data = csv_bytes(
        appointment("edited", saleAmount="99"),
        appointment("edited", saleAmount="a lot", _updated_at=NEW),
        appointment("newer", _updated_at=OLD),
        appointment("newer", _updated_at=LATER, saleAmount="a lot", isSale="no"),
    )

    outcome = dry_run(database_url, data, options=Options(is_lenient=True))

    assert outcome.counts == Counts(updated=3, stale=1)
    assert [(row.key, row.incoming) for row in outcome.stale] == [
        ("newer", "2025-06-07 09:00:00+00")
    ]


def test_edit_by_case_only_is_shown_for_a_column_that_ignores_case(
    database_url: str, conn: Connection
) -> None:
    ignore_case(conn, APPOINTMENT_TABLE, "customer_last_name")
    run(conn, csv_bytes(appointment("A", customer_nameLast="Lee")))
    data = csv_bytes(appointment("A", customer_nameLast="LEE"))

    outcome = dry_run(database_url, data)

    assert outcome.counts == run_counts(conn, data) == Counts(updated=1)
    assert [change.fields for change in outcome.changes] == [
        {"customer_last_name": ("Lee", "LEE")}
    ]

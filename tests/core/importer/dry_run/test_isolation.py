"""A dry run changes nothing, needs few privileges, and reports its failures."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from salespro_core.errors import ObjectUnavailable, StoreRefused
from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.shadow_tables import shadow_tables
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.postgres import connection
from tests.core.importer.dry_run.database_state import database_state
from tests.support.builders import appointment, csv_bytes, upload, user
from tests.support.databases import temporary_role
from tests.support.import_runs import (
    CHUNKS_OF_4,
    PiecewiseStream,
    dry_run,
    new_version,
    run,
    run_counts,
)
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    CHANGES_TABLE,
    TABLES,
    USERS_TABLE,
    number,
    stored,
)


@pytest.mark.parametrize(
    "write",
    [
        "INSERT INTO public.salespro_appointment (id) VALUES ('A')",
        "UPDATE public.salespro_appointment SET sale_amount = 0",
        "DELETE FROM public.salespro_appointment",
        "SELECT FROM public.salespro_appointment FOR UPDATE",
        "TRUNCATE public.salespro_appointment",
        "DROP TABLE public.salespro_appointment",
        "UPDATE public.salespro_sync_history SET status = 'failed'",
        "CREATE TABLE other (id int)",
        "SELECT nextval('public.salespro_sync_history_id_seq')",
    ],
)
def test_postgres_refuses_writes_to_real_tables_during_a_dry_run(
    conn: Connection, write: str
) -> None:
    """Not our code but the READ ONLY transaction prevents them."""
    with (
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        shadow_tables(conn, APPOINTMENTS),
    ):
        conn.execute(write.encode())


@pytest.mark.parametrize(
    "search_path", ["public", "public, pg_temp", '"$user", public, pg_catalog']
)
def test_dry_run_finds_its_shadows_with_each_search_path(
    database_url: str, conn: Connection, search_path: str
) -> None:
    """Also with pg_temp last, as careful administrators configure it."""
    name = psycopg.sql.Identifier(conn.info.dbname)
    alter = psycopg.sql.SQL("ALTER DATABASE {} SET search_path = {}")
    conn.execute(alter.format(name, psycopg.sql.SQL(search_path)))

    outcomes = [
        dry_run(database_url, csv_bytes(row)) for row in (appointment(), user())
    ]

    assert [outcome.counts for outcome in outcomes] == [Counts(created=1)] * 2
    assert not stored(conn, APPOINTMENT_TABLE)
    assert not stored(conn, USERS_TABLE)


def test_after_a_dry_run_the_session_is_idle_and_has_no_temporary_table(
    conn: Connection,
) -> None:
    """A pooler gives the session to imports, and an open transaction holds back VACUUM."""
    dry_run_upload(conn, upload(), PiecewiseStream(csv_bytes(appointment())))

    assert conn.info.transaction_status is TransactionStatus.IDLE
    temporary = "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"
    assert number(conn, temporary) == 0


def test_dry_run_adds_no_history_row_and_no_claim(
    database_url: str, conn: Connection
) -> None:
    """An import of the same upload can start at once."""
    dry_run(database_url, csv_bytes(appointment()), upload())

    assert number(conn, "SELECT count(*) FROM salespro_sync_history") == 0
    assert run(conn, csv_bytes(appointment()), upload()).attempts == 1
    second = dry_run(database_url, csv_bytes(appointment()), new_version())
    assert second.counts == Counts(unchanged=1)


def test_dry_run_of_a_file_that_would_be_refused_fails_with_its_fix(
    database_url: str, conn: Connection
) -> None:
    published: list[Outcome] = []
    before = database_state(conn)

    outcome = dry_run(
        database_url,
        csv_bytes(appointment()).replace(b",", b";"),
        upload(),
        callbacks=ImportCallbacks(publish=lambda outcome, _: published.append(outcome)),
    )

    assert outcome == Outcome(
        upload=upload(),
        status="failed",
        is_dry_run=True,
        seconds=0.0,
        error="The cells are separated by semicolons; export the file with commas.",
    )
    assert [refused.error for refused in published] == [outcome.error]
    assert database_state(conn) == before


def test_dry_run_without_time_fails_and_names_the_command(
    database_url: str, conn: Connection
) -> None:
    """It has no checkpoint to resume from."""
    before = database_state(conn)
    data = csv_bytes(*(appointment(f"{i}") for i in range(20)))
    left_s = [60.0]

    def on_commit(so_far: Outcome) -> None:
        left_s[0] = 60.0 if so_far.counts.processed < 8 else 0.0

    outcome = dry_run(
        database_url,
        data,
        options=CHUNKS_OF_4,
        callbacks=ImportCallbacks(on_commit=on_commit, remaining_s=lambda: left_s[0]),
    )

    assert (outcome.status, outcome.counts) == ("failed", Counts(created=8))
    assert "salespro import --dry-run" in str(outcome.error)
    assert outcome.is_unfinished
    assert database_state(conn) == before


def test_broken_stream_ends_the_dry_run_and_leaves_the_session_idle(
    conn: Connection,
) -> None:
    data = csv_bytes(*(appointment(f"{i}") for i in range(200)))
    truncated = PiecewiseStream(
        data, after=len(data) - 1, error=ObjectUnavailable("S3 truncated the body.")
    )

    with pytest.raises(ObjectUnavailable):
        dry_run_upload(conn, upload(), truncated, options=CHUNKS_OF_4)

    assert conn.info.transaction_status is TransactionStatus.IDLE


def test_dry_run_without_tables_says_to_run_migrate(empty_database_url: str) -> None:
    """Usually DATABASE_URL names another database than the migrated one."""
    with pytest.raises(StoreRefused, match="Run `salespro migrate`") as refused:
        dry_run(empty_database_url, csv_bytes(appointment()))

    assert refused.value.sqlstate == "42P01"


def test_dry_run_without_temporary_privilege_says_to_grant_it(
    database_url: str, conn: Connection
) -> None:
    """Some administrators revoke it from PUBLIC."""
    name = psycopg.sql.Identifier(conn.info.dbname)
    revoke = psycopg.sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC")
    conn.execute(revoke.format(name))
    grants = [f"SELECT ON {table}" for table in TABLES]

    with (
        temporary_role(database_url, *grants) as limited,
        pytest.raises(StoreRefused, match="grant it TEMPORARY") as refused,
    ):
        dry_run(limited, csv_bytes(appointment()))

    assert refused.value.sqlstate == "42501"


def test_dry_run_needs_only_select_and_temporary(
    database_url: str, conn: Connection
) -> None:
    """A role that cannot write may do dry runs."""
    run_counts(conn, csv_bytes(appointment("A")))
    grants = [f"SELECT ON {table}" for table in TABLES if table != CHANGES_TABLE]

    with temporary_role(database_url, *grants) as limited:
        outcome = dry_run(limited, csv_bytes(appointment("A"), appointment("B")))

    assert outcome.counts == Counts(created=1, unchanged=1)


def test_dry_run_works_in_the_schema_of_the_search_path(
    empty_database_url: str,
) -> None:
    conninfo = make_conninfo(empty_database_url, options="-csearch_path=warehouse")
    data = csv_bytes(appointment("A"), appointment("B"))
    with connection.connect(conninfo) as conn:
        conn.execute("CREATE SCHEMA warehouse")
        connection.migrate(conn)
        run_counts(conn, csv_bytes(appointment("B")))
        before = database_state(conn)

        outcome = dry_run(conninfo, data)

        assert outcome.counts == Counts(created=1, unchanged=1)
        assert database_state(conn) == before


def test_dry_run_works_with_added_and_generated_columns(
    database_url: str, conn: Connection
) -> None:
    """Previously a generated column failed the dry run: it cannot be copied."""
    conn.execute("""
        ALTER TABLE salespro_appointment
            ADD COLUMN note text,
            ADD COLUMN thousands numeric GENERATED ALWAYS AS (sale_amount / 1000) STORED
        """)
    run_counts(conn, csv_bytes(appointment("A")))
    conn.execute("UPDATE salespro_appointment SET note = 'mine'")
    data = csv_bytes(appointment("A", saleAmount="1"), appointment("B"))

    outcome = dry_run(database_url, data)

    assert outcome.counts == run_counts(conn, data) == Counts(created=1, updated=1)
    note = conn.execute("SELECT note FROM salespro_appointment WHERE id = 'A'")
    assert note.fetchone() == ("mine",)


def test_dry_run_rejects_a_row_that_violates_a_check_of_the_table(
    database_url: str, conn: Connection
) -> None:
    """The shadows have the checks of the tables."""
    conn.execute("ALTER TABLE salespro_appointment ADD CHECK (sale_amount > 0)")
    data = csv_bytes(appointment("A"), appointment("B", saleAmount="-1"))

    outcome = dry_run(database_url, data)

    assert outcome.counts == Counts(created=1, rejected=1)
    assert [reject.line for reject in outcome.rejects] == [3]


def test_dry_run_of_an_imported_upload_reports_already_imported(
    database_url: str, conn: Connection
) -> None:
    """As the import: a redelivery does nothing."""
    upload_ = new_version()
    run(conn, csv_bytes(appointment()), upload_)

    outcome = dry_run(database_url, csv_bytes(appointment(saleAmount="2")), upload_)

    assert (outcome.already_imported, outcome.counts) == (True, Counts())

"""The tables: on an empty database, and where the earlier system left its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from psycopg import Connection

from salespro_core.errors import StoreRefused
from salespro_core.model.outcome import Counts
from salespro_core.postgres import connection
from salespro_core.sync_history.queries import Import, latest_import, recent_imports
from tests.support.builders import MORNING, appointment, csv_bytes, upload, user
from tests.support.earlier_system import LONG_AGO, Models, Variant, earlier_system
from tests.support.import_runs import another, counted, dry_run, run
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    TABLES,
    USERS_TABLE,
    contents,
    number,
    role,
    stored,
)

VARIANTS = [
    pytest.param(Variant(), id="ints-and-nulls"),
    pytest.param(
        Variant(has_big_ids=True, has_required_texts=True), id="bigints-and-varchars"
    ),
]


def columns(conn: Connection) -> dict[tuple[str, str], tuple[str, bool, str | None]]:
    """(table, column) -> (type, whether it may not be null, default)."""
    rows = conn.execute(
        """
        SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull,
               pg_get_expr(adbin, adrelid)
          FROM pg_attribute
          JOIN pg_class ON pg_class.oid = attrelid
          LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE relname = ANY(%s) AND attnum > 0 AND NOT attisdropped
        """,
        [list(TABLES)],
    ).fetchall()
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}


def catalogue(conn: Connection) -> list[object]:
    """All that a migration makes."""
    return [
        columns(conn),
        conn.execute(
            """
            SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
             WHERE connamespace = 'public'::regnamespace ORDER BY 1
            """
        ).fetchall(),
        conn.execute(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall(),
        conn.execute(
            """
            SELECT objoid::regclass::text, objsubid, description FROM pg_description
             WHERE classoid = 'pg_class'::regclass AND objoid::regclass::text LIKE 'sales%'
             ORDER BY 1, 2
            """
        ).fetchall(),
    ]


def filenode(conn: Connection, table: str) -> int:
    """Which file holds the table: another one once it was rewritten."""
    return number(conn, f"SELECT pg_relation_filenode('{table}')")


# --- an empty database ----------------------------------------------------------------


def test_an_empty_database_gets_the_four_tables(empty_database_url: str) -> None:
    """And nothing else."""
    with connection.connect(empty_database_url) as conn:
        connection.migrate(conn)

        names = conn.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()

    assert {name for (name,) in names} == set(TABLES)


def test_to_migrate_again_changes_nothing(conn: Connection) -> None:
    """`salespro migrate` is run with each deployment."""
    counted(conn, csv_bytes(appointment("A")))
    counted(conn, csv_bytes(user("U")))
    before = catalogue(conn), contents(conn), [filenode(conn, t) for t in TABLES]

    connection.migrate(conn)

    after = catalogue(conn), contents(conn), [filenode(conn, t) for t in TABLES]
    assert after == before


def test_every_column_says_what_it_is(conn: Connection) -> None:
    """A DBA and an analyst find the description where they look: in the database."""
    silent = conn.execute(
        """
        SELECT attrelid::regclass::text, attname
          FROM pg_attribute
         WHERE attrelid = ANY(%(tables)s::regclass[]) AND attnum > 0
           AND coalesce(col_description(attrelid, attnum), '') = ''
         UNION ALL
        SELECT oid::regclass::text, NULL
          FROM pg_class
         WHERE oid = ANY(%(tables)s::regclass[])
           AND coalesce(obj_description(oid, 'pg_class'), '') = ''
        """,
        {"tables": list(TABLES)},
    ).fetchall()

    assert silent == []


def test_a_role_that_may_not_create_tables_is_refused_and_nothing_changed(
    empty_database_url: str,
) -> None:
    """It is one transaction: half a schema would be worse than none."""
    with role(empty_database_url) as limited, connection.connect(limited) as conn:
        with pytest.raises(StoreRefused, match="lacks a privilege") as refused:
            connection.migrate(conn)

        tables = number(
            conn, "SELECT count(*) FROM pg_tables WHERE tablename ~ 'sales'"
        )

    assert refused.value.sqlstate == "42501"
    assert tables == 0


def test_a_view_over_the_history_does_not_stand_in_the_way(conn: Connection) -> None:
    """Dashboards have some; the second migration failed on them with SQLSTATE 0A000."""
    conn.execute("CREATE VIEW dashboard AS SELECT * FROM salespro_sync_history")
    before = catalogue(conn)

    connection.migrate(conn)

    assert catalogue(conn) == before


# --- what people ask ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "index"),
    [
        pytest.param(
            "SELECT * FROM salespro_appointment ORDER BY created_at DESC LIMIT 10",
            "salespro_appointment_recent",
            id="recent-appointments",
        ),
        pytest.param(
            """
            SELECT * FROM salespro_appointment
             WHERE created_at >= '2025-06-01' AND created_at < '2025-07-01'
            """,
            "salespro_appointment_recent",
            id="appointments-of-a-month",
        ),
        pytest.param(
            """
            SELECT * FROM salespro_appointment
             WHERE lower(salesrep_email) = 'ann.lee@example.com'
            """,
            "salespro_appointment_rep",
            id="appointments-of-a-rep",
        ),
        pytest.param(
            """
            SELECT * FROM salespro_users WHERE lower(email) = 'ann.lee@example.com'
            """,
            "salespro_users_by_email",
            id="the-user-behind-an-address",
        ),
        pytest.param(
            """
            SELECT * FROM salespro_sync_history
             WHERE sync_type = 'csv_users' ORDER BY started_at DESC LIMIT 1
            """,
            "salespro_sync_history_recent",
            id="latest-import",
        ),
        pytest.param(
            """
            SELECT * FROM salespro_sync_history
             WHERE (bucket, object_key, object_version) = ('b', 'k', 'v')
            """,
            "salespro_sync_history_file",
            id="import-of-a-file",
        ),
    ],
)
def test_what_people_ask_has_an_index(conn: Connection, query: str, index: str) -> None:
    """By hand and in dashboards, against a table of years."""
    conn.execute("SET enable_sort = off")

    rows = conn.execute(f"EXPLAIN {query}".encode()).fetchall()

    assert index in "\n".join(line for (line,) in rows)


# --- the tables of the earlier system -------------------------------------------------


@contextmanager
def adopted(conninfo: str, variant: Variant) -> Iterator[tuple[Connection, Models]]:
    """A database of the earlier system, migrated."""
    with (
        earlier_system(conninfo, variant) as models,
        connection.connect(conninfo) as conn,
    ):
        connection.migrate(conn)
        yield conn, models


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_tables_of_the_earlier_system_are_adopted_with_their_rows(
    empty_database_url: str, variant: Variant
) -> None:
    """As they are: the large one is not rewritten, and no row is touched."""
    with (
        earlier_system(empty_database_url, variant),
        connection.connect(empty_database_url) as conn,
    ):
        names = (APPOINTMENT_TABLE, USERS_TABLE, HISTORY_TABLE)
        rows = {name: stored(conn, name) for name in names}
        files = {name: filenode(conn, name) for name in names}

        connection.migrate(conn)

        assert {name: filenode(conn, name) for name in names} == files
        assert [len(rows[name]) for name in names] == [3, 1, 2]
        for name in (APPOINTMENT_TABLE, USERS_TABLE):
            assert stored(conn, name) == rows[name]
        added = {
            "bucket": None,
            "object_key": None,
            "object_version": None,
            "uploaded_at": None,
            "size_bytes": None,
            "attempts": 0,
            "lease_expires_at": None,
            "records_unchanged": 0,
            "records_stale": 0,
            "records_duplicate": 0,
            "records_rejected": 0,
            "refused_rows": None,
            "report_location": None,
        }
        assert stored(conn, HISTORY_TABLE) == {
            key: row | added for key, row in rows[HISTORY_TABLE].items()
        }


@pytest.mark.parametrize("variant", VARIANTS)
def test_adopted_tables_are_as_good_as_new_ones(
    empty_database_url: str, conn: Connection, variant: Variant
) -> None:
    """Types, defaults and what may be null; only the id stays what it was."""
    new = columns(conn)
    with adopted(empty_database_url, variant) as (old, _):
        found = columns(old)

    different = {name: found[name] for name in new if found.get(name) != new[name]}
    assert found.keys() == new.keys()
    assert different == (
        {} if variant.has_big_ids else {(HISTORY_TABLE, "id"): ("integer", True, None)}
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_to_migrate_adopted_tables_again_changes_nothing(
    empty_database_url: str, variant: Variant
) -> None:
    """As for new ones."""
    with adopted(empty_database_url, variant) as (conn, _):
        before = catalogue(conn), contents(conn)

        connection.migrate(conn)

        assert (catalogue(conn), contents(conn)) == before


@pytest.mark.parametrize("variant", VARIANTS)
def test_imports_go_into_adopted_tables(
    empty_database_url: str, variant: Variant
) -> None:
    """Old rows are updated, left alone and not overwritten as if they were our own."""
    of = another(upload(object_key="k" * 1000, uploaded_at=MORNING))
    data = csv_bytes(
        appointment("A-0", _updated_at="2024-12-31T23:00:00Z"),
        appointment("A-1", _updated_at="2024-12-31T22:59:59Z"),
        {**appointment("A-2", _updated_at=LONG_AGO.isoformat()), "saleAmount": "12.5"},
        appointment("new"),
    )
    users = csv_bytes(user("U-0"), user("U-1"))
    late = another(upload(uploaded_at=MORNING - timedelta(hours=1)))
    with adopted(empty_database_url, variant) as (conn, _):
        foreseen = dry_run(empty_database_url, data, of)
        foreseen_users = dry_run(empty_database_url, users)

        counts = run(conn, data, of).counts

        assert counts == foreseen.counts == Counts(created=1, updated=2, stale=1)
        assert counted(conn, data) == Counts(unchanged=3, stale=1)
        assert (
            counted(conn, users)
            == foreseen_users.counts
            == Counts(created=1, updated=1)
        )
        assert run(conn, users, late).counts == Counts(stale=2)
        amounts = {
            key: row["sale_amount"]
            for key, row in stored(conn, APPOINTMENT_TABLE).items()
        }
        assert amounts == dict.fromkeys(amounts, Decimal("12.50"))
        assert run(conn, b"").status == "failed"


@pytest.mark.parametrize("variant", VARIANTS)
def test_imports_of_the_earlier_system_are_still_shown(
    empty_database_url: str, variant: Variant
) -> None:
    """Its history is what people compare with."""
    with adopted(empty_database_url, variant) as (conn, _):
        older = recent_imports(conn, "csv_appointments")
        run(conn, csv_bytes(appointment("new")))
        names = [each.file_path for each in recent_imports(conn)]
        failed = latest_import(conn, "csv_users")

    assert older == [
        Import(
            id=1,
            sync_type="csv_appointments",
            status="completed",
            is_interrupted=False,
            started_at=LONG_AGO,
            completed_at=LONG_AGO,
            processed=5,
            counts=Counts(created=3, updated=1),
            attempts=0,
            file_path="exports/SalesPro2024-12-31.csv",
            report_location=None,
            error_message="" if variant.has_required_texts else None,
        )
    ]
    assert names == [
        "s3://salespro-uploads/SalesPro2025-06-18.csv",
        "exports/users.csv",
        "exports/SalesPro2024-12-31.csv",
    ]
    assert failed is not None
    assert failed.error_message == "could not connect"


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_earlier_system_can_still_write_what_it_used_to(
    empty_database_url: str, variant: Variant
) -> None:
    """Both may run for a while; and going back must be possible."""
    with adopted(empty_database_url, variant) as (conn, models):
        run(conn, csv_bytes(appointment("ours")))

        models.appointment.objects.create(id="theirs")
        models.user.objects.create(user_object_id="theirs")
        noted = models.history.objects.create(
            sync_type="csv_appointments",
            started_at=LONG_AGO,
            status="completed",
            records_processed=9,
            records_created=1,
            records_updated=1,
            file_path="exports/again.csv",
        )

        assert {"ours", "theirs"} <= set(stored(conn, APPOINTMENT_TABLE))
        assert "theirs" in stored(conn, USERS_TABLE)
        assert stored(conn, HISTORY_TABLE)[noted.pk]["attempts"] == 0


def test_a_view_that_forbids_to_lengthen_a_path_is_named(
    empty_database_url: str,
) -> None:
    """Postgres does not change the type of a column that a view uses."""
    variant = Variant(has_required_texts=True)
    with (
        earlier_system(empty_database_url, variant),
        connection.connect(empty_database_url) as conn,
    ):
        conn.execute("CREATE VIEW dashboard AS SELECT * FROM salespro_sync_history")
        before = columns(conn)

        with pytest.raises(StoreRefused, match="Drop it, migrate, and create it again"):
            connection.migrate(conn)

        assert columns(conn) == before


def test_a_view_over_texts_does_not_stand_in_the_way_of_adoption(
    empty_database_url: str,
) -> None:
    """There is nothing to change about them."""
    with (
        earlier_system(empty_database_url, Variant()),
        connection.connect(empty_database_url) as conn,
    ):
        conn.execute("CREATE VIEW dashboard AS SELECT * FROM salespro_sync_history")

        connection.migrate(conn)

        assert number(conn, "SELECT count(*) FROM dashboard") == 2

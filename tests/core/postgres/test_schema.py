"""schema.sql: migrations of an empty and of a migrated database, comments, indexes."""

from __future__ import annotations

import pytest
from psycopg import Connection

from salespro_core.errors import StoreRefused
from salespro_core.postgres import connection
from salespro_core.postgres.schema import expected_schema
from tests.core.postgres.schema_snapshot import file_number, schema_objects
from tests.support.builders import appointment, csv_bytes, user
from tests.support.databases import temporary_role
from tests.support.import_runs import run
from tests.support.table_contents import TABLES, contents, number

# --- migration ------------------------------------------------------------------------


def test_empty_database_gets_exactly_these_tables(empty_database_url: str) -> None:
    with connection.connect(empty_database_url) as conn:
        connection.migrate(conn)

        names = conn.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()

    assert {name for (name,) in names} == set(TABLES)


def test_second_migration_changes_nothing(conn: Connection) -> None:
    """`salespro migrate` runs with each deployment."""
    run(conn, csv_bytes(appointment("A")))
    run(conn, csv_bytes(user("U")))
    before = (
        schema_objects(conn),
        contents(conn),
        [file_number(conn, t) for t in TABLES],
    )

    connection.migrate(conn)

    after = schema_objects(conn), contents(conn), [file_number(conn, t) for t in TABLES]
    assert after == before


def test_every_table_and_column_has_a_comment(conn: Connection) -> None:
    """DBAs and analysts look for descriptions in the database."""
    without_comment = conn.execute(
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

    assert without_comment == []


def test_role_that_may_not_create_tables_is_refused_and_nothing_changes(
    empty_database_url: str,
) -> None:
    """The migration is one transaction, so there is never half a schema."""
    with (
        temporary_role(empty_database_url) as limited,
        connection.connect(limited) as conn,
    ):
        with pytest.raises(StoreRefused, match="lacks a privilege") as refused:
            connection.migrate(conn)

        tables = number(
            conn, "SELECT count(*) FROM pg_tables WHERE tablename ~ 'sales'"
        )

    assert refused.value.sqlstate == "42501"
    assert tables == 0


def test_view_of_the_history_does_not_block_a_second_migration(
    conn: Connection,
) -> None:
    """Dashboards use such views; the migration failed on them with SQLSTATE 0A000."""
    conn.execute("CREATE VIEW dashboard AS SELECT * FROM salespro_sync_history")
    before = schema_objects(conn)

    connection.migrate(conn)

    assert schema_objects(conn) == before


def test_schema_parsed_from_the_script_is_what_the_script_creates(
    conn: Connection,
) -> None:
    """The check of a database would not miss what the parser overlooks."""
    columns = conn.execute(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute"
        " WHERE attrelid = ANY(%s::regclass[]) AND attnum > 0 AND NOT attisdropped",
        [list(TABLES)],
    ).fetchall()
    with_default = conn.execute(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute"
        " WHERE attrelid = ANY(%s::regclass[]) AND atthasdef",
        [list(TABLES)],
    ).fetchall()
    indexes = conn.execute(
        "SELECT indexrelid::regclass::text FROM pg_index"
        " WHERE indrelid = ANY(%s::regclass[]) AND NOT indisprimary",
        [list(TABLES)],
    ).fetchall()
    constraints = conn.execute(
        "SELECT conname FROM pg_constraint"
        " WHERE conrelid = ANY(%s::regclass[]) AND contype = 'c'",
        [list(TABLES)],
    ).fetchall()

    parsed = expected_schema()

    assert set(parsed.tables) == set(TABLES)
    assert set(parsed.columns) == set(columns)
    # A default in ADD COLUMN is not parsed: it comes with its column.
    assert set(parsed.defaults) <= set(with_default)
    assert set(parsed.indexes) == {name for (name,) in indexes}
    assert set(parsed.constraints) == {name for (name,) in constraints}


# --- indexes --------------------------------------------------------------------------


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
            id="user-by-email",
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
             WHERE changes IS NOT NULL AND started_at < now() ORDER BY started_at LIMIT 1
            """,
            "salespro_sync_history_changes",
            id="oldest-import-with-changes",
        ),
        pytest.param(
            """
            SELECT * FROM salespro_changes WHERE import_id = 1 AND key = 'a'
            """,
            "salespro_changes_pkey",
            id="changes-of-a-row",
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
def test_query_of_an_analyst_or_dashboard_uses_an_index(
    conn: Connection, query: str, index: str
) -> None:
    """The tables hold the rows of years."""
    conn.execute("SET enable_sort = off")

    rows = conn.execute(f"EXPLAIN {query}".encode()).fetchall()

    assert index in "\n".join(line for (line,) in rows)

"""What a migration says it did: created, updated, nothing."""

from __future__ import annotations

from typing import LiteralString

import pytest
from psycopg import Connection

from salespro_core.postgres import connection
from salespro_core.preflight.migration import migration_effect


def test_tables_of_an_empty_database_are_created(empty_database_url: str) -> None:
    with connection.connect(empty_database_url) as conn:
        before = migration_effect(conn)
        connection.migrate(conn)

        assert (before, migration_effect(conn)) == ("are created", "were up to date")


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE salespro_users_seen",
        "ALTER TABLE salespro_sync_history DROP COLUMN error_type",
        "ALTER TABLE salespro_users ALTER is_active DROP DEFAULT",
        "DROP INDEX salespro_sync_history_recent",
        "ALTER TABLE salespro_sync_history DROP CONSTRAINT salespro_sync_history_adds_up",
    ],
)
def test_tables_that_lack_something_are_updated(
    conn: Connection, change: LiteralString
) -> None:
    conn.execute(change)
    before = migration_effect(conn)
    connection.migrate(conn)

    assert (before, migration_effect(conn)) == ("are updated", "were up to date")

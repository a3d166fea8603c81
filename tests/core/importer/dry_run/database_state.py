"""What a dry run must not change."""

from __future__ import annotations

from psycopg import Connection

from tests.support.table_contents import contents_and_versions


def database_state(conn: Connection) -> object:
    """All that a dry run could change."""
    sequence = "SELECT last_value, is_called FROM salespro_sync_history_id_seq"
    return contents_and_versions(conn), conn.execute(sequence).fetchall()

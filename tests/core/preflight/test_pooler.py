"""A pooler is recognised by the process id that it announces; see also `make poolers`."""

from __future__ import annotations

from psycopg import Connection

from salespro_core.preflight.pooler import find_pooler


def test_server_itself_is_not_taken_for_a_pooler(conn: Connection) -> None:
    """Nothing is probed: connections may be scarce."""
    opened = []

    def connect_again() -> Connection:
        opened.append(1)
        return conn

    assert find_pooler(conn, connect_again) is None
    assert opened == []

"""The state of a pool's server sessions, as another client of the pool sees it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import psycopg
from psycopg import Connection

from tests.support.servers.pgbouncer import PgBouncer

# Everything that outlives a transaction and that one client may leave to the next.
_OBJECTS: Mapping[str, bytes] = {
    "role": b"SELECT current_user",
    "temporary tables": b"""
        SELECT relname FROM pg_class
         WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'""",
    "prepared statements": b"SELECT name || ': ' || statement FROM pg_prepared_statements",
    "cursors": b"SELECT name FROM pg_cursors",
    "channels": b"SELECT pg_listening_channels()",
    "advisory locks": b"""
        SELECT concat_ws(' ', classid, objid, mode) FROM pg_locks
         WHERE locktype = 'advisory' AND pid = pg_backend_pid()""",
}


@dataclass(frozen=True, slots=True)
class SessionState:
    """What a client finds on a server session.

    Attributes:
        settings: all rows of `pg_settings` that the role can see: name -> value.
        objects: kind, such as "cursors" -> the session's objects of it.
    """

    settings: Mapping[str, str] = field(repr=False)
    objects: Mapping[str, tuple[str, ...]]

    def differences(self, other: SessionState) -> dict[str, object]:
        """Return what differs: name -> (here, there)."""
        pairs: dict[str, tuple[object, object]] = {
            name: (self.settings.get(name), other.settings.get(name))
            for name in {*self.settings, *other.settings}
        }
        pairs |= {kind: (self.objects[kind], other.objects[kind]) for kind in _OBJECTS}
        # PgBouncer gives each session the name of its client, and a client without a name
        # finds that of the client before.
        del pairs["application_name"]
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def session_states(pooler: PgBouncer) -> dict[int, SessionState]:
    """Return the state of each server session of the pool: process id -> state.

    Each session is held by a new client, in a transaction, until all have been read.  In
    statement mode, which has no transactions, the pool must have one session only.
    """
    has_transactions = pooler.settings.mode != "statement"
    assert has_transactions or pooler.settings.size == 1
    count = max(1, len(pooler.server_pids()))
    with ExitStack() as stack:
        clients = [
            stack.enter_context(
                psycopg.connect(
                    pooler.conninfo,
                    prepare_threshold=None,
                    autocommit=not has_transactions,
                )
            )
            for _ in range(count)
        ]
        return dict(map(_state, clients))


def _state(client: Connection) -> tuple[int, SessionState]:
    # The first statement begins a transaction, which ends with the connection.
    # Loads PL/pgSQL, whose settings are listed from then on.
    client.execute("DO 'BEGIN END'")
    [[pid]] = client.execute("SELECT pg_backend_pid()").fetchall()
    settings: dict[str, str] = dict(
        client.execute("SELECT name, setting FROM pg_settings").fetchall()
    )
    objects = {
        kind: tuple(sorted(str(row[0]) for row in client.execute(query)))
        for kind, query in _OBJECTS.items()
    }
    return pid, SessionState(settings, objects)

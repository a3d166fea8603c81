"""Poll the sync history for imports that run, for `salespro watch`."""

from __future__ import annotations

from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.postgres.relations import read_only_transaction
from salespro_core.sync_history.queries import SELECT_IMPORTS, Import, read_import

# Other sessions see a completion a moment after its `completed_at`.
_VISIBILITY_DELAY = timedelta(minutes=1)

_NOW = "SELECT clock_timestamp()"
# Imports that run, that ran at the last poll, or that started and ended since.
_CHANGED = f"""
{SELECT_IMPORTS}
 WHERE (status = 'in_progress' AND lease_expires_at >= clock_timestamp())
    OR id = ANY(%(running)s)
    OR completed_at >= %(since)s
 ORDER BY started_at, id
"""


class Poller:
    """Finds the imports that changed since the last poll.

    Keeps the imports that run and those that ended within the last minute.
    """

    def __init__(self) -> None:
        self._known: dict[int, Import] = {}
        self._began_at: datetime | None = None
        self._since: datetime | None = None

    @property
    def running(self) -> list[Import]:
        """The imports that ran at the last poll, the oldest first."""
        return [import_ for import_ in self._known.values() if _is_running(import_)]

    def poll(self, conn: Connection) -> list[Import]:
        """The imports that are new or have changed, the oldest first.

        The first poll returns the imports that run.  An import whose attempt stops or
        dies is returned once, as interrupted, and again when the next attempt takes over.

        Args:
            conn: in autocommit.
        """
        with read_only_transaction(conn), conn.cursor(row_factory=dict_row) as cur:
            (now,) = conn.execute(_NOW).fetchone() or (None,)
            assert isinstance(now, datetime)  # noqa: S101 -- it is a clock
            self._began_at = self._began_at or now
            parameters = {
                "running": [import_.id for import_ in self.running],
                "since": self._since or now,
            }
            rows = cur.execute(_CHANGED, parameters).fetchall()
        found = {row["id"]: read_import(row) for row in rows}
        changed = [
            import_
            for import_ in found.values()
            if self._known.get(import_.id) != import_
        ]
        self._known = found
        self._since = max(self._began_at, now - _VISIBILITY_DELAY)
        return changed


def _is_running(import_: Import) -> bool:
    return import_.status == "in_progress" and not import_.is_interrupted

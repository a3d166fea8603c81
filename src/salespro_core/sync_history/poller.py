"""The imports as they run, seen from the side."""

from __future__ import annotations

from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.sync_history.queries import SELECT_IMPORTS, Import, read_import

# An import is completed a moment before others see that it is.
_UNSEEN = timedelta(minutes=1)

_NOW = "SELECT clock_timestamp()"
# What runs; what ran when we last looked; what began and ended since.
_FOLLOWED = f"""
{SELECT_IMPORTS}
 WHERE (status = 'in_progress' AND lease_expires_at >= clock_timestamp())
    OR id = ANY(%(running)s)
    OR completed_at >= %(since)s
 ORDER BY started_at, id
"""


class Follower:
    """What has changed among the imports since the last look.

    It keeps what runs and what has ended within the last minute, and nothing else.
    """

    def __init__(self) -> None:
        self._known: dict[int, Import] = {}
        self._began_at: datetime | None = None
        self._since: datetime | None = None

    @property
    def running(self) -> list[Import]:
        """What was at work at the last look, the oldest first."""
        return [one for one in self._known.values() if _is_running(one)]

    def look(self, conn: Connection) -> list[Import]:
        """The imports that are new or have changed, the oldest first.

        At the first look that is what runs.  An import whose attempt stops or dies is
        told once, as interrupted, and again when the next attempt takes over.

        Args:
            conn: in autocommit.
        """
        (now,) = conn.execute(_NOW).fetchone() or (None,)
        assert isinstance(now, datetime)  # noqa: S101 -- it is a clock
        self._began_at = self._began_at or now
        parameters = {
            "running": [one.id for one in self.running],
            "since": self._since or now,
        }
        with conn.cursor(row_factory=dict_row) as cur:
            # Not prepared: it says *, and a migration may add a column meanwhile.
            rows = cur.execute(_FOLLOWED, parameters, prepare=False).fetchall()
        found = {row["id"]: read_import(row) for row in rows}
        changed = [one for one in found.values() if self._known.get(one.id) != one]
        self._known = found
        self._since = max(self._began_at, now - _UNSEEN)
        return changed


def _is_running(one: Import) -> bool:
    return one.status == "in_progress" and not one.is_interrupted

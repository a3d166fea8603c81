"""Read the sync history: recent imports, and imports of given uploads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.model.counts import Counts
from salespro_core.postgres.relations import read_only_transaction
from salespro_core.sync_history.claims import read_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import of one file, as the sync history has it.

    Attributes:
        status: `in_progress`, `completed` or `failed`.
        is_interrupted: in progress without a live lease: its attempt stopped or died, and
            the next delivery resumes from the checkpoint.
        counts: history rows of the earlier system have only created and updated.
        processed: rows of the file that are accounted for so far.
        attempt_started_at: start of the newest attempt; None for older imports.
        error_type: class of the error; None for older imports.
        undoes: for an undo, the import that it undoes.
        lease_expires_at: when an import in progress counts as interrupted, unless a
            commit renews the lease; None if it ended or stopped.
    """

    id: int
    sync_type: str
    status: str
    is_interrupted: bool
    started_at: datetime
    completed_at: datetime | None
    processed: int
    counts: Counts
    attempts: int
    file_path: str | None
    report_location: str | None
    error_message: str | None
    attempt_started_at: datetime | None = None
    error_type: str | None = None
    undoes: int | None = None
    # Not compared: a renewed lease is no news for who watches an import.
    lease_expires_at: datetime | None = field(default=None, compare=False)

    @property
    def seconds(self) -> float | None:
        """Duration of the newest attempt; None while it runs.

        Earlier attempts do not count, since hours may lie between two of them.
        """
        if self.completed_at is None:
            return None
        started_at = self.attempt_started_at or self.started_at
        return (self.completed_at - started_at).total_seconds()


# The columns that `read_import` needs; append a WHERE clause.
SELECT_IMPORTS = """
SELECT *,
       status = 'in_progress'
           AND coalesce(lease_expires_at < clock_timestamp(), true) AS is_interrupted
  FROM salespro_sync_history
"""

_RECENT = f"""
  WITH imports AS ({SELECT_IMPORTS})
SELECT *
  FROM imports
 WHERE (sync_type = %(sync_type)s OR %(sync_type)s::text IS NULL)
   AND (CASE WHEN is_interrupted THEN 'interrupted' ELSE status END = ANY(%(statuses)s)
        OR %(statuses)s::text[] IS NULL)
   AND (file_path ILIKE ANY(%(files)s) OR %(files)s::text[] IS NULL)
   AND (started_at >= %(since)s OR %(since)s::timestamptz IS NULL)
 ORDER BY started_at DESC, id DESC
 LIMIT %(limit)s
"""  # noqa: S608 -- a constant


def recent_imports(
    conn: Connection,
    sync_type: str | None = None,
    *,
    statuses: Sequence[str] | None = None,
    file: str | None = None,
    since: datetime | None = None,
    limit: int = 10,
) -> list[Import]:
    """The newest imports first.

    Args:
        conn: in autocommit.
        sync_type: None for all types.
        statuses: those of the table, and `interrupted`, which is not `in_progress`
            then; None for all.
        file: a part of the path in any case; with `*` or `?`, a pattern for the name of
            the file or for the whole path.
        since: only imports that started at this time or later; timezone-aware.
        limit: the maximum number of imports.
    """
    parameters = {
        "sync_type": sync_type,
        "statuses": statuses and list(statuses),
        "files": None if file is None else _like_patterns(file),
        "since": since,
        "limit": limit,
    }
    with read_only_transaction(conn), conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(_RECENT, parameters).fetchall()
    return [read_import(row) for row in rows]


def _like_patterns(file: str) -> list[str]:
    """The patterns of LIKE of which the path must match one."""
    literal = re.sub(r"([\\%_])", r"\\\1", file)
    if not re.search(r"[*?]", file):
        return [f"%{literal}%"]
    pattern = literal.replace("*", "%").replace("?", "_")
    return [pattern, f"%/{pattern}"]


def latest_import(conn: Connection, sync_type: str | None = None) -> Import | None:
    """The newest import; for scripts of analysts, see docs/cli.md."""
    return next(iter(recent_imports(conn, sync_type, limit=1)), None)


_BY_ID = f"{SELECT_IMPORTS} WHERE id = %(id)s"


def find_import(conn: Connection, import_id: int) -> Import | None:
    """The import with this id, if it exists."""
    with read_only_transaction(conn), conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(_BY_ID, {"id": import_id}).fetchone()
    return None if row is None else read_import(row)


# A history that is not migrated yet has no such column.
_UNDOS = """
SELECT id FROM salespro_sync_history AS history
 WHERE to_jsonb(history) ->> 'undoes' = %(id)s::text AND status = 'completed'
 ORDER BY id
"""


def undos_of(conn: Connection, import_id: int) -> list[int]:
    """The completed undos of an import."""
    with read_only_transaction(conn):
        return [undo for (undo,) in conn.execute(_UNDOS, {"id": import_id})]


def read_import(row: dict[str, Any]) -> Import:
    """An import from a row of `SELECT_IMPORTS`."""
    return Import(
        id=row["id"],
        sync_type=row["sync_type"],
        status=row["status"],
        is_interrupted=row["is_interrupted"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        processed=row["records_processed"],
        counts=read_counts(row),
        attempts=row["attempts"],
        file_path=row["file_path"],
        report_location=row["report_location"],
        error_message=row["error_message"],
        # A newer command line may read a history that is not migrated yet.
        attempt_started_at=row.get("attempt_started_at"),
        error_type=row.get("error_type"),
        undoes=row.get("undoes"),
        lease_expires_at=row["lease_expires_at"],
    )


State = Literal["completed", "failed", "running", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportState:
    """How far the import of an upload is.

    Attributes:
        state: `running` while an attempt's lease is live, else `interrupted`; after its
            end `completed` or `failed`.
        error: why it failed.
        error_type: class of the error; None for older imports.
    """

    import_id: int
    state: State
    error: str | None
    error_type: str | None


_IMPORT_STATES = """
SELECT object_key, object_version, id,
       CASE WHEN status <> 'in_progress' THEN status
            WHEN lease_expires_at >= clock_timestamp() THEN 'running'
            ELSE 'interrupted'
        END,
       error_message, error_type
  FROM unnest(%(keys)s::text[], %(versions)s::text[]) AS wanted (object_key, object_version)
       JOIN salespro_sync_history USING (object_key, object_version)
 WHERE bucket = %(bucket)s
"""


def import_states(
    conn: Connection, bucket: str, uploads: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], ImportState]:
    """The state of the import of each upload; uploads without a history row are left out.

    Args:
        conn: in autocommit.
        bucket: of all uploads.
        uploads: (object key, version) as in `Upload`.
    """
    parameters = {
        "bucket": bucket,
        "keys": [key for key, _ in uploads],
        "versions": [version for _, version in uploads],
    }
    with read_only_transaction(conn):
        rows = conn.execute(_IMPORT_STATES, parameters).fetchall()
    return {
        (key, version): ImportState(
            import_id=import_id, state=state, error=error, error_type=error_type
        )
        for key, version, import_id, state, error, error_type in rows
    }


_BUCKETS = """
SELECT DISTINCT bucket
  FROM salespro_sync_history
 WHERE bucket <> ''  -- undos have an empty one
 ORDER BY bucket
 LIMIT %(limit)s
"""


def known_buckets(conn: Connection, *, limit: int = 2) -> list[str]:
    """The buckets of the imports in the history."""
    with read_only_transaction(conn):
        return [bucket for (bucket,) in conn.execute(_BUCKETS, {"limit": limit})]

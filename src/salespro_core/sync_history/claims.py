"""Claim an import, keep its lease, and read or extend its checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from salespro_core.errors import ClaimHeld, ClaimLost, StoreRefused
from salespro_core.model.counts import COUNTING_VERSION, Counts
from salespro_core.model.rejects import Reject
from salespro_core.model.upload import Upload
from salespro_core.postgres.relations import start_at_tables
from salespro_core.postgres.session import UNSYNCED, ended, on_history
from salespro_core.postgres.wire import (
    Query,
    Statement,
    execute_alone,
    execute_and_commit,
    numbered,
)
from salespro_core.sync_history.claim_sql import (
    CLAIM,
    CLAIMED,
    COUNTS,
    NEWEST_ATTEMPT,
    STORED,
    UNKNOWN,
    identity,
)

# After this time without a commit, another attempt may take over.  It must be longer than
# the slowest statement (`postgres.session.STATEMENT_TIMEOUT_S`).
LEASE = timedelta(minutes=2)
# The history's `changes` of an import whose changes are recorded.
KEPT = "kept"
# If Postgres refuses more rows of one file, the table is wrong and not the rows.
MOST_REFUSED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An attempt at an import.

    Attributes:
        attempt: number of the attempt; the fencing token.
        counts: the checkpoint; `counts.processed` rows of the file are committed.
        is_completed: an earlier attempt completed the import; nothing is left to do.
        refused: line -> why Postgres refused the row, for the committed rows.
        sync_type: None if the file has not been recognised yet.
        lease: time that each commit adds before another attempt may take over.
        started_at: time of the claim, in database time, as ISO text: psycopg cannot parse
            it after the transaction if the session has another DateStyle.  Together with `attempt` it is the
            fencing token: a crash of Postgres can undo a claim, and then the next attempt
            has the same number.  None only for a completed import of an older version.
        schema: of the importer's tables.
        plain_tables: table -> `has_before_triggers`, for those of the importer's tables
            that need no `relations.check_tables`.
        has_before_triggers: the export's table has triggers that can skip rows; False
            until the file is recognised.
        keeps_changes: what the import changes is recorded, so that it can be undone.
        undone_up_to: for an undo, the last key that is done.
    """

    import_id: int
    attempt: int
    started_at: str | None
    counts: Counts
    is_completed: bool
    lease: timedelta
    schema: str
    refused: Mapping[int, str] = field(default_factory=dict)
    sync_type: str | None = None
    plain_tables: Mapping[str, bool] = field(default_factory=dict)
    has_before_triggers: bool = False
    keeps_changes: bool = False
    undone_up_to: str | None = None

    @property
    def token(self) -> dict[str, object]:
        """The parameters of `CLAIMED`."""
        return {
            "import_id": self.import_id,
            "attempt": self.attempt,
            "attempt_started_at": self.started_at,
        }


def claim(
    conn: Connection,
    upload: Upload,
    *,
    tables: Sequence[str] = (),
    lease: timedelta = LEASE,
    keeps_changes: bool = False,
    undoes: int | None = None,
) -> Claim:
    """Claim the import of this upload for a new attempt, unless it is completed.

    An import whose rows were counted by other rules starts over: its checkpoint may stand
    at another row now.  The rows that it has written are found unchanged.

    The commit does not wait for the disk.  A crash of Postgres that undoes it also undoes
    all that the attempt has written; the attempt then finds its claim lost.

    Args:
        conn: in autocommit, and not in a transaction.
        upload: identifies the import.
        tables: that the import may write to, beside the history.
        lease: time until the claim ends unless a commit renews it, in database time.
        keeps_changes: record what the import changes.
        undoes: for an undo, the import that it undoes.

    Raises:
        ClaimHeld: another attempt holds a live lease.
        StoreRefused: as `find_schema`.
    """
    values: dict[str, object] = {
        "location": upload.path or upload.location,
        **identity(upload),
        "uploaded_at": upload.uploaded_at,
        "size_bytes": upload.size_bytes,
        "lease": lease,
        "counting_version": COUNTING_VERSION,
        "changes": KEPT if keeps_changes else None,
        "undoes": undoes,
    }
    with ended(conn):
        schema, plain_tables = start_at_tables(conn, tables, UNSYNCED)
        claimed = execute_and_commit(conn, Query(_numbered(CLAIM, schema), values))
    if not claimed:
        # Another attempt has the claim, or the import is completed.
        [claimed] = execute_alone(conn, Query(_numbered(STORED, schema), values))
    row = claimed[0] if claimed else None
    if row is None or (row["status"] != "completed" and "lease_s" in row):
        # No row: it existed a moment ago, so another session deletes from the history.
        retry_after_s = max(1, (row and row["lease_s"]) or 1)
        doing, following = (
            (f"importing {upload.location}", "the next delivery")
            if undoes is None
            else (f"undoing import {undoes}", "the same undo, started again,")
        )
        raise ClaimHeld(
            f"Another attempt is {doing}; if it has died, {following} can take over in "
            f"{retry_after_s} s.",
            retry_after_s,
        )
    return Claim(
        import_id=row["id"],
        attempt=row["attempts"],
        started_at=row["attempt_started_at"],
        counts=read_counts(row),
        is_completed=row["status"] == "completed",
        lease=lease,
        schema=schema,
        refused=_refused(row),
        sync_type=None if row["sync_type"] == UNKNOWN else row["sync_type"],
        plain_tables=plain_tables,
        keeps_changes=row["changes"] == KEPT,
        undone_up_to=row["undone_up_to"],
    )


@cache
def _numbered(statement: LiteralString, schema: str) -> Statement:
    return numbered(on_history(statement, schema))


def read_counts(row: Mapping[str, Any]) -> Counts:
    """The counts in a row of the history."""
    return Counts(
        created=row["records_created"],
        updated=row["records_updated"],
        unchanged=row["records_unchanged"],
        stale=row["records_stale"],
        duplicate=row["records_duplicate"],
        rejected=row["records_rejected"],
        # A newer command line may read a history that is not migrated yet.
        deleted=row.get("records_deleted", 0),
        left=row.get("records_left", 0),
    )


_CHECKPOINT = f"""
SELECT undone_up_to, refused_rows, {COUNTS}
  FROM {{history}}
 WHERE {CLAIMED} AND status = 'in_progress'
   FOR UPDATE
"""  # noqa: S608 -- a constant


def checkpoint(conn: Connection, claim: Claim) -> Claim:
    """The claim with the checkpoint as committed.

    An abandoned connection of this attempt may still be running a statement on the
    server; the row lock waits until that statement ends.

    Raises:
        ClaimLost: another attempt took over.
    """
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(on_history(_CHECKPOINT, claim.schema), claim.token).fetchone()
    if row is None:
        raise ClaimLost
    return replace(
        claim,
        counts=read_counts(row),
        refused=_refused(row),
        undone_up_to=row["undone_up_to"],
    )


def is_undone(conn: Connection, claim: Claim, upload: Upload) -> bool:
    """Whether Postgres has lost the commit of this claim, and nobody has claimed since."""
    query = on_history(NEWEST_ATTEMPT, claim.schema)
    (newest,) = conn.execute(query, identity(upload)).fetchone() or (None,)
    return (newest or 0) < claim.attempt


def _refused(row: Mapping[str, Any]) -> dict[int, str]:
    return {entry["line"]: entry["reason"] for entry in row["refused_rows"] or ()}


_STORE_REFUSED = f"""
UPDATE {{history}}
   SET refused_rows = coalesce(refused_rows, '[]') || %(refused)s::jsonb
 WHERE {CLAIMED} AND status = 'in_progress'
"""  # noqa: S608 -- a constant


def check_refused(rejects: Sequence[Reject], before: int) -> None:
    """Make sure that not too many rows of a file are refused by Postgres.

    Args:
        rejects: rows that it refused.
        before: number of rows that it refused before these.

    Raises:
        StoreRefused: more than `MOST_REFUSED` rows of the file are refused.
    """
    if before + len(rejects) > MOST_REFUSED:
        raise StoreRefused(
            f"Postgres refuses more than {MOST_REFUSED:,} rows of this file; the last one "
            f"{rejects[-1].problems[0].reason}. Check the table's constraints and "
            "triggers; the import resumes when its notification is delivered again."
        )


def store_refused(conn: Connection, claim: Claim, rejects: Sequence[Reject]) -> None:
    """Store which rows Postgres refused; parsing the file again would not find them.

    Raises:
        ClaimLost: another attempt took over.
        StoreRefused: as `check_refused`.
    """
    check_refused(rejects, len(claim.refused))
    refused = [
        {"line": reject.line, "reason": reject.problems[0].reason} for reject in rejects
    ]
    update_claimed(conn, _STORE_REFUSED, claim, refused=json.dumps(refused))


_RENEW_LEASE = f"""
UPDATE {{history}}
   SET lease_expires_at = clock_timestamp() + %(lease)s::interval
 WHERE {CLAIMED} AND status = 'in_progress'
"""  # noqa: S608 -- a constant


def renew_lease(conn: Connection, claim: Claim) -> None:
    """Renew the lease while the attempt commits nothing.

    Raises:
        ClaimLost: another attempt took over.
    """
    update_claimed(conn, _RENEW_LEASE, claim)


_RELEASE_LEASE = f"""
UPDATE {{history}}
   SET lease_expires_at = NULL
 WHERE {CLAIMED} AND status = 'in_progress'
"""  # noqa: S608 -- a constant


def release_lease(conn: Connection, claim: Claim) -> None:
    """End the lease, so that the next delivery resumes the import at once.

    Raises:
        ClaimLost: another attempt took over.
    """
    update_claimed(conn, _RELEASE_LEASE, claim)


def update_claimed(
    conn: Connection,
    statement: LiteralString,
    claim: Claim,
    returning: LiteralString = "id",
    **values: object,
) -> list[dict[str, Any]]:
    """Run an UPDATE of the history row that this attempt has claimed.

    Args:
        conn: if it is in no transaction, the update is a transaction of its own.
        statement: has `{history}` for the history's name.
        claim: the attempt.
        returning: what the statement returns.
        values: of further parameters.

    Returns:
        The row, as a list.

    Raises:
        ClaimLost: the statement's WHERE matched no row: another attempt took over.
    """
    # It returns no row if another attempt took over.
    statement = f"{statement} RETURNING {returning}"
    parameters = {**claim.token, "lease": claim.lease, **values}
    if conn.info.transaction_status == TransactionStatus.IDLE:
        query = Query(_numbered(statement, claim.schema), parameters)
        [updated] = execute_alone(conn, query)
    else:
        with conn.cursor(row_factory=dict_row) as cur:
            cur.execute(on_history(statement, claim.schema), parameters)
            updated = cur.fetchall()
    if not updated:
        raise ClaimLost
    return list(updated)

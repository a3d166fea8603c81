"""Undo an import: claim, take back chunk by chunk, report, complete.

An undo is an import of its own in the history, with its own claim, checkpoint and counts.
After a kill, the same call resumes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from psycopg import Connection

from salespro_core.errors import OutOfTime
from salespro_core.importer.attempt_claim import ClaimEnd, ClaimRequest, claim_upload
from salespro_core.importer.callbacks import NO_CALLBACKS, ImportCallbacks
from salespro_core.importer.completed import complete_import
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.importer.undo_target import find_target, hold_changes
from salespro_core.model.outcome import (
    MOST_LEFT,
    SAMPLED_CHANGES,
    Change,
    Left,
    Outcome,
)
from salespro_core.model.upload import Upload
from salespro_core.postgres.relations import check_tables, start_in_schema
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.postgres.session import BEGIN_READ_ONLY, CHANGES, ended
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from salespro_core.sync_history.undo_progress import advance_undo
from salespro_core.upsert.recorded_changes import read_undone
from salespro_core.upsert.reversal import (
    Reversal,
    Target,
    next_keys,
    plan_reversal,
    result_of,
)
from salespro_core.upsert.reversal_writer import reverse

# A row that an undo could take back, and has not.
KEPT_BY_WAREHOUSE = "is kept by a constraint or a trigger of the table"


def undo_import(
    conn: Connection,
    import_id: int,
    *,
    options: Options = DEFAULTS,
    callbacks: ImportCallbacks = NO_CALLBACKS,
) -> Outcome:
    """Take back what an import did, where nobody has changed the rows since.

    Args:
        conn: in autocommit, see `postgres.connection.connect`.
        import_id: a completed import, or an undo.
        options: of them, `checkpoint_rows` and `keep_changes_days` apply.
        callbacks: the caller's functions.

    Returns:
        The counts: `updated` rows have their old values, `created` ones exist again,
        `deleted` ones are deleted, `unchanged` ones were as before already, and `left`
        ones were changed since.  The history says the same.

    Raises:
        UndoRefused: there is no such import, or its changes are not kept.
        ClaimHeld, ClaimLost: another attempt undoes it.
        OutOfTime: the same call resumes it.
        StoreUnavailable, StoreRefused, ObjectUnavailable, ObjectRefused, StorageFull:
            committed rows stay, and the same call resumes.
    """
    started = time.monotonic()
    connection = RetryingConnection(
        conn, reconnect=callbacks.reconnect, remaining_s=callbacks.remaining_s
    )
    target = connection.run(
        "reading the history", partial(find_target, import_id=import_id)
    )
    keeps_changes = options.keep_changes_days > 0
    upload = _as_upload(target)
    request = ClaimRequest(upload, (), keeps_changes, undoes=import_id)
    claim = replace(
        claim_upload(connection, request), sync_type=target.export.sync_type
    )
    outcome = replace(
        _start(target, upload, options),
        attempts=claim.attempt,
        counts=claim.counts,
        resumed_at=claim.counts.processed,
        already_imported=claim.is_completed,
    )
    if claim.is_completed:
        return outcome
    met: dict[str, Left] = {}
    with ClaimEnd(connection, claim) as end, Rejects() as rejects:
        end.sync_type = claim.sync_type
        for after in _chunks(connection, target, claim, options, met):
            claim = end.claim = after
            outcome = replace(outcome, counts=claim.counts)
            callbacks.on_commit(outcome)
            if callbacks.remaining_s() <= 0:
                raise OutOfTime(
                    f"The time ran out after {claim.counts.processed} rows; "
                    "the same undo, started again, resumes there."
                )
        left = sorted(met.values(), key=lambda row: row.key)
        if len(left) < min(claim.counts.left, MOST_LEFT):
            # An earlier attempt has met the others.
            left = connection.run(
                "reading what is left",
                partial(_left, target=target, options=options, met=met),
            )[: claim.counts.left]
        outcome = replace(outcome, left=tuple(left))
        if claim.keeps_changes:
            changes, deleted = connection.run(
                "reading what was undone",
                partial(
                    read_undone,
                    export=target.export,
                    claim=claim,
                    limit=SAMPLED_CHANGES,
                ),
            )
            outcome = replace(outcome, changes=changes, deleted=deleted)
        outcome = replace(outcome, seconds=time.monotonic() - started)
        report = callbacks.publish(outcome, rejects)
        complete_import(connection, claim, report=report, keep=options.keep_changes)
    return outcome


def dry_run_undo(
    conn: Connection,
    import_id: int,
    *,
    options: Options = DEFAULTS,
    callbacks: ImportCallbacks = NO_CALLBACKS,
) -> Outcome:
    """Find out what an undo would do now, and change nothing.

    Rows that a constraint or a trigger of the warehouse would keep are counted as if they
    could be taken back.

    Raises:
        UndoRefused: as `undo_import`.
        OutOfTime, StoreUnavailable, StoreRefused, ObjectUnavailable, ObjectRefused:
            there is no result.
    """
    started = time.monotonic()
    with store_errors("doing a dry run of an undo"), ended(conn):
        start_in_schema(conn, BEGIN_READ_ONLY)
        target = find_target(conn, import_id=import_id)
        outcome = replace(_start(target, _as_upload(target), options), is_dry_run=True)
        for part in _planned(conn, target, options):
            outcome = replace(
                outcome.with_counts(part.counts),
                changes=tuple(_sampled((*outcome.changes, *part.changes))),
                deleted=(*outcome.deleted, *part.deleted)[:SAMPLED_CHANGES],
                left=(*outcome.left, *part.left)[:MOST_LEFT],
            )
            callbacks.on_commit(outcome)
            if callbacks.remaining_s() <= 0:
                raise OutOfTime(
                    "A dry run has to finish in one go, and the time ran out after "
                    f"{outcome.counts.processed} rows. Run it from a terminal: "
                    f"salespro undo {import_id} --dry-run"
                )
    outcome = replace(outcome, seconds=time.monotonic() - started)
    with Rejects() as rejects:
        callbacks.publish(outcome, rejects)
    return outcome


def _sampled(changes: Sequence[Change]) -> Iterator[Change]:
    """The first changes of each kind."""
    for is_new in (False, True):
        yield from [c for c in changes if c.is_new is is_new][:SAMPLED_CHANGES]


def _start(target: Target, upload: Upload, options: Options) -> Outcome:
    return Outcome(
        upload=upload,
        status="completed",
        is_dry_run=False,
        seconds=0.0,
        sync_type=target.export.sync_type,
        undoes=target.import_id,
        settings=options.as_env(),
    )


def _as_upload(target: Target) -> Upload:
    """The identity of the undo in the history; no bucket has an empty name."""
    name = f"undo of import {target.import_id}"
    return Upload(
        bucket="",
        object_key=name,
        version=str(target.number),
        uploaded_at=target.uploaded_at,
        path=name if target.is_undo else f"{name} ({target.location})",
    )


def _chunks(
    connection: RetryingConnection,
    target: Target,
    claim: Claim,
    options: Options,
    met: dict[str, Left],
) -> Iterator[Claim]:
    """Take back chunk by chunk; yield the claim after each commit.

    Rows that are left are added to `met`, by their keys.
    """
    while True:
        before = claim

        def undo_chunk(conn: Connection, before: Claim = before) -> Claim | None:
            stored = claims.checkpoint(conn, before)
            if stored.undone_up_to != before.undone_up_to:
                return stored  # only the reply to COMMIT was lost
            hold_changes(conn, target)
            check_tables(conn, target.schema, [*target.export.tables, CHANGES])
            keys = next_keys(
                conn,
                target,
                after=before.undone_up_to,
                limit=options.checkpoint_rows,
            )
            if not keys:
                return None
            result = reverse(
                conn,
                target,
                keys,
                undo_id=before.import_id,
                keeps_changes=before.keeps_changes,
            )
            met.update({row.key: row for row in result.left[: MOST_LEFT - len(met)]})
            return advance_undo(conn, before, result.counts, up_to=result.last_key)

        after = connection.run(
            f"undoing the rows after row {before.counts.processed}", undo_chunk
        )
        if after is None:
            return
        claim = after
        yield claim


def _left(
    conn: Connection, target: Target, options: Options, met: Mapping[str, Left]
) -> list[Left]:
    """The rows that an undo has left, in the order of their keys.

    Args:
        conn: in a transaction.
        target: the import that is undone.
        options: of the undo.
        met: those that this attempt has met.
    """
    left: list[Left] = []
    for part in _planned(conn, target, options):
        kept = [*part.deleted, *(change.key for change in part.changes)]
        rows = [*part.left, *(Left(key=key, reason=KEPT_BY_WAREHOUSE) for key in kept)]
        rows.sort(key=lambda row: row.key)
        left += [met.get(row.key, row) for row in rows]
        if len(left) >= MOST_LEFT:
            break
    return left[:MOST_LEFT]


def _planned(conn: Connection, target: Target, options: Options) -> Iterator[Reversal]:
    """What an undo would do, chunk by chunk."""
    after: str | None = None
    while keys := next_keys(conn, target, after=after, limit=options.checkpoint_rows):
        after = keys[-1]
        yield result_of(conn, target, plan_reversal(conn, target, keys))

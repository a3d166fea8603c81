"""Import one upload: claim, read, validate, write, report, complete."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from psycopg import Connection

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import (
    ClaimLost,
    CommitsLost,
    InputError,
    KeyRefused,
)
from salespro_core.exports.columns import Export
from salespro_core.importer.attempt_claim import (
    ClaimEnd,
    ClaimRequest,
    claim_after_lost_commits,
    claim_upload,
)
from salespro_core.importer.callbacks import NO_CALLBACKS, ImportCallbacks
from salespro_core.importer.completed import complete_import
from salespro_core.importer.garbage_collection import reduced_garbage_collection
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.importer.validation import validated
from salespro_core.model.object_key import is_mistyped_dry_run, refusal_of_dry_run
from salespro_core.model.outcome import SAMPLED_CHANGES, Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres.relations import check_tables, has_before_triggers
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.postgres.session import CHANGES
from salespro_core.records.chunks import Chunk
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.pipeline import write_chunks
from salespro_core.upsert.recorded_changes import read_changes

# How often Postgres may lose commits during one attempt.
MOST_LOSSES = 3


def import_upload(
    conn: Connection,
    upload: Upload,
    stream: BinaryIO,
    *,
    options: Options = DEFAULTS,
    callbacks: ImportCallbacks = NO_CALLBACKS,
) -> Outcome:
    """Import one upload from its checkpoint; a completed upload is not read again.

    Args:
        conn: in autocommit, see `postgres.connection.connect`.
        upload: identifies the file in the history and on redelivery.
        stream: the file's bytes from the start; a seekable stream is read again if
            Postgres lost commits of this attempt.
        options: how to import.
        callbacks: the caller's functions.

    Returns:
        The counts of all rows; or status `failed`, with the error, for a file that is
        refused.  The history says the same.

    Raises:
        ClaimHeld, ClaimLost: another attempt has the claim.  This one wrote nothing more.
        CommitsLost: Postgres lost commits; another delivery resumes.
        OutOfTime: another delivery resumes from the last commit; a validation for the
            error budget starts again from the first row.
        ConfigError: an error budget is set, and the stream cannot be read twice.
        StoreUnavailable, StoreRefused, ObjectUnavailable, ObjectRefused, StorageFull:
            committed rows stay, and another delivery resumes.  The history says `failed`
            if it could be reached.
    """
    started = time.monotonic()
    connection = RetryingConnection(
        conn, reconnect=callbacks.reconnect, remaining_s=callbacks.remaining_s
    )
    tables = [table for export in options.exports for table in export.tables]
    keeps_changes = options.keep_changes_days > 0
    request = ClaimRequest(upload, [*tables, CHANGES], keeps_changes)
    claim = claim_upload(connection, request)
    start = Outcome(
        upload=upload,
        status="completed",
        is_dry_run=False,
        seconds=0.0,
        sync_type=claim.sync_type,
        settings=options.as_env(),
        attempts=claim.attempt,
        resumed_at=claim.counts.processed,
        already_imported=claim.is_completed,
    )
    if claim.is_completed:
        return start
    losses = 0
    with reduced_garbage_collection(), ClaimEnd(connection, claim) as end:
        while True:
            outcome = replace(start, counts=claim.counts, attempts=claim.attempt)
            steps = _import_after_checkpoint(
                connection, outcome, stream, claim, options, callbacks, started
            )
            try:
                for step in steps:
                    outcome = step
                    end.sync_type = step.sync_type
            except ClaimLost:
                claim = claim_after_lost_commits(connection, claim, outcome, request)
                end.claim = claim
                losses += 1
                if losses > MOST_LOSSES or not stream.seekable():
                    raise CommitsLost(claim.counts.processed) from None
                stream.seek(0)
            else:
                return outcome


def _import_after_checkpoint(
    connection: RetryingConnection,
    outcome: Outcome,
    stream: BinaryIO,
    claim: Claim,
    options: Options,
    callbacks: ImportCallbacks,
    started: float,
) -> Iterator[Outcome]:
    """Import the rows after the checkpoint.

    Yields the outcome when the file is recognised, and after each commit.  The last outcome is the final one: the history is completed, or failed for a file
    that is refused.
    """
    with Rejects() as rejects:
        try:
            _check_key(outcome.upload)
            reader = ExportReader(
                stream, options.exports, rejects, is_lenient=options.is_lenient
            )
            layout = reader.layout
            outcome = replace(
                outcome, sync_type=layout.export.sync_type, ignored=layout.ignored
            )
            callbacks.on_commit(outcome)
            yield outcome
            claim = _for_export(connection, claim, layout.export)
            # An earlier attempt that committed rows has validated the file.
            if not claim.counts.processed:
                reader = validated(
                    reader,
                    stream,
                    rejects,
                    options,
                    remaining_s=callbacks.remaining_s,
                    renew_lease=partial(
                        connection.run,
                        "renewing the lease",
                        partial(claims.renew_lease, claim=claim),
                        is_transaction=True,
                    ),
                )
            reader.check_upload_time(outcome.upload.uploaded_at)
            reader.skip(
                claim.counts.processed,
                claim.refused,
                checkpoint_rows=options.checkpoint_rows,
            )
            chunks = _then(
                reader.chunks(
                    checkpoint_rows=options.checkpoint_rows,
                    batch_size=options.batch_size,
                    after_piece=connection.send_more,
                ),
                callbacks.prepare_report,
            )
            for result in write_chunks(
                connection,
                layout,
                chunks,
                claim=claim,
                uploaded_at=outcome.upload.uploaded_at,
                remaining_s=callbacks.remaining_s,
            ):
                for reject in result.refused:
                    rejects.add(layout, reject)
                outcome = outcome.with_counts(result.counts)
                callbacks.on_commit(outcome)
                yield outcome
            outcome = outcome.with_rejects(rejects.sample, rejects.reasons.all())
            outcome = outcome.with_summary(
                reader.warnings.most_common(), reader.file_summary()
            )
            outcome = _with_changes(connection, outcome, layout, claim)
            outcome = replace(outcome, seconds=time.monotonic() - started)
            report = callbacks.publish(outcome, rejects)
            complete_import(
                connection,
                replace(claim, counts=outcome.counts),
                report=report,
                keep=options.keep_changes,
            )
        except InputError as error:
            outcome = outcome.with_rejects(rejects.sample, rejects.reasons.all())
            outcome = outcome.as_failed(error, seconds=time.monotonic() - started)
            report = callbacks.publish(outcome, rejects)
            connection.run(
                "storing why the file is refused",
                partial(
                    completion.fail,
                    claim=claim,
                    error=str(error),
                    error_type=type(error).__name__,
                    sync_type=outcome.sync_type,
                    report=report,
                    processed=outcome.counts.processed,
                ),
                is_transaction=True,
            )
    yield outcome


def _check_key(upload: Upload) -> None:
    """Check that the key of an object is no mistyped dry run; a file may have any name.

    Raises:
        KeyRefused: it is, and a person who typed it did not mean an import.
    """
    if upload.bucket and is_mistyped_dry_run(upload.object_key):
        raise KeyRefused(refusal_of_dry_run(upload.location))


def _for_export(connection: RetryingConnection, claim: Claim, export: Export) -> Claim:
    """The claim with the type of the export, and with what its table has.

    Raises:
        StoreRefused: a table is missing, or the importer cannot write to it.
        StoreUnavailable: as `RetryingConnection.run`.
    """
    triggers = claim.plain_tables.get(export.table, False)
    tables = (*export.tables, *((CHANGES,) if claim.keeps_changes else ()))
    if not claim.plain_tables.keys() >= set(tables):
        triggers = connection.run(
            "looking at the tables",
            partial(_look_closely, schema=claim.schema, tables=tables),
        )
    return replace(claim, sync_type=export.sync_type, has_before_triggers=triggers)


def _look_closely(conn: Connection, schema: str, tables: Sequence[str]) -> bool:
    """Check the tables; return `has_before_triggers` of the first, the export's."""
    check_tables(conn, schema, tables)
    return has_before_triggers(conn, schema, tables[0])


def _with_changes(
    connection: RetryingConnection, outcome: Outcome, layout: Layout, claim: Claim
) -> Outcome:
    """The outcome with the first rows that the import has changed, if they are kept.

    Raises:
        StoreUnavailable, StoreRefused: as `RetryingConnection.run`.
    """
    if not claim.keeps_changes or not (
        outcome.counts.created or outcome.counts.updated
    ):
        return outcome
    changes = connection.run(
        "reading what the import has changed",
        partial(
            read_changes,
            layout=layout,
            claim=claim,
            counts=outcome.counts,
            limit=SAMPLED_CHANGES,
        ),
        is_transaction=True,
    )
    return replace(outcome, changes=changes)


def _then(
    chunks: Iterator[Chunk], prepare_report: Callable[[], None]
) -> Iterator[Chunk]:
    yield from chunks
    prepare_report()

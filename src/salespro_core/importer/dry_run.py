"""A dry run: the import's statements on temporary copies of the tables."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from psycopg import Connection

from salespro_core.errors import InputError, OutOfTime
from salespro_core.importer.callbacks import NO_CALLBACKS, ImportCallbacks
from salespro_core.importer.garbage_collection import reduced_garbage_collection
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.importer.shadow_tables import shadow_tables
from salespro_core.importer.validation import validated
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres.retry import RESPONSE_TIMEOUT_S
from salespro_core.postgres.session import transaction
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.postgres.watchdog import MIN_TIMEOUT_S, statement_deadline
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import completion
from salespro_core.upsert.batch_upsert import Destination
from salespro_core.upsert.transaction import write_chunk


def dry_run_upload(
    conn: Connection,
    upload: Upload,
    stream: BinaryIO,
    *,
    options: Options = DEFAULTS,
    callbacks: ImportCallbacks = NO_CALLBACKS,
) -> Outcome:
    """Find out what an import of this upload would do now, and change nothing.

    Args:
        conn: in autocommit, see `postgres.connection.connect`.
        upload: not claimed, and not written to the history.
        stream: the file's bytes from the start.
        options: the options of the import.
        callbacks: the caller's functions.

    Returns:
        The counts that the import would have, and samples of its changes; or status
        `failed`, with the error, for a file that would be refused or too little time.

    Raises:
        StoreUnavailable, StoreRefused, ObjectUnavailable, ObjectRefused, StorageFull:
            there is no result.
        ConfigError: an error budget is set, and the stream cannot be read twice.
    """
    started = time.monotonic()
    outcome = Outcome(
        upload=upload,
        status="completed",
        is_dry_run=True,
        seconds=0.0,
        settings=options.as_env(),
    )
    with (
        store_errors("looking the upload up in the history"),
        statement_deadline(conn, min(RESPONSE_TIMEOUT_S, callbacks.remaining_s())),
        transaction(conn),
    ):
        if completion.is_completed(conn, upload):
            return replace(outcome, already_imported=True)
    # A dry run cannot be resumed, so it is cancelled only shortly after its time is up.
    timeout_s = callbacks.remaining_s() + MIN_TIMEOUT_S
    with (
        reduced_garbage_collection(),
        Rejects() as rejects,
        statement_deadline(conn, timeout_s),
    ):
        try:
            for step in _steps(conn, outcome, stream, rejects, options, callbacks):
                outcome = step
                callbacks.on_commit(outcome)
                if callbacks.remaining_s() <= 0:
                    raise OutOfTime(
                        "A dry run has to finish in one invocation, and the time ran "
                        f"out after {outcome.counts.processed} rows. "
                        "Run it from a terminal: salespro import --dry-run FILE"
                    )
            outcome = replace(outcome, seconds=time.monotonic() - started)
        except (InputError, OutOfTime) as error:
            outcome = outcome.with_rejects(rejects.sample, rejects.reasons.all())
            outcome = outcome.as_failed(error, seconds=time.monotonic() - started)
        callbacks.publish(outcome, rejects)
    return outcome


def _steps(
    conn: Connection,
    outcome: Outcome,
    stream: BinaryIO,
    rejects: Rejects,
    options: Options,
    callbacks: ImportCallbacks,
) -> Iterator[Outcome]:
    """The outcome after the header, after each chunk, and with the samples at the end."""
    reader = ExportReader(
        stream, options.exports, rejects, is_lenient=options.is_lenient
    )
    layout = reader.layout
    outcome = replace(
        outcome, sync_type=layout.export.sync_type, ignored=layout.ignored
    )
    yield outcome
    reader = validated(
        reader, stream, rejects, options, remaining_s=callbacks.remaining_s
    )
    uploaded_at = outcome.upload.uploaded_at
    reader.check_upload_time(uploaded_at)
    refused = 0
    with store_errors("doing a dry run"), shadow_tables(conn, layout.export) as shadows:
        for chunk in reader.chunks(
            checkpoint_rows=options.checkpoint_rows, batch_size=options.batch_size
        ):
            for batch in chunk.batches:
                shadows.copy_stored(batch)
            # A chunk out of order may send a key twice: then the newer record hides how old
            # the row was for the older one.
            if not chunk.is_in_order:
                shadows.add_stale(layout, chunk, uploaded_at)
            result = write_chunk(
                conn,
                layout,
                chunk,
                destination=Destination("pg_temp"),
                uploaded_at=uploaded_at,
                refused_before=refused,
            )
            refused += len(result.refused)
            for reject in result.refused:
                rejects.add(layout, reject)
            outcome = outcome.with_counts(result.counts)
            # Most chunks have no stale rows, and are not searched for them.
            if chunk.is_in_order and result.counts.stale:
                shadows.add_stale(layout, chunk, uploaded_at)
            yield outcome
        outcome = replace(
            outcome, changes=shadows.changes(layout), stale=tuple(shadows.stale)
        )
    outcome = outcome.with_rejects(rejects.sample, rejects.reasons.all())
    yield outcome.with_summary(reader.warnings.most_common(), reader.file_summary())

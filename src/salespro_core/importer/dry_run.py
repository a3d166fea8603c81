"""A dry run: the import's own statements on shadows of the tables, and what they changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from psycopg import Connection

from salespro_core.errors import InputError, OutOfTime
from salespro_core.importer.callbacks import NO_CALLBACKS, ImportCallbacks
from salespro_core.importer.garbage import reduced_garbage_collection
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.importer.shadow_tables import shadowed
from salespro_core.importer.validation import within_budget
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres.retry import SILENCE_S
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.postgres.watchdog import LEAST_S, statement_deadline
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims
from salespro_core.upsert.transaction import write_chunk


def dry_run_upload(
    conn: Connection,
    upload: Upload,
    stream: BinaryIO,
    *,
    options: Options = DEFAULTS,
    callbacks: ImportCallbacks = NO_CALLBACKS,
) -> Outcome:
    """Find what an import of this upload would do now, and change nothing.

    Args:
        conn: the dry run's own; the caller closes it afterwards, see `shadowed`.
        upload: not claimed, and not noted in the history.
        stream: its bytes, from the start.
        options: those of the import to be foreseen.
        hooks: what the edge wants to have done.

    Returns:
        The counts that the import would have, and samples of what it would change.

    Raises:
        StoreUnavailable, StoreRefused, ObjectUnavailable, ObjectRefused: it could not be
            found out.
        ConfigError: there is an error budget, and the stream cannot be read twice.
    """
    started = time.monotonic()
    outcome = Outcome(
        upload=upload,
        status="completed",
        is_dry_run=True,
        seconds=0.0,
        settings=options.told(),
    )
    with (
        store_errors("looking the upload up in the history"),
        statement_deadline(conn, min(SILENCE_S, callbacks.remaining_s())),
    ):
        if claims.is_completed(conn, upload):
            return replace(outcome, already_imported=True)
    # At its deadline it would be stopped anyway, and it cannot be gone on with.
    limit_s = callbacks.remaining_s() + LEAST_S
    with (
        reduced_garbage_collection(),
        Rejects() as rejects,
        statement_deadline(conn, limit_s),
    ):
        try:
            for so_far in _dry_run(conn, outcome, stream, rejects, options, callbacks):
                outcome = so_far
                callbacks.on_commit(outcome)
                if callbacks.remaining_s() <= 0:
                    raise OutOfTime(
                        f"A dry run has to come to its end in one go, and the time ran "
                        f"out after {outcome.counts.processed} rows. "
                        "Run it from a terminal: salespro import --dry-run FILE"
                    )
            outcome = replace(outcome, seconds=time.monotonic() - started)
        except (InputError, OutOfTime) as error:
            outcome = outcome.noted(rejects).refused(
                error, seconds=time.monotonic() - started
            )
        callbacks.publish(outcome, rejects)
    return outcome


def _dry_run(
    conn: Connection,
    outcome: Outcome,
    stream: BinaryIO,
    rejects: Rejects,
    options: Options,
    callbacks: ImportCallbacks,
) -> Iterator[Outcome]:
    """Do the same on shadows; the last outcome has the samples."""
    reader = ExportReader(
        stream, options.exports, rejects, is_lenient=options.is_lenient
    )
    layout = reader.layout
    outcome = outcome.recognised(layout)
    yield outcome
    reader = within_budget(
        reader, stream, rejects, options, remaining_s=callbacks.remaining_s
    )
    with store_errors("doing a dry run"), shadowed(conn, layout.export) as shadows:
        for chunk in reader.chunks(options):
            for batch in chunk.batches:
                shadows.copy_stored(batch)
            written = write_chunk(
                conn,
                layout,
                chunk,
                claim=replace(shadows.claim, counts=outcome.counts),
                uploaded_at=outcome.upload.uploaded_at,
                is_for_all=False,
            )
            for refused in written.refused:
                rejects.add(layout, refused)
            outcome = outcome.counted(written.counts)
            if written.counts.stale:
                shadows.note_stale(layout, chunk, outcome.upload.uploaded_at)
            yield outcome
        outcome = replace(
            outcome, changes=shadows.changes(layout), stale=tuple(shadows.stale)
        )
    yield outcome.noted(rejects).read(reader)

"""The pipeline in order: claim, read, write span by span, report, complete."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from psycopg import Connection

from salespro_core.errors import (
    ClaimLost,
    CommitsLost,
    InputError,
    OutOfTime,
    SalesProError,
)
from salespro_core.importer.callbacks import NO_CALLBACKS, ImportCallbacks
from salespro_core.importer.garbage import reduced_garbage_collection
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.importer.validation import within_budget
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.records.chunks import Chunk
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims
from salespro_core.upsert.pipeline import write_ahead

# How often in one attempt Postgres may lose what it had committed.
MOST_LOSSES = 3


def import_upload(
    conn: Connection,
    upload: Upload,
    stream: BinaryIO,
    *,
    options: Options = DEFAULTS,
    callbacks: ImportCallbacks = NO_CALLBACKS,
) -> Outcome:
    """Import one upload, from its checkpoint on; a file that is done is not read again.

    Args:
        conn: in autocommit, see `database.connect`.
        upload: identifies the file, in the history and on redelivery.
        stream: its bytes, from the start; a seekable one is read again if Postgres lost
            commits of ours.
        options: how to import.
        hooks: what the edge wants to have done.

    Returns:
        What became of each row; or status `failed`, with the error, for a file that is
        refused.  The history says the same.

    Raises:
        ClaimHeld, ClaimLost: another attempt is at it.  This one wrote nothing more.
        CommitsLost: Postgres went back behind a commit; another delivery goes on from there.
        OutOfTime: stopped at a commit, and another delivery goes on from there; or in the
            validation for the error budget, which each delivery starts anew.
        ConfigError: there is an error budget, and the stream cannot be read twice.
        StoreUnavailable, StoreRefused, ObjectUnavailable, ObjectRefused: what was
            committed stays, and another delivery goes on from there.  The history says
            `failed`, if it could be reached.
    """
    started = time.monotonic()
    connection = RetryingConnection(
        conn, reconnect=callbacks.reconnect, remaining_s=callbacks.remaining_s
    )
    held = connection.run(
        "claiming the import", lambda conn: claims.claim(conn, upload)
    )
    outcome = Outcome(
        upload=upload,
        status="completed",
        is_dry_run=False,
        seconds=0.0,
        sync_type=held.sync_type,
        settings=options.told(),
        attempts=held.attempt,
        resumed_at=held.counts.processed,
        already_imported=held.is_completed,
    )
    if held.is_completed:
        return outcome
    begun, losses = outcome, 0
    with reduced_garbage_collection(), _handing_over(connection, held):
        while True:
            outcome = begun.counted(held.counts)
            steps = _carried_out(
                connection, outcome, stream, held, options, callbacks, started
            )
            try:
                for so_far in steps:
                    outcome = so_far
            except ClaimLost:
                held = _gone_back(connection, held, outcome)
                losses += 1
                if losses > MOST_LOSSES or not stream.seekable():
                    raise CommitsLost(held.counts.processed) from None
                stream.seek(0)
            else:
                return outcome


def _gone_back(
    connection: RetryingConnection, held: claims.Claim, outcome: Outcome
) -> claims.Claim:
    """The claim with the checkpoint that Postgres has, if it lost commits of ours.

    So does a server that crashes (`writing.configure_transaction`), or a standby that was behind.

    Raises:
        ClaimLost: another attempt took over.
        StoreUnavailable, StoreRefused: Postgres cannot be asked.
    """
    now = connection.run(
        "finding out how far the import has come",
        partial(claims.checkpoint, held=held),
    )
    if now.counts.processed >= outcome.counts.processed:
        raise ClaimLost
    return now


def _carried_out(
    connection: RetryingConnection,
    outcome: Outcome,
    stream: BinaryIO,
    held: claims.Claim,
    options: Options,
    callbacks: ImportCallbacks,
    started: float,
) -> Iterator[Outcome]:
    """Import what is behind the checkpoint; the outcome after each step, and in the end."""
    with Rejects() as rejects:
        try:
            for so_far in _import(
                connection, outcome, stream, held, rejects, options, callbacks
            ):
                outcome = so_far
                callbacks.on_commit(outcome)
                yield outcome
            outcome = replace(outcome, seconds=time.monotonic() - started)
            report = callbacks.publish(outcome, rejects)
            done = replace(held, counts=outcome.counts)
            connection.run(
                "completing the import",
                lambda conn: claims.complete(conn, done, report=report),
            )
        except InputError as error:
            outcome = outcome.noted(rejects).refused(
                error, seconds=time.monotonic() - started
            )
            refusal = partial(
                claims.fail,
                held=held,
                error=str(error),
                sync_type=outcome.sync_type,
                report=callbacks.publish(outcome, rejects),
                processed=outcome.counts.processed,
            )
            connection.run("noting why the file is refused", refusal)
    yield outcome


@contextmanager
def _handing_over(connection: RetryingConnection, held: claims.Claim) -> Iterator[None]:
    """Whatever ends the attempt, leave the import so that another can go on with it.

    If the history cannot be reached, the lease runs out by itself.
    """
    try:
        yield
    except ClaimLost:
        raise
    except SalesProError as error:
        if isinstance(error, OutOfTime | CommitsLost):
            connection.try_once(partial(claims.release, held=held))
        else:
            connection.try_once(partial(claims.fail, held=held, error=str(error)))
        raise
    except Exception as error:
        # A mistake of ours.  Its text may hold a cell, so only its name is kept.
        told = f"Unexpected {type(error).__name__} in the importer; please report it."
        connection.try_once(partial(claims.fail, held=held, error=told))
        raise
    except BaseException:  # a signal: let the next attempt go on at once
        connection.try_once(partial(claims.release, held=held))
        raise


def _import(
    connection: RetryingConnection,
    outcome: Outcome,
    stream: BinaryIO,
    held: claims.Claim,
    rejects: Rejects,
    options: Options,
    callbacks: ImportCallbacks,
) -> Iterator[Outcome]:
    """Write what is behind the checkpoint; the outcome so far after each commit."""
    reader = ExportReader(
        stream, options.exports, rejects, is_lenient=options.is_lenient
    )
    outcome = outcome.recognised(reader.layout)
    yield outcome
    sync_type = reader.layout.export.sync_type
    connection.run(
        "noting which export it is",
        lambda conn: claims.recognised(conn, held, sync_type),
    )
    # An earlier attempt that has written anything has passed it.
    if not held.counts.processed:
        reader = within_budget(
            reader,
            stream,
            rejects,
            options,
            remaining_s=callbacks.remaining_s,
            renew=partial(
                connection.run, "renewing the lease", partial(claims.renew, held=held)
            ),
        )
    reader.skip(held.counts.processed, held.refused, options)
    chunks = _and_then(reader.chunks(options), callbacks.get_ready)
    uploaded_at = outcome.upload.uploaded_at
    for written in write_ahead(
        connection,
        reader.layout,
        chunks,
        held=held,
        uploaded_at=uploaded_at,
        remaining_s=callbacks.remaining_s,
    ):
        for refused in written.refused:
            rejects.add(reader.layout, refused)
        outcome = outcome.counted(written.counts)
        yield outcome
    yield outcome.noted(rejects).read(reader)


def _and_then(
    chunks: Iterator[Chunk], get_ready: Callable[[], None]
) -> Iterator[Chunk]:
    """The spans; asked for another one, there is time before the last is written."""
    yield from chunks
    get_ready()

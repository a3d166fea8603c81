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
from salespro_core.importer.callbacks import NO_HOOKS, Hooks
from salespro_core.importer.garbage import rarely_collected
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.importer.validation import within_budget
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres.retry import Link
from salespro_core.records.chunks import Span
from salespro_core.records.file_reader import Reading
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
    hooks: Hooks = NO_HOOKS,
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
    link = Link(conn, reconnect=hooks.reconnect, remaining_s=hooks.remaining_s)
    held = link.run("claiming the import", lambda conn: claims.claim(conn, upload))
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
    with rarely_collected(), _handing_over(link, held):
        while True:
            outcome = begun.counted(held.counts)
            steps = _carried_out(link, outcome, stream, held, options, hooks, started)
            try:
                for so_far in steps:
                    outcome = so_far
            except ClaimLost:
                held = _gone_back(link, held, outcome)
                losses += 1
                if losses > MOST_LOSSES or not stream.seekable():
                    raise CommitsLost(held.counts.processed) from None
                stream.seek(0)
            else:
                return outcome


def _gone_back(link: Link, held: claims.Claim, outcome: Outcome) -> claims.Claim:
    """The claim with the checkpoint that Postgres has, if it lost commits of ours.

    So does a server that crashes (`writing.await_turn`), or a standby that was behind.

    Raises:
        ClaimLost: another attempt took over.
        StoreUnavailable, StoreRefused: Postgres cannot be asked.
    """
    now = link.run(
        "finding out how far the import has come",
        partial(claims.checkpoint, held=held),
    )
    if now.counts.processed >= outcome.counts.processed:
        raise ClaimLost
    return now


def _carried_out(
    link: Link,
    outcome: Outcome,
    stream: BinaryIO,
    held: claims.Claim,
    options: Options,
    hooks: Hooks,
    started: float,
) -> Iterator[Outcome]:
    """Import what is behind the checkpoint; the outcome after each step, and in the end."""
    with Rejects() as rejects:
        try:
            for so_far in _import(link, outcome, stream, held, rejects, options, hooks):
                outcome = so_far
                hooks.on_commit(outcome)
                yield outcome
            outcome = replace(outcome, seconds=time.monotonic() - started)
            report = hooks.publish(outcome, rejects)
            done = replace(held, counts=outcome.counts)
            link.run(
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
                report=hooks.publish(outcome, rejects),
                processed=outcome.counts.processed,
            )
            link.run("noting why the file is refused", refusal)
    yield outcome


@contextmanager
def _handing_over(link: Link, held: claims.Claim) -> Iterator[None]:
    """Whatever ends the attempt, leave the import so that another can go on with it.

    If the history cannot be reached, the lease runs out by itself.
    """
    try:
        yield
    except ClaimLost:
        raise
    except SalesProError as error:
        if isinstance(error, OutOfTime | CommitsLost):
            link.try_once(partial(claims.release, held=held))
        else:
            link.try_once(partial(claims.fail, held=held, error=str(error)))
        raise
    except Exception as error:
        # A mistake of ours.  Its text may hold a cell, so only its name is kept.
        told = f"Unexpected {type(error).__name__} in the importer; please report it."
        link.try_once(partial(claims.fail, held=held, error=told))
        raise
    except BaseException:  # a signal: let the next attempt go on at once
        link.try_once(partial(claims.release, held=held))
        raise


def _import(
    link: Link,
    outcome: Outcome,
    stream: BinaryIO,
    held: claims.Claim,
    rejects: Rejects,
    options: Options,
    hooks: Hooks,
) -> Iterator[Outcome]:
    """Write what is behind the checkpoint; the outcome so far after each commit."""
    reading = Reading(stream, options.exports, rejects, is_lenient=options.is_lenient)
    outcome = outcome.recognised(reading.layout)
    yield outcome
    sync_type = reading.layout.export.sync_type
    link.run(
        "noting which export it is",
        lambda conn: claims.recognised(conn, held, sync_type),
    )
    # An earlier attempt that has written anything has passed it.
    if not held.counts.processed:
        reading = within_budget(
            reading,
            stream,
            rejects,
            options,
            remaining_s=hooks.remaining_s,
            renew=partial(
                link.run, "renewing the lease", partial(claims.renew, held=held)
            ),
        )
    reading.skip(held.counts.processed, held.refused, options)
    spans = _and_then(reading.spans(options), hooks.get_ready)
    uploaded_at = outcome.upload.uploaded_at
    for written in write_ahead(
        link,
        reading.layout,
        spans,
        held=held,
        uploaded_at=uploaded_at,
        remaining_s=hooks.remaining_s,
    ):
        for refused in written.refused:
            rejects.add(reading.layout, refused)
        outcome = outcome.counted(written.counts)
        yield outcome
    yield outcome.noted(rejects).read(reading)


def _and_then(spans: Iterator[Span], get_ready: Callable[[], None]) -> Iterator[Span]:
    """The spans; asked for another one, there is time before the last is written."""
    yield from spans
    get_ready()

"""The pipeline in order: claim, read, write span by span, report, complete."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import BinaryIO

import psycopg
from psycopg import Connection

from salespro_core import history
from salespro_core.batches import Span, spans
from salespro_core.database import store_errors
from salespro_core.dry_run import shadowed
from salespro_core.errors import (
    ClaimLost,
    HeaderMismatch,
    InputError,
    OutOfTime,
    SalesProError,
    UnknownExport,
)
from salespro_core.header import Layout
from salespro_core.link import Link
from salespro_core.options import Options
from salespro_core.outcome import Counts, Outcome
from salespro_core.reading import Reading, open_upload
from salespro_core.rejects import Rejects
from salespro_core.uploads import Upload
from salespro_core.upsert import write_span

# Puts the report and the rejects where people look, and returns where that is.
Publish = Callable[[Outcome, Rejects], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the edge wants to know, or to have done.

    Attributes:
        publish: called once, when the counts are final and before the history says so.
        on_commit: called with the counts so far, after each commit.
        remaining_s: seconds that the attempt may still take; asked after each commit and
            before anything is waited for.
        reconnect: makes another connection where the first one broke; None if a break is
            the end of the attempt.
    """

    publish: Publish = lambda _outcome, _rejects: None
    on_commit: Callable[[Counts], None] = lambda _counts: None
    remaining_s: Callable[[], float] = lambda: math.inf
    reconnect: Callable[[], Connection] | None = None


DEFAULTS = Options()
NO_HOOKS = Hooks()


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
        stream: its bytes, from the start.
        options: how to import.
        hooks: what the edge wants to have done.

    Returns:
        What became of each row; or status `failed`, with the error, for a file that is
        refused.  The history says the same.

    Raises:
        ClaimHeld, ClaimLost: another attempt is at it.  This one wrote nothing more.
        OutOfTime: stopped at a commit; another delivery goes on from there.
        StoreUnavailable, StoreRefused, ObjectUnavailable, ObjectRefused: what was
            committed stays, and another delivery goes on from there.  The history says
            `failed`, if it could be reached.
    """
    started = time.monotonic()
    link = Link(conn, reconnect=hooks.reconnect, remaining_s=hooks.remaining_s)
    with store_errors("claiming the import"):
        held = history.claim(conn, upload)
    outcome = Outcome(
        upload=upload,
        status="completed",
        is_dry_run=False,
        seconds=0.0,
        sync_type=held.sync_type,
        counts=held.counts,
        attempts=held.attempt,
        already_imported=held.is_completed,
    )
    if held.is_completed:
        return outcome
    with Rejects() as rejects, _handing_over(link, held):
        try:
            for so_far in _import(link, outcome, stream, held, rejects, options):
                outcome = so_far
                hooks.on_commit(outcome.counts)
                # However short the time is, each attempt gets one commit further.
                if outcome.counts != held.counts and hooks.remaining_s() <= 0:
                    raise OutOfTime(
                        f"The time ran out after {outcome.counts.processed} rows; "
                        "the next delivery goes on from there."
                    )
            outcome = replace(outcome, seconds=time.monotonic() - started)
            report = hooks.publish(outcome, rejects)
            link.run(
                "completing the import",
                lambda conn: history.complete(conn, held, report=report),
            )
        except InputError as error:
            outcome = _refused(outcome, error, rejects, time.monotonic() - started)
            refusal = partial(
                history.fail,
                held=held,
                error=str(error),
                sync_type=outcome.sync_type,
                report=hooks.publish(outcome, rejects),
            )
            link.run("noting why the file is refused", refusal)
    return outcome


@contextmanager
def _handing_over(link: Link, held: history.Claim) -> Iterator[None]:
    """Whatever ends the attempt, leave the import so that another can go on with it.

    If the history cannot be reached, the lease runs out by itself.
    """
    try:
        yield
    except ClaimLost:
        raise
    except SalesProError as error:
        with suppress(psycopg.Error, SalesProError):
            if isinstance(error, OutOfTime):
                history.release(link.conn, held)
            else:
                history.fail(link.conn, held, str(error))
        raise
    except Exception as error:
        # A mistake of ours.  Its text may hold a cell, so only its name is kept.
        with suppress(psycopg.Error, SalesProError):
            name = type(error).__name__
            history.fail(
                link.conn, held, f"Unexpected {name} in the importer; please report it."
            )
        raise
    except BaseException:  # a signal: let the next attempt go on at once
        with suppress(psycopg.Error, SalesProError):
            history.release(link.conn, held)
        raise


def dry_run_upload(
    conn: Connection,
    upload: Upload,
    stream: BinaryIO,
    *,
    options: Options = DEFAULTS,
    hooks: Hooks = NO_HOOKS,
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
    """
    started = time.monotonic()
    outcome = Outcome(upload=upload, status="completed", is_dry_run=True, seconds=0.0)
    with Rejects() as rejects:
        try:
            for so_far in _dry_run(conn, outcome, stream, rejects, options):
                outcome = so_far
                hooks.on_commit(outcome.counts)
                if hooks.remaining_s() <= 0:
                    raise InputError(
                        f"A dry run has to come to its end in one go, and the time ran "
                        f"out after {outcome.counts.processed} rows. "
                        "Run it from a terminal: salespro import --dry-run FILE"
                    )
            outcome = replace(outcome, seconds=time.monotonic() - started)
        except InputError as error:
            outcome = _refused(outcome, error, rejects, time.monotonic() - started)
        hooks.publish(outcome, rejects)
    return outcome


def _import(
    link: Link,
    outcome: Outcome,
    stream: BinaryIO,
    held: history.Claim,
    rejects: Rejects,
    options: Options,
) -> Iterator[Outcome]:
    """Write what is behind the checkpoint; the outcome so far after each commit."""
    reading = _open(stream, rejects, options)
    outcome = _recognised(outcome, reading)
    yield outcome
    sync_type = reading.layout.export.sync_type
    link.run(
        "noting which export it is",
        lambda conn: history.recognised(conn, held, sync_type),
    )
    # The rows that are committed are read again, which brings their rejects back.
    deque(islice(reading.items, held.counts.processed), maxlen=0)
    for span in _spans(reading, options):
        at = replace(held, counts=outcome.counts)
        counts = _write_once(link, reading.layout, span, at, outcome.upload.uploaded_at)
        outcome = _counted(outcome, counts)
        yield outcome
    yield _noted(outcome, reading, rejects)


def _write_once(
    link: Link, layout: Layout, span: Span, at: history.Claim, uploaded_at: datetime
) -> Counts:
    """Write a span, whatever happens to the connection; return what became of its rows.

    After a fault the checkpoint says whether it is written: a reply to COMMIT can be
    lost although the rows are durable.

    Args:
        at: the claim, with the counts that are committed before this span.
    """
    tries = 0

    def write(conn: Connection) -> Counts:
        nonlocal tries
        tries += 1
        if tries > 1:
            now = history.checkpoint(conn, at)
            if now.processed > at.counts.processed:
                return now - at.counts
        return write_span(conn, layout, span, claim=at, uploaded_at=uploaded_at)

    return link.run(f"writing the rows after row {at.counts.processed}", write)


def _dry_run(
    conn: Connection,
    outcome: Outcome,
    stream: BinaryIO,
    rejects: Rejects,
    options: Options,
) -> Iterator[Outcome]:
    """Do the same on shadows; the last outcome has the samples."""
    reading = _open(stream, rejects, options)
    layout = reading.layout
    outcome = _recognised(outcome, reading)
    yield outcome
    with store_errors("doing a dry run"), shadowed(conn, layout.export) as shadows:
        for span in _spans(reading, options):
            for batch in span.batches:
                shadows.copy_stored(batch)
            counts = write_span(
                conn,
                layout,
                span,
                claim=replace(shadows.claim, counts=outcome.counts),
                uploaded_at=outcome.upload.uploaded_at,
            )
            outcome = _counted(outcome, counts)
            yield outcome
        outcome = replace(outcome, changes=shadows.changes(layout))
    yield _noted(outcome, reading, rejects)


def _open(stream: BinaryIO, rejects: Rejects, options: Options) -> Reading:
    return open_upload(stream, options.exports, rejects, is_lenient=options.is_lenient)


def _spans(reading: Reading, options: Options) -> Iterator[Span]:
    return spans(
        reading.layout,
        reading.items,
        checkpoint_rows=options.checkpoint_rows,
        batch_size=options.batch_size,
    )


def _recognised(outcome: Outcome, reading: Reading) -> Outcome:
    layout = reading.layout
    return replace(outcome, sync_type=layout.export.sync_type, ignored=layout.ignored)


def _counted(outcome: Outcome, counts: Counts) -> Outcome:
    return replace(outcome, counts=outcome.counts + counts)


def _noted(outcome: Outcome, reading: Reading, rejects: Rejects) -> Outcome:
    return replace(
        outcome,
        rejects=tuple(rejects.sample),
        warnings=tuple(reading.warnings.most_common()),
    )


def _refused(
    outcome: Outcome, error: InputError, rejects: Rejects, seconds: float
) -> Outcome:
    sync_type = outcome.sync_type
    if isinstance(error, UnknownExport | HeaderMismatch):
        sync_type = error.sync_type
    return replace(
        outcome,
        status="failed",
        sync_type=sync_type,
        error=str(error),
        seconds=seconds,
        rejects=tuple(rejects.sample),
    )

"""Imports and dry runs of a few rows through the importer's public functions."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.importer.callbacks import NO_CALLBACKS, ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.importer.run import import_upload
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from salespro_core.sync_history.queries import Import, recent_imports
from tests.support.builders import appointment, csv_bytes, upload, user

# Several commits, with several statements each, from few rows.
CHUNKS_OF_4 = Options(checkpoint_rows=4, batch_size=2)
CHUNKS_OF_10 = Options(checkpoint_rows=10, batch_size=4)
CHUNKS_OF_20 = Options(checkpoint_rows=20, batch_size=7)
_versions = count(1)


class PiecewiseStream(io.BytesIO):
    """A stream that returns few bytes per read, and may fail in the middle.

    Args:
        data: all bytes of the stream.
        after: offset from which each read raises `error`; None for never.
        error: the exception to raise.
        size: most bytes per read.
    """

    def __init__(
        self,
        data: bytes,
        *,
        after: int | None = None,
        error: Exception | None = None,
        size: int = 512,
    ) -> None:
        super().__init__(data)
        self._after = after
        self._error = error
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        """Return at most `size` bytes, or raise the error."""
        if self._error and self._after is not None and self.tell() >= self._after:
            raise self._error
        most = self._size if size is None or size < 0 else min(size, self._size)
        return super().read(most)


def new_version(upload_: Upload | None = None) -> Upload:
    """Return an upload of the same key with a new version."""
    return replace(upload_ or upload(), version=f"v{next(_versions)}")


def run(
    conn: Connection,
    data: bytes,
    of: Upload | None = None,
    *,
    options: Options = DEFAULTS,
    callbacks: ImportCallbacks = NO_CALLBACKS,
) -> Outcome:
    """Import these bytes as the upload `of`, by default as a new version.

    Returns:
        The outcome without its duration and without the fields for the report; an import
        reads its changes for the report only.
    """
    outcome = import_upload(
        conn,
        of or new_version(),
        PiecewiseStream(data),
        options=options,
        callbacks=callbacks,
    )
    return replace(comparable(outcome), changes=())


def dry_run(
    conninfo: str,
    data: bytes,
    of: Upload | None = None,
    *,
    options: Options = DEFAULTS,
    callbacks: ImportCallbacks = NO_CALLBACKS,
) -> Outcome:
    """Make a dry run of these bytes in a new session; returns the same as `run`."""
    with connection.connect(conninfo) as own:
        outcome = dry_run_upload(
            own,
            of or new_version(),
            PiecewiseStream(data),
            options=options,
            callbacks=callbacks,
        )
    return comparable(outcome)


def comparable(outcome: Outcome) -> Outcome:
    """Return the outcome without its duration and without the fields for the report."""
    return replace(outcome, seconds=0.0, reasons=(), file_summary=None, settings=())


class FileSpec(NamedTuple):
    """A short description of a file.

    Attributes:
        hour: hour of its upload.
        rows: (key, timestamp, amount); the timestamp is ignored in a users file.
    """

    hour: int
    rows: list[tuple[str, str, str]]


TIMES = ["", "2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z", "2025-06-03T00:00:00Z"]
# Overlapping keys, duplicates, bad rows, equal and missing times, files out of order.
FILES = st.lists(
    st.builds(
        FileSpec,
        st.integers(0, 4),
        st.lists(
            st.tuples(
                st.sampled_from("abcd"),
                st.sampled_from(TIMES),
                st.sampled_from(["1.00", "2.00", "a lot"]),
            ),
            max_size=8,
        ),
    ),
    min_size=1,
    max_size=4,
)


def file_bytes(file: FileSpec, *, is_dated: bool) -> bytes:
    """Return the bytes of a file of appointments if `is_dated`, otherwise of users."""
    rows = [
        appointment(key, _updated_at=time, saleAmount=amount)
        if is_dated
        else user(key, Additional_Amount=amount)
        for key, time, amount in file.rows
    ]
    return csv_bytes(*rows, header=list(appointment() if is_dated else user()))


def run_counts(conn: Connection, data: bytes, *, options: Options = DEFAULTS) -> Counts:
    """Import these bytes without an error and return the counts."""
    outcome = run(conn, data, options=options)
    assert outcome.error is None
    return outcome.counts


def newest_import(conn: Connection) -> Import:
    """Return the newest import of the sync history; there must be one."""
    [newest] = recent_imports(conn, limit=1)
    return newest


@contextmanager
def interrupt_after(seconds: float, error: type[BaseException]) -> Iterator[None]:
    """Raise this exception in the main thread after so many seconds."""

    def raise_error(*_: object) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, raise_error)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

"""Imports and dry runs of a few rows, begun as the edges begin them."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.importer.callbacks import NO_CALLBACKS, ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Counts, Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from tests.support.builders import appointment, csv_bytes, upload, user

_versions = count(1)


class Pieces(io.BytesIO):
    """Bytes as a network gives them: in bits, and perhaps with an error in the middle.

    Args:
        data: all of them.
        after: where the error comes; None for never.
        error: what comes there.
        size: of a bit, at most.
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
        """The next bit."""
        if self._error and self._after is not None and self.tell() >= self._after:
            raise self._error
        most = self._size if size is None or size < 0 else min(size, self._size)
        return super().read(most)


def another(upload_: Upload | None = None) -> Upload:
    """The same object uploaded once more: another file."""
    return replace(upload_ or upload(), version=f"v{next(_versions)}")


def run(
    conn: Connection,
    data: bytes,
    of: Upload | None = None,
    *,
    options: Options = DEFAULTS,
    callbacks: ImportCallbacks = NO_CALLBACKS,
) -> Outcome:
    """Import these bytes, as a new upload unless one is named.

    What comes back is without the time it took, and what is for the report alone: that
    has tests of its own.
    """
    outcome = import_upload(
        conn, of or another(), Pieces(data), options=options, callbacks=callbacks
    )
    return plain(outcome)


def dry_run(
    conninfo: str,
    data: bytes,
    of: Upload | None = None,
    *,
    options: Options = DEFAULTS,
    callbacks: ImportCallbacks = NO_CALLBACKS,
) -> Outcome:
    """Try these bytes, in a session of its own; what comes back is as of `run`."""
    with connection.connect(conninfo) as own:
        outcome = dry_run_upload(
            own, of or another(), Pieces(data), options=options, callbacks=callbacks
        )
    return plain(outcome)


def plain(outcome: Outcome) -> Outcome:
    """Without the time it took, and what is for the report alone."""
    return replace(outcome, seconds=0.0, reasons=(), contents=None, settings=())


class File(NamedTuple):
    """A file in short.

    Attributes:
        hour: when it was uploaded.
        rows: (key, timestamp, amount); a file of users has no timestamps.
    """

    hour: int
    rows: list[tuple[str, str, str]]


TIMES = ["", "2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z", "2025-06-03T00:00:00Z"]
# Overlaps, duplicates, bad rows, equal and missing times, files out of order.
FILES = st.lists(
    st.builds(
        File,
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


def file_bytes(file: File, *, is_dated: bool) -> bytes:
    """Return it as an export of appointments, or else of users."""
    rows = [
        appointment(key, _updated_at=time, saleAmount=amount)
        if is_dated
        else user(key, Additional_Amount=amount)
        for key, time, amount in file.rows
    ]
    return csv_bytes(*rows, header=list(appointment() if is_dated else user()))


def counted(conn: Connection, data: bytes, *, options: Options = DEFAULTS) -> Counts:
    """Import these bytes, and return only the counts."""
    outcome = run(conn, data, options=options)
    assert outcome.error is None
    return outcome.counts

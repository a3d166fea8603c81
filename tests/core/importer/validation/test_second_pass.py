"""Which files are read twice for a validation, and which cannot be."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

import pytest
from psycopg import Connection

from salespro_core.errors import ConfigError, ObjectUnavailable
from salespro_core.importer.callbacks import NO_CALLBACKS
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.importer.validation import validated
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.postgres import connection
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.importer.validation.files import (
    MANY_REJECTS,
    NO_REJECTS,
    CountingStream,
    Published,
    file_with_rejects,
    invalid_rows,
    publish_into,
)
from tests.support.builders import appointment, csv_bytes, items_of
from tests.support.import_runs import new_version, newest_import, run
from tests.support.table_contents import APPOINTMENT_TABLE, stored


class FailsInSecondPass(CountingStream):
    """Is complete during validation, and truncated during the import."""

    def read(self, size: int | None = -1) -> bytes:
        """Fail in the middle of the second pass."""
        if self.rewinds and self.tell() > len(self.getvalue()) // 2:
            raise ObjectUnavailable("S3 truncated the body.")
        return super().read(size)


@pytest.mark.parametrize("attempt", [import_upload, dry_run_upload])
@pytest.mark.parametrize(
    ("options", "passes"),
    [(Options(), 1), (MANY_REJECTS, 2)],
    ids=["without", "with"],
)
def test_file_is_read_twice_only_with_a_budget(
    conn: Connection,
    attempt: Callable[..., Outcome],
    options: Options,
    passes: int,
) -> None:
    data = file_with_rejects(100, 50)
    stream = CountingStream(data)

    outcome = attempt(conn, new_version(), stream, options=options)

    assert outcome.counts == Counts(created=50, rejected=50)
    assert stream.read_bytes == passes * len(data)
    assert stream.rewinds == passes - 1


def test_resumed_import_with_a_checkpoint_is_not_validated_again(
    conn: Connection,
) -> None:
    """An earlier attempt passed, and its rows are in the table."""
    upload_, data = new_version(), file_with_rejects(300, 1)
    options = Options(max_rejected_rows=1, checkpoint_rows=10)
    with pytest.raises(ObjectUnavailable):
        import_upload(conn, upload_, FailsInSecondPass(data), options=options)
    interrupted = newest_import(conn)
    stream = CountingStream(data)

    outcome = import_upload(
        conn, upload_, stream, options=replace(options, max_rejected_rows=0)
    )

    assert 0 < interrupted.processed < 300
    assert (outcome.status, outcome.resumed_at) == ("completed", interrupted.processed)
    assert outcome.counts == Counts(created=299, rejected=1)
    assert (stream.read_bytes, stream.rewinds) == (len(data), 0)


def test_import_interrupted_before_its_first_commit_is_validated_again(
    conn: Connection,
) -> None:
    """The budget may be smaller now, and no row is written yet."""
    upload_, data = new_version(), file_with_rejects(20, 1)
    with pytest.raises(ObjectUnavailable):
        import_upload(conn, upload_, FailsInSecondPass(data), options=MANY_REJECTS)

    outcome = run(conn, data, upload_, options=NO_REJECTS)

    assert (outcome.status, outcome.attempts) == ("failed", 2)


def test_gzip_file_is_decompressed_again_after_the_validation(conn: Connection) -> None:
    assert (
        run(conn, gzip.compress(file_with_rejects(300, 2)), options=NO_REJECTS).status
        == "failed"
    )
    outcome = run(conn, gzip.compress(file_with_rejects(300, 2)), options=MANY_REJECTS)

    assert (outcome.error, outcome.counts) == (None, Counts(created=298, rejected=2))


def test_truncated_file_with_a_budget_writes_no_row(
    conn: Connection,
) -> None:
    """Without a budget, the rows before the damage would be imported."""
    rows = [appointment(f"A-{i}", resultFullString=f"{i * 7919}") for i in range(400)]
    whole = gzip.compress(csv_bytes(*invalid_rows(1), *rows))
    reports: list[Published] = []
    options = replace(MANY_REJECTS, checkpoint_rows=1)

    outcome = run(
        conn, whole[: len(whole) // 2], options=options, callbacks=publish_into(reports)
    )

    assert outcome.error is not None
    assert "gzip file is broken or cut off" in outcome.error
    assert (outcome.counts, newest_import(conn).status) == (Counts(), "failed")
    assert stored(conn, APPOINTMENT_TABLE) == {}
    assert [row[0] for row in reports[0].rejects] == ["reject_line", "2"]


def test_validated_file_is_read_again_without_the_rejects_of_the_validation() -> None:
    stream = io.BytesIO(file_with_rejects(12, 3))
    with Rejects() as rejects:
        first = ExportReader(stream, MANY_REJECTS.exports, rejects, is_lenient=False)

        second = validated(
            first, stream, rejects, MANY_REJECTS, remaining_s=NO_CALLBACKS.remaining_s
        )

        assert (rejects.count, rejects.sample, rejects.open()) == (0, [], None)
        assert len(items_of(second)) == 12
        assert rejects.count == len(rejects.sample) == 3


PIPE_ERROR = (
    "MAX_REJECTED_ROWS and MAX_REJECTED_PERCENT need a file that can be read twice, which "
    "a pipe cannot: import a file, or unset them"
)


@contextmanager
def pipe(data: bytes) -> Iterator[BinaryIO]:
    """These bytes as a pipe, whose buffer must hold all of them."""
    ours, theirs = os.pipe()
    with open(theirs, "wb") as writer:  # noqa: PTH123 -- no path
        writer.write(data)
    with open(ours, "rb") as reader:  # noqa: PTH123 -- no path
        yield reader


def test_pipe_with_a_budget_is_a_config_error(
    conn: Connection, database_url: str
) -> None:
    """The pipe would be empty when the import reads it."""
    with (
        pipe(file_with_rejects(5, 0)) as stream,
        pytest.raises(ConfigError) as in_import,
    ):
        import_upload(conn, new_version(), stream, options=NO_REJECTS)
    import_ = newest_import(conn)
    with (
        pipe(file_with_rejects(5, 0)) as stream,
        connection.connect(database_url) as own_conn,
        pytest.raises(ConfigError) as in_dry_run,
    ):
        dry_run_upload(own_conn, new_version(), stream, options=NO_REJECTS)
    with pipe(file_with_rejects(5, 0)) as stream:
        unlimited = import_upload(conn, new_version(), stream)

    assert str(in_import.value) == str(in_dry_run.value) == PIPE_ERROR
    assert (import_.status, import_.error_message) == ("failed", PIPE_ERROR)
    assert unlimited.counts == Counts(created=5)

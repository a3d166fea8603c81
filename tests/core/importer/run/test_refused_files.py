"""Files that cannot be imported: their error, their report, their committed rows."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace

import pytest
from psycopg import Connection

from salespro_core.errors import ObjectGone, ObjectUnavailable, is_input_error
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.run import import_upload
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history.claim_sql import UNKNOWN
from salespro_core.sync_history.queries import Import
from tests.core.importer.inputs import appointments, lease, raising
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import (
    CHUNKS_OF_10,
    PiecewiseStream,
    comparable,
    dry_run,
    new_version,
    newest_import,
    run,
    run_counts,
)
from tests.support.table_contents import APPOINTMENT_TABLE, stored

PLAIN = csv_bytes(*appointments(3))


REFUSED = [
    pytest.param(b"", None, "file is empty.* Export it again", id="empty"),
    pytest.param(b" \r\n\r\n", None, "file is empty.* Export it again", id="blank"),
    pytest.param(
        b"name,phone\r\nGarcia,555\r\n",
        None,
        "not the header of a known export.*Export the file with its header",
        id="unknown-header",
    ),
    pytest.param(
        PLAIN.split(b"\r\n", 1)[1],
        None,
        "not the header of a known export.*Export the file with its header",
        id="no-header",
    ),
    pytest.param(
        PLAIN.replace(b"_id", b"id_", 1),
        "csv_appointments",
        "label '_id' is missing.*Missing: _id",
        id="no-key",
    ),
    pytest.param(
        PLAIN.replace(b"_id", b"_ID", 1).replace(b"saleAmount", b" _id ", 1),
        "csv_appointments",
        "one column twice: _ID and _id. Remove one of the two",
        id="repeated-key",
    ),
    pytest.param(
        PLAIN.replace(b"customer.nameFirst", b"customerLastName", 1),
        "csv_appointments",
        "customer.nameLast and customerLastName. Remove one of the two",
        id="repeated-column",
    ),
    pytest.param(
        PLAIN.replace(b",", b";"), None, "semicolons; export the file with commas", id="semicolons"
    ),
    pytest.param(PLAIN.replace(b",", b"\t"), None, "tabs; export the file", id="tabs"),
    pytest.param(
        PLAIN.decode().encode("utf-16"), None, "UTF-16.*save it as CSV UTF-8", id="utf-16"
    ),
    pytest.param(
        PLAIN.decode().encode("utf-16-le"), None, "UTF-16.*save it as", id="utf-16-unmarked"
    ),
    pytest.param(b"PK\x03\x04" + bytes(100), None, "export it as CSV UTF-8", id="xlsx-or-zip"),
    pytest.param(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 99, None, "export it as CSV UTF-8", id="xls"
    ),
    pytest.param(b"%PDF-1.7 ...", None, "export the list as CSV", id="pdf"),
    pytest.param(
        b"<!DOCTYPE html><html>", None, "HTML.*download the export again", id="html"
    ),
    pytest.param(b'{"error": "login"}', None, "JSON.*export the list as CSV", id="json"),
    pytest.param(b"[1, 2]", None, "JSON.*export the list as CSV", id="json-list"),
    pytest.param(
        gzip.compress(PLAIN)[:40], None, "cut off; compress and upload it again", id="gzip"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "sync_type", "fix"), REFUSED)
def test_file_that_cannot_be_imported_is_refused_with_its_fix(
    conn: Connection, data: bytes, sync_type: str | None, fix: str
) -> None:
    """The person who uploaded the file reads the error."""
    published: list[Outcome] = []

    def publish(outcome: Outcome, _rejects: Rejects) -> str:
        published.append(comparable(outcome))
        return "s3://reports/1/"

    outcome = run(conn, data, upload(), callbacks=ImportCallbacks(publish=publish))

    assert outcome.error is not None
    assert outcome == Outcome(
        upload=upload(),
        status="failed",
        is_dry_run=False,
        seconds=0.0,
        sync_type=sync_type,
        attempts=1,
        error=outcome.error,
    )
    assert re.search(fix, outcome.error)
    assert published == [outcome]
    import_ = newest_import(conn)
    assert import_ == Import(
        id=import_.id,
        sync_type=sync_type or UNKNOWN,
        status="failed",
        is_interrupted=False,
        started_at=import_.started_at,
        completed_at=import_.completed_at,
        processed=0,
        counts=Counts(),
        attempts=1,
        file_path=upload().location,
        report_location="s3://reports/1/",
        error_message=outcome.error,
        attempt_started_at=import_.attempt_started_at,
        error_type=import_.error_type,
    )
    assert is_input_error(import_.error_type)
    assert lease(conn) is None
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_truncated_gzip_file_fails_and_committed_rows_stay(
    conn: Connection,
) -> None:
    """The whole file, uploaded again, adds the missing rows."""
    rows = [
        appointment(f"A-{i:04}", resultFullString=f"{i * 7919}") for i in range(400)
    ]
    data = gzip.compress(csv_bytes(*rows))

    broken = run(conn, data[: len(data) // 2], options=CHUNKS_OF_10)

    assert broken.error is not None
    assert "gzip file is broken or cut off" in broken.error
    assert broken.counts == Counts(created=len(stored(conn, APPOINTMENT_TABLE)))
    assert 10 <= broken.counts.created < 400
    assert broken.counts.created % 10 == 0
    assert (newest_import(conn).status, newest_import(conn).counts) == (
        "failed",
        broken.counts,
    )
    assert run_counts(conn, data) == Counts(
        created=400 - broken.counts.created, unchanged=broken.counts.created
    )


def test_other_header_among_the_rows_fails_and_committed_rows_stay(
    conn: Connection, database_url: str
) -> None:
    """Two exports in one file; the parts are then imported one by one."""
    first = csv_bytes(*[appointment(f"A-{i:04}") for i in range(25)])
    second = csv_bytes(
        *[appointment(f"B-{i:04}") for i in range(5)],
        header=[*reversed(appointment())],
    )

    tried = dry_run(database_url, first + second, options=CHUNKS_OF_10)
    refused = run(conn, first + second, options=CHUNKS_OF_10)

    assert refused.error is not None
    assert refused.error.startswith("Line 27 is another header")
    assert (refused.status, refused.counts) == ("failed", Counts(created=20))
    assert (tried.status, tried.error) == ("failed", refused.error)
    assert run_counts(conn, first) == Counts(created=5, unchanged=20)
    assert run_counts(conn, second) == Counts(created=5)


def test_header_that_fits_no_row_fails_before_any_row_is_written(
    conn: Connection, database_url: str
) -> None:
    data = PLAIN.replace(b"saleAmount\r\n", b"saleAmount,Lee\r\n", 1)

    tried, refused = dry_run(database_url, data), run(conn, data)

    assert refused.error is not None
    assert "has 13 labels, but the rows have 12 cells" in refused.error
    # Such a label may be a cell of a row: personal data.
    assert (refused.ignored, tried.ignored) == ((), ())
    assert (refused.status, refused.counts) == ("failed", Counts())
    assert (tried.status, tried.error) == ("failed", refused.error)


def test_deleted_object_is_a_refused_file(conn: Connection) -> None:
    """The object was replaced before it was read; a retry cannot help."""
    error = ObjectGone("The object was replaced; its own notification imports it.")

    outcome = import_upload(
        conn, new_version(), PiecewiseStream(b"", after=0, error=error)
    )

    assert (outcome.status, outcome.error) == ("failed", str(error))
    assert newest_import(conn).error_message == str(error)


def test_mistyped_dry_run_is_refused_before_its_object_is_read(
    conn: Connection, database_url: str
) -> None:
    """A local file may have any name, and a dry run may have any key."""
    stream = PiecewiseStream(b"", after=0, error=AssertionError("it was read"))
    mistyped = replace(new_version(), object_key="Dryrun/x.csv")

    outcome = import_upload(conn, mistyped, stream)
    tried = dry_run(database_url, PLAIN, mistyped)

    import_ = newest_import(conn)
    assert (import_.status, import_.error_message) == ("failed", outcome.error)
    assert (outcome.status, outcome.counts) == ("failed", Counts())
    assert str(outcome.error).startswith(f"{mistyped.location} was not imported: ")
    assert (tried.error, tried.counts) == (None, Counts(created=3))
    assert stored(conn, APPOINTMENT_TABLE) == {}

    local = replace(mistyped, bucket=None, version=None)
    assert run(conn, PLAIN, local).counts == Counts(created=3)


def test_refused_file_without_its_report_is_retried(
    conn: Connection,
) -> None:
    """Previously it stayed in progress until its lease expired."""
    upload_ = new_version()
    s3_unavailable = ImportCallbacks(
        publish=raising(ObjectUnavailable("S3 is unavailable."))
    )
    with pytest.raises(ObjectUnavailable):
        run(conn, b"", upload_, callbacks=s3_unavailable)
    import_ = newest_import(conn)

    again = run(conn, b"", upload_)

    assert (import_.status, import_.error_message) == ("failed", "S3 is unavailable.")
    assert (again.status, again.attempts) == ("failed", 2)
    assert "The file is empty" in str(newest_import(conn).error_message)

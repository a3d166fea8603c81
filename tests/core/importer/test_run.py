"""The pipeline: from the bytes of a file to the tables, the history and the outcome."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.errors import (
    ClaimHeld,
    ClaimLost,
    CommitsLost,
    ObjectGone,
    ObjectUnavailable,
    OutOfTime,
    StoreUnavailable,
)
from salespro_core.exports.catalogue import catalogue
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import Problem
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import UNKNOWN
from salespro_core.sync_history.queries import Import, latest_import
from tests.support.builders import (
    APPOINTMENT,
    MORNING,
    appointment,
    csv_bytes,
    upload,
    user,
)
from tests.support.import_runs import (
    FILES,
    FileSpec,
    PiecewiseStream,
    comparable,
    file_bytes,
    new_version,
    run,
    run_counts,
)
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    SEEN_TABLE,
    USERS_TABLE,
    clear,
    contents,
    number,
    row_versions,
    stored,
)

Row = dict[str, str]
SMALL = Options(checkpoint_rows=10, batch_size=4)
OLD, NEW = "2025-06-07T10:00:00.000Z", "2025-06-08T10:00:00.000Z"


def appointments(count: int, **cells: str) -> list[Row]:
    return [appointment(f"A-{i:04}", **cells) for i in range(count)]


def latest(conn: Connection) -> Import:
    found = latest_import(conn)
    assert found is not None
    return found


def table(conn: Connection) -> list[dict[str, object]]:
    """The appointments, without when they were imported."""
    rows = stored(conn, APPOINTMENT_TABLE).values()
    return [{n: v for n, v in row.items() if n != "imported_at"} for row in rows]


def lease(conn: Connection) -> object:
    (row,) = stored(conn, HISTORY_TABLE).values()
    return row["lease_expires_at"]


# --- what becomes of the rows ---------------------------------------------------------


def test_a_first_import_creates_every_row(conn: Connection) -> None:
    """The outcome and the history say the same."""
    outcome = run(conn, csv_bytes(*appointments(3)), upload())

    assert outcome == Outcome(
        upload=upload(),
        status="completed",
        is_dry_run=False,
        seconds=0.0,
        sync_type="csv_appointments",
        counts=Counts(created=3),
        attempts=1,
    )
    noted = latest(conn)
    assert noted == Import(
        id=noted.id,
        sync_type="csv_appointments",
        status="completed",
        is_interrupted=False,
        started_at=noted.started_at,
        completed_at=noted.completed_at,
        processed=3,
        counts=Counts(created=3),
        attempts=1,
        file_path="s3://salespro-uploads/SalesPro2025-06-18.csv",
        report_location=None,
        error_message=None,
    )
    assert lease(conn) is None
    assert list(stored(conn, APPOINTMENT_TABLE)) == ["A-0000", "A-0001", "A-0002"]


def test_an_export_with_the_same_rows_changes_nothing(conn: Connection) -> None:
    """Exports overlap: this is the common case, and it must leave no dead rows."""
    data = csv_bytes(*appointments(25))
    run_counts(conn, data)
    before = row_versions(conn, APPOINTMENT_TABLE)

    assert run_counts(conn, data, options=SMALL) == Counts(unchanged=25)
    assert row_versions(conn, APPOINTMENT_TABLE) == before


def test_edited_rows_are_updated_and_no_others(conn: Connection) -> None:
    """What changed since yesterday is what is written."""
    rows = appointments(25)
    run_counts(conn, csv_bytes(*rows))
    before = row_versions(conn, APPOINTMENT_TABLE)
    for row in rows[5:15]:
        row |= {"saleAmount": "99", "_updated_at": NEW}

    assert run_counts(conn, csv_bytes(*rows)) == Counts(updated=10, unchanged=15)

    after = row_versions(conn, APPOINTMENT_TABLE)
    moved = [key for key in after if after[key] != before[key]]
    assert moved == [f"A-{i:04}" for i in range(5, 15)]


def test_an_older_file_over_a_newer_one_is_stale(conn: Connection) -> None:
    """Files arrive out of order; the earlier system let the last one win."""
    run_counts(conn, csv_bytes(*appointments(5, _updated_at=NEW)))
    before = table(conn)

    got = run_counts(conn, csv_bytes(*appointments(5, _updated_at=OLD, saleAmount="1")))

    assert got == Counts(stale=5)
    assert table(conn) == before


def test_an_older_users_file_over_a_newer_one_is_stale(conn: Connection) -> None:
    """By when they were uploaded, whatever the order of their deliveries."""
    evening = new_version(upload(uploaded_at=MORNING + timedelta(hours=12)))
    assert run(conn, csv_bytes(user("U")), evening).counts == Counts(created=1)

    late = run(conn, csv_bytes(user("U", Email="late@b.c"), user("V")), new_version())

    assert late.counts == Counts(created=1, stale=1)
    assert stored(conn, USERS_TABLE)["U"]["email"] == "ann.lee@example.com"


DUPLICATES = [
    appointment("A", _updated_at=OLD, saleAmount="1"),
    appointment("A", _updated_at=NEW, saleAmount="2"),
    appointment("A", _updated_at=OLD, saleAmount="3"),
    appointment("A", _updated_at=NEW, saleAmount="4"),
]


@pytest.mark.parametrize(
    ("checkpoint_rows", "counts"),
    [
        pytest.param(4, Counts(created=1, duplicate=3), id="sent-together"),
        pytest.param(2, Counts(created=1, updated=1, duplicate=2), id="in-two-commits"),
        pytest.param(1, Counts(created=1, updated=2, stale=1), id="one-by-one"),
    ],
)
def test_of_two_rows_with_one_key_the_newest_stays(
    conn: Connection, checkpoint_rows: int, counts: Counts
) -> None:
    """And of equally new ones the last, wherever the file is cut."""
    options = Options(checkpoint_rows=checkpoint_rows, batch_size=1)

    assert run_counts(conn, csv_bytes(*DUPLICATES), options=options) == counts
    assert stored(conn, APPOINTMENT_TABLE)["A"]["sale_amount"] == Decimal(4)


MIXED = [
    appointment("same"),
    appointment("edited", saleAmount="99"),
    appointment("old", _updated_at=OLD),
    appointment("twice"),
    appointment("twice"),
    appointment("new"),
    appointment("bad", saleAmount="a lot"),
    appointment(""),
]  # fmt: skip


def test_every_row_is_accounted_for(conn: Connection) -> None:
    """Promise 1, with a row of each sort, in the outcome and in the history."""
    run_counts(
        conn,
        csv_bytes(
            appointment("same"),
            appointment("edited"),
            appointment("old", _updated_at=NEW),
        ),
    )

    counts = run_counts(conn, csv_bytes(*MIXED))

    assert counts == Counts(
        created=2, updated=1, unchanged=1, stale=1, duplicate=1, rejected=2
    )
    assert counts.processed == len(MIXED)
    assert (latest(conn).counts, latest(conn).processed) == (counts, len(MIXED))


def test_a_bad_row_is_rejected_with_all_its_problems_and_the_rest_imported(
    conn: Connection,
) -> None:
    """Rejects go to the report, where a person corrects them and uploads them again."""
    data = csv_bytes(
        appointment("A"),
        appointment("B", saleAmount="a lot", _created_at="soon"),
        appointment("C", resultFullString="two\nlines"),
        appointment("", isSale="perhaps"),
        appointment("D"),
    )
    ragged = (
        data + b"E,2025-06-06T00:16:45.538Z\r\n" + b"\xff" * 3 + b"," * 11 + b"\r\n"
    )
    published: list[list[list[str]]] = []

    def publish(_outcome: Outcome, rejects: Rejects) -> str:
        file = rejects.open()
        assert file is not None
        text = file.read().decode("utf-8-sig", "surrogateescape")
        published.append(list(csv.reader(io.StringIO(text, newline=""))))
        return "s3://reports/1/"

    outcome = run(conn, ragged, callbacks=ImportCallbacks(publish=publish))

    assert outcome.counts == Counts(created=3, rejected=4)
    assert [(each.line, each.problems) for each in outcome.rejects] == [
        (
            3,
            (
                Problem(
                    "_created_at", "is not a timestamp such as 2025-06-06T00:16:45.538Z"
                ),
                Problem("saleAmount", "is not an amount such as 23245.09"),
            ),
        ),
        (
            6,
            (
                Problem("_id", "is empty"),
                Problem("isSale", "is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)"),
            ),
        ),
        (8, (Problem(None, "has 2 cells where the header has 12"),)),
        (9, (Problem("_id", "is not UTF-8 text"),)),
    ]
    ((head, *rows),) = published
    assert head == ["reject_line", "reject_column", "reject_reason", *APPOINTMENT]
    assert [row[0] for row in rows] == ["3", "6", "8", "9"]
    assert list(stored(conn, APPOINTMENT_TABLE)) == ["A", "C", "D"]
    assert latest(conn).report_location == "s3://reports/1/"
    assert latest(conn).status == "completed"


def test_columns_that_the_table_does_not_know_are_named_once(conn: Connection) -> None:
    """SalesPro adds columns without notice; that is no reason to refuse a file."""
    rows = [{**row, "mood": "good", " Weather ": "fair"} for row in appointments(3)]

    outcome = run(conn, csv_bytes(*rows))

    assert outcome.ignored == ("mood", "Weather")
    assert outcome.counts == Counts(created=3)


# --- lenient --------------------------------------------------------------------------

LENIENT = Options(is_lenient=True)


def test_a_bad_optional_value_leaves_the_stored_one_alone(conn: Connection) -> None:
    """The earlier system overwrote a good date with NULL when it could not parse one."""
    run_counts(conn, csv_bytes(appointment("A"), appointment("B")))
    before = {row["id"]: row for row in table(conn)}
    data = csv_bytes(
        appointment("A", saleAmount="a lot", isSale="?", customer_nameLast="Silva"),
        appointment("B", _created_at="invalid_date"),
        appointment("C", _created_at="invalid_date", isSale="?", saleAmount="a lot"),
        appointment("", saleAmount="1"),
    )

    outcome = run(conn, data, options=LENIENT)

    assert outcome.counts == Counts(created=1, updated=1, unchanged=1, rejected=1)
    assert [each.line for each in outcome.rejects] == [5]
    assert outcome.warnings == (
        ("isSale is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)", 2),
        ("saleAmount is not an amount such as 23245.09", 2),
        ("_created_at is not a timestamp such as 2025-06-06T00:16:45.538Z", 2),
    )
    after = {row["id"]: row for row in table(conn)}
    assert after["A"] == before["A"] | {"customer_last_name": "Silva"}
    assert after["B"] == before["B"]
    assert after["C"] == before["A"] | {
        "id": "C",
        "created_at": None,
        "is_sale": False,
        "sale_amount": None,
    }


def test_a_bad_optional_value_of_a_new_user_becomes_the_default(
    conn: Connection,
) -> None:
    """The columns that may not be null have one."""
    data = csv_bytes(
        user("U", Active_Inactive="?", Additional_Amount="?", Last_Login="?")
        | {"Active/Inactive": "?"}
    )

    assert run(conn, data, options=LENIENT).counts == Counts(created=1)
    row = stored(conn, USERS_TABLE)["U"]
    assert (row["is_active"], row["additional_amount"], row["last_login"]) == (
        False,
        Decimal(0),
        None,
    )


def test_a_row_whose_timestamp_cannot_be_read_does_not_beat_one_with_it(
    conn: Connection,
) -> None:
    """Nobody knows how new it is."""
    run_counts(conn, csv_bytes(appointment("A")))

    data = csv_bytes(appointment("A", _updated_at="invalid_date", saleAmount="1"))

    assert run_counts(conn, data, options=LENIENT) == Counts(stale=1)


# --- forms of a file ------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(csv_bytes(*appointments(3)), id="plain"),
        pytest.param(gzip.compress(csv_bytes(*appointments(3))), id="gzip"),
        pytest.param(
            b"\xef\xbb\xbf" + csv_bytes(*appointments(3)), id="byte-order-mark"
        ),
        pytest.param(
            csv_bytes(*appointments(3)).replace(b"\r\n", b"\n").rstrip(), id="unix"
        ),
        pytest.param(
            csv_bytes(*appointments(3)).replace(b"\r\n", b"\r\n\r\n"), id="blank-lines"
        ),
    ],
)
def test_a_file_may_come_in_several_forms(conn: Connection, data: bytes) -> None:
    """From a schedule, from a spreadsheet, from a person with an editor."""
    assert run_counts(conn, data) == Counts(created=3)
    assert run_counts(conn, csv_bytes(*appointments(3))) == Counts(unchanged=3)


@pytest.mark.parametrize("make", [appointment, user])
def test_a_file_with_a_header_only_is_completed(
    conn: Connection, make: Callable[[], Row]
) -> None:
    """A day without appointments is no error."""
    data = csv_bytes(make()).splitlines(keepends=True)[0]

    outcome = run(conn, data)

    assert (outcome.status, outcome.counts) == ("completed", Counts())
    assert (latest(conn).status, latest(conn).processed) == ("completed", 0)
    assert latest(conn).sync_type == outcome.sync_type


def test_times_without_an_offset_are_in_the_source_time_zone(conn: Connection) -> None:
    """Spreadsheets drop the offset; winter and summer time are the zone's business."""
    options = Options(exports=catalogue(ZoneInfo("America/New_York")))
    data = csv_bytes(
        appointment("A", _created_at="2025-01-06 12:00:00"),
        appointment("B", _created_at="2025-07-06T12:00:00"),
        appointment("C", _created_at="2025-07-06T12:00:00Z"),
    )

    run_counts(conn, data, options=options)

    rows = stored(conn, APPOINTMENT_TABLE)
    assert [rows[key]["created_at"] for key in "ABC"] == [
        datetime(2025, 1, 6, 17, tzinfo=UTC),
        datetime(2025, 7, 6, 16, tzinfo=UTC),
        datetime(2025, 7, 6, 12, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("checkpoint_rows", "batch_size"),
    [(1, 1), (3, 7), (7, 3), (10, 10), (5000, 500), (5000, 1)],
)
def test_how_a_file_is_cut_does_not_show_in_the_table(
    conn: Connection, checkpoint_rows: int, batch_size: int
) -> None:
    """BATCH_SIZE and the checkpoint are about speed; one may turn them freely."""
    rows = [*appointments(15), *MIXED, *appointments(15, saleAmount="7"), *DUPLICATES]
    run_counts(conn, csv_bytes(*rows))
    before = table(conn)
    clear(conn)
    options = Options(checkpoint_rows=checkpoint_rows, batch_size=batch_size)

    counts = run_counts(conn, csv_bytes(*rows), options=options)

    assert table(conn) == before
    assert (counts.processed, counts.rejected) == (len(rows), 2)
    assert counts.created == len(before)


# --- refused files --------------------------------------------------------------------

PLAIN = csv_bytes(*appointments(3))
REFUSED = [
    pytest.param(b"", None, "file is empty.* Export it again", id="empty"),
    pytest.param(b" \r\n\r\n", None, "file is empty.* Export it again", id="blank"),
    pytest.param(
        b"name,phone\r\nGarcia,555\r\n",
        None,
        "no header of a known export.*Export the file with its header",
        id="unknown-header",
    ),
    pytest.param(
        PLAIN.split(b"\r\n", 1)[1],
        None,
        "no header of a known export.*Export the file with its header",
        id="no-header",
    ),
    pytest.param(
        PLAIN.replace(b"_id", b"id_", 1),
        "csv_appointments",
        "lacks '_id'.*Missing: _id",
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
    pytest.param(b"PK\x03\x04" + bytes(100), None, "export it as CSV", id="xlsx-or-zip"),
    pytest.param(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 99, None, "export it as CSV", id="xls"
    ),
    pytest.param(b"%PDF-1.7 ...", None, "export the list as CSV", id="pdf"),
    pytest.param(
        b"<!DOCTYPE html><html>", None, "HTML.*download the export again", id="html"
    ),
    pytest.param(b'{"error": "login"}', None, "JSON; export the list as CSV", id="json"),
    pytest.param(b"[1, 2]", None, "JSON; export the list as CSV", id="json-list"),
    pytest.param(
        gzip.compress(PLAIN)[:40], None, "cut off; compress and upload it again", id="gzip"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "sync_type", "fix"), REFUSED)
def test_a_file_that_cannot_be_imported_is_refused_with_its_fix(
    conn: Connection, data: bytes, sync_type: str | None, fix: str
) -> None:
    """The error is read by the person who uploaded the file."""
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
    noted = latest(conn)
    assert noted == Import(
        id=noted.id,
        sync_type=sync_type or UNKNOWN,
        status="failed",
        is_interrupted=False,
        started_at=noted.started_at,
        completed_at=noted.completed_at,
        processed=0,
        counts=Counts(),
        attempts=1,
        file_path=upload().location,
        report_location="s3://reports/1/",
        error_message=outcome.error,
    )
    assert lease(conn) is None
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_a_gzip_file_that_breaks_in_the_middle_keeps_what_came_before(
    conn: Connection,
) -> None:
    """What was committed stays; the whole file, uploaded again, does the rest."""
    rows = [
        appointment(f"A-{i:04}", resultFullString=f"{i * 7919}") for i in range(400)
    ]
    whole = gzip.compress(csv_bytes(*rows))

    broken = run(conn, whole[: len(whole) // 2], options=SMALL)

    assert broken.error is not None
    assert "gzip file is broken or cut off" in broken.error
    assert broken.counts == Counts(created=len(stored(conn, APPOINTMENT_TABLE)))
    assert 10 <= broken.counts.created < 400
    assert broken.counts.created % 10 == 0
    assert (latest(conn).status, latest(conn).counts) == ("failed", broken.counts)
    assert run_counts(conn, whole) == Counts(
        created=400 - broken.counts.created, unchanged=broken.counts.created
    )


def test_an_object_that_is_gone_is_a_refused_file(conn: Connection) -> None:
    """It was replaced before it was read: another delivery of this one cannot help."""
    gone = ObjectGone("The object was replaced; its own notification imports it.")

    outcome = import_upload(
        conn, new_version(), PiecewiseStream(b"", after=0, error=gone)
    )

    assert (outcome.status, outcome.error) == ("failed", str(gone))
    assert latest(conn).error_message == str(gone)


def test_a_refused_file_whose_report_cannot_be_put_is_tried_again(
    conn: Connection,
) -> None:
    """It used to stay in progress, its lease live, until that ran out."""
    of = new_version()
    away = ImportCallbacks(publish=failing(ObjectUnavailable("S3 is away.")))
    with pytest.raises(ObjectUnavailable):
        run(conn, b"", of, callbacks=away)
    noted = latest(conn)

    again = run(conn, b"", of)

    assert (noted.status, noted.error_message) == ("failed", "S3 is away.")
    assert (again.status, again.attempts) == ("failed", 2)
    assert "The file is empty" in str(latest(conn).error_message)


def failing(error: BaseException) -> Callable[..., None]:
    """A hook that does."""

    def fail(*_: object) -> None:
        raise error

    return fail


# --- redelivery, resumption -----------------------------------------------------------


def test_a_redelivery_of_a_finished_file_does_nothing(conn: Connection) -> None:
    """Its bytes are not even read, and it says so."""
    of = new_version()
    run(conn, csv_bytes(*appointments(3)), of)
    before = contents(conn)
    unread = PiecewiseStream(b"", after=0, error=AssertionError("The stream was read."))
    callbacks = ImportCallbacks(
        publish=failing(AssertionError("A report was published.")),
        on_commit=failing(AssertionError("Something was committed.")),
    )

    outcome = import_upload(conn, of, unread, callbacks=callbacks)

    assert comparable(outcome) == Outcome(
        upload=of,
        status="completed",
        is_dry_run=False,
        seconds=0.0,
        attempts=1,
        resumed_at=3,
        already_imported=True,
        sync_type="csv_appointments",
    )
    assert contents(conn) == before


def test_an_upload_that_is_being_imported_is_left_alone(conn: Connection) -> None:
    """Two deliveries at once: the second learns when to come again."""
    claims.claim(conn, upload())
    unread = PiecewiseStream(b"", after=0, error=AssertionError("The stream was read."))

    with pytest.raises(ClaimHeld) as held:
        import_upload(conn, upload(), unread)

    assert 60 <= held.value.retry_after_s <= 120
    assert (latest(conn).status, latest(conn).attempts) == ("in_progress", 1)


LONG = [
    appointment("bad", saleAmount="a lot"),
    *appointments(20),
    *appointments(40, saleAmount="7"),
    *appointments(3, _updated_at="2001-01-01T00:00:00Z"),
    *DUPLICATES,
    appointment("worse", saleAmount="a lot"),
    *(appointment(f"B-{i}") for i in range(40)),
]


def interrupted(conn: Connection, of: Upload) -> Import:
    """What the history says when S3 cut the body off in the middle."""
    data = csv_bytes(*LONG)
    cut = PiecewiseStream(
        data, after=2 * len(data) // 3, error=ObjectUnavailable("S3 cut the body off.")
    )
    with pytest.raises(ObjectUnavailable):
        import_upload(conn, of, cut, options=SMALL)
    return latest(conn)


def test_what_is_interrupted_goes_on_from_its_checkpoint(conn: Connection) -> None:
    """In the end the counts, the rejects and the table are those of one clean run."""
    clean = run(conn, csv_bytes(*LONG), options=SMALL)
    rows = table(conn)
    clear(conn)
    of = new_version()
    half = interrupted(conn, of)

    whole = run(conn, csv_bytes(*LONG), of, options=SMALL)

    assert (half.status, half.error_message) == ("failed", "S3 cut the body off.")
    assert half.processed == half.counts.processed
    assert 10 <= half.processed < len(LONG)
    assert half.processed % 10 == 0
    assert replace(whole, resumed_at=0) == replace(clean, upload=of, attempts=2)
    assert table(conn) == rows
    assert latest(conn).counts == clean.counts
    assert (latest(conn).status, latest(conn).error_message) == ("completed", None)


def test_what_is_committed_is_not_sent_again(conn: Connection) -> None:
    """Rows that somebody deleted meanwhile do not come back: only the rest is sent."""
    of = new_version()
    half = interrupted(conn, of)
    conn.execute("DELETE FROM salespro_appointment")

    run(conn, csv_bytes(*LONG), of, options=SMALL)

    keys = {
        row["_id"] for row in LONG[half.processed :] if row["saleAmount"] != "a lot"
    }
    assert set(stored(conn, APPOINTMENT_TABLE)) == keys


def test_a_lost_connection_is_gone_on_from_when_the_lease_has_run_out(
    database_url: str, conn: Connection
) -> None:
    """The attempt cannot even note that it failed; the history shows its checkpoint."""
    clean = run(conn, csv_bytes(*LONG), options=SMALL)
    rows = table(conn)
    clear(conn)
    of = new_version()

    def cut(so_far: Outcome) -> None:
        if so_far.counts.processed == 50:
            conn.execute("SELECT pg_terminate_backend(%s)", [mine.info.backend_pid])

    with connection.connect(database_url) as mine, pytest.raises(StoreUnavailable):
        run(
            mine,
            csv_bytes(*LONG),
            of,
            options=SMALL,
            callbacks=ImportCallbacks(on_commit=cut),
        )
    died = latest(conn)
    with pytest.raises(ClaimHeld):
        run(conn, csv_bytes(*LONG), of, options=SMALL)
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")

    whole = run(conn, csv_bytes(*LONG), of, options=SMALL)

    assert (died.status, died.processed) == ("in_progress", 50)
    assert replace(whole, resumed_at=0) == replace(clean, upload=of, attempts=2)
    assert table(conn) == rows


def test_only_what_somebody_is_told_waits_for_the_disk(conn: Connection) -> None:
    """And with it all before: the claim, and in the end that the import is completed."""
    conn.execute("SET synchronous_commit = on")
    conn.execute("""
        CREATE TABLE seen (status text, waits text, place serial);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO seen VALUES (NEW.status, current_setting('synchronous_commit'));
            RETURN NULL;
        END $$;
        CREATE TRIGGER note AFTER INSERT OR UPDATE ON salespro_sync_history
            FOR EACH ROW EXECUTE FUNCTION note();
        """)

    run(conn, csv_bytes(*appointments(30)), options=SMALL)

    seen = conn.execute("SELECT status, waits FROM seen ORDER BY place").fetchall()
    assert seen == [
        *[("in_progress", "on")] * 2,  # claimed, recognised
        *[("in_progress", "off")] * 6,  # 10 rows each, in three batches of 4
        *[("in_progress", "off")] * 3,
        ("completed", "on"),
    ]


def lose_commits(url: str) -> None:
    """What a crash may cost, or a standby that takes over and was behind."""
    with connection.connect(url) as other:
        other.execute("DELETE FROM salespro_appointment WHERE id >= 'B'")
        other.execute(
            "UPDATE salespro_sync_history"
            " SET records_processed = 10, records_created = 10"
        )


@pytest.mark.parametrize("is_at_the_end", [False, True])
def test_what_postgres_lost_is_sent_again(
    database_url: str,
    conn: Connection,
    is_at_the_end: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """Where it looks as if another had taken over, the import is still ours."""
    rows = [appointment(f"{letter}-{n}") for letter in "ABC" for n in range(10)]
    lost: list[int] = []

    def lose(outcome: Outcome, _rejects: Rejects | None = None) -> None:
        if outcome.counts.processed == (30 if is_at_the_end else 20) and not lost:
            lost.append(outcome.counts.processed)
            lose_commits(database_url)

    callbacks = (
        ImportCallbacks(publish=lose)
        if is_at_the_end
        else ImportCallbacks(on_commit=lose)
    )
    outcome = run(conn, csv_bytes(*rows), options=SMALL, callbacks=callbacks)

    assert lost
    assert (outcome.status, outcome.counts) == ("completed", Counts(created=30))
    assert (latest(conn).status, latest(conn).counts) == ("completed", outcome.counts)
    assert len(stored(conn, APPOINTMENT_TABLE)) == 30


def test_a_refused_file_is_told_with_what_postgres_has(
    database_url: str, conn: Connection
) -> None:
    """It is not delivered again, so that what was lost would be lost for good."""
    rows = [appointment(f"{letter}-{n}") for letter in "ABC" for n in range(10)]
    body = csv_bytes(*rows) + b'"never closed\n' * 2_000
    lost: list[int] = []

    def lose(outcome: Outcome, _rejects: Rejects) -> None:
        if not lost:
            lost.append(outcome.counts.processed)
            lose_commits(database_url)

    outcome = run(conn, body, options=SMALL, callbacks=ImportCallbacks(publish=lose))

    assert lost == [outcome.counts.processed]
    assert outcome.status == latest(conn).status == "failed"
    assert outcome.counts == latest(conn).counts
    assert outcome.counts.created == len(stored(conn, APPOINTMENT_TABLE)) == 30


class Pipe(PiecewiseStream):
    """Bytes that come once."""

    def seekable(self) -> bool:
        """They are not."""
        return False


@pytest.mark.parametrize("kind", [PiecewiseStream, Pipe])
def test_what_is_lost_for_good_goes_on_with_the_next_attempt(
    database_url: str, conn: Connection, kind: type[PiecewiseStream]
) -> None:
    """From a pipe, or if it is lost again and again; nothing that is not there is done."""
    of = new_version()
    body = csv_bytes(*(appointment(f"{key}-{n}") for key in "AB" for n in range(10)))

    with pytest.raises(CommitsLost, match="after row 10,"):
        import_upload(
            conn,
            of,
            kind(body),
            options=SMALL,
            callbacks=ImportCallbacks(publish=lambda *_: lose_commits(database_url)),
        )
    left = latest(conn)
    again = run(conn, body, of, options=SMALL)

    assert (left.status, left.processed) == ("in_progress", 10)
    assert (again.resumed_at, again.status) == (10, "completed")
    assert again.counts == latest(conn).counts == Counts(created=20)
    assert len(stored(conn, APPOINTMENT_TABLE)) == 20


# --- out of time ----------------------------------------------------------------------


def answers(*said: bool) -> ImportCallbacks:
    """Say this of the time, commit after commit; then that there is enough."""
    left: Iterator[bool] = iter(
        (False, *said)
    )  # told once before the first commit, too
    remaining_s = 60.0

    def on_commit(_: Outcome) -> None:
        nonlocal remaining_s
        remaining_s = 0.0 if next(left, False) else 60.0

    return ImportCallbacks(on_commit=on_commit, remaining_s=lambda: remaining_s)


def test_when_the_time_runs_out_it_stops_at_a_commit(conn: Connection) -> None:
    """The function's end would come in the middle of a statement, with the lease live."""
    of = new_version()
    clean = run_counts(conn, csv_bytes(*LONG), options=SMALL)
    clear(conn)

    callbacks = answers(False, False, True)  # noqa: FBT003 -- what it answers
    with pytest.raises(OutOfTime, match="after 30 rows"):
        run(conn, csv_bytes(*LONG), of, options=SMALL, callbacks=callbacks)
    stopped = latest(conn)
    freed = lease(conn)
    whole = run(conn, csv_bytes(*LONG), of, options=SMALL)

    assert (stopped.status, stopped.is_interrupted) == ("in_progress", True)
    assert (stopped.processed, stopped.error_message) == (30, None)
    assert freed is None
    assert (whole.status, whole.attempts, whole.counts) == ("completed", 2, clean)


def test_an_import_may_take_as_many_attempts_as_it_has_commits(
    conn: Connection,
) -> None:
    """However short the time is, each gets one commit further."""
    of = new_version()
    clean = run(conn, csv_bytes(*LONG), options=SMALL)
    rows = table(conn)
    clear(conn)

    for attempt in range(1, 1 + len(LONG) // 10):
        with pytest.raises(OutOfTime, match=f"after {attempt * 10} rows"):
            run(
                conn,
                csv_bytes(*LONG),
                of,
                options=SMALL,
                callbacks=answers(True),  # noqa: FBT003 -- what it answers
            )
    whole = run(conn, csv_bytes(*LONG), of, options=SMALL)

    assert replace(whole, resumed_at=0) == replace(
        clean, upload=of, attempts=1 + len(LONG) // 10
    )
    assert table(conn) == rows


# --- hooks, signals, mistakes of ours -------------------------------------------------


def test_the_report_is_published_before_the_history_says_completed(
    conn: Connection,
) -> None:
    """Who sees `completed` finds the report where the history says it is."""
    seen: list[tuple[str, Counts]] = []

    def publish(outcome: Outcome, _rejects: Rejects) -> str:
        seen.append((latest(conn).status, outcome.counts))
        return "s3://reports/1/"

    run(
        conn,
        csv_bytes(*appointments(25)),
        options=SMALL,
        callbacks=ImportCallbacks(publish=publish),
    )

    assert seen == [("in_progress", Counts(created=25))]
    assert (latest(conn).status, latest(conn).report_location) == (
        "completed",
        "s3://reports/1/",
    )


def test_after_each_commit_the_counts_so_far_are_told(conn: Connection) -> None:
    """They are what the history says at that moment: a progress bar is as true."""
    told: list[int] = []

    def on_commit(so_far: Outcome) -> None:
        assert latest(conn).counts == so_far.counts
        told.append(so_far.counts.processed)

    callbacks = ImportCallbacks(on_commit=on_commit)
    run(conn, csv_bytes(*appointments(25)), options=SMALL, callbacks=callbacks)

    assert list(dict.fromkeys(told)) == [0, 10, 20, 25]


def test_a_report_that_cannot_be_put_is_tried_again_without_the_rows(
    conn: Connection,
) -> None:
    """All rows are committed by then; the next delivery only makes up for the report."""
    of = new_version()
    away = ImportCallbacks(publish=failing(ObjectUnavailable("S3 is away.")))
    with pytest.raises(ObjectUnavailable):
        run(conn, csv_bytes(*appointments(25)), of, options=SMALL, callbacks=away)
    noted = latest(conn)
    before = row_versions(conn, APPOINTMENT_TABLE)

    again = run(conn, csv_bytes(*appointments(25)), of, options=SMALL)

    assert (noted.status, noted.processed) == ("failed", 25)
    assert (again.status, again.counts) == ("completed", Counts(created=25))
    assert row_versions(conn, APPOINTMENT_TABLE) == before


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), SystemExit(1)])
def test_a_signal_frees_the_lease(conn: Connection, signal: BaseException) -> None:
    """Ctrl-C, and then the same command again: it must not have to wait."""
    of = new_version()

    def on_commit(so_far: Outcome) -> None:
        if so_far.counts.processed == 20:
            raise signal

    with pytest.raises(type(signal)):
        run(
            conn,
            csv_bytes(*appointments(25)),
            of,
            options=SMALL,
            callbacks=ImportCallbacks(on_commit=on_commit),
        )
    stopped = latest(conn)
    whole = run(conn, csv_bytes(*appointments(25)), of, options=SMALL)

    assert (stopped.status, stopped.processed) == ("in_progress", 20)
    assert stopped.is_interrupted
    assert (whole.attempts, whole.counts) == (2, Counts(created=25))


def test_a_mistake_of_ours_is_noted_without_its_text(conn: Connection) -> None:
    """The text of any exception may hold a cell; its name is enough to look for it."""
    mistake = KeyError("Garcia")

    with pytest.raises(KeyError):
        run(
            conn,
            csv_bytes(*appointments(25)),
            callbacks=ImportCallbacks(publish=failing(mistake)),
            options=SMALL,
        )

    noted = latest(conn)
    assert (noted.status, noted.counts) == ("failed", Counts(created=25))
    assert noted.error_message == (
        "Unexpected KeyError in the importer; please report it."
    )
    assert lease(conn) is None


def test_an_attempt_that_is_taken_over_stops_and_keeps_quiet(conn: Connection) -> None:
    """It froze, its lease ran out: what follows is its successor's, the history too."""
    of = new_version()

    def on_commit(so_far: Outcome) -> None:
        if so_far.counts.processed == 20:
            conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")
            assert claims.claim(conn, of).attempt == 2

    with pytest.raises(ClaimLost):
        run(
            conn,
            csv_bytes(*appointments(40)),
            of,
            options=SMALL,
            callbacks=ImportCallbacks(
                on_commit=on_commit, publish=failing(AssertionError())
            ),
        )

    noted = latest(conn)
    assert (noted.status, noted.is_interrupted) == ("in_progress", False)
    assert (noted.attempts, noted.processed) == (2, 20)
    assert len(stored(conn, APPOINTMENT_TABLE)) == 20


def test_imports_of_the_same_rows_at_once_neither_deadlock_nor_lose_any(
    database_url: str, conn: Connection
) -> None:
    """Rows are sent in the order of their keys, across all that one commit covers.

    Sorted only inside each statement, 19 to 22 of 24 such imports deadlocked.
    """
    together = Barrier(4)
    options = Options(checkpoint_rows=400, batch_size=20)

    def one(place: int) -> Counts:
        at = f"2025-06-0{place + 1}T00:00:00Z"
        rows = appointments(400, _updated_at=at, saleAmount=str(place))
        rows = rows[place::2] + rows[::-1] if place % 2 else rows
        with connection.connect(database_url) as mine:
            together.wait()
            return run_counts(mine, csv_bytes(*rows), options=options)

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(one, range(4)))

    assert sum(each.created for each in counts) == 400
    amounts = {row["sale_amount"] for row in stored(conn, APPOINTMENT_TABLE).values()}
    assert amounts == {Decimal(3)}
    total = number(conn, "SELECT sum(records_processed) FROM salespro_sync_history")
    assert total == sum(each.processed for each in counts)


# --- any sequence of files ------------------------------------------------------------


def modelled(
    known: dict[str, tuple[str, str]],
    file: FileSpec,
    checkpoint_rows: int,
    *,
    is_dated: bool,
) -> Counter[str]:
    """What becomes of a file: its counts, and `known`: key -> (version, amount)."""
    counts: Counter[str] = Counter()
    for start in range(0, len(file.rows), checkpoint_rows):
        sent: dict[str, tuple[str, str]] = {}
        for key, time, amount in file.rows[start : start + checkpoint_rows]:
            version = time if is_dated else str(file.hour)
            if amount == "a lot":
                counts["rejected"] += 1
                continue
            counts["duplicate"] += key in sent
            if key not in sent or version >= sent[key][0]:
                sent[key] = version, amount
        for key, new in sent.items():
            old = known.get(key)
            if old and new[0] < old[0]:
                counts["stale"] += 1
                continue
            is_equal = old == new if is_dated else old and old[1] == new[1]
            counts["unchanged" if is_equal else "updated" if old else "created"] += 1
            known[key] = new
    return counts


@pytest.mark.parametrize("is_dated", [True, False], ids=["appointments", "users"])
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    files=FILES, checkpoint_rows=st.integers(1, 9), batch_size=st.integers(1, 4)
)  # fmt: skip
def test_any_sequence_of_files_ends_as_a_plain_model_says(
    conn: Connection,
    files: list[FileSpec],
    checkpoint_rows: int,
    batch_size: int,
    *,
    is_dated: bool,
) -> None:
    """Overlaps, duplicates, bad rows, equal and missing times, files out of order."""
    clear(conn)
    known: dict[str, tuple[str, str]] = {}
    options = Options(checkpoint_rows=checkpoint_rows, batch_size=batch_size)
    for file in files:
        at = MORNING + timedelta(hours=file.hour)
        of = new_version(upload(uploaded_at=at))
        counts = run(
            conn, file_bytes(file, is_dated=is_dated), of, options=options
        ).counts

        model = modelled(known, file, checkpoint_rows, is_dated=is_dated)
        assert counts == Counts(**model)
        assert counts.processed == len(file.rows) == latest(conn).processed
    assert found(conn, is_dated=is_dated) == known


def found(conn: Connection, *, is_dated: bool) -> dict[str, tuple[str, str]]:
    """The tables, as the model has them."""
    if is_dated:
        return {
            str(key): (
                f"{row['updated_at']:%Y-%m-%dT%H:%M:%SZ}" if row["updated_at"] else "",
                str(row["sale_amount"]),
            )
            for key, row in stored(conn, APPOINTMENT_TABLE).items()
        }
    seen = stored(conn, SEEN_TABLE)
    hours = {
        key: f"{(as_time(row['uploaded_at']) - MORNING) // timedelta(hours=1)}"
        for key, row in seen.items()
    }
    return {
        str(key): (hours[key], str(row["additional_amount"]))
        for key, row in stored(conn, USERS_TABLE).items()
    }


def as_time(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value

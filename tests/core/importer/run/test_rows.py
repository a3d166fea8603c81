"""An import gives each row of the file one result: stored, skipped or rejected."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from psycopg import Connection

from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import Problem
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history.queries import Import
from tests.core.importer.inputs import (
    DUPLICATES,
    MIXED,
    NEW,
    OLD,
    appointments,
    lease,
    stored_appointments,
)
from tests.support.builders import (
    APPOINTMENT,
    MORNING,
    appointment,
    csv_bytes,
    upload,
    user,
)
from tests.support.import_runs import (
    CHUNKS_OF_10,
    new_version,
    newest_import,
    run,
    run_counts,
)
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    USERS_TABLE,
    row_versions,
    stored,
)


def test_first_import_creates_every_row_and_completes_in_the_history(
    conn: Connection,
) -> None:
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
    import_ = newest_import(conn)
    assert import_ == Import(
        id=import_.id,
        sync_type="csv_appointments",
        status="completed",
        is_interrupted=False,
        started_at=import_.started_at,
        completed_at=import_.completed_at,
        processed=3,
        counts=Counts(created=3),
        attempts=1,
        file_path="s3://salespro-uploads/SalesPro2025-06-18.csv",
        report_location=None,
        error_message=None,
        attempt_started_at=import_.attempt_started_at,
    )
    assert lease(conn) is None
    assert list(stored(conn, APPOINTMENT_TABLE)) == ["A-0000", "A-0001", "A-0002"]


def test_same_rows_again_are_unchanged_and_not_rewritten(conn: Connection) -> None:
    """The usual case, since exports overlap; it must not leave dead rows."""
    data = csv_bytes(*appointments(25))
    run_counts(conn, data)
    before = row_versions(conn, APPOINTMENT_TABLE)

    assert run_counts(conn, data, options=CHUNKS_OF_10) == Counts(unchanged=25)
    assert row_versions(conn, APPOINTMENT_TABLE) == before


def test_only_edited_rows_are_updated(conn: Connection) -> None:
    rows = appointments(25)
    run_counts(conn, csv_bytes(*rows))
    before = row_versions(conn, APPOINTMENT_TABLE)
    for row in rows[5:15]:
        row |= {"saleAmount": "99", "_updated_at": NEW}

    assert run_counts(conn, csv_bytes(*rows)) == Counts(updated=10, unchanged=15)

    after = row_versions(conn, APPOINTMENT_TABLE)
    rewritten = [key for key in after if after[key] != before[key]]
    assert rewritten == [f"A-{i:04}" for i in range(5, 15)]


def test_rows_older_than_the_stored_ones_are_stale(conn: Connection) -> None:
    """Files arrive out of order; the earlier system let the last one win."""
    run_counts(conn, csv_bytes(*appointments(5, _updated_at=NEW)))
    before = stored_appointments(conn)

    counts = run_counts(
        conn, csv_bytes(*appointments(5, _updated_at=OLD, saleAmount="1"))
    )

    assert counts == Counts(stale=5)
    assert stored_appointments(conn) == before


def test_users_of_an_earlier_upload_are_stale(conn: Connection) -> None:
    """The time of the upload counts, not the order of the deliveries."""
    evening = new_version(upload(uploaded_at=MORNING + timedelta(hours=12)))
    assert run(conn, csv_bytes(user("U")), evening).counts == Counts(created=1)

    earlier = run(
        conn, csv_bytes(user("U", Email="late@b.c"), user("V")), new_version()
    )

    assert earlier.counts == Counts(created=1, stale=1)
    assert stored(conn, USERS_TABLE)["U"]["email"] == "ann.lee@example.com"


@pytest.mark.parametrize(
    ("checkpoint_rows", "counts"),
    [
        pytest.param(4, Counts(created=1, duplicate=3), id="sent-together"),
        pytest.param(2, Counts(created=1, updated=1, duplicate=2), id="in-two-commits"),
        pytest.param(1, Counts(created=1, updated=2, stale=1), id="one-by-one"),
    ],
)
def test_of_rows_with_the_same_key_the_newest_is_stored(
    conn: Connection, checkpoint_rows: int, counts: Counts
) -> None:
    """Of equally new rows the last one, regardless of the size of the chunks."""
    options = Options(checkpoint_rows=checkpoint_rows, batch_size=1)

    assert run_counts(conn, csv_bytes(*DUPLICATES), options=options) == counts
    assert stored(conn, APPOINTMENT_TABLE)["A"]["sale_amount"] == Decimal(4)


def test_each_row_is_counted_once_in_outcome_and_history(conn: Connection) -> None:
    """Promise 1, with a row of each kind."""
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
    assert (newest_import(conn).counts, newest_import(conn).processed) == (
        counts,
        len(MIXED),
    )


def test_invalid_rows_are_rejected_with_all_problems_and_the_rest_is_imported(
    conn: Connection,
) -> None:
    """The rejects file goes to a person, who corrects the rows and uploads them again."""
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
    assert [(reject.line, reject.problems) for reject in outcome.rejects] == [
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
    assert newest_import(conn).report_location == "s3://reports/1/"
    assert newest_import(conn).status == "completed"


def test_unknown_columns_are_listed_once_and_ignored(conn: Connection) -> None:
    """SalesPro adds columns without notice."""
    rows = [{**row, "mood": "good", " Weather ": "fair"} for row in appointments(3)]

    outcome = run(conn, csv_bytes(*rows))

    assert outcome.ignored == ("mood", "Weather")
    assert outcome.counts == Counts(created=3)

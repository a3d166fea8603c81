"""The error budget: a file above it is refused before anything of it is written."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.csv_reader import row_blocks
from salespro_core.errors import (
    ClaimHeld,
    ClaimLost,
    ConfigError,
    ObjectUnavailable,
    OutOfTime,
    TooManyRejects,
)
from salespro_core.importer import validation
from salespro_core.importer.callbacks import NO_CALLBACKS, ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.importer.validation import SHOWN_REJECTS, validated
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import Problem, Reject
from salespro_core.postgres import connection
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.json_report import as_json, outcome_fields
from salespro_core.report.text_report import as_text
from salespro_core.sync_history import claims
from salespro_core.sync_history.queries import Import, latest_import
from tests.support.builders import (
    APPOINTMENT,
    CANARY,
    appointment,
    csv_bytes,
    items_of,
    upload,
)
from tests.support.import_runs import (
    comparable,
    dry_run,
    new_version,
    run,
)
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    TABLES,
    clear,
    contents_and_versions,
    row_versions,
    stored,
)

Row = dict[str, str]
# What nothing but rejects.csv may hold; it stands wherever a cell may be.
AMOUNT = Problem("saleAmount", "is not an amount such as 23245.09")
HEADER = list(APPOINTMENT)
NONE = Options(max_rejected_rows=0)
PASSED = Options(max_rejected_rows=1000)


def good(count: int) -> list[Row]:
    return [appointment(f"A-{i:04}") for i in range(count)]


def bad(count: int) -> list[Row]:
    cells = {"saleAmount": CANARY, "customer_nameLast": CANARY}
    return [appointment(f"B-{i:04}", **cells) for i in range(count)]


def file(rows: int, rejected: int) -> bytes:
    """So many rows, the last of them bad."""
    return csv_bytes(*good(rows - rejected), *bad(rejected), header=HEADER)


def latest(conn: Connection) -> Import:
    found = latest_import(conn)
    assert found is not None
    return found


def all_but_the_history(conn: Connection) -> object:
    """What our tables hold, and where: equal only if nothing was written or locked."""
    return [
        (stored(conn, table), row_versions(conn, table))
        for table in TABLES
        if table != HISTORY_TABLE
    ]


def lease(conn: Connection) -> object:
    return list(stored(conn, HISTORY_TABLE).values())[-1]["lease_expires_at"]


class Report(NamedTuple):
    """What was published once."""

    outcome: Outcome
    text: str
    facts: dict[str, Any]
    rejects: list[list[str]]


def published(into: list[Report]) -> ImportCallbacks:
    """Hooks that keep what the edges put where people look."""

    def publish(outcome: Outcome, rejects: Rejects) -> str:
        kept = rejects.open()
        text = kept.read().decode("utf-8-sig") if kept else ""
        into.append(
            Report(
                comparable(outcome),
                as_text(outcome, "r/rejects.csv"),
                as_json(outcome, "r/rejects.csv"),
                list(csv.reader(io.StringIO(text, newline=""))),
            )
        )
        return "r/"

    return ImportCallbacks(publish=publish)


# --- how many are too many ------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "rejected", "most", "percent", "exceeded"),
    [
        pytest.param(10, 2, 3, None, None, id="below-rows"),
        pytest.param(10, 3, 3, None, None, id="at-rows"),
        pytest.param(10, 4, 3, None, "MAX_REJECTED_ROWS (3) allows", id="above-rows"),
        pytest.param(10, 0, 0, None, None, id="none-of-none"),
        pytest.param(10, 1, 0, None, "MAX_REJECTED_ROWS (0) allows", id="one-of-none"),
        pytest.param(40, 0, None, "2.5", None, id="below-percent"),
        pytest.param(40, 1, None, "2.5", None, id="at-percent"),
        pytest.param(
            39, 1, None, "2.5", "MAX_REJECTED_PERCENT (2.5) allows", id="above-percent"
        ),
        pytest.param(10, 0, None, "0", None, id="no-percent-of-none"),
        pytest.param(
            10, 1, None, "0", "MAX_REJECTED_PERCENT (0) allows", id="one-of-no-percent"
        ),
        pytest.param(3, 3, None, "100", None, id="all-of-100-percent"),
        pytest.param(
            3, 1, None, "33.333333333", "MAX_REJECTED_PERCENT (33.333333333) allows",
            id="a-third-is-more",
        ),
        pytest.param(3, 1, None, "33.333333334", None, id="a-third-is-less"),
        pytest.param(0, 0, 0, "0", None, id="empty-file"),
        pytest.param(10, 2, 2, "20", None, id="at-both"),
        pytest.param(10, 2, 1, "20", "MAX_REJECTED_ROWS (1) allows", id="above-rows-only"),
        pytest.param(
            10, 2, 2, "10", "MAX_REJECTED_PERCENT (10) allows", id="above-percent-only"
        ),
        pytest.param(
            10, 2, 1, "10",
            "MAX_REJECTED_ROWS (1) and MAX_REJECTED_PERCENT (10) allow",
            id="above-both",
        ),
    ],
)  # fmt: skip
def test_a_file_is_refused_if_more_of_its_rows_are_bad_than_may_be(
    conn: Connection,
    rows: int,
    rejected: int,
    most: int | None,
    percent: str | None,
    exceeded: str | None,
) -> None:
    """Above either of the two; what is exactly at its budget is imported."""
    options = Options(
        max_rejected_rows=most,
        max_rejected_percent=None if percent is None else Decimal(percent),
    )

    outcome = run(conn, file(rows, rejected), options=options)

    if exceeded is None:
        assert (outcome.status, outcome.error) == ("completed", None)
        assert outcome.counts == Counts(created=rows - rejected, rejected=rejected)
    else:
        start = f"{rejected} of {rows} rows would be rejected, more than {exceeded}. "
        assert str(outcome.error).startswith(start)
        assert (outcome.status, outcome.counts) == ("failed", Counts())
    assert len(stored(conn, APPOINTMENT_TABLE)) == outcome.counts.created


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(st.booleans(), max_size=12),
    most=st.none() | st.integers(0, 6),
    percent=st.none() | st.decimals(0, 100, places=1),
    checkpoint_rows=st.integers(1, 5),
)
def test_a_file_is_refused_or_imported_as_if_there_were_no_budget(
    conn: Connection,
    rows: list[bool],
    most: int | None,
    percent: Decimal | None,
    checkpoint_rows: int,
) -> None:
    clear(conn)
    data = csv_bytes(
        *(
            appointment(f"A-{place % 5}", saleAmount="1" if is_good else CANARY)
            for place, is_good in enumerate(rows)
        ),
        header=HEADER,
    )
    free = Options(checkpoint_rows=checkpoint_rows, batch_size=2)
    limited = replace(free, max_rejected_rows=most, max_rejected_percent=percent)
    rejected = rows.count(False)
    is_above = (most is not None and rejected > most) or (
        percent is not None and rejected * 100 > percent * len(rows)
    )

    outcome = run(conn, data, of := new_version(), options=limited)

    written = table(conn)
    clear(conn)
    expected = run(conn, data, of, options=free)
    if is_above:
        assert (outcome.status, outcome.counts) == ("failed", Counts())
        assert written == {}
    else:
        assert outcome == expected
        assert written == table(conn)


def table(conn: Connection) -> dict[object, object]:
    """The appointments, without when they were imported."""
    rows = stored(conn, APPOINTMENT_TABLE)
    return {key: row | {"imported_at": None} for key, row in rows.items()}


# --- what a refused file leaves behind ------------------------------------------------

MIXED = [
    appointment("A-1"),
    appointment("A-2", saleAmount=CANARY, isSale=CANARY),
    appointment("A-3", resultFullString=f"{CANARY}\nin two lines"),
    appointment("", customer_nameLast=CANARY),
    appointment("A-4"),
]
TOLD = (
    "2 of 5 rows would be rejected, more than MAX_REJECTED_ROWS (1) allows. Nothing was "
    "imported. The first: line 3: isSale is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N), "
    "saleAmount is not an amount such as 23245.09; line 6: _id is empty. Correct them in "
    "the file (rejects.csv has them all) or raise the setting; then upload the file again."
)
ONE = Options(max_rejected_rows=1, checkpoint_rows=1)


def test_nothing_of_a_refused_file_is_written_but_why(conn: Connection) -> None:
    """The outcome, the report and the history say the same; no row was processed."""
    run(conn, csv_bytes(appointment("A-1", saleAmount="1")))
    before = all_but_the_history(conn)
    reports: list[Report] = []

    outcome = run(
        conn,
        csv_bytes(*MIXED),
        of := new_version(),
        options=ONE,
        callbacks=published(reports),
    )

    assert outcome == Outcome(
        upload=of,
        status="failed",
        is_dry_run=False,
        seconds=0.0,
        sync_type="csv_appointments",
        attempts=1,
        rejects=(
            Reject(
                3,
                (
                    Problem("isSale", "is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)"),
                    AMOUNT,
                ),
                tuple(MIXED[1].values()),
            ),
            Reject(6, (Problem("_id", "is empty"),), tuple(MIXED[3].values())),
        ),
        error=TOLD,
    )
    assert [report.outcome for report in reports] == [outcome]
    assert all_but_the_history(conn) == before
    noted = latest(conn)
    assert noted == Import(
        id=noted.id,
        sync_type="csv_appointments",
        status="failed",
        is_interrupted=False,
        started_at=noted.started_at,
        completed_at=noted.completed_at,
        processed=0,
        counts=Counts(),
        attempts=1,
        file_path=of.location,
        report_location="r/",
        error_message=TOLD,
    )
    assert lease(conn) is None


def test_the_history_and_the_report_of_a_refused_file_hold_no_cell(
    conn: Connection,
) -> None:
    """Cells are personal data; they are in rejects.csv, where they are corrected."""
    reports: list[Report] = []

    outcome = run(conn, csv_bytes(*MIXED), options=ONE, callbacks=published(reports))

    [report] = reports
    row = list(stored(conn, HISTORY_TABLE).values())[-1]
    assert CANARY in str(report.rejects)
    for told in (
        row,
        report.text,
        report.facts,
        outcome_fields(outcome),
        outcome.error,
    ):
        assert CANARY not in str(told)


def test_the_report_of_a_refused_file_is_the_verdict_and_its_first_rejects(
    conn: Connection,
) -> None:
    reports: list[Report] = []

    run(conn, csv_bytes(*MIXED), upload(), options=ONE, callbacks=published(reports))

    [report] = reports
    assert (
        report.text
        == f"""\
s3://salespro-uploads/SalesPro2025-06-18.csv is refused. {TOLD}

Would be rejected, the first 2:
  line 3: isSale is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N); \
saleAmount is not an amount such as 23245.09
  line 6: _id is empty
All that were found, to be corrected in the file: r/rejects.csv"""
    )
    json.dumps(report.facts)
    assert (report.facts["status"], report.facts["error"]) == ("failed", TOLD)
    assert (report.facts["processed"], report.facts["rejected"]) == (0, 0)
    assert [one["line"] for one in report.facts["rejects"]] == [3, 6]
    assert report.facts["rejects_file"] == "r/rejects.csv"


def test_the_rejects_file_has_all_bad_rows_each_once(
    conn: Connection, database_url: str
) -> None:
    """Who corrects a file wants to do it in one round, and not budget by budget."""
    rows = [row for pair in zip(good(250), bad(250), strict=True) for row in pair]
    reports: list[Report] = []
    callbacks = published(reports)

    run(conn, csv_bytes(*rows), options=NONE, callbacks=callbacks)
    run(conn, csv_bytes(*rows), options=PASSED, callbacks=callbacks)
    dry_run(database_url, csv_bytes(*rows), options=NONE, callbacks=callbacks)

    lines = [str(2 * place + 3) for place in range(250)]
    for report in reports:
        assert [row[0] for row in report.rejects] == ["reject_line", *lines]
        assert len(report.outcome.rejects) == 100
    assert [report.outcome.status for report in reports] == [
        "failed",
        "completed",
        "failed",
    ]


def test_only_the_first_reasons_are_in_the_error(conn: Connection) -> None:
    """It is read in a log line and in a cell of the history."""
    # Any label of a column that the table does not know, and cells that are not UTF-8.
    label = "note " * 1000
    data = f"_id,{label}\r\n".encode() + b"A,\xff\r\n" * 9

    error = str(run(conn, data, options=NONE).error)

    assert [f"line {line}: note" in error for line in (2, 3, 4, 5)] == [
        *[True] * SHOWN_REJECTS,
        False,
    ]
    assert len(error) < 1000


# --- another delivery, another version ------------------------------------------------


def test_a_redelivery_of_a_refused_file_looks_at_it_once_more(conn: Connection) -> None:
    """As with any refused file; with a larger budget it is imported then."""
    of, data = new_version(), file(10, 2)
    first = run(conn, data, of, options=NONE)

    again = run(conn, data, of, options=NONE)
    noted = latest(conn)
    raised = run(conn, data, of, options=Options(max_rejected_rows=2))

    assert again == replace(first, attempts=2)
    assert (noted.status, noted.error_message) == ("failed", first.error)
    assert (raised.status, raised.attempts) == ("completed", 3)
    assert raised.counts == Counts(created=8, rejected=2)
    assert (latest(conn).counts, latest(conn).error_message) == (raised.counts, None)


def test_a_corrected_file_is_imported(conn: Connection) -> None:
    """Under the same name: another version is another file."""
    data = file(10, 2)
    refused = run(conn, data, options=NONE)

    corrected = run(conn, data.replace(CANARY.encode(), b"1"), options=NONE)

    assert (refused.status, corrected.status) == ("failed", "completed")
    assert corrected.counts == Counts(created=10)


class Counted(Pieces):
    """Counts what is read of it.

    Attributes:
        read_bytes: those of all readings together.
        rewinds: how often the start was sought.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.read_bytes = self.rewinds = 0

    def read(self, size: int | None = -1) -> bytes:
        """The next bit."""
        piece = super().read(size)
        self.read_bytes += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Another reading begins."""
        self.rewinds += 1
        return super().seek(offset, whence)


class SecondReadingBreaks(Counted):
    """Whole when it is validated, and cut off in the middle when it is imported."""

    def read(self, size: int | None = -1) -> bytes:
        """The next bit."""
        if self.rewinds and self.tell() > len(self.getvalue()) // 2:
            raise ObjectUnavailable("S3 cut the body off.")
        return super().read(size)


@pytest.mark.parametrize("attempt", [import_upload, dry_run_upload])
@pytest.mark.parametrize(
    ("options", "readings"), [(Options(), 1), (PASSED, 2)], ids=["without", "with"]
)
def test_without_a_budget_a_file_is_read_once(
    conn: Connection,
    attempt: Callable[..., Outcome],
    options: Options,
    readings: int,
) -> None:
    """Nobody pays for what is not set."""
    data = file(100, 50)
    stream = Counted(data)

    outcome = attempt(conn, new_version(), stream, options=options)

    assert outcome.counts == Counts(created=50, rejected=50)
    assert stream.read_bytes == readings * len(data)
    assert stream.rewinds == readings - 1


def test_what_has_a_checkpoint_is_not_validated_again(conn: Connection) -> None:
    """An earlier attempt passed, and its rows are in the table."""
    of, data = new_version(), file(100, 1)
    options = Options(max_rejected_rows=1, checkpoint_rows=10)
    with pytest.raises(ObjectUnavailable):
        import_upload(conn, of, SecondReadingBreaks(data), options=options)
    half = latest(conn)
    stream = Counted(data)

    outcome = import_upload(
        conn, of, stream, options=replace(options, max_rejected_rows=0)
    )

    assert 0 < half.processed < 100
    assert (outcome.status, outcome.resumed_at) == ("completed", half.processed)
    assert outcome.counts == Counts(created=99, rejected=1)
    assert (stream.read_bytes, stream.rewinds) == (len(data), 0)


def test_what_was_interrupted_before_its_first_commit_is_validated_again(
    conn: Connection,
) -> None:
    """The budget may have been lowered, and nothing of the file is written."""
    of, data = new_version(), file(20, 1)
    with pytest.raises(ObjectUnavailable):
        import_upload(conn, of, SecondReadingBreaks(data), options=PASSED)

    outcome = run(conn, data, of, options=NONE)

    assert (outcome.status, outcome.attempts) == ("failed", 2)


# --- what is read ---------------------------------------------------------------------


def test_a_gzip_file_is_validated_and_imported(conn: Connection) -> None:
    """From its start again, behind whatever was decompressed."""
    assert run(conn, gzip.compress(file(300, 2)), options=NONE).status == "failed"
    outcome = run(conn, gzip.compress(file(300, 2)), options=PASSED)

    assert (outcome.error, outcome.counts) == (None, Counts(created=298, rejected=2))


def test_a_file_that_cannot_be_read_to_its_end_is_refused_before_it_is_written(
    conn: Connection,
) -> None:
    """Without a budget, what stands before the break would be imported."""
    rows = [appointment(f"A-{i}", resultFullString=f"{i * 7919}") for i in range(400)]
    whole = gzip.compress(csv_bytes(*bad(1), *rows))
    reports: list[Report] = []
    options = replace(PASSED, checkpoint_rows=1)

    outcome = run(
        conn, whole[: len(whole) // 2], options=options, callbacks=published(reports)
    )

    assert outcome.error is not None
    assert "gzip file is broken or cut off" in outcome.error
    assert (outcome.counts, latest(conn).status) == (Counts(), "failed")
    assert stored(conn, APPOINTMENT_TABLE) == {}
    assert [row[0] for row in reports[0].rejects] == ["reject_line", "2"]


def test_a_value_that_lenient_mode_leaves_out_rejects_no_row(conn: Connection) -> None:
    data = csv_bytes(*good(2), *bad(3), appointment("", saleAmount=CANARY))

    none = run(conn, data, options=replace(NONE, is_lenient=True))
    one = run(conn, data, options=Options(max_rejected_rows=1, is_lenient=True))

    assert str(none.error).startswith("1 of 6 rows would be rejected")
    assert (one.error, one.counts) == (None, Counts(created=5, rejected=1))
    assert one.warnings == ((str(AMOUNT), 3),)  # those of one reading


def test_a_row_that_only_postgres_refuses_is_no_part_of_the_budget(
    conn: Connection, database_url: str
) -> None:
    """That could not be known without writing it."""
    conn.execute("ALTER TABLE salespro_appointment ADD CHECK (sale_amount > 0)")
    data = csv_bytes(appointment("A"), appointment("B", saleAmount="-1"))

    foreseen = dry_run(database_url, data, options=NONE)
    outcome = run(conn, data, options=NONE)

    assert foreseen.counts == outcome.counts == Counts(created=1, rejected=1)
    assert (foreseen.status, outcome.status) == ("completed", "completed")


# --- dry runs -------------------------------------------------------------------------


@pytest.mark.parametrize("options", [NONE, ONE, PASSED], ids=["none", "one", "passed"])
def test_a_dry_run_says_what_the_import_will_say(
    conn: Connection, database_url: str, options: Options
) -> None:
    """It is refused with the same error, or has the same counts; and touches nothing."""
    run(conn, csv_bytes(appointment("A-1", saleAmount="1")))
    before = contents_and_versions(conn)
    reports: list[Report] = []
    callbacks = published(reports)
    of = new_version()

    foreseen = dry_run(
        database_url, csv_bytes(*MIXED), of, options=options, callbacks=callbacks
    )

    assert contents_and_versions(conn) == before
    done = run(conn, csv_bytes(*MIXED), of, options=options, callbacks=callbacks)
    assert replace(foreseen, changes=()) == replace(done, is_dry_run=True, attempts=0)
    assert reports[0].rejects == reports[1].rejects
    assert (done.status == "failed") == (options is not PASSED)


# --- a validation that takes long -----------------------------------------------------

BY_TEN = Options(max_rejected_rows=0, checkpoint_rows=10)


# Of the file; the reader takes 8 KB at a time, so that rows pass in between.
STEP_BYTES = 32 * 1024


class Watched(Counted):
    """Has something done now and then while it is read for the first time."""

    def __init__(self, data: bytes, doing: Callable[[], None]) -> None:
        super().__init__(data)
        self._doing = doing
        self._steps = 0

    def read(self, size: int | None = -1) -> bytes:
        """The next bit."""
        if not self.rewinds and self.read_bytes // STEP_BYTES > self._steps:
            self._steps += 1
            self._doing()
        return super().read(size)


def test_a_slow_validation_keeps_its_lease(
    conn: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is committed meanwhile that would renew it; somebody would take over."""
    monkeypatch.setattr(validation, "RENEW_AFTER_S", 0)
    monkeypatch.setattr(row_blocks, "BLOCK_CHARACTERS", 8 * 1024)  # less than a step
    of = new_version()
    held: list[int] = []
    with connection.connect(database_url) as other:

        def run_out() -> None:
            if held:
                with pytest.raises(ClaimHeld):
                    claims.claim(other, of)
            other.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")
            held.append(1)

        outcome = import_upload(
            conn, of, Watched(file(2000, 0), run_out), options=BY_TEN
        )

    assert (outcome.attempts, outcome.counts) == (1, Counts(created=2000))
    assert len(held) > 5


def test_a_quick_validation_writes_nothing_at_all(
    conn: Connection, database_url: str
) -> None:
    """The lease was renewed when the export was recognised, and holds for two minutes."""
    seen: list[object] = []
    with connection.connect(database_url) as other:
        note = Watched(file(2000, 0), lambda: seen.append(contents_and_versions(other)))

        import_upload(conn, new_version(), note, options=BY_TEN)

    assert len(seen) > 5
    assert all(each == seen[0] for each in seen)


def test_the_lease_is_renewed_now_and_then_and_not_at_each_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each renewal is a commit."""
    monkeypatch.setattr(validation, "RENEW_AFTER_S", 0.05)
    stream = io.BytesIO(file(200, 0))
    options = replace(PASSED, checkpoint_rows=1)
    renewals: list[float] = []

    def slow() -> float:
        time.sleep(0.001)
        return math.inf

    with Rejects() as rejects:
        reader = ExportReader(stream, options.exports, rejects, is_lenient=False)
        started = time.monotonic()
        validated(
            reader,
            stream,
            rejects,
            options,
            remaining_s=slow,
            renew_lease=lambda: renewals.append(time.monotonic()),
        )
        took_s = time.monotonic() - started

    assert 2 <= len(renewals) <= took_s / 0.05


def test_the_lease_is_renewed_well_before_it_runs_out() -> None:
    assert claims.LEASE.total_seconds() > validation.RENEW_AFTER_S * 2


def test_a_validation_that_was_taken_over_stops(
    conn: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It froze, and its lease ran out: what follows is its successor's."""
    monkeypatch.setattr(validation, "RENEW_AFTER_S", 0)
    of = new_version()
    taken: list[int] = []
    with connection.connect(database_url) as other:

        def take_over() -> None:
            if not taken:
                other.execute(
                    "UPDATE salespro_sync_history SET lease_expires_at = now()"
                )
                taken.append(claims.claim(other, of).attempt)

        with pytest.raises(ClaimLost):
            import_upload(conn, of, Watched(file(2000, 0), take_over), options=BY_TEN)

    assert taken == [2]
    assert (latest(conn).status, latest(conn).is_interrupted) == ("in_progress", False)
    assert stored(conn, APPOINTMENT_TABLE) == {}


LATE = (
    "The validation for MAX_REJECTED_ROWS or MAX_REJECTED_PERCENT did not come to its end "
    "in the time there was; it got as far as row 30. It cannot go on from there: give the "
    "function more memory, which is more CPU too, or unset them."
)


def time_for(checks: int) -> ImportCallbacks:
    """There is time, so often as it is asked for."""
    left = iter([60.0] * checks)
    return ImportCallbacks(remaining_s=lambda: next(left, 0.0))


def test_a_validation_that_runs_out_of_time_says_what_to_do(conn: Connection) -> None:
    """It leaves no checkpoint; the next delivery starts anew, and may at once."""
    of, data = new_version(), file(100, 0)

    with pytest.raises(OutOfTime) as stopped:
        # Twice for the statements before it.
        run(conn, data, of, options=BY_TEN, callbacks=time_for(4))
    noted, freed = latest(conn), lease(conn)
    again = run(conn, data, of, options=BY_TEN)

    assert str(stopped.value) == LATE
    assert (noted.status, noted.processed, noted.error_message) == (
        "in_progress",
        0,
        None,
    )
    assert (noted.is_interrupted, freed) == (True, None)
    assert (again.attempts, again.counts) == (2, Counts(created=100))


def test_a_dry_run_that_runs_out_of_time_in_its_validation_says_what_to_do(
    conn: Connection, database_url: str
) -> None:
    """To try it again would not help: it is reported on like a file that is refused."""
    reports: list[Report] = []
    # Twice for the clocks on its connection.
    callbacks = replace(time_for(5), publish=published(reports).publish)
    before = contents_and_versions(conn)

    outcome = dry_run(database_url, file(100, 1), options=BY_TEN, callbacks=callbacks)

    assert (outcome.status, outcome.error) == ("failed", LATE)
    assert outcome.is_unfinished
    assert [report.outcome for report in reports] == [outcome]
    assert contents_and_versions(conn) == before


def test_a_file_of_one_checkpoint_is_imported_however_short_the_time_is(
    conn: Connection,
) -> None:
    """Each attempt gets one commit further; here that is all of the file."""
    with pytest.raises(OutOfTime, match="after 9 rows"):
        run(
            conn, file(9, 0), of := new_version(), options=BY_TEN, callbacks=time_for(0)
        )

    assert run(conn, file(9, 0), of, options=BY_TEN).counts == Counts(created=9)


# --- what cannot be read twice --------------------------------------------------------

ONCE = (
    "MAX_REJECTED_ROWS and MAX_REJECTED_PERCENT need a file that can be read twice, which "
    "a pipe cannot: import a file, or unset them"
)


@contextmanager
def pipe(data: bytes) -> Iterator[BinaryIO]:
    """These bytes, few enough for the pipe to hold them, as from another program."""
    ours, theirs = os.pipe()
    with open(theirs, "wb") as writing:  # noqa: PTH123 -- no path
        writing.write(data)
    with open(ours, "rb") as reader:  # noqa: PTH123 -- no path
        yield reader


def test_a_pipe_cannot_be_validated(conn: Connection, database_url: str) -> None:
    """It would be empty when it is to be imported."""
    with pipe(file(5, 0)) as stream, pytest.raises(ConfigError) as imported:
        import_upload(conn, new_version(), stream, options=NONE)
    noted = latest(conn)
    with (
        pipe(file(5, 0)) as stream,
        connection.connect(database_url) as own,
        pytest.raises(ConfigError) as tried,
    ):
        dry_run_upload(own, new_version(), stream, options=NONE)
    with pipe(file(5, 0)) as stream:
        free = import_upload(conn, new_version(), stream)

    assert str(imported.value) == str(tried.value) == ONCE
    assert (noted.status, noted.error_message) == ("failed", ONCE)
    assert free.counts == Counts(created=5)


# --- the function itself --------------------------------------------------------------


def test_who_handles_the_error_gets_the_numbers() -> None:
    stream = io.BytesIO(file(12, 3))
    with Rejects() as rejects:
        reader = ExportReader(stream, NONE.exports, rejects, is_lenient=False)

        with pytest.raises(TooManyRejects) as refused:
            validated(
                reader, stream, rejects, NONE, remaining_s=NO_CALLBACKS.remaining_s
            )

        assert (rejects.count, refused.value.retryable) == (3, False)


def test_what_has_passed_is_read_anew_without_the_rejects_of_the_validation() -> None:
    stream = io.BytesIO(file(12, 3))
    with Rejects() as rejects:
        first = ExportReader(stream, PASSED.exports, rejects, is_lenient=False)

        again = validated(
            first, stream, rejects, PASSED, remaining_s=NO_CALLBACKS.remaining_s
        )

        assert (rejects.count, rejects.sample, rejects.open()) == (0, [], None)
        assert len(items_of(again)) == 12
        assert rejects.count == len(rejects.sample) == 3

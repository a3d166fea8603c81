"""What becomes of a row does not depend on how its file is cut into chunks and batches."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import cycle
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.errors import OutOfTime
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import SAMPLED_CHANGES, Outcome
from salespro_core.postgres.session import BOOKKEEPING
from salespro_core.records.rejects_file import Rejects
from tests.core.importer.run.random_cases import (
    CUTS,
    EXPORTS,
    ONE_BY_ONE,
    Case,
    Cut,
    random_case,
)
from tests.support.builders import CsvRow, appointment, csv_bytes
from tests.support.import_runs import dry_run, run, run_counts
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    SEEN_TABLE,
    USERS_TABLE,
    stored,
)

# Table -> when and by which import a row was created or changed, and from which version.
OF_IMPORT: dict[str, set[str]] = {
    APPOINTMENT_TABLE: {"imported_at", *BOOKKEEPING},
    USERS_TABLE: {"created_at", "updated_at", *BOOKKEEPING},
    SEEN_TABLE: {"import_id", "earlier_uploads", "earlier_imports"},
}
# Most commits of a file in these tests.
MANY = 1_000
each_export = pytest.mark.parametrize("export", EXPORTS)
examples = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
randoms = given(random=st.randoms(use_true_random=True))


@each_export
@examples
@randoms
def test_results_of_any_file_are_the_same_with_all_sizes_of_chunks_and_batches(
    conn: Connection, random: Random, export: str
) -> None:
    """The size of a chunk only decides whether an older row is sent or a duplicate."""
    case = random_case(random, EXPORTS[export])
    one_by_one = import_file(conn, case, ONE_BY_ONE)
    counts: dict[int, Counts] = {}

    for cut in CUTS:
        result = import_file(conn, case, cut)

        assert result.without_duplicates() == one_by_one.without_duplicates(), cut
        assert result.counts.stale <= one_by_one.counts.stale, cut
        # The size of a batch decides nothing.
        assert result.counts == counts.setdefault(cut.checkpoint_rows, result.counts)
    assert one_by_one.counts.duplicate == 0


@each_export
@examples
@randoms
def test_dry_run_of_any_file_has_the_result_of_the_import_with_the_same_sizes(
    conn: Connection, database_url: str, random: Random, export: str
) -> None:
    case = random_case(random, EXPORTS[export])
    cut = random.choice(CUTS)
    rejects = RejectsFile()
    case.store_rows(conn)

    predicted = dry_run(
        database_url,
        case.data(),
        case.upload(),
        options=case.options(cut),
        callbacks=ImportCallbacks(publish=rejects.publish),
    )

    result = import_file(conn, case, cut)
    assert replace(result_of(conn, predicted, rejects), tables=result.tables) == result
    assert len(predicted.stale) == min(SAMPLED_CHANGES, predicted.counts.stale)


@each_export
@examples
@randoms
def test_resumed_import_of_any_file_has_the_results_of_one_attempt(
    conn: Connection, random: Random, export: str
) -> None:
    """Each attempt commits one chunk, and cuts the rest in another way."""
    case = random_case(random, EXPORTS[export])
    one_by_one = import_file(conn, case, ONE_BY_ONE)

    resumed = import_file(conn, case, *random.choices(CUTS, k=3), commits_per_attempt=1)

    assert resumed.without_duplicates() == one_by_one.without_duplicates()


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_lenient_row_keeps_the_stored_value_if_the_older_row_before_it_is_stale(
    conn: Connection, cut: Cut
) -> None:
    """The older row has a value for the cell that is invalid in the newer row."""
    run_counts(conn, csv_bytes(row("00:00:10", "7.00")))
    data = csv_bytes(row("00:00:05", "5.00"), row("00:00:11", "n/a"))

    counts = run_counts(conn, data, options=Case().options(cut))

    assert stored_amount(conn) == Decimal(7)
    assert counts == Counts(updated=1, stale=1)


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_lenient_row_gets_the_value_of_the_older_row_before_it_if_that_is_not_stale(
    conn: Connection, cut: Cut
) -> None:
    run_counts(conn, csv_bytes(row("00:00:01", "7.00")))
    data = csv_bytes(row("00:00:05", "5.00"), row("00:00:11", "n/a"))

    counts = run_counts(conn, data, options=Case().options(cut))

    assert stored_amount(conn) == Decimal(5)
    assert counts == Counts(updated=2)


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_older_row_that_postgres_refuses_is_rejected_and_the_newer_one_is_written(
    conn: Connection, cut: Cut
) -> None:
    """The newer row omits the value that a constraint of the warehouse refuses."""
    conn.execute("ALTER TABLE salespro_appointment ADD CHECK (sale_amount < 100)")
    run_counts(conn, csv_bytes(row("00:00:01", "7.00")))
    data = csv_bytes(row("00:00:05", "500.00"), row("00:00:11", "n/a"))

    outcome = run(conn, data, options=Case().options(cut))

    assert stored_amount(conn) == Decimal(7)
    assert outcome.counts == Counts(updated=1, rejected=1)
    assert [reject.line for reject in outcome.rejects] == [2]


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of an import or a dry run.

    Attributes:
        tables: the rows of each table, without the times of the import.
        rejects: the rejects file.
        warnings: sorted.
    """

    tables: dict[str, list[dict[str, object]]]
    counts: Counts
    rejects: bytes
    status: str
    error: str | None
    warnings: list[tuple[str, int]]

    def without_duplicates(self) -> Result:
        """The result as far as it does not depend on the size of the chunks.

        A duplicate would be updated, unchanged or stale if it was sent, and the next
        record of its key would be compared with its values.
        """
        counts = Counts(
            created=self.counts.created,
            updated=self.counts.processed - self.counts.created - self.counts.rejected,
            rejected=self.counts.rejected,
        )
        return replace(self, counts=counts)


class RejectsFile:
    """The bytes of the rejects file that was published last."""

    data: bytes = b""

    def publish(self, _: Outcome, rejects: Rejects) -> None:
        """Keep the bytes of the file."""
        file = rejects.open()
        self.data = file.read() if file else b""


class CommitLimit:
    """Leaves an attempt no time after so many commits."""

    def __init__(self, commits: int) -> None:
        # on_commit is called once before the first commit.
        self._calls = commits + 1

    def on_commit(self, _: Outcome) -> None:
        """Count a commit."""
        self._calls -= 1

    def remaining_s(self) -> float:
        """Return 0 after the last commit."""
        return 60.0 if self._calls > 0 else 0.0


def import_file(
    conn: Connection, case: Case, *cuts: Cut, commits_per_attempt: int = MANY
) -> Result:
    """Store the rows of the case, and import its file in as many attempts as it takes.

    Args:
        conn: its tables are emptied first.
        case: what to import.
        cuts: that of the first attempt, of the second, and so on; then the first again.
        commits_per_attempt: an attempt has no time left after so many commits.
    """
    case.store_rows(conn)
    of, rejects = case.upload(), RejectsFile()
    for cut in cycle(cuts):
        limit = CommitLimit(commits_per_attempt)
        callbacks = ImportCallbacks(
            publish=rejects.publish,
            on_commit=limit.on_commit,
            remaining_s=limit.remaining_s,
        )
        with suppress(OutOfTime):
            outcome = run(
                conn, case.data(), of, options=case.options(cut), callbacks=callbacks
            )
            return result_of(conn, outcome, rejects)
    raise AssertionError("there is no cut")


def result_of(conn: Connection, outcome: Outcome, rejects: RejectsFile) -> Result:
    return Result(
        tables={
            table: [
                {name: value for name, value in row.items() if name not in times}
                for row in stored(conn, table).values()
            ]
            for table, times in OF_IMPORT.items()
        },
        counts=outcome.counts,
        rejects=rejects.data,
        status=outcome.status,
        error=outcome.error,
        warnings=sorted(outcome.warnings),
    )


def row(time: str, amount: str) -> CsvRow:
    return appointment("a1", _updated_at=f"2025-06-07T{time}Z", saleAmount=amount)


def stored_amount(conn: Connection) -> object:
    return stored(conn, APPOINTMENT_TABLE)["a1"]["sale_amount"]

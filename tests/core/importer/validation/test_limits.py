"""Which files exceed the error budget, and which rows count for it."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.errors import TooManyRejects
from salespro_core.importer.callbacks import NO_CALLBACKS
from salespro_core.importer.options import Options
from salespro_core.importer.validation import validated
from salespro_core.model.counts import Counts
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.importer.inputs import stored_appointments
from tests.core.importer.validation.files import (
    AMOUNT_PROBLEM,
    HEADER,
    NO_REJECTS,
    file_with_rejects,
    invalid_rows,
    valid_rows,
)
from tests.support.builders import CANARY, appointment, csv_bytes
from tests.support.import_runs import dry_run, new_version, run
from tests.support.table_contents import APPOINTMENT_TABLE, clear, stored


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
def test_file_is_refused_only_if_rejects_exceed_a_limit(
    conn: Connection,
    rows: int,
    rejected: int,
    most: int | None,
    percent: str | None,
    exceeded: str | None,
) -> None:
    """Either limit is enough; a file exactly at its limit is imported."""
    options = Options(
        max_rejected_rows=most,
        max_rejected_percent=None if percent is None else Decimal(percent),
    )

    outcome = run(conn, file_with_rejects(rows, rejected), options=options)

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
def test_any_file_is_refused_or_imported_as_without_a_budget(
    conn: Connection,
    rows: list[bool],
    most: int | None,
    percent: Decimal | None,
    checkpoint_rows: int,
) -> None:
    clear(conn)
    data = csv_bytes(
        *(
            appointment(f"A-{index % 5}", saleAmount="1" if is_good else CANARY)
            for index, is_good in enumerate(rows)
        ),
        header=HEADER,
    )
    unlimited = Options(checkpoint_rows=checkpoint_rows, batch_size=2)
    limited = replace(unlimited, max_rejected_rows=most, max_rejected_percent=percent)
    rejected = rows.count(False)
    is_exceeded = (most is not None and rejected > most) or (
        percent is not None and rejected * 100 > percent * len(rows)
    )

    outcome = run(conn, data, upload_ := new_version(), options=limited)

    written = stored_appointments(conn)
    clear(conn)
    expected = run(conn, data, upload_, options=unlimited)
    if is_exceeded:
        assert (outcome.status, outcome.counts) == ("failed", Counts())
        assert written == []
    else:
        assert outcome == expected
        assert written == stored_appointments(conn)


def test_invalid_cells_in_lenient_mode_do_not_count_as_rejects(
    conn: Connection,
) -> None:
    data = csv_bytes(
        *valid_rows(2), *invalid_rows(3), appointment("", saleAmount=CANARY)
    )

    no_rejects = run(conn, data, options=replace(NO_REJECTS, is_lenient=True))
    one_reject = run(conn, data, options=Options(max_rejected_rows=1, is_lenient=True))

    assert str(no_rejects.error).startswith("1 of 6 rows would be rejected")
    assert (one_reject.error, one_reject.counts) == (
        None,
        Counts(created=5, rejected=1),
    )
    assert one_reject.warnings == ((str(AMOUNT_PROBLEM), 3),)  # counted in one pass


def test_rows_refused_by_postgres_do_not_count_for_the_budget(
    conn: Connection, database_url: str
) -> None:
    """They are only found by writing them."""
    conn.execute("ALTER TABLE salespro_appointment ADD CHECK (sale_amount > 0)")
    data = csv_bytes(appointment("A"), appointment("B", saleAmount="-1"))

    predicted = dry_run(database_url, data, options=NO_REJECTS)
    outcome = run(conn, data, options=NO_REJECTS)

    assert predicted.counts == outcome.counts == Counts(created=1, rejected=1)
    assert (predicted.status, outcome.status) == ("completed", "completed")


def test_file_over_the_budget_raises_an_error_that_is_not_retryable() -> None:
    stream = io.BytesIO(file_with_rejects(12, 3))
    with Rejects() as rejects:
        reader = ExportReader(stream, NO_REJECTS.exports, rejects, is_lenient=False)

        with pytest.raises(TooManyRejects) as refused:
            validated(
                reader,
                stream,
                rejects,
                NO_REJECTS,
                remaining_s=NO_CALLBACKS.remaining_s,
            )

        assert (rejects.count, refused.value.retryable) == (3, False)

"""The summary of a file is exact, in bounded memory."""

from __future__ import annotations

import io
import random
from decimal import Decimal

import pytest

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.file_summary import Day, FileSummary, Rep
from salespro_core.records import summary_builder
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.support import paths
from tests.support.builders import APPOINTMENT, CsvRow, appointment, csv_bytes, user

SAMPLE = paths.SAMPLE_EXPORT
BOB = {
    "salesrep.email": "bob@example.com",
    "salesrep.nameFirst": "",
    "salesrep.nameLast": "",
}


def summary_or_none(
    body: bytes, *, rows: int = 7, is_lenient: bool = False
) -> FileSummary | None:
    with Rejects() as rejects:
        stream = io.BytesIO(body)
        exports = (APPOINTMENTS, USERS)
        reader = ExportReader(stream, exports, rejects, is_lenient=is_lenient)
        while reader.read_rows(rows):
            pass
        return reader.file_summary()


def summary_of(body: bytes, *, rows: int = 7, is_lenient: bool = False) -> FileSummary:
    summary = summary_or_none(body, rows=rows, is_lenient=is_lenient)
    assert summary is not None
    return summary


def appointment_on(day: int, key: str = "A", **cells: str) -> CsvRow:
    return appointment(key, _created_at=f"2025-06-{day:02}T23:59:59.999Z", **cells)


ROWS = [
    appointment_on(6),
    appointment_on(6, saleAmount=""),
    appointment_on(7, isSale="FALSE", saleAmount="99"),
    appointment_on(7, saleAmount="-2.5") | BOB,
    appointment_on(9, isSale="") | BOB,
    appointment_on(9, salesrep_email=""),
    appointment(_created_at=""),
    appointment_on(9, salesrep_email="ANN.LEE@example.com", salesrep_nameFirst="", saleAmount="$1,000.00"),
    appointment_on(9, saleAmount="bad"),
]  # fmt: skip


@pytest.mark.parametrize("order", [None, 1, 2, 3], ids=["as-is", "a", "b", "c"])
@pytest.mark.parametrize("rows", [1, 2, 100])
def test_each_valid_row_is_counted_in_any_order(order: int | None, rows: int) -> None:
    shuffled = list(ROWS)
    if order is not None:
        random.Random(order).shuffle(shuffled)
        # The first name of a rep is shown; the row with the name "Lee" must be last.
        shuffled.sort(key=lambda row: row["salesrep.email"].startswith("ANN"))

    assert summary_of(csv_bytes(*shuffled), rows=rows) == FileSummary(
        rows=8,
        sales=6,
        amounts=5,
        revenue=Decimal("1035.00"),
        least=Decimal("-2.50"),
        most=Decimal(1000),
        days=(
            Day(
                day="2025-06-06",
                appointments=2,
                sales=2,
                revenue=Decimal("12.50"),
            ),
            Day(
                day="2025-06-07",
                appointments=2,
                sales=1,
                revenue=Decimal("-2.50"),
            ),
            Day(
                day="2025-06-09",
                appointments=3,
                sales=2,
                revenue=Decimal("1012.50"),
            ),
        ),
        earlier=0,
        undated=1,
        reps=(
            Rep(
                email="ann.lee@example.com",
                name="Ann Lee",
                appointments=5,
                sales=4,
                revenue=Decimal("1025.00"),
            ),
            Rep(
                email="bob@example.com",
                name="",
                appointments=2,
                sales=1,
                revenue=Decimal("-2.50"),
            ),
        ),
        other_reps=0,
    )


def test_sample_export_has_the_numbers_of_production() -> None:
    summary = summary_of(SAMPLE.read_bytes(), rows=500)

    assert (summary.rows, summary.sales, summary.amounts) == (2374, 530, 378)
    assert summary.revenue == Decimal("8786643.34")
    assert summary.average == Decimal("23245.09")
    assert f"{summary.conversion:.3f}" == "0.223"
    assert [summary.days[0].day, summary.days[-1].day] == ["2025-06-06", "2025-06-16"]


def test_lenient_rows_are_counted() -> None:
    body = csv_bytes(
        appointment_on(6),
        appointment_on(6, saleAmount="bad"),
        appointment(_created_at="bad"),
    )

    summary = summary_of(body, is_lenient=True)

    assert (summary.rows, summary.amounts, summary.undated) == (3, 2, 1)


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        pytest.param(("_created_at",), {"days": (), "undated": 0}, id="days"),
        pytest.param(
            ("isSale",), {"sales": None, "amounts": None, "revenue": None}, id="sales"
        ),
        pytest.param(("saleAmount",), {"amounts": None, "revenue": None}, id="amounts"),
        pytest.param(("salesrep.email",), {"reps": (), "other_reps": 0}, id="reps"),
        pytest.param(
            tuple(set(APPOINTMENT) - {"_id"}),
            {"rows": 1, "sales": None, "conversion": None, "average": None},
            id="all",
        ),
    ],
)
def test_summary_without_a_column_has_none_of_its_numbers(
    without: tuple[str, ...], expected: dict[str, object]
) -> None:
    row = {label: cell for label, cell in appointment().items() if label not in without}

    summary = summary_of(csv_bytes(row))

    assert {name: getattr(summary, name) for name in expected} == expected


def test_users_export_has_no_summary() -> None:
    assert summary_or_none(csv_bytes(user())) is None


def test_file_with_only_a_header_has_zeros() -> None:
    summary = summary_of(csv_bytes(appointment()).splitlines(keepends=True)[0])

    assert (summary.rows, summary.sales, summary.conversion) == (0, 0, None)


def test_skipped_rows_are_counted() -> None:
    """The report is about the whole file, not about one attempt."""
    with Rejects() as rejects:
        body = csv_bytes(*(appointment_on(6) for _ in range(20)))
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=False
        )
        reader.skip(15, {}, checkpoint_rows=7)
        for _ in reader.chunks(checkpoint_rows=7, batch_size=7):
            pass
        summary = reader.file_summary()

    assert summary is not None
    assert summary.rows == 20


def test_of_many_days_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with rows in random order."""
    monkeypatch.setattr(summary_builder, "MOST_DAYS", 5)
    days = [*range(1, 29), *range(1, 29)]
    random.Random(1).shuffle(days)

    summary = summary_of(csv_bytes(*map(appointment_on, days)), rows=3)

    assert [(day_.day[-2:], day_.appointments) for day_ in summary.days] == [
        (f"{day}", 2) for day in range(24, 29)
    ]
    assert summary.earlier == 46


def test_of_many_reps_those_with_most_sales_are_kept_and_marked_inexact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(summary_builder, "MOST_REPS", 3)
    best = [appointment_on(6) for _ in range(5)]
    other_reps_rows = [
        appointment_on(6, salesrep_email=f"r{n}@example.com", isSale="no")
        for n in range(50)
    ]

    summary = summary_of(csv_bytes(*best, *other_reps_rows, *best), rows=5)

    assert (summary.other_reps, summary.are_reps_exact) == (None, False)
    assert (summary.reps[0].email, summary.reps[0].sales) == (
        "ann.lee@example.com",
        10,
    )
    assert len(summary.reps) <= 2 * 3 + 5
    assert summary.rows == 60


def test_rep_without_a_name_in_its_first_row_has_that_of_a_later_row() -> None:
    nameless = {"salesrep.nameFirst": "", "salesrep.nameLast": ""}

    summary = summary_of(
        csv_bytes(appointment("A") | nameless, appointment("B")), rows=1
    )

    assert [rep.name for rep in summary.reps] == ["Ann Lee"]


def test_export_of_users_has_no_summary() -> None:
    """Without the guard, the report would show charts of appointments without any sale."""
    assert summary_or_none(csv_bytes(user("A"), user("B"))) is None


def test_rows_of_users_are_not_summed() -> None:
    """Its columns would all be missing; counting them costs time and memory."""
    with Rejects() as rejects:
        stream = io.BytesIO(csv_bytes(*(user(f"U{n}") for n in range(20))))
        reader = ExportReader(stream, (USERS,), rejects, is_lenient=False)
        builder = summary_builder.FileSummaryBuilder(reader.layout)
        part = reader.read_rows(20)
        assert part is not None
        builder.add(part)

    assert vars(builder) == vars(summary_builder.FileSummaryBuilder(reader.layout))


def test_reps_are_in_order_of_sales_then_revenue_then_appointments_then_email() -> None:
    def rows(email: str, *amounts: str) -> list[CsvRow]:
        """A sale per amount; an appointment without a sale for `no`."""
        return [
            appointment(
                salesrep_email=f"{email}@example.com",
                isSale="FALSE" if amount == "no" else "TRUE",
                saleAmount="" if amount == "no" else amount,
            )
            for amount in amounts
        ]

    summary = summary_of(
        csv_bytes(
            *rows("f", "no"),
            *rows("e", "no"),
            *rows("h", "no", "no"),
            *rows("b", "1", "1"),
            *rows("c", "1", "1", "no"),
            *rows("a", "3"),
            *rows("g", "2", "1"),
        )
    )

    assert "".join(rep.email[0] for rep in summary.reps) == "gcbahef"


def test_days_and_reps_that_do_not_count_any_more_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file may have as many of them as rows."""
    monkeypatch.setattr(summary_builder, "MOST_DAYS", 3)
    monkeypatch.setattr(summary_builder, "MOST_REPS", 3)
    rows = [
        appointment_on(1 + number % 28, salesrep_email=f"{number}@example.com")
        for number in range(280)
    ]
    with Rejects() as rejects:
        stream = io.BytesIO(csv_bytes(*rows))
        reader = ExportReader(stream, (APPOINTMENTS,), rejects, is_lenient=False)
        builder = summary_builder.FileSummaryBuilder(reader.layout)
        while part := reader.read_rows(5):
            builder.add(part)
            kept = [each for each in vars(builder).values() if isinstance(each, dict)]

            assert len(kept) > 5
            assert max(map(len, kept)) <= max(2 * 3 + 1, len(reader.layout.columns))

"""What a file holds is counted exactly, in bounded memory."""

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
from tests.support.builders import APPOINTMENT, appointment, csv_bytes, user

Row = dict[str, str]
SAMPLE = paths.SAMPLE_EXPORT
BOB = {
    "salesrep.email": "bob@example.com",
    "salesrep.nameFirst": "",
    "salesrep.nameLast": "",
}


def held(body: bytes, *, rows: int = 7, is_lenient: bool = False) -> FileSummary | None:
    with Rejects() as rejects:
        stream = io.BytesIO(body)
        exports = (APPOINTMENTS, USERS)
        reader = ExportReader(stream, exports, rejects, is_lenient=is_lenient)
        while reader.read_rows(rows):
            pass
        return reader.file_summary()


def known(body: bytes, *, rows: int = 7, is_lenient: bool = False) -> FileSummary:
    contents = held(body, rows=rows, is_lenient=is_lenient)
    assert contents is not None
    return contents


def on(day: int, key: str = "A", **cells: str) -> Row:
    return appointment(key, _created_at=f"2025-06-{day:02}T23:59:59.999Z", **cells)


ROWS = [
    on(6),
    on(6, saleAmount=""),
    on(7, isSale="FALSE", saleAmount="99"),
    on(7, saleAmount="-2.5") | BOB,
    on(9, isSale="") | BOB,
    on(9, salesrep_email=""),
    appointment(_created_at=""),
    on(9, salesrep_email="ANN.LEE@example.com", salesrep_nameFirst="", saleAmount="$1,000.00"),
    on(9, saleAmount="bad"),
]  # fmt: skip


@pytest.mark.parametrize("order", [None, 1, 2, 3], ids=["as-is", "a", "b", "c"])
@pytest.mark.parametrize("rows", [1, 2, 100])
def test_each_row_that_can_be_read_is_counted(order: int | None, rows: int) -> None:
    """In whatever order they come, and however the file is cut."""
    shuffled = list(ROWS)
    if order is not None:
        random.Random(order).shuffle(shuffled)
        # Whose name comes first is whose name is shown.
        shuffled.sort(key=lambda row: row["salesrep.email"].startswith("ANN"))

    assert known(csv_bytes(*shuffled), rows=rows) == FileSummary(
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


def test_the_numbers_of_the_sample_are_those_of_production() -> None:
    contents = known(SAMPLE.read_bytes(), rows=500)

    assert (contents.rows, contents.sales, contents.amounts) == (2374, 530, 378)
    assert contents.revenue == Decimal("8786643.34")
    assert contents.average == Decimal("23245.09")
    assert f"{contents.conversion:.3f}" == "0.223"
    assert [contents.days[0].day, contents.days[-1].day] == ["2025-06-06", "2025-06-16"]


def test_rows_that_leave_cells_out_are_counted_too() -> None:
    body = csv_bytes(on(6), on(6, saleAmount="bad"), appointment(_created_at="bad"))

    contents = known(body, is_lenient=True)

    assert (contents.rows, contents.amounts, contents.undated) == (3, 2, 1)


@pytest.mark.parametrize(
    ("without", "nothing"),
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
def test_what_the_file_has_no_column_for_is_not_told(
    without: tuple[str, ...], nothing: dict[str, object]
) -> None:
    row = {label: cell for label, cell in appointment().items() if label not in without}

    contents = known(csv_bytes(row))

    assert {name: getattr(contents, name) for name in nothing} == nothing


def test_a_file_of_users_has_no_such_numbers() -> None:
    assert held(csv_bytes(user())) is None


def test_a_header_alone_holds_nothing() -> None:
    contents = known(csv_bytes(appointment()).splitlines(keepends=True)[0])

    assert (contents.rows, contents.sales, contents.conversion) == (0, 0, None)


def test_what_an_earlier_attempt_committed_is_counted_again() -> None:
    """A report is of the file, whatever became of the attempts."""
    with Rejects() as rejects:
        body = csv_bytes(*(on(6) for _ in range(20)))
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=False
        )
        reader.skip(15, {}, checkpoint_rows=7)
        for _ in reader.chunks(checkpoint_rows=7, batch_size=7):
            pass
        contents = reader.file_summary()

    assert contents is not None
    assert contents.rows == 20


def test_of_very_many_days_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if they come in no order at all."""
    monkeypatch.setattr(summary_builder, "MOST_DAYS", 5)
    days = [*range(1, 29), *range(1, 29)]
    random.Random(1).shuffle(days)

    contents = known(csv_bytes(*map(on, days)), rows=3)

    assert [(d.day[-2:], d.appointments) for d in contents.days] == [
        (f"{day}", 2) for day in range(24, 29)
    ]
    assert contents.earlier == 46


def test_of_very_many_reps_those_who_sold_most_are_kept_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(summary_builder, "MOST_REPS", 3)
    best = [on(6) for _ in range(5)]
    others = [on(6, salesrep_email=f"r{n}@example.com", isSale="no") for n in range(50)]

    contents = known(csv_bytes(*best, *others, *best), rows=5)

    assert (contents.other_reps, contents.are_reps_exact) == (None, False)
    assert (contents.reps[0].email, contents.reps[0].sales) == (
        "ann.lee@example.com",
        10,
    )
    assert len(contents.reps) <= 2 * 3 + 5
    assert contents.rows == 60


def test_a_rep_is_called_what_a_row_says_even_if_the_first_does_not() -> None:
    nameless = {"salesrep.nameFirst": "", "salesrep.nameLast": ""}

    contents = known(csv_bytes(appointment("A") | nameless, appointment("B")), rows=1)

    assert [rep.name for rep in contents.reps] == ["Ann Lee"]

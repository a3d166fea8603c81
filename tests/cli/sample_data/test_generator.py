"""The sample exports have the facts of the real ones, for any seed and at any size."""

import csv
import gzip
import io
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from salespro_cli.sample_data.generator import (
    APPOINTMENT_LABELS,
    USER_LABELS,
    SampleKind,
    appointments,
    users,
    write_sample,
)

OBJECT_ID = re.compile(r"[0-9A-Za-z]{10}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LOGIN_FORMS = (
    r"\d{4}-\d\d-\d\d",
    r"\d\d/\d\d/\d{4}",
    r"\d\d-\d\d-\d{4}",
    r"\d{4}/\d\d/\d\d",
)

seeds = pytest.mark.parametrize("seed", [0, 1, 2025, -7])


def as_dicts(
    labels: tuple[str, ...], rows: Iterator[list[str]]
) -> list[dict[str, str]]:
    return [dict(zip(labels, row, strict=True)) for row in rows]


def sample(rows: int, seed: int) -> list[dict[str, str]]:
    return as_dicts(APPOINTMENT_LABELS, appointments(rows, seed))


def user_sample(rows: int, seed: int) -> list[dict[str, str]]:
    return as_dicts(USER_LABELS, users(rows, seed))


def amounts_of(rows: list[dict[str, str]]) -> list[Decimal]:
    return [Decimal(row["saleAmount"]) for row in rows if row["saleAmount"]]


@seeds
def test_a_production_sized_sample_has_productions_sales_and_revenue(seed: int) -> None:
    rows = sample(2374, seed)

    sales = [row for row in rows if row["isSale"] == "TRUE"]

    assert len(rows) == 2374
    assert len(sales) == 530
    assert len(amounts_of(sales)) == 378
    assert sum(amounts_of(sales)) == Decimal("8786643.34")
    assert {row["isSale"] for row in rows} == {"TRUE", "FALSE", "false", ""}
    assert {row["saleAmount"] for row in rows if row["isSale"] != "TRUE"} == {""}


@seeds
def test_the_rows_cover_production_days_in_the_order_of_creation(seed: int) -> None:
    rows = sample(2374, seed)

    created = [row["_created_at"] for row in rows]
    days = {datetime.fromisoformat(text).date() for text in created}

    assert created == sorted(created)
    assert days == {date(2025, 6, day) for day in range(6, 17)}
    assert all(INSTANT.fullmatch(text) for text in created)


@seeds
def test_a_row_is_last_changed_after_its_creation_and_before_the_export(
    seed: int,
) -> None:
    rows = sample(2374, seed)

    lags = [
        datetime.fromisoformat(row["_updated_at"])
        - datetime.fromisoformat(row["_created_at"])
        for row in rows
    ]

    assert all(INSTANT.fullmatch(row["_updated_at"]) for row in rows)
    assert all(row["_created_at"] <= row["_updated_at"] for row in rows)
    assert max(row["_updated_at"] for row in rows) < "2025-06-18T12"
    assert 5 < sorted(lags)[len(lags) // 2].total_seconds() / 3600 < 20


@seeds
def test_amounts_are_plausible_and_most_of_them_small(seed: int) -> None:
    """The last amount is all that is left of the total; it must not stand out."""
    amounts = amounts_of(sample(2374, seed))

    mean = sum(amounts) / len(amounts)

    assert all(3_000 <= amount <= 90_000 for amount in amounts)
    assert all(amount.as_tuple().exponent == -2 for amount in amounts)
    assert sorted(amounts)[len(amounts) // 2] < mean
    assert max(amounts) > 50_000
    assert len(set(amounts)) > 370


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 9, 10, 13, 100, 237, 2375, 20_000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_size_has_the_same_proportions(rows: int, seed: int) -> None:
    drawn = sample(rows, seed)

    amounts = amounts_of(drawn)
    revenue = len(amounts) * Decimal("8786643.34") / 378

    assert len(drawn) == rows
    assert sum(row["isSale"] == "TRUE" for row in drawn) == round(rows * 530 / 2374)
    assert len(amounts) == round(rows * 378 / 2374)
    assert sum(amounts) == round(revenue, 2)
    assert all(3_000 <= amount <= 90_000 for amount in amounts)
    assert all("2025-06-06" <= row["_created_at"] < "2025-06-17" for row in drawn)
    assert all(row["_created_at"] <= row["_updated_at"] for row in drawn)


def test_few_amounts_are_as_plausible_as_many() -> None:
    """Few rows leave the last amount the least room."""
    for seed in range(300):
        amounts = amounts_of(sample(19, seed))

        assert len(amounts) == 3
        assert all(3_000 <= amount <= 90_000 for amount in amounts)


@seeds
def test_sales_are_spread_over_the_whole_export(seed: int) -> None:
    rows = sample(2000, seed)

    tenths = [rows[start : start + 200] for start in range(0, 2000, 200)]
    sales = [sum(row["isSale"] == "TRUE" for row in tenth) for tenth in tenths]

    assert all(20 < count < 75 for count in sales)
    assert len(set(sales)) > 3


@seeds
def test_results_need_a_real_csv_reader_and_agree_with_the_sale(seed: int) -> None:
    rows = sample(2374, seed)

    results = [row["resultFullString"] for row in rows]

    for awkward in (",", '"', "\n", "\r\n"):
        assert 10 < sum(awkward in result for result in results) < 600
    assert 20 < results.count("") < 300
    assert not any("{" in result for result in results)
    assert all(
        row["resultFullString"].startswith("Sold") == (row["isSale"] == "TRUE")
        for row in rows
        if row["resultFullString"]
    )


@seeds
def test_customers_are_many_and_some_cells_are_blank(seed: int) -> None:
    rows = sample(2374, seed)

    last_names = {row["customer.nameLast"] for row in rows}
    first_names = Counter(row["customer.nameFirst"] for row in rows)
    estimates = Counter(row["customer.estimateName"] for row in rows)

    assert {"Núñez", "O'Brien", "Smith-Jones"} <= last_names
    assert len(last_names) > 140
    assert len(first_names) > 110
    assert first_names[""] > 10
    assert 100 < estimates[""] < 1000
    assert any(re.fullmatch("Windows - .+", estimate) for estimate in estimates)


@pytest.mark.parametrize("kind", ["appointments", "users"])
@seeds
def test_ids_are_ten_letters_and_digits(kind: SampleKind, seed: int) -> None:
    drawn = appointments if kind == "appointments" else users

    assert all(OBJECT_ID.fullmatch(row[0]) for row in drawn(500, seed))


@pytest.mark.parametrize("seed", [1, 2])
def test_no_two_of_100_000_ids_are_equal_and_no_place_of_them_is_dull(
    seed: int,
) -> None:
    ids = [row[0] for row in appointments(100_000, seed)]

    places = [Counter(place) for place in zip(*ids[:10_000], strict=True)]

    assert len(set(ids)) == 100_000
    # 161 of each character on average.
    assert all(len(place) == 62 and max(place.values()) < 300 for place in places)


def test_user_ids_are_unique_and_the_same_for_every_seed() -> None:
    """A second sample of users is a later export of the same company."""
    ids = [row[0] for row in users(20_000, 1)]

    assert len(set(ids)) == 20_000
    assert ids[:254] == [row[0] for row in users(254, 2)]


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    assert sample(500, 7) == sample(500, 7)
    assert user_sample(254, 7) == user_sample(254, 7)
    assert {row["_id"] for row in sample(500, 7)}.isdisjoint(
        row["_id"] for row in sample(500, 8)
    )
    assert user_sample(254, 7) != user_sample(254, 8)


@seeds
def test_every_rep_is_a_user_of_the_same_name(seed: int) -> None:
    """Joins of appointments to users disregard case; so does the comparison here."""
    reps = {
        (
            row["salesrep.email"].lower(),
            row["salesrep.nameFirst"],
            row["salesrep.nameLast"],
        )
        for row in sample(2374, seed)
    }

    first_users = {
        (row["Email"], row["First Name"], row["Last Name"])
        for row in user_sample(254, seed + 1)[:60]
    }

    assert reps == first_users


@seeds
def test_some_emails_of_appointments_have_capitals(seed: int) -> None:
    emails = [row["salesrep.email"] for row in sample(2374, seed)]

    assert 100 < sum(email != email.lower() for email in emails) < 600


def test_no_two_users_share_an_email_even_when_names_run_out() -> None:
    emails = [row["Email"] for row in user_sample(40_000, 1)]

    assert len(set(emails)) == 40_000
    assert all(re.fullmatch(r"[a-z.-]+\d*@example\.com", email) for email in emails)


@seeds
def test_users_log_in_under_every_form_of_a_date_or_never(seed: int) -> None:
    logins = [row["Last Login"] for row in user_sample(254, seed)]

    by_form = {
        form: sum(bool(re.fullmatch(form, login)) for login in logins)
        for form in LOGIN_FORMS
    }

    assert all(count > 0 for count in by_form.values())
    assert by_form[r"\d\d/\d\d/\d{4}"] > 127
    assert logins.count("") > 0
    assert sum(by_form.values()) + logins.count("") == 254


@seeds
def test_users_have_the_cells_of_a_real_export(seed: int) -> None:
    rows = user_sample(254, seed)

    offices = Counter(row["Assigned Office"] for row in rows)
    with_id = [office for office in offices if "(" in office]

    assert sum(row["Active/Inactive"] == "TRUE" for row in rows) > 220
    for label in (
        "Active/Inactive",
        "Send Credit Apps",
        "Search Other Users Estimates",
    ):
        assert {row[label] for row in rows} == {"TRUE", "FALSE"}
    assert len(with_id) == 7
    assert all(
        re.fullmatch(r"[A-Z][A-Za-z ]+ \( [0-9A-Za-z]{10} \)", name) for name in with_id
    )
    assert offices["Call Center"] > 0
    assert offices[""] > 0
    assert {"", "25.00"} < {row["Additional Amount"] for row in rows}
    assert "" in {row["License Number"] for row in rows}
    assert len({row["Unique Identifier"] for row in rows}) == 254
    assert sum(row["Job Representative ID"] != "" for row in rows) == 60


@pytest.mark.parametrize(
    ("kind", "labels", "rows"),
    [
        pytest.param("appointments", APPOINTMENT_LABELS, 2374, id="appointments"),
        pytest.param("appointments", APPOINTMENT_LABELS, 0, id="no-appointments"),
        pytest.param("users", USER_LABELS, 254, id="users"),
    ],
)
def test_a_csv_reader_gets_back_every_cell(
    tmp_path: Path, kind: SampleKind, labels: tuple[str, ...], rows: int
) -> None:
    out = tmp_path / "sample.csv"
    drawn = appointments if kind == "appointments" else users

    write_sample(kind, rows, 5, out)

    text = out.read_bytes().decode("utf-8")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        list(labels),
        *drawn(rows, 5),
    ]
    assert text.startswith(",".join(labels) + "\r\n")
    assert text.endswith("\r\n")
    assert list(tmp_path.iterdir()) == [out]


def test_a_compressed_sample_is_the_plain_one_and_repeats_to_the_byte(
    tmp_path: Path,
) -> None:
    """A name or a time in gzip's header would make each run another object."""
    plain, one, two = (tmp_path / name for name in ("a.csv", "b.csv.gz", "c.csv.gz"))

    for out in (plain, one, two):
        write_sample("appointments", 300, 5, out)

    assert one.read_bytes() == two.read_bytes()
    assert gzip.decompress(one.read_bytes()) == plain.read_bytes()


def test_a_sample_replaces_the_one_before_it(tmp_path: Path) -> None:
    out = tmp_path / "sample.csv"

    write_sample("users", 254, 1, out)
    write_sample("users", 1, 1, out)

    assert out.read_bytes().count(b"\r\n") == 2


def test_a_broken_run_leaves_nothing_behind(tmp_path: Path) -> None:
    """A directory in the way, or a device: neither is to be replaced by a file."""
    out = tmp_path / "sample.csv"
    out.mkdir()

    with pytest.raises(FileExistsError):
        write_sample("users", 10, 1, out)

    assert list(tmp_path.iterdir()) == [out]


def test_what_a_link_leads_to_is_written_and_not_the_link(tmp_path: Path) -> None:
    """A link such as /dev/stdout is nobody's to replace."""
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    link.symlink_to(target)

    write_sample("users", 10, 1, link)

    assert link.is_symlink()
    assert target.stat().st_size > 0


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    tracemalloc.start()

    write_sample("appointments", 10_000, 1, tmp_path / "sample.csv")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (tmp_path / "sample.csv").stat().st_size > 1_250_000
    assert peak_bytes < 500_000

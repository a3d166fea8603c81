"""Sample appointments have the proportions of production, for any seed and size."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime
from decimal import Decimal

import pytest

from salespro_cli.sample_data.generator import appointments
from tests.cli.sample_data.samples import sample, seeds

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def amounts_of(rows: list[dict[str, str]]) -> list[Decimal]:
    return [Decimal(row["saleAmount"]) for row in rows if row["saleAmount"]]


@seeds
def test_sample_of_production_size_has_the_sales_and_revenue_of_production(
    seed: int,
) -> None:
    rows = sample(2374, seed)

    sales = [row for row in rows if row["isSale"] == "TRUE"]

    assert len(rows) == 2374
    assert len(sales) == 530
    assert len(amounts_of(sales)) == 378
    assert sum(amounts_of(sales)) == Decimal("8786643.34")
    assert {row["isSale"] for row in rows} == {"TRUE", "FALSE", "false", ""}
    assert {row["saleAmount"] for row in rows if row["isSale"] != "TRUE"} == {""}


@seeds
def test_rows_cover_the_days_of_production_in_the_order_of_creation(seed: int) -> None:
    rows = sample(2374, seed)

    created = [row["_created_at"] for row in rows]
    days = {datetime.fromisoformat(text).date() for text in created}

    assert created == sorted(created)
    assert days == {date(2025, 6, day) for day in range(6, 17)}
    assert all(INSTANT.fullmatch(text) for text in created)


@seeds
def test_last_change_is_after_creation_and_before_the_export(
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
def test_amounts_are_in_range_and_most_are_below_the_mean(seed: int) -> None:
    """The last amount is the rest of the total; it must not be an outlier."""
    amounts = amounts_of(sample(2374, seed))

    mean = sum(amounts) / len(amounts)

    assert all(3_000 <= amount <= 90_000 for amount in amounts)
    assert all(amount.as_tuple().exponent == -2 for amount in amounts)
    assert sorted(amounts)[len(amounts) // 2] < mean
    assert max(amounts) > 50_000
    assert len(set(amounts)) > 370


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 9, 10, 13, 100, 237, 2375, 20_000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sample_of_any_size_has_the_proportions_of_production(
    rows: int, seed: int
) -> None:
    generated = sample(rows, seed)

    amounts = amounts_of(generated)
    revenue = len(amounts) * Decimal("8786643.34") / 378

    assert len(generated) == rows
    assert sum(row["isSale"] == "TRUE" for row in generated) == round(rows * 530 / 2374)
    assert len(amounts) == round(rows * 378 / 2374)
    assert sum(amounts) == round(revenue, 2)
    assert all(3_000 <= amount <= 90_000 for amount in amounts)
    assert all("2025-06-06" <= row["_created_at"] < "2025-06-17" for row in generated)
    assert all(row["_created_at"] <= row["_updated_at"] for row in generated)


def test_amounts_of_a_tiny_sample_are_in_range_for_any_seed() -> None:
    """With few rows, the last amount has the least room."""
    for seed in range(300):
        amounts = amounts_of(sample(19, seed))

        assert len(amounts) == 3
        assert all(3_000 <= amount <= 90_000 for amount in amounts)


@seeds
def test_sales_are_spread_over_the_whole_file(seed: int) -> None:
    rows = sample(2000, seed)

    tenths = [rows[start : start + 200] for start in range(0, 2000, 200)]
    sales = [sum(row["isSale"] == "TRUE" for row in tenth) for tenth in tenths]

    assert all(20 < count < 75 for count in sales)
    assert len(set(sales)) > 3


@seeds
def test_results_have_commas_quotes_and_line_breaks_and_match_is_sale(
    seed: int,
) -> None:
    rows = sample(2374, seed)

    results = [row["resultFullString"] for row in rows]

    for special in (",", '"', "\n", "\r\n"):
        assert 10 < sum(special in result for result in results) < 600
    assert 20 < results.count("") < 300
    assert not any("{" in result for result in results)
    assert all(
        row["resultFullString"].startswith("Sold") == (row["isSale"] == "TRUE")
        for row in rows
        if row["resultFullString"]
    )


@seeds
def test_customers_have_many_names_and_some_empty_cells(seed: int) -> None:
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


@pytest.mark.parametrize("seed", [1, 2])
def test_100_000_ids_are_unique_and_each_position_uses_all_characters(
    seed: int,
) -> None:
    ids = [row[0] for row in appointments(100_000, seed)]

    positions = [Counter(position) for position in zip(*ids[:10_000], strict=True)]

    assert len(set(ids)) == 100_000
    # 161 of each character on average.
    assert all(
        len(position) == 62 and max(position.values()) < 300 for position in positions
    )


@seeds
def test_some_emails_of_appointments_have_upper_case_letters(seed: int) -> None:
    emails = [row["salesrep.email"] for row in sample(2374, seed)]

    assert 100 < sum(email != email.lower() for email in emails) < 600

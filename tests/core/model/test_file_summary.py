"""Figures that are derived from the sums over a file."""

from __future__ import annotations

from decimal import Decimal

import pytest

from salespro_core.model.file_summary import FileSummary


def summary(*, amounts: int | None, revenue: Decimal | None) -> FileSummary:
    return FileSummary(
        rows=4,
        sales=3,
        amounts=amounts,
        revenue=revenue,
        least=None,
        most=None,
        days=(),
        earlier=0,
        undated=0,
        reps=(),
        other_reps=0,
    )


@pytest.mark.parametrize(
    ("amounts", "revenue", "average"),
    [
        (3, Decimal("10.00"), Decimal("3.33")),
        (1, Decimal(0), Decimal("0.00")),
        (0, Decimal(0), None),
        (None, None, None),
        (2, None, None),
    ],
)
def test_average_is_of_the_sales_that_have_an_amount(
    amounts: int | None, revenue: Decimal | None, average: Decimal | None
) -> None:
    assert summary(amounts=amounts, revenue=revenue).average == average

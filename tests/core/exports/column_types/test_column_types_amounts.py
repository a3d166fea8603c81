"""Amounts: exact decimals that fit the column; Postgres reads the same value."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.exports.column_types import money
from tests.core.exports.parsing import (
    AMOUNT,
    ARABIC_ONE,
    NOT_AN_AMOUNT,
    ON_POSTGRES,
    PURE,
    TOO_MANY_DIGITS,
    is_accepted,
    parse_error,
)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("23245.09", "23245.09", id="plain"),
        pytest.param("$23,245.09", "23245.09", id="from-a-spreadsheet"),
        pytest.param("$23245.09", "23245.09", id="sign-without-commas"),
        pytest.param("23,245.09", "23245.09", id="commas-without-sign"),
        pytest.param("1,234,567", "1234567.0", id="two-commas"),
        pytest.param("-12.5", "-12.5", id="negative"),
        pytest.param("-$1,200", "-1200.0", id="negative-dollars"),
        pytest.param("12", "12.0", id="whole"),
        pytest.param("12.5", "12.5", id="one-decimal"),
        pytest.param("12.500", "12.50", id="third-decimal-is-zero"),
        pytest.param("12.000000000000", "12.00", id="many-zeros"),
        pytest.param("0", "0.0", id="zero"),
        pytest.param("-0.00", "-0.00", id="minus-zero"),
        pytest.param("007", "7.0", id="leading-zeros"),
        pytest.param("0000000000012.50", "12.50", id="leading-zeros-are-not-counted"),
        pytest.param("9999999999.99", "9999999999.99", id="largest"),
        pytest.param("-$9,999,999,999.99", "-9999999999.99", id="smallest"),
    ],
)
def test_accepted_amount_is_read_as_plain_decimal(cell: str, value: str) -> None:
    assert AMOUNT.parse(cell) == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("12.505", NOT_AN_AMOUNT, id="would-be-rounded"),
        pytest.param("12.5001", NOT_AN_AMOUNT, id="far-decimal"),
        pytest.param("12.", NOT_AN_AMOUNT, id="point-without-decimals"),
        pytest.param(".5", NOT_AN_AMOUNT, id="decimals-alone"),
        pytest.param("12.5.0", NOT_AN_AMOUNT, id="two-points"),
        pytest.param("1,23", NOT_AN_AMOUNT, id="decimal-comma"),
        pytest.param("1234,567", NOT_AN_AMOUNT, id="comma-after-four-digits"),
        pytest.param("1,234,56", NOT_AN_AMOUNT, id="comma-before-two-digits"),
        pytest.param("1,,234", NOT_AN_AMOUNT, id="two-adjacent-commas"),
        pytest.param(",234", NOT_AN_AMOUNT, id="leading-comma"),
        pytest.param("1,234567", NOT_AN_AMOUNT, id="comma-missing"),
        pytest.param("0.1,234", NOT_AN_AMOUNT, id="comma-in-decimals"),
        pytest.param("1.234,50", NOT_AN_AMOUNT, id="european"),
        pytest.param("1 234", NOT_AN_AMOUNT, id="space"),
        pytest.param("1'234", NOT_AN_AMOUNT, id="apostrophe"),
        pytest.param("$ 12", NOT_AN_AMOUNT, id="space-after-dollar"),
        pytest.param("$-12", NOT_AN_AMOUNT, id="minus-after-dollar"),
        pytest.param("--12", NOT_AN_AMOUNT, id="two-minus"),
        pytest.param("- 12", NOT_AN_AMOUNT, id="space-after-minus"),
        pytest.param("12-", NOT_AN_AMOUNT, id="minus-at-the-end"),
        pytest.param("+12", NOT_AN_AMOUNT, id="plus"),
        pytest.param("(12.50)", NOT_AN_AMOUNT, id="parentheses"),
        pytest.param("\N{MINUS SIGN}12", NOT_AN_AMOUNT, id="typographic-minus"),
        pytest.param("$", NOT_AN_AMOUNT, id="dollar-alone"),
        pytest.param("$$12", NOT_AN_AMOUNT, id="two-dollars"),
        pytest.param("12$", NOT_AN_AMOUNT, id="dollar-at-the-end"),
        pytest.param("USD 12", NOT_AN_AMOUNT, id="currency-code"),
        pytest.param("\N{EURO SIGN}12", NOT_AN_AMOUNT, id="euro"),
        pytest.param("1e5", NOT_AN_AMOUNT, id="exponent"),
        pytest.param("2.32E+4", NOT_AN_AMOUNT, id="spreadsheet-exponent"),
        pytest.param("NaN", NOT_AN_AMOUNT, id="nan"),
        pytest.param("Infinity", NOT_AN_AMOUNT, id="infinity"),
        pytest.param("1_000", NOT_AN_AMOUNT, id="underscore"),
        pytest.param("0x10", NOT_AN_AMOUNT, id="hexadecimal"),
        pytest.param(f"1{ARABIC_ONE}", NOT_AN_AMOUNT, id="arabic-digit"),
        pytest.param("\N{FULLWIDTH DIGIT ONE}2", NOT_AN_AMOUNT, id="full-width-digit"),
        pytest.param("12\N{SUPERSCRIPT TWO}", NOT_AN_AMOUNT, id="superscript"),
        pytest.param("#REF!", NOT_AN_AMOUNT, id="spreadsheet-error"),
        pytest.param("12.5\n", NOT_AN_AMOUNT, id="line-break"),
        pytest.param("12\0", NOT_AN_AMOUNT, id="nul"),
        pytest.param("10000000000", TOO_MANY_DIGITS, id="one-digit-too-many"),
        pytest.param("-$10,000,000,000.00", TOO_MANY_DIGITS, id="too-small"),
        pytest.param("1" + "0" * 5000, TOO_MANY_DIGITS, id="five-thousand-digits"),
    ],
)
def test_invalid_amount_is_refused_with_its_reason(cell: str, reason: str) -> None:
    assert parse_error(AMOUNT, cell) == reason


amounts = st.decimals("-9999999999.99", "9999999999.99", places=2)


written_amounts = st.tuples(
    amounts,
    st.sampled_from(["{0}{1:.2f}", "{0}${1:.2f}", "{0}{1:,.2f}", "{0}${1:,.2f}", "{0}{1:.5f}"]),
).map(lambda drawn: (drawn[0], drawn[1].format("-" if drawn[0].is_signed() else "", abs(drawn[0]))))  # fmt: skip


@PURE
@given(written_amounts)
def test_every_accepted_form_of_an_amount_has_the_same_value(
    written: tuple[Decimal, str],
) -> None:
    amount, cell = written

    assert Decimal(AMOUNT.parse(cell)) == amount


@PURE
@given(
    st.sampled_from(["", "-", "$", "-$"]),
    st.text("0123456789", min_size=1, max_size=13),
    st.text("0123456789", min_size=1, max_size=5),
)
def test_amount_is_accepted_exactly_if_the_column_stores_it_unrounded(
    prefix: str, whole: str, decimals: str
) -> None:
    amount = Decimal(f"{whole}.{decimals}")
    fits = amount < 10**10 and amount == round(amount, 2)

    assert is_accepted(AMOUNT, f"{prefix}{whole}.{decimals}") == fits


@ON_POSTGRES
@given(written=st.lists(written_amounts, min_size=1))
def test_postgres_reads_the_same_amount(
    conn: Connection, written: list[tuple[Decimal, str]]
) -> None:
    values = [AMOUNT.parse(cell) for _, cell in written]

    read = conn.execute(
        "SELECT %(values)s::numeric[], %(values)s::numeric(12,2)[]", {"values": values}
    ).fetchone()

    exact = [amount for amount, _ in written]
    assert read == (exact, exact)


@pytest.mark.parametrize(
    ("precision", "largest"),
    [
        pytest.param(12, "9999999999.99", id="sale-amount"),
        pytest.param(10, "99999999.99", id="additional-amount"),
    ],
)
def test_amount_with_one_digit_more_than_the_column_is_refused(
    precision: int, largest: str
) -> None:
    column_type = money(precision)

    assert column_type.parse(largest) == largest
    with pytest.raises(ValueError, match=f"more than {precision - 2} digits"):
        column_type.parse(f"1{largest}")


def test_amount_has_two_decimals_unless_declared_otherwise() -> None:
    """The columns are numeric(n, 2): another default would refuse or round amounts."""
    amount = money(4)

    assert amount.parse("12.34") == "12.34"
    assert is_accepted(amount, "99.99")
    assert amount.all_canonical is not None
    assert amount.all_canonical(["99.99"])
    assert not amount.all_canonical(["100.00"])
    assert parse_error(amount, "100.00") == "has more than 2 digits before the point"

"""The options of an import, read from environment variables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from salespro_core.errors import ConfigError
from salespro_core.importer.options import Options


def problems(**environ: str) -> tuple[str, ...]:
    """The problems that `Options.from_env` finds in this environment."""
    with pytest.raises(ConfigError) as caught:
        Options.from_env(environ)
    return caught.value.problems


def read_created_at(options: Options, text: str) -> str:
    """Parse a value of the column created_at of the appointments."""
    [column] = [c for c in options.exports[0].columns if c.name == "created_at"]
    return column.column_type.parse(text)


def test_empty_environment_gives_the_defaults() -> None:
    options = Options.from_env({})

    assert replace(options, exports=()) == Options(
        exports=(),
        batch_size=500,
        checkpoint_rows=5000,
        is_lenient=False,
        max_rejected_rows=None,
        max_rejected_percent=None,
        keep_changes_days=30,
    )
    assert not options.has_budget
    assert [export.sync_type for export in options.exports] == [
        "csv_appointments",
        "csv_users",
    ]


def test_time_without_offset_is_in_the_source_timezone() -> None:
    utc = Options.from_env({})
    new_york = Options.from_env({"SOURCE_TIMEZONE": " America/New_York "})

    text = "2025-06-06 08:00:00"
    assert read_created_at(utc, text) == "2025-06-06T08:00:00+00:00"
    assert read_created_at(new_york, text) == "2025-06-06T12:00:00+00:00"


@pytest.mark.parametrize("name", ["BATCH_SIZE", "CHECKPOINT_ROWS"])
@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "100001",
        "1.5",
        "1e3",
        "1_000",
        "many",
        "\N{ARABIC-INDIC DIGIT FIVE}",
        "000000001" + "9" * 20,
        "9" * 5000,
    ],
)
def test_number_of_rows_out_of_range_or_malformed_is_a_problem(
    name: str, text: str
) -> None:
    assert problems(**{name: text}) == (
        f"{name} must be a number of rows from 1 to 100,000",
    )


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "America", "../etc/passwd", "/etc/localtime", "New York"]
)
def test_unknown_time_zone_is_a_problem(zone: str) -> None:
    """Some of these are files or folders of the time zone database."""
    assert problems(SOURCE_TIMEZONE=zone) == (
        "SOURCE_TIMEZONE must be the IANA name of a time zone such as America/New_York",
    )


@pytest.mark.parametrize(
    ("text", "is_lenient"),
    [("reject", False), ("Reject", False), ("null", True), (" NULL ", True)],
)
def test_invalid_values_is_reject_or_null_in_any_case(
    text: str,
    is_lenient: bool,  # noqa: FBT001
) -> None:
    assert Options.from_env({"INVALID_VALUES": text}).is_lenient is is_lenient


def test_other_word_for_invalid_values_is_a_problem() -> None:
    assert problems(INVALID_VALUES="skip") == (
        "INVALID_VALUES must be `reject` or `null`",
    )


@pytest.mark.parametrize(
    ("environ", "budget"),
    [
        ({"MAX_REJECTED_ROWS": "0"}, (0, None)),
        ({"MAX_REJECTED_ROWS": " 999999999\n"}, (999_999_999, None)),
        ({"MAX_REJECTED_PERCENT": "0"}, (None, Decimal(0))),
        ({"MAX_REJECTED_PERCENT": "0.000000001"}, (None, Decimal("1e-9"))),
        ({"MAX_REJECTED_PERCENT": "100.0"}, (None, Decimal(100))),
        ({"MAX_REJECTED_ROWS": "7", "MAX_REJECTED_PERCENT": "5"}, (7, Decimal(5))),
    ],
    ids=str,
)
def test_error_budget_is_in_rows_in_percent_or_both(
    environ: dict[str, str], budget: tuple[int | None, Decimal | None]
) -> None:
    """0 is a budget too: one bad row exceeds it."""
    options = Options.from_env(environ)

    assert (options.max_rejected_rows, options.max_rejected_percent) == budget
    assert options.has_budget


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "1_0", "many", "5%", "9" * 10])
def test_malformed_budget_in_rows_is_a_problem(text: str) -> None:
    assert problems(MAX_REJECTED_ROWS=text) == (
        "MAX_REJECTED_ROWS must be a number of rows from 0 to 999,999,999",
    )


@pytest.mark.parametrize(
    "text",
    [
        *("-1", "100.1", "101", "5%", "2,5", ".5", "5.", "1e1", "NaN", "Infinity"),
        *("few", "\N{ARABIC-INDIC DIGIT FIVE}", "0.0000000001"),
    ],
)
def test_malformed_budget_in_percent_is_a_problem(text: str) -> None:
    """Decimal() accepts some of these."""
    assert problems(MAX_REJECTED_PERCENT=text) == (
        "MAX_REJECTED_PERCENT must be a number from 0 to 100 such as 2.5",
    )


@pytest.mark.parametrize(("text", "days"), [("0", 0), (" 7\n", 7), ("3650", 3650)])
def test_changes_are_kept_for_a_number_of_days_or_not_at_all(
    text: str, days: int
) -> None:
    options = Options.from_env({"KEEP_CHANGES_DAYS": text})

    assert options.keep_changes == timedelta(days=days)


@pytest.mark.parametrize(
    "text",
    [
        *("-1", "3651", "1.5", "1e3", "1_0", "ever", "30d", "9" * 5000),
        "\N{ARABIC-INDIC DIGIT FIVE}",
    ],
)
def test_malformed_number_of_days_is_a_problem(text: str) -> None:
    assert problems(KEEP_CHANGES_DAYS=text) == (
        "KEEP_CHANGES_DAYS must be a number of days from 0 to 3,650",
    )

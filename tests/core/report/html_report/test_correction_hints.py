"""Whatever may be wrong with a row, the report says what to do about it."""

from __future__ import annotations

import ast
import re

import pytest

from salespro_core.csv_reader import recovery
from salespro_core.records.parser import Reject
from salespro_core.report.html_report.correction_hints import OTHERWISE, advice
from tests.core.records.test_rejects_file import read
from tests.support import paths
from tests.support.builders import APPOINTMENT, USER, appointment, csv_bytes, user

CORE = paths.SRC / "salespro_core"


def raised_by(module: str) -> list[str]:
    """What the module's own `raise ValueError(...)` say, a number for each value."""
    found = []
    for node in ast.walk(ast.parse((CORE / module).read_text(encoding="utf-8"))):
        match node:
            case ast.Raise(
                exc=ast.Call(
                    func=ast.Name(id="ValueError"), args=[ast.Constant(value=told)]
                )
            ):
                found.append(str(told))
            case ast.Raise(
                exc=ast.Call(func=ast.Name(id="ValueError"), args=[ast.JoinedStr(values=parts)])
            ):  # fmt: skip
                found.append(
                    "".join(str(p.value) if isinstance(p, ast.Constant) else "7" for p in parts)
                )  # fmt: skip
    return [told for told in found if re.match(r"is |has |holds |contains ", told)]


REASONS = [
    *raised_by("exports/column_types.py"),
    *raised_by("exports/columns.py"),
    *(value for name, value in vars(recovery).items() if name[0].isalpha() and name.isupper() and isinstance(value, str)),
    "has 2 cells where the header has 12",
    "is not UTF-8 text",
    "is refused by Postgres (check_violation, sale_amount_check)",
]  # fmt: skip


def test_the_reasons_are_found() -> None:
    """What the next test relies on."""
    assert len(REASONS) >= 20
    assert "is longer than 7 characters" in REASONS


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_an_advice(reason: str) -> None:
    assert advice(reason) != OTHERWISE
    assert advice(reason).endswith(".")


def test_an_advice_names_the_limit() -> None:
    assert advice("is longer than 254 characters").startswith("Shorten it to 254")


def test_what_nobody_thought_of_can_still_be_corrected() -> None:
    assert advice("is odd") == OTHERWISE


@pytest.mark.parametrize("label", [*APPOINTMENT, *USER])
def test_whatever_is_in_a_column_the_reasons_are_known(label: str) -> None:
    make = appointment if label in APPOINTMENT else user
    cells = [
        "",
        "x" * 300,
        "\0",
        "31/31/2025",
        "1" * 20,
        "(" + "a" * 60 + ")",
        "12.505",
    ]

    items, _ = read(csv_bytes(*(make() | {label: cell} for cell in cells)))

    reasons = [
        p.reason for item in items if isinstance(item, Reject) for p in item.problems
    ]
    assert [reason for reason in reasons if advice(reason) == OTHERWISE] == []

"""The report has a correction hint for every reason of a reject."""

from __future__ import annotations

import ast
import io
import re

import pytest

from salespro_core.csv_reader.header import read_header
from salespro_core.csv_reader.recovery import problems
from salespro_core.csv_reader.screening.header_rows import (
    JOINED_HEADER,
    LABEL_AS_ID,
    REPEATED_HEADER,
)
from salespro_core.exports import email_check, key_check, spreadsheet_damage
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Reject
from salespro_core.report.correction_hints import (
    DEFAULT_HINT,
    correction_hint,
)
from tests.support import paths
from tests.support.builders import (
    APPOINTMENT,
    USER,
    appointment,
    csv_bytes,
    read_items,
    read_rows,
    user,
)

CORE = paths.SRC / "salespro_core"


def raised_reasons(module: str) -> list[str]:
    """The texts of the module's `raise ValueError(...)`, with 7 for each inserted value."""
    texts = []
    for node in ast.walk(ast.parse((CORE / module).read_text(encoding="utf-8"))):
        match node:
            case ast.Raise(
                exc=ast.Call(
                    func=ast.Name(id="ValueError"), args=[ast.Constant(value=text)]
                )
            ):
                texts.append(str(text))
            case ast.Raise(
                exc=ast.Call(func=ast.Name(id="ValueError"), args=[ast.JoinedStr(values=parts)])
            ):  # fmt: skip
                texts.append(
                    "".join(str(p.value) if isinstance(p, ast.Constant) else "7" for p in parts)
                )  # fmt: skip
    return [text for text in texts if re.match(r"is |has |holds |contains ", text)]


def constant_reasons() -> list[str]:
    return [
        value
        for name, value in (
            vars(problems)
            | vars(spreadsheet_damage)
            | vars(key_check)
            | vars(email_check)
        ).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str)
    ]


REASONS = [
    *raised_reasons("exports/column_types.py"),
    *raised_reasons("exports/columns.py"),
    *constant_reasons(),
    JOINED_HEADER,
    REPEATED_HEADER,
    *(LABEL_AS_ID.format(it.columns[0].label) for it in (APPOINTMENTS, USERS)),
    "has 2 cells where the header has 12",
    "is not UTF-8 text",
    "is skipped by a trigger of the table",
    "is refused by Postgres (check_violation, sale_amount_check)",
    "has a character that LATIN1, the database's encoding, lacks",
]


def test_reasons_are_found_in_the_source() -> None:
    """The next test relies on it."""
    assert len(REASONS) >= 20
    assert "is longer than 7 characters" in REASONS


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_a_hint(reason: str) -> None:
    assert correction_hint(reason) != DEFAULT_HINT
    assert correction_hint(reason).endswith(".")


def test_hint_of_an_email_with_a_space_leaves_the_row_in_the_file() -> None:
    """An id with a space is that of a footer."""
    assert "Keep one email" in correction_hint(email_check.SPACE_IN_EMAIL)
    assert "leave it out" in correction_hint(key_check.SPACE_INSIDE)


def test_hint_names_the_limit() -> None:
    hint = correction_hint("is longer than 254 characters")

    assert hint.startswith("Shorten it to 254")


def test_unknown_reason_has_the_default_hint() -> None:
    assert correction_hint("is odd") == DEFAULT_HINT


@pytest.mark.parametrize("label", [*APPOINTMENT, *USER])
def test_invalid_cells_of_every_column_have_a_hint(label: str) -> None:
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

    body = csv_bytes(*(make() | {label: cell} for cell in cells))
    rows = read_rows(io.BytesIO(body))
    layout = read_header(next(rows).cells, (APPOINTMENTS, USERS))
    items = read_items(layout, rows)

    reasons = [
        problem.reason
        for item in items
        if isinstance(item, Reject)
        for problem in item.problems
    ]
    assert [r for r in reasons if correction_hint(r) == DEFAULT_HINT] == []

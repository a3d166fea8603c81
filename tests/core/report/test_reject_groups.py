"""Rejected rows as text: one group per reason, with lines, the first cell and a hint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_core.model.rejects import Example, Problem, Reason
from salespro_core.report.correction_hints import correction_hint
from salespro_core.report.reject_groups import SHOWN_REASONS, reject_groups
from tests.core.report.sample_outcomes import BAD_AMOUNT, BAD_DATE

HINT = f"    {correction_hint(BAD_AMOUNT.reason)}"


def reason(
    *lines: int, rows: int = 0, problem: Problem = BAD_AMOUNT, cell: str | None = "?"
) -> Reason:
    examples = tuple(Example(line, "A1", cell) for line in lines)
    return Reason(problem, rows or len(lines), examples)


def first_line(group: Reason, *, shows_cells: bool = False) -> str:
    return next(reject_groups([group], shows_cells=shows_cells))


def shown_cell(cell: str | None) -> str:
    """What is shown of the cell."""
    line = first_line(reason(5, cell=cell), shows_cells=True)
    return line.removeprefix(f"  {BAD_AMOUNT}: line 5")


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        pytest.param(reason(5), "line 5", id="one"),
        pytest.param(reason(5, 9), "2 rows, lines 5 and 9", id="two"),
        pytest.param(
            reason(*range(2, 7)), "5 rows, lines 2, 3, 4, 5 and 6", id="as-many-as-shown"
        ),
        pytest.param(
            reason(*range(2, 12), rows=2_000),
            "2,000 rows, lines 2, 3, 4, 5, 6 and 1,995 more",
            id="many",
        ),
        pytest.param(
            reason(12_345_678, 12_345_679),
            "2 rows, lines 12345678 and 12345679",
            id="large-line-numbers",
        ),
    ],
)  # fmt: skip
def test_rows_of_one_reason_are_one_line_with_the_first_line_numbers(
    group: Reason, expected: str
) -> None:
    assert list(reject_groups([group], shows_cells=False)) == [
        f"  {BAD_AMOUNT}: {expected}",
        HINT,
    ]


def test_reasons_keep_their_order_and_each_has_its_hint() -> None:
    odd = reason(9, problem=Problem(None, "is odd"))
    groups = [reason(2, 3), reason(2, problem=BAD_DATE), odd, Reason(None, 3)]

    assert list(reject_groups(groups, shows_cells=False)) == [
        f"  {BAD_AMOUNT}: 2 rows, lines 2 and 3",
        HINT,
        f"  {BAD_DATE}: line 2",
        f"    {correction_hint(BAD_DATE.reason)}",
        "  is odd: line 9",  # an unknown reason has no hint of its own
        "  other reasons: 3 rows",
    ]


@pytest.mark.parametrize(
    ("hidden", "last"), [(1, "  and 1 more reason"), (1_190, "  and 1,190 more reasons")]
)  # fmt: skip
def test_only_the_most_frequent_reasons_are_shown(hidden: int, last: str) -> None:
    groups = [
        reason(n, problem=Problem(f"label {n}", "is odd"))
        for n in range(SHOWN_REASONS + hidden)
    ]

    lines = list(reject_groups(groups, shows_cells=False))

    assert len(lines) == SHOWN_REASONS + 1
    assert lines[-1] == last


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        pytest.param("12.505", ' has "12.505"', id="text"),
        pytest.param("  ", ' has "  "', id="space"),
        pytest.param('a "b"', ' has "a "b""', id="quotes"),
        pytest.param("Núñez 東京 €", ' has "Núñez 東京 €"', id="letters"),
        pytest.param("a\r\n\tb", r' has "a\r\n\tb"', id="line-ends"),
        pytest.param("\x1b[2J\x07", r' has "\x1b[2J\x07"', id="escapes"),
        pytest.param("\xa0\x9b\x7f", r' has "\xa0\x9b\x7f"', id="c1-and-nbsp"),
        pytest.param(
            "\u200b\u202e\U000e0001", r' has "\u200b\u202e\U000e0001"', id="invisible"
        ),
        pytest.param("caf\udce9", r' has "caf\xe9"', id="not-utf-8"),
        pytest.param("\ud800", r' has "\ud800"', id="lone-surrogate"),
        pytest.param("x" * 61, f' has "{"x" * 59}…"', id="long"),
        pytest.param("", "", id="empty"),
        pytest.param(None, "", id="of-the-row"),
    ],
)  # fmt: skip
def test_first_cell_is_shown_on_one_line_with_escapes(
    cell: str | None, expected: str
) -> None:
    assert shown_cell(cell) == expected


@given(st.text())
def test_any_cell_is_short_and_printable(cell: str) -> None:
    shown = shown_cell(cell)

    assert shown.isprintable()
    assert len(shown) < 80


def test_only_the_cell_of_the_first_row_is_shown() -> None:
    group = Reason(BAD_AMOUNT, 2, (Example(3, "A1", "one"), Example(7, "A2", "two")))

    assert first_line(group, shows_cells=True).endswith(
        '2 rows, lines 3 and 7; line 3 has "one"'
    )


def test_no_cell_is_shown_unless_it_is_asked_for() -> None:
    assert "canary" not in first_line(reason(5, cell="canary"))


def test_long_label_is_shortened() -> None:
    problem = Problem("L" * 5_000, "is odd")

    assert len(first_line(reason(5, problem=problem))) < 400

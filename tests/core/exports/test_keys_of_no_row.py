"""Ids of rows that are no rows of an export: totals, ruled lines; and ids within marks."""

from __future__ import annotations

import pytest

from salespro_core.exports.column_types import key
from salespro_core.exports.spreadsheet_damage import MARKS, NO_ID, REPLACED, TOTAL
from tests.core.exports.parsing import is_accepted, parse_error

KEY = key(50)
TOTALS = (
    "Total", "TOTAL", "total:", "Totals", "Grand Total", "grand total: 254", "Subtotal",
    "Sub-Total", "sub total", "GRANDTOTAL", "Report Total", "Total rows: 254", "Total=254",
    "Baltimore Total",
)  # fmt: skip


@pytest.mark.parametrize("cell", TOTALS)
def test_label_of_a_total_is_rejected_also_among_ordinary_ids(cell: str) -> None:
    assert parse_error(KEY, cell) == TOTAL
    assert KEY.all_canonical is not None
    assert not KEY.all_canonical(["xWMyZ4YEGZ", cell])


@pytest.mark.parametrize("cell", ["xTotalYEGZ", "totalYEGZa", "aTotal", "sTOTALs9"])
def test_id_that_contains_the_word_is_kept(cell: str) -> None:
    assert KEY.parse(cell) == cell


@pytest.mark.parametrize("cell", ["-", "---", "=" * 9, "***", "...", "?", "\u2014", "()", "/", "_"])  # fmt: skip
def test_text_without_letter_and_digit_is_not_an_id(cell: str) -> None:
    assert not is_accepted(KEY, cell)
    assert cell.startswith("=") or parse_error(KEY, cell) == NO_ID


@pytest.mark.parametrize(
    "marks",
    ['""', "``", "\u201c\u201d", "\u201e\u201c", "\u2018\u2019", "\xab\xbb", "\xb4\xb4",
     "\u2033\u2033", "\uff02\uff02", "||", "~~", "$$", "%%", "//", "()", "[]", "<>", "{}", "**"],
)  # fmt: skip
def test_id_within_marks_is_rejected(marks: str) -> None:
    assert parse_error(KEY, f"{marks[0]}xWMyZ4YEGZ{marks[1]}") == MARKS


@pytest.mark.parametrize("cell", ['"xWMyZ4YEGZ', 'xWMyZ4YEGZ"', "xWMyZ4YEGZ'", "xWMyZ4YEGZ\u201d"])  # fmt: skip
def test_id_with_a_quote_at_one_end_is_rejected(cell: str) -> None:
    assert parse_error(KEY, cell) == MARKS


@pytest.mark.parametrize("cell", ["-xWMyZ4YEG", "_xWMyZ_", "-x-", "A-1", "a.b:c/d", "#12", "12%", "ключ", "(1) a"])  # fmt: skip
def test_id_of_other_systems_is_kept(cell: str) -> None:
    assert KEY.parse(cell) == cell


def test_id_with_a_replaced_character_is_rejected() -> None:
    assert parse_error(KEY, "xWM\N{REPLACEMENT CHARACTER}4YEGZ") == REPLACED

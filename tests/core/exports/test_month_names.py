"""Ids that a spreadsheet of another language has changed to a date."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salespro_core.exports.column_types import address, identifier, key
from salespro_core.exports.columns import ColumnType
from salespro_core.exports.month_names import ENGLISH_MONTHS, MONTH_NAMES
from salespro_core.exports.spreadsheet_damage import DATE_VALUE
from tests.core.exports.parsing import PURE, is_accepted, parse_error

# As Excel, LibreOffice Calc and Google Sheets save 6 March and 12 December in each language.
SAVED = {
    "en": ["6-Mar", "12-Dec"], "de": ["06. Mrz", "6.Mär", "06.Mär", "12. Dez", "12-Dez", "12. Dez."],
    "fr": ["06-mars", "6-mars", "12-déc", "12-déc.", "06-mars-25"], "es": ["6-mar", "06-mar", "12-dic", "06-ene", "3-ago"],
    "it": ["6-mar", "12-dic", "01-gen", "5-giu", "10-ott"], "pt": ["6/mar", "12/dez", "6-mar", "03-fev", "9/set"],
    "nl": ["6-mrt", "12-dec", "1-mei"], "sv": ["06-mar", "12-dec", "3-maj", "14-okt"], "da": ["06-mar", "14-okt"],
    "nb": ["06.mar", "12.des"], "fi": ["6.maalis", "12.joulu"], "pl": ["06.mar", "6-mar", "12.gru", "3-paź"],
    "cs": ["6.bře", "12.pro"], "sk": ["6.máj"], "hu": ["6.márc"], "tr": ["06.Oca", "12.Ara", "3-Ağu"],
    "ru": ["06.мар", "12.дек", "06.янв", "1.мая"], "uk": ["06.бер", "12.гру"], "bg": ["6.яну"], "el": ["6-Μαρ", "12-Δεκ", "3-Αυγ"],  # noqa: RUF001 -- other letters
    "ro": ["06.ian", "3-iul"], "hr": ["6.ožu", "12.pro"], "sl": ["6.avg"], "et": ["6.märts"], "lv": ["6.marts"],
    "lt": ["6-kov", "6-saus."], "is": ["6.maí"], "id": ["06-Agu"], "ms": ["06-Ogo"], "ca": ["6-març"], "he": ["06-מרץ"],
    "ar": ["06-مارس"], "hi": ["6-मार्च", "6-फ़र॰"], "th": ["6-มี.ค.", "12-ธ.ค."], "ja": ["3月6日", "2025年3月"], "zh": ["3月6日", "2025年3月6日"],
    "ko": ["3월 6일", "03월 06일", "3월6일"],
}  # fmt: skip
# The form without a day, by language.
SAVED_MONTHS = ["Mar-25", "mars-25", "Mrz-25", "mar/25", "мар.25", "maalis.25", "dic-25", "дек.25", "Oca.25"]  # fmt: skip


@pytest.mark.parametrize("language", SAVED)
def test_id_that_a_spreadsheet_changed_to_a_day_and_a_month_is_rejected(
    language: str,
) -> None:
    for cell in SAVED[language]:
        for column_type in (key(50), identifier(50), address(50)):
            assert parse_error(column_type, cell) == DATE_VALUE, cell


@pytest.mark.parametrize("cell", SAVED_MONTHS)
def test_id_that_a_spreadsheet_changed_to_a_month_and_a_year_is_rejected(
    cell: str,
) -> None:
    assert parse_error(key(50), cell) == parse_error(identifier(50), cell) == DATE_VALUE


@pytest.mark.parametrize(
    "form", ["6-{}", "06.{}", "12/{}", "6. {}", "6-{}.", "06-{}-25", "6.{}.2025", "6. {} 2025"]
)  # fmt: skip
def test_every_name_of_a_month_is_found_in_every_form(form: str) -> None:
    assert len(MONTH_NAMES) > 600
    for name in MONTH_NAMES:
        assert parse_error(key(50), form.format(name)) == DATE_VALUE, name


def test_capitals_are_those_of_a_spreadsheet() -> None:
    """`10-MAR` may be an id."""
    assert {"mar", "Mar", "déc", "Déc", "Mrz"} <= MONTH_NAMES
    assert not {name.upper() for name in ENGLISH_MONTHS} & MONTH_NAMES


@pytest.mark.parametrize(
    "cell",
    [
        "6-mark", "6-max", "666-mar", "a6-mar", "6-mar-x", "6--mar", "6-", "6-MAR", "6mar", "mar6", "mar-1", "mar-100", "mars", "mar",
        "6-m", "6-dezember1", "6-a1", "a-06", "zar-25", "EMP-25", "6-marmar",
    ],
)  # fmt: skip
def test_id_that_only_resembles_a_date_is_kept(cell: str) -> None:
    assert key(50).parse(cell) == identifier(50).parse(cell) == cell


@pytest.mark.parametrize("cell", ["mai-22", "juni-12", "mars-25", "may-01", "June-20"])
def test_name_of_a_user_that_is_that_of_a_month_is_kept(cell: str) -> None:
    assert address(50).parse(cell) == cell


DATES = [cell for cells in SAVED.values() for cell in cells]


@pytest.mark.parametrize("column_type", [identifier(50), address(50)])
def test_fast_path_leaves_dates_to_the_parser(column_type: ColumnType) -> None:
    assert column_type.all_canonical is not None
    for cell, others in product([*DATES, "Mar-25"], (["a-1"], ["12345", "6-xyz"])):
        assert not column_type.all_canonical([*others, cell]), cell


@pytest.mark.parametrize(
    "cell",
    ["550e8400-dec1-41d4-a716-446655440000", "EMP-25", "a6-dec7", "emp-2025", "12345"],
)
def test_usual_identifier_takes_the_fast_path(cell: str) -> None:
    all_canonical = identifier(50).all_canonical

    assert all_canonical is not None
    assert all_canonical([cell, "a1", cell])


@PURE
@given(
    st.lists(st.sampled_from(["6", "12", "-", ".", "Mar", "mar", "dez", "x", "25", "@"]), max_size=5)
    .map("".join),
)  # fmt: skip
@example("6-mar")
@example("mar-25")
def test_fast_path_accepts_only_what_the_parser_keeps(cell: str) -> None:
    for column_type in (key(50), identifier(50), address(50)):
        assert column_type.all_canonical is not None
        if cell and column_type.all_canonical([cell]):
            assert is_accepted(column_type, cell)

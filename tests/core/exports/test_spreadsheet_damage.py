"""Ids that a spreadsheet has changed, and characters that cannot be seen."""

from __future__ import annotations

import sys
import unicodedata
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salespro_core.exports.column_types import OFFICE_ID, address, identifier, key
from salespro_core.exports.spreadsheet_damage import (
    ERROR_VALUE,
    FORMULA,
    INVISIBLE,
    SCIENTIFIC,
    has_invisible,
)
from tests.core.exports.parsing import (
    EMPTY,
    NUL,
    OFFICE_ID_CHANGED,
    OFFICE_ID_INVISIBLE,
    PURE,
    is_accepted,
    parse_error,
)

# Categories: controls, format characters, surrogates, line and paragraph separators.
UNSEEN = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zl", "Zp")
]


def test_id_in_scientific_notation_is_rejected_in_every_spelling() -> None:
    mantissas = ["1", "9", "1.2", "1,2", "1.23457", "1,23457", "1.", "-1.2", "123.4"]
    exponents = ["E+18", "e+18", "E+5", "E+018", "E-05", "e-18", "E\N{MINUS SIGN}05"]
    cells = ["".join(parts) for parts in product(mantissas, exponents)]
    # Without a sign, decimals show that it is a number.
    cells += ["1.2E18", "1,2e18", "1.23457E18", " 1.23457E+18 ", "\xa01E+18"]

    for column_type in (key(50), identifier(50)):
        assert {parse_error(column_type, cell) for cell in cells} == {SCIENTIFIC}


@pytest.mark.parametrize(
    "cell",
    ["12E3456789", "12e34567", "1e5", "1E18", "E+18", "EMP-10000", "1E-", "A1E+18"],
)
def test_id_that_only_resembles_a_number_is_kept(cell: str) -> None:
    assert key(50).parse(cell) == identifier(50).parse(cell) == cell


@PURE
@given(st.from_regex(r"\A[0-9A-Za-z]{1,50}\Z"))
@example("1234567890E12")
def test_ids_of_letters_and_digits_are_kept(cell: str) -> None:
    assert key(50).parse(cell) == identifier(50).parse(cell) == cell


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ('="0012"', FORMULA),
        ("=0012", FORMULA),
        ('=T("0012")', FORMULA),
        ("'0012", FORMULA),
        (" '0012", FORMULA),
        ("\N{FULLWIDTH EQUALS SIGN}0012", FORMULA),
        ("#NAME?", ERROR_VALUE),
        ("#VALUE!", ERROR_VALUE),
        ("#REF!", ERROR_VALUE),
        ("#DIV/0!", ERROR_VALUE),
        ("#N/A", ERROR_VALUE),
        ("#NUM!", ERROR_VALUE),
        ("########", ERROR_VALUE),
        ("Err:508", ERROR_VALUE),
    ],
)
def test_id_as_a_spreadsheet_writes_text_or_errors_is_rejected(
    cell: str, reason: str
) -> None:
    assert parse_error(key(50), cell) == parse_error(identifier(50), cell) == reason


def test_every_control_and_format_character_is_invisible() -> None:
    assert [char for char in UNSEEN if not has_invisible(char)] == []


@pytest.mark.parametrize("form", ["a{}b", "ab{}c{}"], ids=["inside", "twice"])
def test_key_identifier_or_address_with_an_invisible_character_inside_is_rejected(
    form: str,
) -> None:
    inkless = ["\u034f", "\u115f", "\u3164", "\uffa0", "\u2800", "\ufe0f", "\U000e0100"]
    spaces = ["\xa0", "\u2003", "\u202f", "\u3000"]
    for char in [*UNSEEN, *inkless, *spaces]:
        cell = form.format(char, char)
        expected = NUL if char == "\0" else INVISIBLE
        for column_type in (key(50), identifier(50), address(50)):
            assert parse_error(column_type, cell) == expected, ascii(char)


def test_key_with_an_invisible_character_at_an_end_is_rejected() -> None:
    for char in UNSEEN:
        if char != "\0" and not char.isspace():
            assert parse_error(key(50), f"{char}abc") == INVISIBLE
            assert parse_error(key(50), f"abc{char}") == INVISIBLE


def test_key_of_only_invisible_characters_is_empty() -> None:
    for char in UNSEEN:
        if char != "\0":
            assert parse_error(key(50), char * 2) == EMPTY
            assert identifier(50).parse(char) == address(50).parse(char) == ""


@pytest.mark.parametrize(
    "around",
    [" ", "\t", "\r\n", "\xa0", "\u200b", "\ufeff", "\u202a", "\xad", " \u200e "],
)
def test_identifier_and_address_lose_what_is_invisible_around_them(around: str) -> None:
    email = f"{around}ann.lee@example.com{around}"

    assert address(254).parse(email) == "ann.lee@example.com"
    assert identifier(50).parse(f"{around}EMP-1{around}") == "EMP-1"


@pytest.mark.parametrize(
    "cell",
    ["mailto:ann@example.com", "MAILTO: ann@example.com", " mailto:ann@example.com"],
)
def test_address_loses_mailto(cell: str) -> None:
    assert address(254).parse(cell) == "ann@example.com"


@pytest.mark.parametrize(
    "cell",
    ["ann.lee", "Ann Lee", "josé@example.com", "o'neill@example.com", "'x", "=x"],
)
def test_other_address_is_kept(cell: str) -> None:
    assert address(254).parse(cell) == cell


@pytest.mark.parametrize("cell", ["1.23457E+18", "1,2e-05", "1.2E18"])
def test_office_id_in_scientific_notation_is_rejected(cell: str) -> None:
    assert parse_error(OFFICE_ID, f"Baltimore ( {cell} )") == OFFICE_ID_CHANGED


@pytest.mark.parametrize("char", ["\u200b", "\xad", "\ufeff", "\u202e", "\x07"])
def test_office_id_with_an_invisible_character_is_rejected(char: str) -> None:
    for office in (f"a1{char}B2", f"{char}a1B2", f"a1B2{char}"):
        cell = f"Baltimore (MD) ( {office} )"
        assert parse_error(OFFICE_ID, cell) == OFFICE_ID_INVISIBLE


@PURE
@given(st.text("aZ09-eE+.,:@' \t\xa0\u200b\u3164\u0660\0", max_size=8))
def test_fast_path_accepts_only_what_the_parser_keeps(cell: str) -> None:
    for column_type in (key(5), identifier(5), address(5)):
        assert column_type.all_canonical is not None
        if cell and column_type.all_canonical([cell]):
            assert is_accepted(column_type, cell)
            assert column_type.parse(cell) == cell

"""Ids that a spreadsheet has changed, and characters that cannot be seen."""

from __future__ import annotations

import io
import sys
import unicodedata
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salespro_core.csv_reader.header import read_header
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.column_types import OFFICE_ID, address, identifier, key
from salespro_core.exports.columns import Export
from salespro_core.exports.key_check import DOS_END
from salespro_core.exports.spreadsheet_damage import (
    ERROR_VALUE,
    FORMULA,
    INVISIBLE,
    SCIENTIFIC,
    has_invisible,
)
from salespro_core.model.rejects import Record
from tests.core.exports.parsing import (
    EMPTY,
    NUL,
    OFFICE_ID_CHANGED,
    OFFICE_ID_INVISIBLE,
    PURE,
    is_accepted,
    parse_error,
)
from tests.support.builders import csv_bytes, read_items, read_rows

# Categories: controls, format characters, surrogates, line and paragraph separators.
UNSEEN = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zl", "Zp")
]
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
SPACES = [
    char
    for char in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(char) == "Zs"
]
# Unicode, Default_Ignorable_Code_Point without the above; and the empty Braille pattern.
# Of the 3,600 from U+E01F0, which are not assigned, two.
INKLESS = [
    *map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2065, 0x2800, 0x3164)),
    *map(chr, (*range(0xFE00, 0xFE10), 0xFFA0, *range(0xFFF0, 0xFFF9), 0xE0000, *range(0xE0100, 0xE01F0))),
    *("\U000e01f0", "\U000e0fff"),
]  # fmt: skip


def test_id_in_scientific_notation_is_rejected_in_every_spelling() -> None:
    mantissas = ["1", "9", "1.2", "1,2", "1.23457", "1,23457", "1.", "-1.2", "123.4"]
    exponents = ["E+18", "e+18", "E+5", "E+018", "E-05", "e-18", "E\N{MINUS SIGN}05"]
    cells = ["".join(parts) for parts in product(mantissas, exponents)]
    # Without a sign, decimals show that it is a number.
    cells += ["1.2E18", "1,2e18", "1.23457E18", " 1.23457E+18 ", "\xa01E+18"]
    cells += [cell.translate(FULL_WIDTH) for cell in cells]
    cells.append("\uff11.\uff12E+18")

    for column_type in (key(50), identifier(50), address(50)):
        assert {parse_error(column_type, cell) for cell in cells} == {SCIENTIFIC}


@pytest.mark.parametrize(
    "cell",
    [
        "12E3456789",
        "12e34567",
        "12x1034567",
        "5x10",
        "12D3456789",
        "1e5",
        "1E18",
        "E+18",
        "EMP-10000",
        "1E-",
        "A1E+18",
    ],
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
    for written in (cell, cell.translate(FULL_WIDTH), f" {cell} "):
        for column_type in (key(50), identifier(50), address(50)):
            assert parse_error(column_type, written) == reason


@pytest.mark.parametrize("cell", ["Mar10", "MAR-10", "10-MARK", "Marc-10", "10-Mark", "Mar-0010", "EMP-10", "1-2-3", "A1/2/2025", "5x10", "#12", "E-10"])  # fmt: skip
def test_identifier_that_only_resembles_damage_is_kept(cell: str) -> None:
    assert identifier(50).parse(cell) == address(50).parse(cell) == cell


def test_every_control_and_format_character_is_invisible() -> None:
    assert [char for char in UNSEEN if not has_invisible(char)] == []


@pytest.mark.parametrize("form", ["a{}b", "ab{}c{}"], ids=["inside", "twice"])
def test_key_identifier_or_address_with_an_invisible_character_inside_is_rejected(
    form: str,
) -> None:
    spaces = [char for char in SPACES if char != " "]
    for char in [*UNSEEN, *INKLESS, *spaces]:
        cell = form.format(char, char)
        expected = NUL if char == "\0" else INVISIBLE
        for column_type in (key(50), identifier(50), address(50)):
            assert parse_error(column_type, cell) == expected, ascii(char)


def test_key_with_an_invisible_character_or_a_line_end_at_an_end_is_rejected() -> None:
    """Nobody knows which of two rows was meant; only space is removed."""
    for char in [*UNSEEN, *INKLESS]:
        if char not in "\0\t":
            for cell in (f"{char}abc", f"abc{char}", f" {char}abc", f"abc{char} ", f"{char}abc{char}"):  # fmt: skip
                expected = DOS_END if cell.strip().startswith("\x1a") else INVISIBLE
                assert parse_error(key(50), cell) == expected, ascii(cell)


def test_key_loses_every_space_around_it() -> None:
    for char in ["\t", *SPACES]:
        for cell in (f"{char}abc", f"abc{char}", f"{char} abc {char}"):
            assert key(50).parse(cell) == "abc", ascii(cell)


def test_key_of_only_invisible_characters_is_empty() -> None:
    for char in [*UNSEEN, *INKLESS, *SPACES]:
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
    [
        "mailto:ann@example.com", "MAILTO: ann@example.com", " mailto:ann@example.com",
        "mailto://ann@example.com", "mailto:mailto:ann@example.com", "mailto: Mailto:mailto: ann@example.com",
    ],
)  # fmt: skip
def test_address_loses_mailto(cell: str) -> None:
    assert address(254).parse(cell) == "ann@example.com"


@pytest.mark.parametrize("name", ["Baltimore ({})", "Baltimore (MD) ( {} )", "({}) Baltimore", "({})"])  # fmt: skip
def test_office_id_that_a_spreadsheet_changed_is_rejected(name: str) -> None:
    """Otherwise the office of the user would be NULL without a word."""
    offices = [
        "1.23457E+18", "1,2e-05", "1.2E18", '="0012"', "=0012", "'0012", "'a1B2", "'0012'", '"0012"', "#NAME?",
        "#VALUE!", "#REF!", "#N/A", "########", "#DIV/0!", "Err:508", "#NV", '="a1B2c3D4e5"', "='0012'",
    ]  # fmt: skip
    for office in offices:
        for written in (office, office.translate(FULL_WIDTH)):
            assert parse_error(OFFICE_ID, name.format(written)) == OFFICE_ID_CHANGED


@pytest.mark.parametrize(
    "text",
    ["'The Annex'", "'Annex'", '"HQ"', "#B2", "#5", "a=b", "D'Arcy", "1st floor", "O'Hare 2", "E+18", "5' 6"],
)  # fmt: skip
def test_text_in_parentheses_is_no_office_id(text: str) -> None:
    assert OFFICE_ID.parse(f"Baltimore ({text})") == ""
    assert OFFICE_ID.parse(f"Baltimore ({text}) (a1B2)") == "a1B2"


# What spreadsheets make of an id, whatever the column: numbers, dates, text, errors.
NUMBERS = [
    "1.23457E+18", "1,23457E+18", "1.23457E18", "1E+18", "1.E+18", ".5E+3", "1.2e-05", "-1.2E-3", "1.2 E+18", "1\u066b2E+18",
    "1.23457\u00d710^18", "1.23457*10^18", "1.23457x10^18", "1.2x1018", "2x10^18", "\uff11.\uff12E+18", "1.23457D18",
]  # fmt: skip
DATES = ["10-Mar", "1-Jan", "Mar-10", "10-Mar-25", "10-Mar-2025", "1/2/2025", "01/02/25", "1/2/2025 0:00"]  # fmt: skip
MARKED = [
    '="0012"', "=0012", "='0012", '="a1B2"', "'0012", "'a1B2", "''0012", "'0012'", "\u20190012", "\u20180012", "`0012",
    "\u20320012", '"0012"', '"0012', '""0012""', "\u201c0012\u201d", "\uff1d0012", "\uff070012",
]  # fmt: skip
ERRORS = [
    "########", "#NAME?", "#VALUE!", "#REF!", "#DIV/0!", "#N/A", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#FIELD!",
    "#BLOCKED!", "#CONNECT!", "#UNKNOWN!", "#BUSY!", "#PYTHON!", "#EXTERNAL!", "#GETTING_DATA", "#ERROR!", "#NV",
    "#WERT!", "#BEZUG!", "#ZAHL!", "#NOM?", "#VALEUR!", "#\u00a1VALOR!", "#\u00bfNOMBRE?", "#\u00a1REF!", "#NOME?",
    "#N/D", "#ARG!", "#LICZBA!", "#NAZWA?", "#DE\u011eER!", "#AD?", "#YOK", "#ARVO!", "#PUUTTUU!",
    "#V\u00c4RDEFEL!", "#SAKNAS!", "#\u03a4\u0399\u039c\u0397!", "#\u00c9RT\u00c9K!", "#HODNOTA!", "#N\u00c1ZEV?",
    "#V\u00c6RDI!", "#I/T", "#\u0417\u041d\u0410\u0427!", "#\u0414\u0415\u041b/0!", "#\u0418\u041c\u042f?",
    "#\u041d/\u0414", "Err:502", "Err:508", "Fehler:502", "Erreur:508", "#FEHLER!", "#ERREUR!",
]  # fmt: skip
DAMAGED = [*NUMBERS, *DATES, *MARKED, *ERRORS, "12\u200b34"]


@pytest.mark.parametrize("is_lenient", [False, True])
@pytest.mark.parametrize(
    ("export", "label", "form"),
    [
        *(
            pytest.param(export, label, "{}", id=label)
            for export in (APPOINTMENTS, USERS)
            for column in export.columns
            if column.column_type.parse.__qualname__.split(".")[0] in ("key", "identifier", "address")
            for label in column.labels
        ),
        pytest.param(USERS, "Assigned Office", "Baltimore ({})", id="Assigned Office"),
    ],
)  # fmt: skip
def test_damage_of_a_spreadsheet_is_stored_in_no_column_that_identifies_or_joins(
    export: Export,
    label: str,
    form: str,
    is_lenient: bool,  # noqa: FBT001 -- a parameter of a test
) -> None:
    key_label = export.columns[0].label
    for damaged in DAMAGED:
        body = csv_bytes({key_label: "a1", label: form.format(damaged)})
        rows = read_rows(io.BytesIO(body))
        layout = read_header(next(rows).cells, (APPOINTMENTS, USERS))
        [item] = read_items(layout, rows, is_lenient=is_lenient)

        assert isinstance(item, Record) == (is_lenient and label != key_label)
        problems = item.invalid if isinstance(item, Record) else item.problems
        assert [problem.label for problem in problems] == [label]
        assert not isinstance(item, Record) or damaged not in item.values


@pytest.mark.parametrize("char", ["\u200b", "\xad", "\ufeff", "\u202e", "\x07"])
def test_office_id_with_an_invisible_character_is_rejected(char: str) -> None:
    for office in (f"a1{char}B2", f"{char}a1B2", f"a1B2{char}"):
        cell = f"Baltimore (MD) ( {office} )"
        assert parse_error(OFFICE_ID, cell) == OFFICE_ID_INVISIBLE


@PURE
@given(st.text("aZ09-eExM+.,:@' \t\xa0\u200b\u3164\u0660\0", max_size=8))
def test_fast_path_accepts_only_what_the_parser_keeps(cell: str) -> None:
    for column_type in (key(5), identifier(5), address(5)):
        assert column_type.all_canonical is not None
        if cell and column_type.all_canonical([cell]):
            assert is_accepted(column_type, cell)
            assert column_type.parse(cell) == cell

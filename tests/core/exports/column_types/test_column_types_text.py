"""Text, keys, office ids and booleans; Postgres stores or reads the same value."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.exports.column_types import (
    BOOLEAN,
    OFFICE_ID,
    address,
    identifier,
    key,
    text,
)
from salespro_core.exports.columns import ColumnType
from tests.core.exports.parsing import (
    ARABIC_ONE,
    NOT_A_BOOLEAN,
    NUL,
    OFFICE_ID_TOO_LONG,
    ON_POSTGRES,
    PURE,
    TOO_LONG,
    is_accepted,
    parse_error,
)


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("abcde", id="as-long-as-the-column"),
        pytest.param(" a ", id="space-around"),
        pytest.param("\ta\r\nb", id="line-break"),
        pytest.param('a"\\,', id="quotes"),
        pytest.param("NULL", id="null"),
        pytest.param("=1+1", id="formula"),
        pytest.param("\N{PILE OF POO}" * 5, id="characters-not-bytes"),
        pytest.param("e\N{COMBINING ACUTE ACCENT}", id="not-normalised"),
    ],
)
def test_text_within_the_limit_is_kept_unchanged(cell: str) -> None:
    assert text(5).parse(cell) == cell
    assert text().parse(cell) == cell


def test_text_without_limit_may_be_long_but_not_contain_nul() -> None:
    mail_thread = "Called back.\r\n" * 100_000

    assert text().parse(mail_thread) == mail_thread
    with pytest.raises(ValueError, match=NUL):
        text().parse(f"{mail_thread}\0")


@PURE
@given(st.text(max_size=8))
@example("\0")
def test_text_is_accepted_unchanged_exactly_if_it_fits(cell: str) -> None:
    fits = len(cell) <= 5 and "\0" not in cell

    assert is_accepted(text(5), cell) == fits
    assert not fits or text(5).parse(cell) == cell


@ON_POSTGRES
@given(cells=st.lists(st.text(max_size=8).filter(lambda c: is_accepted(text(5), c)), min_size=1))  # fmt: skip
def test_postgres_stores_the_same_text(conn: Connection, cells: list[str]) -> None:
    """Postgres counts characters as Python does, and truncates nothing."""
    read = conn.execute(
        "SELECT %(cells)s::text[]::varchar(5)[]", {"cells": cells}
    ).fetchone()

    assert read == (cells,)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("xWMyZ", "xWMyZ", id="case-matters"),
        pytest.param("  xWMyZ\t \u3000", "xWMyZ", id="space-around"),
        pytest.param("\N{NO-BREAK SPACE}xWMyZ", "xWMyZ", id="no-break-space"),
        pytest.param("00012", "00012", id="leading-zeros"),
    ],
)
def test_key_is_stripped_of_surrounding_space(cell: str, value: str) -> None:
    assert key(5).parse(cell) == value


@PURE
@given(st.text("ab \t\N{NO-BREAK SPACE}", max_size=10))
def test_key_with_surrounding_space_is_the_same_key(cell: str) -> None:
    stripped = cell.strip()

    assert is_accepted(key(5), cell) == (
        0 < len(stripped) <= 5 and not {*" \t\xa0"} & {*stripped}
    )
    if is_accepted(key(5), cell):
        assert key(5).parse(cell) == key(5).parse(f" {cell}\t") == cell.strip()


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("Baltimore ( a1B2c3D4e5 )", "a1B2c3D4e5", id="as-exported"),
        pytest.param("Baltimore (a1B2c3D4e5)", "a1B2c3D4e5", id="no-space"),
        pytest.param("Baltimore(\t42 )", "42", id="digits"),
        pytest.param("( a1B2c3D4e5 )", "a1B2c3D4e5", id="no-name"),
        pytest.param("Baltimore (MD) ( a1B2c3D4e5 )", "a1B2c3D4e5", id="last-id-counts"),
        pytest.param("Baltimore ( a1B2c3D4e5 ) old", "a1B2c3D4e5", id="text-after"),
        pytest.param("Baltimore ( " + "a" * 50 + " )", "a" * 50, id="longest"),
        pytest.param("Call Center", "", id="none"),
        pytest.param("Baltimore ()", "", id="empty"),
        pytest.param("Baltimore (East Coast)", "", id="two-words"),
        pytest.param("Baltimore (a-1)", "", id="hyphen"),
        pytest.param("Baltimore (a1B2", "", id="not-closed"),
        pytest.param(f"Baltimore ({ARABIC_ONE})", "", id="arabic-digit"),
    ],
)  # fmt: skip
def test_office_id_is_the_last_word_in_parentheses(cell: str, value: str) -> None:
    assert OFFICE_ID.parse(cell) == value


def test_office_id_of_51_characters_is_refused() -> None:
    with pytest.raises(ValueError, match=OFFICE_ID_TOO_LONG):
        OFFICE_ID.parse("Baltimore ( " + "a" * 51 + " )")


@PURE
@given(
    st.text().filter(lambda name: ")" not in name),
    st.from_regex(r"\A[0-9A-Za-z]{1,50}\Z"),
    st.text(" \t", max_size=3),
)
def test_office_id_is_found_after_any_name(name: str, office: str, space: str) -> None:
    assert OFFICE_ID.parse(f"{name}({space}{office}{space})") == office


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("TRUE", "t", id="as-exported"),
        pytest.param("true", "t", id="lower-case"),
        pytest.param("True", "t", id="title-case"),
        pytest.param("tRuE", "t", id="any-case"),
        pytest.param("1", "t", id="one"),
        pytest.param("YES", "t", id="yes"),
        pytest.param("yes", "t", id="lower-yes"),
        pytest.param("Y", "t", id="y"),
        pytest.param("y", "t", id="lower-y"),
        pytest.param("FALSE", "f", id="false-as-exported"),
        pytest.param("False", "f", id="title-case-false"),
        pytest.param("0", "f", id="zero"),
        pytest.param("NO", "f", id="no"),
        pytest.param("No", "f", id="title-no"),
        pytest.param("N", "f", id="n"),
        pytest.param("n", "f", id="lower-n"),
    ],
)
def test_accepted_boolean_is_read_in_any_case(cell: str, value: str) -> None:
    assert BOOLEAN.parse(cell) == value


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("t", id="form-of-postgres"),
        pytest.param("f", id="false-of-postgres"),
        pytest.param("on", id="on"),
        pytest.param("off", id="off"),
        pytest.param("tru", id="prefix"),
        pytest.param("TRUE.", id="suffix"),
        pytest.param("2", id="two"),
        pytest.param("-1", id="minus-one"),
        pytest.param("1.0", id="decimal"),
        pytest.param("01", id="leading-zero"),
        pytest.param("null", id="null"),
        pytest.param("Active", id="active"),
        pytest.param("X", id="x"),
        pytest.param("\N{CHECK MARK}", id="check-mark"),
        pytest.param(ARABIC_ONE, id="arabic-digit"),
        pytest.param("\N{FULLWIDTH LATIN CAPITAL LETTER Y}", id="full-width"),
        pytest.param("FAL\N{LATIN SMALL LETTER LONG S}E", id="long-s"),
        pytest.param("no\0", id="nul"),
    ],
)
def test_value_outside_the_list_of_booleans_is_refused(cell: str) -> None:
    assert parse_error(BOOLEAN, cell) == NOT_A_BOOLEAN


@PURE
@given(st.text() | st.from_regex(r"(?i)\A(true|false|yes|no|[yn01tf])\Z"))
def test_boolean_is_accepted_exactly_if_it_is_in_the_list(cell: str) -> None:
    listed = {"TRUE", "FALSE", "YES", "NO", "Y", "N", "1", "0"}

    # Upper case turns a dotless i or a long s into a letter of ASCII; they do not match.
    assert is_accepted(BOOLEAN, cell) == (cell.isascii() and cell.upper() in listed)


@pytest.mark.parametrize("form", ["TRUE", "no", "Y", "0", "yes", "False"])
def test_postgres_reads_the_same_boolean(conn: Connection, form: str) -> None:
    """Postgres itself reads every form of the list."""
    read = conn.execute(
        "SELECT %s::boolean = %s::boolean", [BOOLEAN.parse(form), form]
    ).fetchone()

    assert read == (True,)


@pytest.mark.parametrize(
    ("column_type", "cell", "reason"),
    [
        pytest.param(text(5), "abcdef", TOO_LONG, id="text-too-long"),
        pytest.param(text(5), "abcde ", TOO_LONG, id="space-counts-in-text"),
        pytest.param(text(5), "a\0", NUL, id="nul-in-text"),
        pytest.param(key(5), "xWMyZ4", TOO_LONG, id="key-too-long"),
        pytest.param(key(5), "x\0yZ", NUL, id="nul-in-key"),
    ],
)
def test_text_or_key_that_the_column_cannot_store_is_refused(
    column_type: ColumnType, cell: str, reason: str
) -> None:
    assert parse_error(column_type, cell) == reason


@pytest.mark.parametrize("column_type", [address(50), identifier(50), text(50)])
@pytest.mark.parametrize(
    "cell",
    [
        "ann@x.org\0", "\0ann@x.org", "ann\0@x.org", "\0", "\0\0", " \0", "\u200b\0", "\0\u200b",
        "\u200bann@x.org\0\u200b", "mailto:\0ann@x.org", "\0mailto:ann@x.org", "mailto:ann@x.org \0 ",
    ],
)  # fmt: skip
def test_nul_is_an_error_wherever_it_is(column_type: ColumnType, cell: str) -> None:
    with pytest.raises(ValueError, match=NUL):
        column_type.parse(cell)

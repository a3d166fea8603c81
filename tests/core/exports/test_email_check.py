"""Emails with something around or inside them join with no user, and are rejected."""

from __future__ import annotations

import io
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salespro_core.csv_reader.header import read_header
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.column_types import address
from salespro_core.exports.columns import Export
from salespro_core.exports.email_check import (
    AROUND_EMAIL,
    SECOND_AT,
    SPACE_IN_EMAIL,
)
from salespro_core.model.rejects import Problem, Record
from tests.core.exports.parsing import (
    ADDRESS_REASONS,
    PURE,
    is_accepted,
    parse_error,
)
from tests.support.builders import csv_bytes, read_items, read_rows

ADDRESS = address(254)
# What RFC 5322 allows in the words before the @.
ATOM = "abcXYZ019!#$%&'*+-/=?^_{|}~"
domains = st.from_regex(r"\A[a-z0-9]{1,5}(-[a-z]{1,3})?(\.[a-z]{2,4}){1,3}\Z")
emails = st.builds(
    "{}@{}".format,
    st.lists(st.text(ATOM + "éü例", min_size=1, max_size=6), min_size=1, max_size=3)
    .map(".".join)
    # A spreadsheet writes these before text.
    .filter(lambda name: name[0] not in "'=#" and not name.startswith("{")),
    domains | st.just("例子.公司"),
)  # fmt: skip


@pytest.mark.parametrize(
    "cell",
    [
        "<a@x.com>", "a@x.com;", "a@x.com,", "mailto:a@x.com?subject=x", "Ann <a@x.com>", '"Ann" <a@x.com>',
        "a@x.com>", "a@x.com;b@x.com", "a@x.com, b@x.com", "a@x.com; ", "<mailto:a@x.com>", '"a@x.com"', "a@x.com?",
        "(a@x.com)", "[a@x.com]", "{a@x.com}", "(a@x.com", "a@x.com)", "a@x.com]", "a@x.com (work)", "a@x.com(work)",
        "a(work)@x.com", "Ann (a@x.com)", "Ann [a@x.com]", "a@x.com [1]", "a@x.com'", "a@x.com\u201d", "a@x.com*",
        "a@x.com|b@x.com", "[a@x.com](mailto:a@x.com)",
    ],
)  # fmt: skip
def test_email_with_marks_around_it_is_rejected(cell: str) -> None:
    assert parse_error(ADDRESS, cell) == AROUND_EMAIL


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("ann @x.com", SPACE_IN_EMAIL),
        ("ann@ x.com", SPACE_IN_EMAIL),
        ("ann @ x.com", SPACE_IN_EMAIL),
        ("an n@x.com", SPACE_IN_EMAIL),
        ("ann@x .com", SPACE_IN_EMAIL),
        ("ann@x. com", SPACE_IN_EMAIL),
        ("Ann Lee ann@x.com", SPACE_IN_EMAIL),
        ("ann@x.com work", SPACE_IN_EMAIL),
        ("@ x.com", SPACE_IN_EMAIL),
        ("ann@@x.com", SECOND_AT),
        ("ann@@@x.com", SECOND_AT),
        ("@@x.com", SECOND_AT),
        ("ann@x@y.com", SECOND_AT),
        ("ann@x.com bob@x.com", SECOND_AT),
        ("ann@x.com@", SECOND_AT),
        ("ann@@x", SECOND_AT),
    ],
)
def test_email_with_a_space_or_a_second_at_is_rejected(cell: str, reason: str) -> None:
    assert parse_error(ADDRESS, cell) == parse_error(ADDRESS, f" {cell} ") == reason


@pytest.mark.parametrize(
    "cell",
    [
        "ann.lee", "Ann Lee", "Lee, Ann", "josé@example.com", "o'neill@example.com", "a+b@x.com", "12E34567", "ann@office", "1e5@x.com", "a?b", "<ann>",
        '"ann lee"@example.com', '"a@b"@example.com', '"a\\"b"@x.com', "用户@例子.公司", "ann@[192.0.2.1]", "ann@[IPv6:2001:db8::1]",
        "ann@xn--fsqu00a.example", "{ann}b@x.com", "a!b%c@x.com", "a*b|c@x.com", "@ann", "@@ann", "Ann @ Office", "Ann @ St. Louis",
        "Ann @home", "Ann (Sales)", "[ann]", "ann@o'neill", "ann@x.com.", "(Sales) @ HQ", "x_y.com#EXT#@z.example",
    ],
)  # fmt: skip
def test_other_address_is_kept(cell: str) -> None:
    assert ADDRESS.parse(cell) == cell


@PURE
@given(emails)
@example("ann@x.com")
@example("!#$%&*+/=?^_{|}~-@x.com")
def test_legal_email_is_kept(email: str) -> None:
    assert ADDRESS.parse(email) == email


@PURE
@given(emails, st.data())
def test_legal_email_with_one_space_or_at_more_is_rejected(
    email: str, data: st.DataObject
) -> None:
    mark = data.draw(st.sampled_from(" @"))
    index = data.draw(st.integers(1, len(email) - 1))
    cell = email[:index] + mark + email[index:]

    assert parse_error(ADDRESS, cell) in ADDRESS_REASONS


@pytest.mark.parametrize("cell", ["ann@example.com", "ann.lee+sales@example.com", "a_b-c@x.co", "ann", "ann.lee-3@x.com", "a1-b2@c3.com"])  # fmt: skip
def test_usual_address_takes_the_fast_path(cell: str) -> None:
    assert ADDRESS.all_canonical is not None
    assert ADDRESS.all_canonical([cell, cell])


@PURE
@given(st.lists(st.text("aB@.1- \n", max_size=6), min_size=1, max_size=4))
@example(["a@b@c.d", "ann"])
@example(["a@b\n@c.d"])
def test_fast_path_of_several_cells_accepts_only_what_the_parser_keeps(
    cells: list[str],
) -> None:
    assert ADDRESS.all_canonical is not None
    filled = list(filter(None, cells))
    if ADDRESS.all_canonical(filled):
        assert all(is_accepted(ADDRESS, cell) for cell in filled)
        assert list(map(ADDRESS.parse, filled)) == filled


@pytest.mark.parametrize("is_lenient", [False, True])
@pytest.mark.parametrize(
    ("export", "label"),
    [(APPOINTMENTS, "salesrep.email"), (APPOINTMENTS, "salesRepEmail"), (USERS, "Email"), (USERS, "Username")],
)  # fmt: skip
def test_row_is_rejected_or_in_lenient_mode_the_email_is_left_out(
    export: Export,
    label: str,
    is_lenient: bool,  # noqa: FBT001 -- a parameter of a test
) -> None:
    key_label = export.columns[0].label
    damaged = ["ann @x.com", "ann@@x.com", "(ann@x.com)", "Ann <ann@x.com>"]
    for cell, other in product(damaged, ["", "bob@x.com", "Bob"]):
        body = csv_bytes(
            {key_label: "a1", label: other}, {key_label: "a2", label: cell}
        )
        rows = read_rows(io.BytesIO(body))
        layout = read_header(next(rows).cells, (APPOINTMENTS, USERS))
        first, item = read_items(layout, rows, is_lenient=is_lenient)

        assert isinstance(first, Record)
        assert first.values == ("a1", other or None)
        problem = (Problem(label, parse_error(ADDRESS, cell)),)
        if is_lenient:
            assert isinstance(item, Record)
            assert (item.values, item.invalid) == (("a2", None), problem)
        else:
            assert not isinstance(item, Record)
            assert item.problems == problem

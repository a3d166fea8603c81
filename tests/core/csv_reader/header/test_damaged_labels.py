"""Damaged labels: read if they are certain, refused if labels or rows are joined."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.header import read_header
from salespro_core.csv_reader.labels import printable_label
from salespro_core.errors import HeaderMismatch, InputError, UnknownExport
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from tests.core.csv_reader.header.labels import (
    EXPORTS,
    LABELS,
    labels,
    layout,
    with_label,
)
from tests.core.exports.test_spreadsheet_damage import INKLESS, SPACES, UNSEEN
from tests.support.builders import USER

PURE = settings(deadline=None, max_examples=150)
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if chr(code) != ","}
INVISIBLE = [
    char
    for char in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(char) in ("Cf", "Zs", "Zl", "Zp")
    or (unicodedata.category(char) == "Cc" and char != "\0")
]


def is_read(export: Export, label: str, written: str) -> bool:
    """Whether the header has the column of `label`, and nothing is ignored."""
    found = read_header(with_label(export, written), EXPORTS)
    return (
        found.column_indexes[1:2] == (1,)
        and label in found.columns[1].labels
        and found.ignored == ()
    )


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('"_id",_created_at","saleAmount"', id="quote-not-opened"),
        pytest.param('"_id",""saleAmount","_created_at"', id="quote-opened-twice"),
        pytest.param('"_id", "_created_at", "saleAmount"', id="spaces-before-quotes"),
        pytest.param('"_id" ,"_created_at" ,"saleAmount" ', id="spaces-after-quotes"),
        pytest.param('_id,_created_at,saleAmount"', id="quote-at-the-end"),
        pytest.param('_id,"_created_at""",saleAmount', id="quote-in-quotes"),
        pytest.param('_id,_created"_at,sale"Amount', id="quotes-inside"),
        pytest.param("'_id','_created_at','saleAmount'", id="apostrophes"),
        pytest.param("“_id”,„_created_at“,«saleAmount»", id="typographic-quotes"),
        pytest.param("`_id`,\u00b4_created_at\u00b4,\u2018saleAmount\u2019", id="accents"),
        pytest.param('"=""_id""","=""_created_at""","=""saleAmount"""', id="text-formulas"),
        pytest.param("ï»¿_id,_created_at,saleAmount", id="misread-byte-order-mark"),
        pytest.param("\ufeff\ufeff\ufeff_id,_created_at,saleAmount", id="byte-order-marks"),
        pytest.param("_id,_created_at,saleAmount".translate(FULL_WIDTH), id="full-width"),
        pytest.param("_id,_created\u200b_at,sale\u00adAmount", id="inside"),
        pytest.param('"_id\n","_created_at\r\n","\nsaleAmount"', id="line-ends"),
    ],
)  # fmt: skip
def test_damaged_header_is_read_if_it_is_certain(line: str) -> None:
    found = layout(line + "\n")

    assert {column.name for column in found.columns} == {"id", "created_at", "sale_amount"}  # fmt: skip
    assert found.ignored == ()


@labels
def test_space_and_invisible_characters_around_a_label_are_ignored(
    export: Export, label: str
) -> None:
    """All of Unicode's format, space, control and separator characters."""
    wrong = [
        f"{ord(char):04x}"
        for char in INVISIBLE
        for written in (f"{char}{label}", f"{label}{char}", f"{char} {label} {char}")
        if not is_read(export, label, written)
    ]

    assert wrong == []


@labels
def test_format_characters_inside_a_label_are_ignored(
    export: Export, label: str
) -> None:
    wrong = [
        f"{ord(char):04x}"
        for char in INVISIBLE
        if unicodedata.category(char) == "Cf"
        and not is_read(export, label, f"{label[:3]}{char}{label[3:]}")
    ]

    assert wrong == []


@pytest.mark.parametrize("label", [label for label in USER if " " in label][1:])
def test_every_space_inside_a_label_is_a_space(label: str) -> None:
    wrong = [
        f"{ord(char):04x}"
        for char in INVISIBLE
        if char.isspace()
        and not is_read(USERS, label, label.replace(" ", f"{char} {char}"))
    ]

    assert wrong == []


@pytest.mark.parametrize(
    "written",
    ['"saleAmount"', "saleAmount\u200b", " saleAmount", "sale\u00adAmount", "'saleAmount'"],
    ids=ascii,
)  # fmt: skip
def test_label_that_looks_like_a_known_one_refuses_a_file_that_has_both(
    written: str,
) -> None:
    with pytest.raises(HeaderMismatch, match="names one column twice") as refused:
        read_header(["_id", "saleAmount", written], EXPORTS)

    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param('_id,"_created_at,saleAmount"', "'_created_at,saleAmount' contains '_created_at' and 'saleAmount'", id="in-quotes"),
        pytest.param("_id,_created_at;saleAmount", "'_created_at;saleAmount' contains", id="semicolon"),
        pytest.param("_id,_created_at\tsaleAmount", "contains '_created_at' and 'saleAmount'", id="tab"),
        pytest.param("_id,_created_atsaleAmount", "contains '_created_at' and 'saleAmount'", id="comma-lost"),
        pytest.param("_id,_created_at saleAmount isSale", "contains '_created_at' and 'saleAmount' and 'isSale'", id="spaces"),
        pytest.param('"_id,_created_at",saleAmount', "'_id' and '_created_at' are in one cell", id="with-the-key"),
        pytest.param('"_id"_created_at",saleAmount', "'_id' and '_created_at' are in one cell", id="with-the-key-and-quotes"),
        pytest.param('"_id","_created_at,"saleAmount"', "contains '_created_at' and 'saleAmount'", id="quote-not-closed"),
    ],
)  # fmt: skip
def test_labels_in_one_cell_refuse_the_file(line: str, said: str) -> None:
    with pytest.raises(HeaderMismatch) as refused:
        layout(line + "\n")

    assert said in str(refused.value)
    assert "Correct the header" in str(refused.value)


@pytest.mark.parametrize(
    ("line", "label"),
    [
        pytest.param('_id,saleAmount,"Notes\na1,5,\na2,6,"', 3, id="last-label"),
        pytest.param('_id,"Notes,saleAmount\na1,5,6\na2,x",7,8', 2, id="in-the-middle"),
        pytest.param('_id,"Notes\na1,5\na2,""6"""', 2, id="doubled-quotes"),
        pytest.param('_id,"saleAmount\na1,5\n",Notes', 2, id="known-label"),
    ],
)
def test_rows_inside_a_label_refuse_the_file_without_their_cells(
    line: str, label: int
) -> None:
    """The label would be listed as ignored, with the personal data of the rows."""
    with pytest.raises(InputError) as refused:
        layout(line + "\n")

    assert f"a quote that is opened in label {label} " in str(refused.value)
    assert "a1" not in str(refused.value)


def test_label_of_two_lines_is_ignored_like_any_other() -> None:
    """Spreadsheets wrap long labels."""
    assert layout('_id,"Notes\n(internal, private)",saleAmount\n').ignored == (
        "Notes\n(internal, private)",
    )


def test_key_with_a_typo_is_named() -> None:
    with pytest.raises(UnknownExport) as refused:
        layout("User Objct ID,Email,Username\n")

    assert str(refused.value).endswith(
        "Found: Email, Username and 1 other cell. 'User Objct ID' is not a known label, but "
        "nearly 'User Object ID'."
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("user_object_id,first_name,last_name,email", "'user_object_id' is not a known label, but nearly 'User Object ID'; 'first_name' is not"),
        ("id,created_at,sale_amount,Notes", "'id' is not a known label, but nearly '_id'; 'created_at' is not"),
    ],
)  # fmt: skip
def test_header_in_another_style_is_refused_with_its_labels(
    line: str, said: str
) -> None:
    with pytest.raises(HeaderMismatch) as refused:
        layout(line + "\n")

    assert f"The header in line 1 is damaged: {said}" in str(refused.value)


def test_row_with_names_like_labels_is_not_in_the_message() -> None:
    with pytest.raises(UnknownExport) as refused:
        layout("a1,Emil,Usernam\n")

    assert "Emil" not in str(refused.value)


@PURE
@given(
    st.sampled_from(LABELS),
    st.text(st.sampled_from(" \t\"'\u200b\ufeff\u00a0\u00ad“”"), max_size=4),
    st.text(st.sampled_from(" \t\"'\u200b\ufeff\u00a0\u00ad“”"), max_size=4),
)
def test_label_with_quotes_and_spaces_in_any_order_around_it_is_read(
    case: object, before: str, after: str
) -> None:
    export, label = case.values  # type: ignore[attr-defined]

    assert is_read(export, label, f"{before}{label}{after}")


@pytest.mark.parametrize("label", ["License Number", "User Object ID", "_id", "customer.nameLast"])  # fmt: skip
def test_label_with_any_invisible_character_or_space_is_read_or_refused(
    label: str,
) -> None:
    export = USERS if " " in label else APPOINTMENTS
    key, middle = export.columns[0].label, len(label) // 2
    ignored: list[str] = []
    for char in [*UNSEEN, *INKLESS, *SPACES, "\n"]:
        for written in (
            f"{char}{label}",
            f"{label}{char}",
            f"{char} {label} {char}",
            f"{label[:middle]}{char}{label[middle:]}",
            label.replace(" ", char),
        ):
            header = [written] if label == key else [key, written]
            try:
                ignored += read_header(header, EXPORTS).ignored
            except InputError:
                continue
        assert char == "\0" or read_header([key, char], EXPORTS).ignored == ()

    assert ignored == []


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("x" * 99, "x" * 99),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 100 + "…"),
        (" Notes\u200b\x1b ", "Notes\\u200b\\x1b"),
    ],
    ids=["shorter", "longest", "longer", "invisible"],
)
def test_label_in_a_message_is_short_and_printable(label: str, shown: str) -> None:
    assert printable_label(label) == shown

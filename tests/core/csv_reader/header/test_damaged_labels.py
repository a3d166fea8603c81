"""Damaged labels: read if they are certain, refused if they are nearly known."""

from __future__ import annotations

import io
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.header import Layout, read_header
from salespro_core.errors import HeaderMismatch, InputError, UnknownExport
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from tests.support.builders import APPOINTMENT, USER, read_rows

EXPORTS = (APPOINTMENTS, USERS)
PURE = settings(deadline=None, max_examples=150)
# Every label but those of the keys, with its export and its column.
LABELS = [
    pytest.param(export, label, id=label)
    for export in EXPORTS
    for column in dict.fromkeys(c.label for c in export.columns[1:])
    for label in column.split(" | ")
]
labels = pytest.mark.parametrize(("export", "label"), LABELS)
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if chr(code) != ","}
INVISIBLE = [
    char
    for char in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(char) in ("Cf", "Zs", "Zl", "Zp")
    or (unicodedata.category(char) == "Cc" and char != "\0")
]


def layout(line: str) -> Layout:
    """The layout of a file with this header."""
    return read_header(next(read_rows(io.BytesIO(line.encode()))).cells, EXPORTS)


def with_label(export: Export, label: str) -> list[str]:
    """A header of the key and this label."""
    return [export.columns[0].label, label]


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


def typos(label: str) -> set[str]:
    """The label with each letter left out, doubled, replaced, or swapped with the next."""
    found = {f"{label}s", f"{label}_", label.removesuffix("s")}
    for i in range(len(label)):
        found.add(label[:i] + label[i + 1 :])
        found.add(label[:i] + label[i] + label[i:])
        found.add(label[:i] + "x" + label[i + 1 :])
        found.add(label[:i] + label[i + 1 : i + 2] + label[i] + label[i + 2 :])
    return found


@labels
def test_label_with_one_typo_is_never_ignored(export: Export, label: str) -> None:
    """Ignored, a known column would lose its values without an error."""
    ignored: list[str] = []
    for written in typos(label) | {
        label.replace(" ", "").replace(".", ""),
        label.replace(" ", "_").replace(".", "_"),
        label.replace(" ", "-").replace(".", " "),
        f"{label} (USD)",
        f"{label}:",
        f"{label}\N{REPLACEMENT CHARACTER}",
        "".join(f" {char}" if char.isupper() else char for char in label).strip(),
        "".join(f"_{char}" if char.isupper() else char for char in label).lower(),
    }:
        try:
            found = read_header(with_label(export, written), EXPORTS)
        except HeaderMismatch as refused:
            assert f"{written.strip(' ')!r} " in str(refused)  # noqa: PT017 -- many labels
            assert "Correct the header" in str(refused)  # noqa: PT017
        else:
            ignored += found.ignored

    assert ignored == []


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("salesAmount", "saleAmount"),
        ("sale_amount", "saleAmount"),
        ("Sale Amount", "saleAmount"),
        ("Sale Amt", "saleAmount"),
        ("amountSale", "saleAmount"),
        ("sаleAmount", "saleAmount"),  # noqa: RUF001 -- a Cyrillic letter
        ("salé Amount", "saleAmount"),
        ("resultFullStr", "resultFullString"),
        ("saleAm", "saleAmount"),
        ("salesrep.nameF", "salesrep.nameFirst"),
        ("12. saleAmount", "saleAmount"),
        ("saleAmount.1", "saleAmount"),
        ("*saleAmount*", "saleAmount"),
        ("costumer.nameLast", "customer.nameLast"),
        ("customer.lastName", "customer.nameLast"),
        ("created_at", "_created_at"),
        ("customer.estimate", "customer.estimateName"),
        ("resultFull", "resultFullString"),
        ("_updated", "_updated_at"),
    ],
)  # fmt: skip
def test_near_miss_is_refused_with_the_label_and_the_fix(
    written: str, label: str
) -> None:
    with pytest.raises(HeaderMismatch) as refused:
        layout(f"_id,{written}\n")

    assert str(refused.value) == (
        f"The header in line 1 is damaged: {written!r} is not a known label, but nearly "
        f"{label!r}. Correct the header and upload the file again."
    )
    assert refused.value.sync_type == "csv_appointments"


FOREIGN = [
    "notes", "customer.city", "customer.state", "customer.zip", "customer.phone", "customer.email",
    "customer.id", "customer.nameMiddle", "customer.namePrefix", "customer.name", "customer.fullName", "customer.estimateDate",
    "customer.estimateNumber", "salesrep.id", "salesrep.phone", "salesManager.email", "saleAmountTax", "saleDate",
    "saleTax", "salesTax", "saleTotal", "totalAmount", "amount", "discountAmount",
    "isSold", "isCancelled", "isDemo", "isResale", "isLead", "_created_by",
    "_updated_by", "_deleted_at", "_rev", "__v", "result", "resultString",
    "resultCode", "resultReason", "appointmentDate", "leadSource", "product", "branch",
    "office", "region", "estimateTotal", "estimateId", "Middle Name", "Full Name",
    "Nickname", "Surname", "Display Name", "Company Name", "User ID", "User Type",
    "Role", "Phone", "Mobile", "Email Verified", "Email Address", "Last Login IP",
    "Last Sync", "Last Seen", "First Login", "Login Count", "Status", "Office ID",
    "Assigned Team", "Assigned Region", "License State", "License Type", "License Expiration", "Additional Percent",
    "Additional Notes", "Unique ID", "Job Title", "Job Representative Name", "Send Emails", "Send Invoices",
    "Search Others", "View Other Users Estimates", "Commission", "Hire Date", "Password", "Team",
    "Région", "city, state", "a:b",
]  # fmt: skip


@pytest.mark.parametrize("key", [APPOINTMENTS.columns[0].label, USERS.columns[0].label])
def test_unknown_labels_are_ignored_even_if_the_known_ones_are_missing(
    key: str,
) -> None:
    """SalesPro may add columns; a false refusal would stop every import."""
    assert read_header([key, *FOREIGN], EXPORTS).ignored == tuple(FOREIGN)


@pytest.mark.parametrize("row", [APPOINTMENT, USER], ids=["appointments", "users"])
def test_near_miss_is_ignored_if_the_file_has_the_label(row: dict[str, str]) -> None:
    near = [f"{label}2" for label in row]

    assert read_header([*row, *near], EXPORTS).ignored == tuple(near)


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
    "line",
    [
        pytest.param('_id,saleAmount,"Notes\na1,5,\na2,6,"', id="last-label"),
        pytest.param('_id,"Notes,saleAmount\na1,5,6\na2,x",7,8', id="in-the-middle"),
        pytest.param('_id,"Notes\na1,5\na2,""6"""', id="doubled-quotes"),
        pytest.param('_id,"saleAmount\na1,5\n",Notes', id="known-label"),
    ],
)
def test_rows_inside_a_label_refuse_the_file_without_their_cells(line: str) -> None:
    """The label would be listed as ignored, with the personal data of the rows."""
    with pytest.raises(InputError) as refused:
        layout(line + "\n")

    assert "quote" in str(refused.value)
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

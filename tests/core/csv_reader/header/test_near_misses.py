"""Labels that are nearly known are refused; other columns are ignored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from salespro_core.csv_reader.header import read_header
from salespro_core.errors import HeaderMismatch
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from tests.core.csv_reader.header.labels import EXPORTS, labels, layout, with_label
from tests.support.builders import APPOINTMENT, USER


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
        ("saleamt", "saleAmount"),
        ("SALEAMT", "saleAmount"),
        ("sale_amt", "saleAmount"),
        ("#saleAmount", "saleAmount"),
        ("saleAmount #", "saleAmount"),
        ("_updated_at UTC", "_updated_at"),
        ("_updated_at GMT", "_updated_at"),
        ("saleAmount USD", "saleAmount"),
        ("saleAmt USD", "saleAmount"),
        ("sa1esrep.emai1", "salesrep.email"),
        ("saIesrep.emaiI", "salesrep.email"),
        ("resu1tFu11String", "resultFullString"),
    ],
)  # fmt: skip
def test_near_miss_is_refused_with_the_label_and_the_fix(
    written: str, label: str
) -> None:
    with pytest.raises(HeaderMismatch) as refused:
        layout(f"_id,{written}\n")

    assert str(refused.value) == (
        f"The header in line 1 is damaged: {written!r} is not a known label, but nearly "
        f"{label!r}. Correct the header and import or upload the file again."
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
    "Additional Notes", "Job Title", "Job Representative Name", "Send Emails", "Send Invoices",
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


# As people and programs abbreviate.
ABBREVIATED = {
    "License #": "License Number", "License No": "License Number", "License No.": "License Number", "LicenseNo": "License Number",
    "License Nr": "License Number", "LICENSE#": "License Number", "licenseno": "License Number", "Lic Num": "License Number",
    "License \u2116": "License Number", "Job Rep ID": "Job Representative ID", "JOBREPID": "Job Representative ID",
    "Job Rep. Id": "Job Representative ID", "Unique ID": "Unique Identifier", "UNIQUEID": "Unique Identifier", "Uniq Ident": "Unique Identifier",
    "Additi0nal Am0unt": "Additional Amount", "Addl Amt": "Additional Amount", "addlamt": "Additional Amount", "Add'l Amount": "Additional Amount",
    "fname": "First Name", "LNAME": "Last Name", "First Nm": "First Name", "Lst Nm": "Last Name", "FrstNm": "First Name",
    "Asgn Off": "Assigned Office", "asgdofc": "Assigned Office", "Send Cr Apps": "Send Credit Apps", "sndcrapps": "Send Credit Apps",
    "Act/Inact": "Active/Inactive", "Last L0g1n": "Last Login", "Last Login (GMT)": "Last Login", "Usrnm": "Username", "Eml": "Email",
}  # fmt: skip


@pytest.mark.parametrize("written", ABBREVIATED, ids=ascii)
def test_abbreviation_of_a_label_of_users_is_refused(written: str) -> None:
    with pytest.raises(HeaderMismatch) as refused:
        read_header(["User Object ID", written], EXPORTS)

    assert f"nearly {ABBREVIATED[written]!r}" in str(refused.value)


def abbreviations(label: str) -> Iterator[str]:
    """The label with each of its long words, or all, abbreviated, in several styles."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", label)
    shorteners: tuple[Callable[[str], str], ...] = (
        lambda word: word[:3],
        lambda word: word[:4],
        lambda word: word[: len(word) // 2 + 1],
        lambda word: word[0] + re.sub("[aeiou]", "", word[1:]),
    )
    for shorten in shorteners:
        short = [shorten(word) if len(word) > 3 else word for word in words]
        # One word alone may be an abbreviation of many.
        if len(words) == 1 and len(short[0]) * 2 < len(words[0]):
            continue
        for index in range(len(words)):
            one = [*words[:index], short[index], *words[index + 1 :]]
            yield from styles(one)
        yield from styles(short)


def styles(words: list[str]) -> Iterator[str]:
    """The words in the usual styles of labels."""
    for separator in (" ", "_", "-", ".", ". ", ""):
        text = separator.join(words)
        yield from (text, text.lower(), text.upper(), text.title())
    yield "".join(word.capitalize() for word in words)


def look_alikes(label: str) -> Iterator[str]:
    """The label with digits, capitals and bars in place of letters that look alike."""
    for pairs in ("o0", "l1", "i1", "lI", "Il", "l|", "iI", "O0 o0 l1 i1 I1"):
        text = label
        for pair in pairs.split():
            text = text.replace(pair[0], pair[1])
        yield text


@labels
def test_abbreviated_or_look_alike_label_is_never_ignored(
    export: Export, label: str
) -> None:
    ignored: list[str] = []
    for written in {*abbreviations(label), *look_alikes(label)}:
        try:
            found = read_header(with_label(export, written), EXPORTS)
        except HeaderMismatch as refused:
            assert "Correct the header" in str(refused)  # noqa: PT017 -- many labels
        else:
            ignored += found.ignored

    assert ignored == []


ESCAPES = {
    "url": lambda char: f"%{ord(char):02X}",
    "url-lower-case": lambda char: f"%{ord(char):02x}",
    "url-twice": lambda char: f"%25{ord(char):02X}",
    "entity": lambda char: f"&#{ord(char)};",
    "entity-hex": lambda char: f"&#x{ord(char):X};",
    "entity-twice": lambda char: f"&amp;#{ord(char)};",
    "xml-name": lambda char: f"_x{ord(char):04X}_",
    "json": lambda char: f"\\u{ord(char):04x}",
    "quoted-printable": lambda char: f"={ord(char):02X}",
}


@labels
@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES.keys())
def test_escaped_label_is_read(
    export: Export, label: str, escape: Callable[[str], str]
) -> None:
    """What an escape stands for is certain."""
    marks = "".join(char if char.isalnum() else escape(char) for char in label)
    for written in (marks, "".join(map(escape, label)), escape(label[0]) + label[1:]):
        found = read_header(with_label(export, written), EXPORTS)

        assert label in found.columns[1].labels, written
        assert found.ignored == ()


@labels
@pytest.mark.parametrize("form", ["<b>{}</b>", "{}<br>", '<span class="a">{}</span>', "<TH>{}</TH>", "{}&nbsp;", "&#8203;{}", "&lt;b&gt;{}&lt;/b&gt;"])  # fmt: skip
def test_label_within_tags_is_read(export: Export, label: str, form: str) -> None:
    found = read_header(with_label(export, form.format(label)), EXPORTS)

    assert label in found.columns[1].labels
    assert found.ignored == ()


def test_tag_between_words_is_a_space() -> None:
    assert read_header(["User Object ID", "First<br>Name"], EXPORTS).ignored == ()


@pytest.mark.parametrize(
    "label",
    ["100%", "%", "a & b", "a<b", "<none>", "&;", "%00", "%ff", "&#0;", "&#xD800;", "\\ud800", "_xD800_", "=20", "a\\b", "Rate=5"],
)  # fmt: skip
def test_other_label_with_a_mark_of_escapes_is_ignored_as_it_is(label: str) -> None:
    shown = read_header(["_id", label], EXPORTS).ignored

    assert shown in ((label,), ())


# Most suffixes and first words of columns that exports of sales systems have.
OTHER_WORDS = [
    "date", "time", "type", "status", "code", "total", "tax", "city", "state", "zip", "phone", "address", "note",
    "notes", "count", "rate", "site", "title", "role", "level", "group", "team", "region", "flag", "source", "reason",
    "start", "end", "by", "on", "url", "key", "ref", "score", "rank", "plan", "unit", "term", "fee", "cost", "price",
    "line", "lane", "lot", "log", "middle", "short", "display",
]  # fmt: skip


@pytest.mark.parametrize(
    "form",
    ["{}", "customer.{}", "customer{}", "salesrep.{}", "sale{}", "is{}", "_{}_at", "estimate{}", "User {}", "Job {}", "Send {}", "Assigned {}", "{} Name", "{} Identifier"],
)  # fmt: skip
def test_label_with_another_word_is_ignored(form: str) -> None:
    """SalesPro may add columns."""
    other = [form.format(word.title()) for word in OTHER_WORDS]

    for export in EXPORTS:
        assert [
            label
            for label in other
            if read_header(with_label(export, label), EXPORTS).ignored != (label,)
        ] == []

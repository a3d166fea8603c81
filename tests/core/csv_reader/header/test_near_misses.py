"""Labels that are nearly known are refused; other columns are ignored."""

from __future__ import annotations

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

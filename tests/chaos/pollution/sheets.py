"""Tables with the text of each cell and, written independently, the value that it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

Value = str | bool | date | datetime | Decimal | None
# Column of the table -> value.
Values = dict[str, Value]

# Indexes of rows with special texts; the others have ordinary ones.
TEXT_WITH_LINES, TEXT_FROM_LINE_END, TEXT_WITH_QUOTES = 3, 5, 6
ROWS = 9
# In the names of customers and users, which no error message may contain.
CANARY = "Quibble"


@dataclass(frozen=True, slots=True)
class Cell:
    """The text of a cell, and the columns that it is stored in."""

    text: str
    values: Values


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of an export.

    Attributes:
        labels: the header.
        rows: one cell per label each; the keys are all different.
    """

    name: str
    labels: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def key_index(self) -> int:
        """The index of the label of the key."""
        return next(
            index
            for index, label in enumerate(self.labels)
            if label in ("_id", "User Object ID")
        )

    def key(self, row_index: int) -> str:
        """The key of a row."""
        return self.rows[row_index][self.key_index].text

    def texts(self, row_index: int) -> list[str]:
        """The cells of a row."""
        return [cell.text for cell in self.rows[row_index]]

    def values(self, row_index: int) -> Values:
        """What a row means."""
        return {
            name: value
            for cell in self.rows[row_index]
            for name, value in cell.values.items()
        }


def quoted(cell: str) -> str:
    """The cell in quotes."""
    return '"' + cell.replace('"', '""') + '"'


def minimal(cell: str) -> str:
    """The cell, in quotes if CSV requires them."""
    return quoted(cell) if re.search(r'[,"\r\n]', cell) else cell


Quoting = Callable[[str], str]
QUOTINGS: dict[str, Quoting] = {"minimal": minimal, "all": quoted}
LINE_ENDS = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}


def line_of(cells: Sequence[str], quote: Quoting) -> str:
    """The cells as a line of CSV."""
    return ",".join(map(quote, cells))


def _text(name: str, text: str) -> Cell:
    return Cell(text, {name: text or None})


def _instant(name: str, moment: datetime) -> Cell:
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    return Cell(text, {name: moment})


def _flag(name: str, text: str) -> Cell:
    return Cell(text, {name: text.lower() == "true"})


def _amount(name: str, cents: int | None, default: Decimal | None = None) -> Cell:
    if cents is None:
        return Cell("", {name: default})
    value = Decimal(cents) / 100
    return Cell(f"{value:.2f}", {name: value})


_RESULTS = {
    TEXT_WITH_LINES: 'Said "no, not now"\ncall again\n, in June',
    TEXT_FROM_LINE_END: "\nCall back, please",
    TEXT_WITH_QUOTES: '"Demo" given',
}
_OFFICES = {
    TEXT_WITH_LINES: 'The "Annex", north\nBaltimore, MD ( a1B2c3D4e5 )',
    TEXT_FROM_LINE_END: "\nBaltimore, MD ( a1B2c3D4e5 )",
    TEXT_WITH_QUOTES: '"Annex" Baltimore ( a1B2c3D4e5 )',
}


def _appointment(i: int) -> dict[str, Cell]:
    created = datetime(2025, 6, 6 + i, 0, 16, 45, 538_000, UTC)
    return {
        "_id": _text("id", f"xWMyZ{i}YEG{'abcdefghi'[i]}"),
        "_created_at": _instant("created_at", created),
        "_updated_at": _instant("updated_at", created + timedelta(hours=i + 1)),
        "isSale": _flag("is_sale", ("TRUE", "FALSE")[i % 2]),
        "resultFullString": _text(
            "result_full_string", _RESULTS.get(i, ("Sold", "No Demo")[i % 2])
        ),
        "customer.nameLast": _text("customer_last_name", f"{CANARY}{i}"),
        "customer.nameFirst": _text(
            "customer_first_name", ("Maria", "José", "Lee Ann")[i % 3]
        ),
        "customer.estimateName": _text(
            "customer_estimate_name", ("Windows, doors", "Roof", "")[i % 3]
        ),
        "salesrep.email": _text("salesrep_email", f"rep{i}@example.com"),
        "salesrep.nameFirst": _text("salesrep_first_name", ("Ann", "Bob")[i % 2]),
        "salesrep.nameLast": _text("salesrep_last_name", ("O'Neil", "Smith")[i % 2]),
        "saleAmount": _amount("sale_amount", None if i % 2 else 1_234_567 + i),
    }


def _user(i: int) -> dict[str, Cell]:
    login = date(2025, 6, 13 + i)
    office = _OFFICES.get(i, "Baltimore ( a1B2c3D4e5 )")
    return {
        "User Object ID": _text("user_object_id", f"uQrSt{i}AbC{'abcdefghi'[i]}"),
        "First Name": _text("first_name", ("Maria", "José", "Lee Ann")[i % 3]),
        "Last Name": _text("last_name", f"{CANARY}{i}"),
        "Username": _text("username", f"user.{i}"),
        "Email": _text("email", f"user{i}@example.com"),
        "Last Login": Cell(login.strftime("%m/%d/%Y"), {"last_login": login}),
        "Active/Inactive": _flag("is_active", ("TRUE", "FALSE")[i % 2]),
        "Send Credit Apps": _flag("send_credit_apps", ("FALSE", "TRUE")[i % 2]),
        "Search Other Users Estimates": _flag(
            "search_other_users_estimates", ("FALSE", "FALSE", "TRUE")[i % 3]
        ),
        "Assigned Office": Cell(
            office, {"assigned_office": office, "office_id": "a1B2c3D4e5"}
        ),
        "License Number": _text("license_number", ("MD-1234", "")[i % 2]),
        "Additional Amount": _amount(
            "additional_amount", None if i % 3 else 2500 + i, Decimal(0)
        ),
        "Unique Identifier": _text("unique_identifier", f"unique {i}"),
        "Job Representative ID": _text("job_representative_id", ("", f"J{i}")[i % 2]),
    }


def _sheet(name: str, row: Callable[[int], dict[str, Cell]], *labels: str) -> Sheet:
    labels = labels or tuple(row(0))
    rows = [tuple(row(i)[label] for label in labels) for i in range(ROWS)]
    return Sheet(name, labels, tuple(rows))


APPOINTMENTS = _sheet("appointments", _appointment)
USERS = _sheet("users", _user)
WHOLE = (APPOINTMENTS, USERS)
# Few columns, and the key or a free text in the last one.
NARROW = (
    _sheet("id-and-result", _appointment, "_id", "resultFullString"),
    _sheet("amount-last", _appointment,
           "_id", "_updated_at", "resultFullString", "customer.nameLast", "saleAmount"),
    _sheet("three-texts", _appointment, "_id", "resultFullString", "customer.nameLast"),
    _sheet("key-last", _appointment, "_updated_at", "resultFullString", "isSale", "_id"),
    _sheet("user-and-office", _user, "User Object ID", "Email", "Assigned Office"),
    _sheet("office-first", _user, "Assigned Office", "Last Login", "User Object ID", "Email"),
)  # fmt: skip
SHEETS = (*WHOLE, *NARROW)

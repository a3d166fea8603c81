"""Near misses of typed cells and ids: each is read as what it means, or rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tests.chaos.pollution.reading import PollutedFile, file_of
from tests.chaos.pollution.sheets import (
    QUOTINGS,
    ROWS,
    SHEETS,
    WHOLE,
    Sheet,
    Value,
    line_of,
    quoted,
)

Files = Iterator[PollutedFile]
PLACES = (0, 1, 4, ROWS - 1)

# Texts that programs write where a value is missing or cannot be computed.
PLACEHOLDERS = (
    "NULL", "null", "Null", "(null)", "<null>", "None", "nil", "N/A", "n/a", "#N/A", "NA", "NaN",
    "nan", "-", "--", "---", "\u2014", "\u2013", ".", "?", "??", "*", "x", "tbd", "TBD", "unknown", "(blank)",
    "[blank]", "empty", "missing", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#####",
    "########", "#SPILL!", "#GETTING_DATA", "undefined", "[object Object]", "Infinity", "-Infinity",
    "inf", "\\N", "''", "``", "=", "=A1", "=NA()", '=""', "+", "@", "...", "\u2026", "0x", "{}", "[]", "\u0000", "error",
)  # fmt: skip
AMOUNTS: dict[str, str | None] = {
    # The left is meant as the right; None has no meaning that is certain.
    "1,234.50": "1234.50", "$1,234.50": "1234.50", "$1234.50": "1234.50", " 12.50": "12.50", "12.50 ": "12.50",
    "\t12.50": "12.50", "12.5": "12.50", "12": "12", "0012.50": "12.50", "-12.50": "-12.50", "-$12.50": "-12.50",
    "$-12.50": "-12.50", "(12.50)": "-12.50", "($12.50)": "-12.50", "12.50-": "-12.50", "12.50CR": "-12.50",
    "+12.50": "12.50", "12,50": "12.50", "1.234,50": "1234.50", "1 234,50": "1234.50", "1 234.50": "1234.50",
    "1'234.50": "1234.50", "1\u2019234.50": "1234.50", "1\u00a0234.50": "1234.50", "1\u202f234,50": "1234.50",
    "1_234.50": "1234.50", "12,34,567.00": "1234567.00", "1,23.45": None, "1,2345": None, ",123": None,
    "1,234,56": None, "1,,234": None, "1.234.567": "1234567", "1.2.3": None, "12.": "12", ".5": "0.5", "12.505": None,
    "12.5000": "12.5", "12.3456": None, "1e3": "1000", "1.5E+3": "1500", "1.23457E+18": None, "1E-2": "0.01", "0x10": None, "1/2": None,
    "12%": None, "12.50 USD": "12.50", "USD 12.50": "12.50", "\u20ac12.50": None, "\u00a312.50": None, "12.50$": "12.50",
    "US$12.50": "12.50", "$ 12.50": "12.50", "12.50k": None, "12k": "12000", "1.2M": "1200000", "twelve": None,
    "\uff11\uff12.\uff15\uff10": "12.50", "\u0661\u0662.\u0665\u0660": "12.50", "\u221212.50": "-12.50", "\u201312.50": "-12.50",
    "12\u066b50": "12.50", "12.50\u200b": "12.50", "\ufeff12.50": "12.50", "\u00a012.50": "12.50", "12.5O": None, "l2.50": None,
    "1 2.50": None, "12 .50": None, "12. 50": None, "--12.50": None, "-": None, "$": None, "$$12.50": None, "12.50.": None,
    "12..50": None, "=12.50": "12.50", "'12.50": "12.50", '"12.50"': "12.50", '="12.50"': "12.50", "12.50,": None,
    "12.50;": None, "12.50\n": "12.50", "12\n.50": None, "99999999999999.00": None, "12345678901234567890": None, "TRUE": None,
    "2025-06-06": None, "06/06/2025": None, "45826": "45826", "12.50 13.50": None, "12.50/13.50": None, "~12.50": None,
    "12.50*": None, "12.50 (est.)": None, "1e400": None, "-0.00": "0", "0": "0", "0.00": "0", "00": "0", "\u00bd": None, "\u00b2": None, "\u2460": None,
}  # fmt: skip
FLAGS: dict[str, bool | None] = {
    **dict.fromkeys(("TRUE", "true", "True", "tRuE", " TRUE", "TRUE ", "\tTRUE\t", "YES", "yes", "Y", "y", "1", "\u00a0TRUE"), True),
    **dict.fromkeys(("FALSE", "false", "False", " FALSE ", "NO", "no", "N", "n", "0"), False),
    **dict.fromkeys(("T", "t", "on", "On", "1.0", "01", "WAHR", "VRAI", "VERDADERO", "True.", "TRUE,", "'TRUE", "=TRUE", "=TRUE()",
                     '"TRUE"', "\u2713", "\u2714", "X", "checked", "Active", "enabled", "ja", "si", "oui", "TRUE\u200b", "\ufeffTRUE", "\uff11",
                     "\uff34\uff32\uff35\uff25"), True),
    **dict.fromkeys(("F", "f", "off", "0.0", "00", "FALSCH", "FAUX", "FALSO", "Inactive", "disabled", "nein", "non", "'FALSE", "\u2717", "\uff10"), False),
    **dict.fromkeys(("2", "-1", "10", "TRUEFALSE", "TRUE FALSE", "TRUE/FALSE", "yes no", "maybe", "TURE", "FLASE", "tru", "fals", "0.5", "1 0",
                     "2025-06-06", "12.50", "Sold", "TR\u00dcE", "TRU\u0415", "\u2610", "yess", "noo"), None),
}  # fmt: skip
_SIX_JUNE = datetime(2025, 6, 6, 0, 16, 45, 538_000, UTC)
_WHOLE = _SIX_JUNE.replace(microsecond=0)
INSTANTS: dict[str, datetime | None] = {
    "2025-06-06T00:16:45.538Z": _SIX_JUNE, " 2025-06-06T00:16:45.538Z ": _SIX_JUNE, "2025-06-06t00:16:45.538z": _SIX_JUNE,
    "2025-06-06 00:16:45.538Z": _SIX_JUNE, "2025-06-06T00:16:45.538+00:00": _SIX_JUNE, "2025-06-06T02:16:45.538+02:00": _SIX_JUNE,
    "2025-06-05T20:16:45.538-04:00": _SIX_JUNE, "2025-06-06T00:16:45.538": _SIX_JUNE, "2025-06-06 00:16:45": _WHOLE,
    "2025-06-06T00:16:45Z": _WHOLE, "2025-06-06T00:16:45.538000Z": _SIX_JUNE, "2025-06-06T00:16:45.538000000Z": _SIX_JUNE,
    "2025-06-06T00:16:45,538Z": _SIX_JUNE, "20250606T001645Z": _WHOLE, "2025-06-06T00:16:45.538-0000": _SIX_JUNE,
    "2025-06-06T00:16:45.538 Z": _SIX_JUNE, "2025-06-06T00:16:45.538 UTC": _SIX_JUNE, "2025-06-06T00:16:45.538GMT": _SIX_JUNE,
    "2025-06-05T20:16:45.538 EDT": _SIX_JUNE, "2025-06-06T00:16:45.538[UTC]": _SIX_JUNE, "6/6/2025 0:16": None, "6/6/2025 12:16:45 AM": _WHOLE,
    "6/6/25 0:16": None, "06/06/2025 00:16:45": _WHOLE, "2025/06/06 00:16:45": _WHOLE, "2025-06-06 12:16:45 AM": _WHOLE, "16:45.5": None, "00:16:45": None,
    "2025-06-06": None, "2025-06": None, "2025": None, "45814.0116": None, "45814": None, "1749169005": _WHOLE, "1749169005538": _SIX_JUNE,
    "2025-06-06T24:00:00.000Z": None, "2025-06-06T00:16:60.000Z": None, "2025-06-31T00:16:45.538Z": None, "2025-02-29T00:16:45.538Z": None,
    "2025-13-06T00:16:45.538Z": None, "2025-00-06T00:16:45.538Z": None, "2025-06-00T00:16:45.538Z": None, "0000-06-06T00:16:45.538Z": None,
    "2025-6-6T00:16:45.538Z": _SIX_JUNE, "2025-06-06T0:16:45.538Z": _SIX_JUNE, "2025-06-06T00:16Z": None, "2025-06-06T00Z": None,
    "2025-06-06T00:16:45.538Z2025-06-06T00:16:45.538Z": None, "-2025-06-06T00:16:45.538Z": None, "+2025-06-06T00:16:45.538Z": _SIX_JUNE,
    "12025-06-06T00:16:45.538Z": None, "25-06-06T00:16:45.538Z": None, "2O25-06-06T00:16:45.538Z": None, "2025-06-06TOO:16:45.538Z": None,
    "\uff12\uff10\uff12\uff15-06-06T00:16:45.538Z": _SIX_JUNE, "2025\u201306\u201306T00:16:45.538Z": _SIX_JUNE, "2025-06-06T00:16:45.538Z\u200b": _SIX_JUNE,
    "\ufeff2025-06-06T00:16:45.538Z": _SIX_JUNE, "2025-06-06\u00a000:16:45": _WHOLE, "'2025-06-06T00:16:45.538Z": _SIX_JUNE,
    '="2025-06-06T00:16:45.538Z"': _SIX_JUNE, '"2025-06-06T00:16:45.538Z"': _SIX_JUNE, "2025-06-06T00:16:45.538Z,": None,
    "2025-06-06T00:16:45.538+25:00": None, "2025-06-06T00:16:45.538+00:60": None, "2025-06-06T00:16:45.538+0200": _SIX_JUNE - timedelta(hours=2),
    "2025-06-06T00:16:45.538+02": _SIX_JUNE - timedelta(hours=2), "Jun 6, 2025 12:16 AM": None, "6 June 2025": None, "Fri Jun 06 2025 00:16:45 GMT+0000": _WHOLE,
    "Fri, 06 Jun 2025 00:16:45 GMT": _WHOLE, "today": None, "now": None, "infinity": None, "epoch": None, "yesterday": None, "invalid_date": None,
    "Invalid Date": None, "0000-00-00 00:00:00": None, "1900-01-00": None, "1970-01-01T00:00:00.000Z": datetime(1970, 1, 1, tzinfo=UTC),
    "2025-W23-5": None, "2025-157": None, "2025-06-06T00.16.45": _WHOLE, "06.06.2025 00:16:45": _WHOLE, "12.50": None, "TRUE": None, "1": None,
    "0001-01-01T00:00:00+23:00": None, "9999-12-31T23:59:59-23:00": None, "2025-06-06T00:16:45.53\n8Z": None, "2025-06-06\nT00:16:45.538Z": None,
}  # fmt: skip
_LOGIN = date(2025, 6, 18)
_JUNE_8 = date(2025, 6, 8)
DATES: dict[str, date | None] = {
    "2025-06-18": _LOGIN, "06/18/2025": _LOGIN, "06-18-2025": _LOGIN, "2025/06/18": _LOGIN, " 06/18/2025 ": _LOGIN, "6/18/2025": _LOGIN,
    "6-18-2025": _LOGIN, "6/8/2025": _JUNE_8, "06/8/2025": _JUNE_8, "6/08/2025": _JUNE_8, "06/08/2025": _JUNE_8, "2025-6-8": _JUNE_8, "2025/6/18": _LOGIN,
    "6/18/25": _LOGIN, "6/8/25": _JUNE_8, "06/18/25": _LOGIN, "25-06-18": _LOGIN, "18/06/2025": _LOGIN, "18-06-2025": _LOGIN, "18.06.2025": _LOGIN,
    "06.18.2025": _LOGIN, "8.6.2025": None, "20250618": _LOGIN, "06182025": _LOGIN, "45826": _LOGIN, "45826.0": _LOGIN, "2025-18-06": _LOGIN,
    "Jun 18, 2025": _LOGIN, "18-Jun-25": _LOGIN, "18-Jun-2025": _LOGIN, "June 18, 2025": _LOGIN, "18 June 2025": _LOGIN, "18-Jun": None, "Jun-25": None,
    "Wed 06/18/2025": _LOGIN, "6/18/2025 0:00": _LOGIN, "06/18/2025 00:00:00": _LOGIN, "2025-06-18T00:00:00Z": _LOGIN, "2025-06-18 00:00:00": _LOGIN,
    "2025-06-31": None, "06/31/2025": None, "02/29/2025": None, "02/29/2024": date(2024, 2, 29), "13/13/2025": None, "00/18/2025": None, "06/00/2025": None,
    "0000-06-18": None, "06/18/0000": None, "06/18": None, "06/2025": None, "2025": None, "2025-06": None, "06/18-2025": _LOGIN, "06-18/2025": _LOGIN,
    "2025-06/18": _LOGIN, "06//18/2025": None, "06/18/20250": None, "006/18/2025": None, "6/018/2025": None, "06/18/2O25": None, "O6/18/2025": None,
    "\uff10\uff16/18/2025": _LOGIN, "06\u204418\u20442025": _LOGIN, "06\u221518\u22152025": _LOGIN, "06/18/2025\u200b": _LOGIN, "\ufeff06/18/2025": _LOGIN,
    "\u200e06/18/2025": _LOGIN, "'06/18/2025": _LOGIN, '="06/18/2025"': _LOGIN, "06/ 18/2025": _LOGIN, "06 /18/ 2025": _LOGIN, "06 18 2025": _LOGIN,
    "06/18/2025,": _LOGIN, "06/18/2025 06/19/2025": None, "06/18/2025\n": _LOGIN, "06/18\n/2025": None, "today": None, "never": None, "Never logged in": None,
    "infinity": None, "epoch": None, "12.50": None, "TRUE": None, "0": None, "1/1/0001": date(1, 1, 1), "12/31/9999": date(9999, 12, 31), "1900-01-00": None,
    "-06/18/2025": None, "06/18/-2025": None, "\u0660\u0666/\u0661\u0668/\u0662\u0660\u0662\u0665": _LOGIN, "2025\u20141806": None, "6/18/2025?": None,
}  # fmt: skip
# What a spreadsheet or a person makes of an id; "" stands for the id as it was exported.
IDS: dict[str, Callable[[str], str]] = {
    "scientific": lambda _: "1.23457E+18", "scientific small": lambda _: "1.2E+05", "scientific comma": lambda _: "1,23457E+18",
    "scientific lower": lambda _: "1.23457e+18", "scientific negative": lambda _: "-1.23457E+18", "scientific whole": lambda _: "1E+18", "scientific long": lambda _: "1.2345678901234E+19",
    "scientific minus": lambda _: "1.2E-05", "scientific space": lambda _: " 1.23457E+18 ", "formula text": lambda it: f'="{it}"', "formula": lambda it: f"={it}",
    "formula lookup": lambda _: "=A2", "formula in quotes": lambda it: f'"={it}"', "apostrophe": lambda it: f"'{it}", "apostrophes": lambda it: f"'{it}'",
    "quotes": lambda it: f'"{it}"', "curly quotes": lambda it: f"\u201c{it}\u201d", "backticks": lambda it: f"`{it}`", "zero-width space inside": lambda it: it[:3] + "\u200b" + it[3:],
    "zero-width space after": lambda it: it + "\u200b", "soft hyphen": lambda it: it[:3] + "\u00ad" + it[3:], "byte order mark before": lambda it: "\ufeff" + it,
    "byte order mark inside": lambda it: it[:3] + "\ufeff" + it[3:], "word joiner": lambda it: it + "\u2060", "right-to-left mark": lambda it: "\u200f" + it,
    "left-to-right mark": lambda it: it + "\u200e", "embedding": lambda it: "\u202a" + it + "\u202c", "isolate": lambda it: "\u2068" + it + "\u2069",
    "only a zero-width space": lambda _: "\u200b", "only a byte order mark": lambda _: "\ufeff", "only a soft hyphen": lambda _: "\u00ad",
    "only format characters": lambda _: "\u200b\u200d\u2060", "only a no-break space": lambda _: "\u00a0", "mongolian separator": lambda it: it + "\u180e", "invisible times": lambda it: it + "\u2062",
    "line end inside": lambda it: it[:3] + "\n" + it[3:], "CRLF inside": lambda it: it[:3] + "\r\n" + it[3:], "CR inside": lambda it: it[:3] + "\r" + it[3:],
    "line end after": lambda it: it + "\n", "line end before": lambda it: "\n" + it, "CRLF after": lambda it: it + "\r\n", "line separator": lambda it: it[:3] + "\u2028" + it[3:],
    "next line": lambda it: it[:3] + "\u0085" + it[3:], "vertical tab": lambda it: it[:3] + "\x0b" + it[3:], "form feed": lambda it: it[:3] + "\x0c" + it[3:],
    "tab inside": lambda it: it[:3] + "\t" + it[3:], "tab after": lambda it: it + "\t", "space before": lambda it: " " + it, "space after": lambda it: it + " ",
    "no-break space after": lambda it: it + "\u00a0", "ideographic space": lambda it: "\u3000" + it, "NUL inside": lambda it: it[:3] + "\0" + it[3:],
    "NUL after": lambda it: it + "\0", "0x1A after": lambda it: it + "\x1a", "ESC": lambda it: "\x1b[31m" + it, "BEL": lambda it: it + "\x07", "DEL": lambda it: it + "\x7f", "backspace": lambda it: it + "x\b",
    "C1": lambda it: it + "\x9b", "blank": lambda _: "", "spaces": lambda _: "   ", "too long": lambda it: it * 6, "error": lambda _: "#REF!", "hashes": lambda _: "########", "name error": lambda _: "#NAME?",
    "label": lambda it: "_id" if it.startswith("x") else "User Object ID", "variation selector": lambda it: it + "\ufe0f", "combining joiner": lambda it: it + "\u034f", "hangul filler": lambda it: it + "\u3164",
    "tag character": lambda it: it + "\U000e0041", "replacement": lambda it: it[:3] + "\ufffd" + it[4:], "two ids in lines": lambda it: f"{it}\n{it}",
}  # fmt: skip
EMAILS: dict[str, Callable[[str], str]] = {
    "zero-width space": lambda it: it[:3] + "\u200b" + it[3:], "soft hyphen": lambda it: it[:3] + "\u00ad" + it[3:],
    "byte order mark": lambda it: "\ufeff" + it, "left-to-right mark": lambda it: it + "\u200e", "space before": lambda it: " " + it,
    "space after": lambda it: it + " ", "no-break space": lambda it: it + "\u00a0", "line end": lambda it: it + "\n", "tab": lambda it: it + "\t",
    "word joiner": lambda it: it + "\u2060", "ideographic space": lambda it: "\u3000" + it,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Misses:
    """Near misses of the cells of one column.

    Attributes:
        column: name of the column in the table.
        meanings: text of the cell -> its value, or None if there is none that is certain.
        blank: the value of a missing value.
    """

    sheet: Sheet
    label: str
    column: str
    meanings: Mapping[str, Value]
    blank: Value = None


def _typed() -> Iterator[Misses]:
    appointments, users = WHOLE
    amounts = {
        text: None if value is None else Decimal(value)
        for text, value in AMOUNTS.items()
    }
    for label in ("_created_at", "_updated_at"):
        yield Misses(appointments, label, label.removeprefix("_"), INSTANTS)
    yield Misses(appointments, "isSale", "is_sale", FLAGS, blank=False)
    yield Misses(appointments, "saleAmount", "sale_amount", amounts)
    yield Misses(users, "Last Login", "last_login", DATES)
    yield Misses(users, "Active/Inactive", "is_active", FLAGS, blank=False)
    yield Misses(users, "Send Credit Apps", "send_credit_apps", FLAGS, blank=False)
    yield Misses(users, "Search Other Users Estimates", "search_other_users_estimates", FLAGS, blank=False)  # fmt: skip
    yield Misses(users, "Additional Amount", "additional_amount", amounts, blank=Decimal(0))  # fmt: skip


TYPED = {misses.label: misses for misses in _typed()}


def typed_cells(misses: Misses) -> Files:
    """Each near miss in one row, and in all rows."""
    sheet = misses.sheet
    index = sheet.labels.index(misses.label)
    placeholders = dict.fromkeys(PLACEHOLDERS, misses.blank)
    for text, value in {**placeholders, **misses.meanings}.items():
        for place in (*((i,) for i in PLACES), tuple(range(ROWS))):
            yield _with_cells(
                sheet, f"{misses.label} {text!r}", index, dict.fromkeys(place, text),
                {misses.column: value},
            )  # fmt: skip


def ids(sheet: Sheet) -> Files:
    """Each near miss of an id in one row: rejected, or read as the id."""
    for name, change in IDS.items():
        for place in PLACES:
            text = change(sheet.key(place))
            yield _with_cells(
                sheet, f"id with {name}", sheet.key_index, {place: text}, {}
            )
    for text in PLACEHOLDERS[31:39]:
        yield _with_cells(sheet, f"id {text!r}", sheet.key_index, {4: text}, {})
    # Two ids that a spreadsheet has shortened to the same text are not one row.
    collapsed = dict.fromkeys((1, 2, 7), "1.23457E+18")
    yield _with_cells(sheet, "ids collapsed", sheet.key_index, collapsed, {})


def emails(sheet: Sheet) -> Files:
    """Invisible characters in an email: rejected, or removed."""
    label, column = ("Email", "email") if "Email" in sheet.labels else ("salesrep.email", "salesrep_email")  # fmt: skip
    index = sheet.labels.index(label)
    for name, change in EMAILS.items():
        for place in PLACES:
            text = change(sheet.rows[place][index].text)
            meant = sheet.rows[place][index].text
            yield _with_cells(sheet, f"{label} with {name}", index, {place: text}, {column: meant})  # fmt: skip


def _with_cells(
    sheet: Sheet,
    name: str,
    index: int,
    cells: Mapping[int, str],
    meant: Mapping[str, Value],
) -> PollutedFile:
    lines = [line_of(sheet.labels, QUOTINGS["minimal"])]
    for i in range(ROWS):
        written = sheet.texts(i)
        written[index] = cells.get(i, written[index])
        lines.append(line_of(written, quoted if set(written[index]) & set('"\n\r,\0') else QUOTINGS["minimal"]))  # fmt: skip
    # A text that stands for a missing value may be read as that.
    is_blank = not set(cells.values()).isdisjoint(PLACEHOLDERS)
    file = file_of(sheet, f"{name} in rows {sorted(cells)}", "\n".join([*lines, ""]), cells)  # fmt: skip
    return replace(
        file,
        polluted={key: {**values, **meant} for key, values in file.polluted.items()},
        must_be_rejected=None in meant.values() and not is_blank,
        # A label in the column of the key may be the key of another header.
        may_be_refused="_id" in cells.values() or "User Object ID" in cells.values(),
    )


KINDS: dict[str, Callable[[Sheet], Files]] = {
    "typed": lambda sheet: (
        file
        for misses in TYPED.values()
        if misses.sheet == sheet
        for file in typed_cells(misses)
    ),
    "ids": lambda sheet: ids(sheet) if sheet in SHEETS else iter(()),
    "emails": lambda sheet: emails(sheet) if sheet in WHOLE else iter(()),
}

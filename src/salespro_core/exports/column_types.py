"""The column types: one small parser each.

A parser returns text that Postgres reads: a batch is sent as text arrays, so a datetime
or a Decimal per cell would only cost time.
"""

from __future__ import annotations

import re
import string
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, tzinfo

from salespro_core.exports.columns import ColumnType
from salespro_core.exports.email_check import is_quoted_email
from salespro_core.exports.foreign_forms import (
    DAY_FIRST,
    OTHER_LANGUAGE,
    SAVED_TIMESTAMP,
    date_reason,
    is_foreign_boolean,
    is_saved_timestamp,
    year_reason,
)
from salespro_core.exports.key_check import (
    DOS_END,
    check_key,
    check_quotes,
    have_no_words,
)
from salespro_core.exports.month_names import may_be_dates
from salespro_core.exports.spreadsheet_damage import (
    INVISIBLE,
    check_address,
    check_identifier,
    check_office_id,
    has_invisible,
    strip_invisible,
    strip_space,
)

# A closed list: any other value is an error in the file and is never guessed.
_BOOLEANS = {
    "true": "t", "yes": "t", "y": "t", "1": "t",
    "false": "f", "no": "f", "n": "f", "0": "f",
}  # fmt: skip

# The form that SalesPro writes: 2025-06-06T00:16:45.538Z
_EXPORTED_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?Z"
)
_EXPORTED_SHAPE = "0000-00-00T00:00:00.000Z"
_DIGITS_TO_ZERO = str.maketrans("123456789", "000000000")
# RFC 3339, section 5.6; the offset is optional.  Second 60 and hour 24 do not match:
# Postgres would change both to the next minute or day.
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]"
    r"((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?)"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
# Spreadsheets leave out zeros, and may add midnight to a date.
_DATE = re.compile(
    r"(?:(?P<y>[0-9]{4})(?P<sep>[-/])(?P<m>[0-9]{2})(?P=sep)(?P<d>[0-9]{2})"
    r"|(?P<short_y>[0-9]{4})/(?P<short_m>[0-9]{1,2})/(?P<short_d>[0-9]{1,2})"
    r"|(?P<us_m>[0-9]{1,2})(?P<us_sep>[-/])(?P<us_d>[0-9]{1,2})(?P=us_sep)(?P<us_y>[0-9]{4}))"
    r"(?:,? (?:00?:00(?::00(?:\.0{1,6})?)?|12:00(?::00)?[ \u202f]?[Aa][Mm]))?"
)
_NOT_A_TIMESTAMP = "is not a timestamp such as 2025-06-06T00:16:45.538Z"
_NOT_A_DATE = "is not a date such as 2025-06-18 or 06/18/2025"
_NOT_A_US_DAY = "is not a day of the calendar (read as month, day)"
_NOT_A_BOOLEAN = "is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)"
_MONEY = re.compile(r"(-?)\$?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]{1,2})0*)?")
_MAILTO = re.compile(r"\A(?:\s*mailto:(?://)?)+\s*", re.IGNORECASE)
_PLAIN_IN_ADDRESSES = (string.ascii_letters + "@._-\n").encode()
_NO_AT = bytes(set(range(256)) - set(b"@\n"))
# As in 1.2E18, 1E-05 and 1.2x1018.
_MAY_BE_NUMBER = re.compile("[0-9.](?:[DdEe][0-9+-]|x10)")
_LETTER_AND_DIGIT = re.compile("[A-Za-z]-[0-9]")
_PARENTHESES = re.compile(r"\(([^()]*)\)")
_OFFICE_ID = re.compile(r"\(\s*([0-9A-Za-z]+)\s*\)")


def text(limit: int | None = None) -> ColumnType:
    """Text, kept unchanged, of at most `limit` characters."""

    def parse(cell: str) -> str:
        if limit is not None and len(cell) > limit:
            raise ValueError(f"is longer than {limit} characters")
        if "\0" in cell:
            raise ValueError("contains a NUL character")
        return cell

    def all_canonical(cells: Sequence[str]) -> bool:
        joined = "".join(cells)
        return (
            "\0" not in joined
            and (limit is None or max(map(len, cells), default=0) <= limit)
            # Most columns have no space at all.
            and (
                joined.split(maxsplit=1) == [joined] or not any(map(str.isspace, cells))
            )
        )

    return ColumnType("varchar", parse, is_text=True, all_canonical=all_canonical)


def key(limit: int) -> ColumnType:
    """Text that identifies a row; surrounding space is removed, but no other character."""
    parse_text = text(limit).parse

    def parse(cell: str) -> str:
        value = parse_text(strip_space(cell))
        if not strip_invisible(value):
            raise ValueError("is empty")
        if has_invisible(value):
            raise ValueError(DOS_END if value.startswith("\x1a") else INVISIBLE)
        check_key(value)
        return value

    def all_canonical(cells: Sequence[str]) -> bool:
        joined = "".join(cells)
        # Some letters outside ASCII are invisible.
        return (
            joined.isalnum()
            and joined.isascii()
            and max(map(len, cells), default=0) <= limit
            and have_no_words(cells, joined)
        )

    return ColumnType("varchar", parse, is_text=True, all_canonical=all_canonical)


def identifier(limit: int) -> ColumnType:
    """An id of another system; space and invisible characters around it are removed."""
    join_text = _join_text(limit)

    def parse(cell: str) -> str:
        value = join_text(cell)
        check_identifier(value)
        check_quotes(value)
        return value

    def all_canonical(cells: Sequence[str]) -> bool:
        joined = "".join(cells)
        return (
            joined.replace("-", "").isalnum()
            and joined.isascii()
            and "e-" not in joined.lower()  # 1E-05 is for `parse`
            and not _may_be_date(cells, joined)
            and max(map(len, cells), default=0) <= limit
        )

    return ColumnType("varchar", parse, is_text=True, all_canonical=all_canonical)


def address(limit: int) -> ColumnType:
    """An email address or the name of an account, by which tables are joined.

    Space and invisible characters around it and `mailto:` are removed.  What a spreadsheet
    or a mail program has added is refused.
    """
    join_text = _join_text(limit)

    def parse(cell: str) -> str:
        value = join_text(_MAILTO.sub("", strip_invisible(cell)))
        if is_quoted_email(value):
            return value
        check_address(value)
        check_quotes(value)
        return value

    def all_canonical(cells: Sequence[str]) -> bool:
        joined = "\n".join(cells)
        encoded = joined.encode(errors="replace")
        ats = encoded.translate(None, _NO_AT)
        if b"@@" in ats or ats.count(b"\n") != len(cells) - 1:
            return False
        others = encoded.translate(None, _PLAIN_IN_ADDRESSES)
        if others and (
            others.translate(None, b"+0123456789")
            or _MAY_BE_NUMBER.search(joined)
            or _may_be_date(cells, joined)
        ):
            return False
        return max(map(len, cells), default=0) <= limit

    return ColumnType("varchar", parse, is_text=True, all_canonical=all_canonical)


def _may_be_date(cells: Sequence[str], joined: str) -> bool:
    """Whether a cell of ASCII may be 10-Mar or Mar-10: a fast check of many cells."""
    if "-" not in joined and "." not in joined:
        return False
    # Digits come before letters.
    may_be = min(cells) < ":" or (
        "-" in joined and _LETTER_AND_DIGIT.search(joined) is not None
    )
    return may_be and may_be_dates(cells)


def _join_text(limit: int) -> Callable[[str], str]:
    """The parser of text that is compared with other columns."""
    parse_text = text(limit).parse

    def parse(cell: str) -> str:
        value = parse_text(strip_invisible(cell))
        if has_invisible(value):
            raise ValueError(INVISIBLE)
        return value

    return parse


def instant(source_timezone: tzinfo = UTC) -> ColumnType:
    """A timestamp in RFC 3339; without an offset it is local to `source_timezone`.

    A local time that the change to summer time skips gets the offset before the change;
    a local time that occurs twice means the first.
    """

    def parse(cell: str) -> str:
        exported = _EXPORTED_INSTANT.fullmatch(cell)
        if not (match := exported or _INSTANT.fullmatch(cell)):
            reason = f": {SAVED_TIMESTAMP}" if is_saved_timestamp(cell) else ""
            raise ValueError(f"{_NOT_A_TIMESTAMP}{reason}")
        try:
            if exported:
                datetime.fromisoformat(cell)
                return cell
            day, time, offset = match.groups(default="")
            timestamp = datetime.fromisoformat(f"{day}T{time}{offset.upper()}")
            if not offset:
                timestamp = timestamp.replace(tzinfo=source_timezone)
            return timestamp.astimezone(UTC).isoformat()
        except ValueError:
            raise ValueError("is not a day of the calendar") from None
        except OverflowError:
            raise ValueError("is beyond the years 1 to 9999") from None

    return ColumnType("timestamptz", parse, all_canonical=_are_exported_instants)


def _are_exported_instants(cells: Sequence[str]) -> bool:
    """Whether all cells have the form that SalesPro writes, and a valid date."""
    text = "".join(cells)
    if text.translate(_DIGITS_TO_ZERO) != _EXPORTED_SHAPE * len(cells) or "T24" in text:
        return False
    try:
        # Only its errors matter: it checks the calendar and the clock.
        deque(map(datetime.fromisoformat, cells), maxlen=0)
    except ValueError:
        return False
    return True


def money(precision: int, scale: int = 2) -> ColumnType:
    """An amount that fits `numeric(precision, scale)` without rounding."""
    whole_digits = precision - scale

    def parse(cell: str) -> str:
        if not (match := _MONEY.fullmatch(cell)):
            raise ValueError("is not an amount such as 23245.09")
        sign, whole, cents = match.groups(default="")
        whole = whole.replace(",", "").lstrip("0") or "0"
        if len(whole) > whole_digits:
            raise ValueError(f"has more than {whole_digits} digits before the point")
        return f"{sign}{whole}.{cents or '0'}"

    canonical = re.compile(
        rf"(?:(?:0|[1-9][0-9]{{0,{whole_digits - 1}}})\.[0-9]{{1,2}} )*"
    )

    def all_canonical(cells: Sequence[str]) -> bool:
        text = " ".join([*cells, ""])
        return text.count(" ") == len(cells) and canonical.fullmatch(text) is not None

    return ColumnType("numeric", parse, all_canonical=all_canonical, scale=scale)


def _parse_boolean(cell: str) -> str:
    try:
        return _BOOLEANS[cell.lower()]
    except KeyError:
        reason = f": {OTHER_LANGUAGE}" if is_foreign_boolean(cell) else ""
        raise ValueError(f"{_NOT_A_BOOLEAN}{reason}") from None


def _parse_date(cell: str) -> str:
    if not (match := _DATE.fullmatch(cell)):
        reason = date_reason(cell)
        raise ValueError(f"{_NOT_A_DATE}: {reason}" if reason else _NOT_A_DATE)
    groups = match.groupdict()
    year = int(groups["y"] or groups["short_y"] or groups["us_y"])
    month = int(groups["m"] or groups["short_m"] or groups["us_m"])
    day = int(groups["d"] or groups["short_d"] or groups["us_d"])
    try:
        value = date(year, month, day).isoformat()
    except ValueError:
        if groups["us_y"] and _exists(year, day, month):
            raise ValueError(f"{_NOT_A_US_DAY}: {DAY_FIRST}") from None
        raise ValueError(_NOT_A_US_DAY) from None
    if reason := year_reason(value):
        raise ValueError(f"{_NOT_A_DATE}: {reason}")
    return value


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _parse_office_id(cell: str) -> str:
    """Return the id in the last parentheses of `Baltimore ( a1B2c3D4e5 )`, or ""."""
    for inside in _PARENTHESES.findall(cell):
        office = inside.strip()
        check_office_id(office)
        visible = "".join(char for char in office if not has_invisible(char))
        if visible != office and visible.isascii() and visible.isalnum():
            raise ValueError("holds an office id with an invisible character")
    ids: list[str] = _OFFICE_ID.findall(cell)
    if not ids:
        return ""
    if len(ids[-1]) > 50:  # noqa: PLR2004 -- office_id is a varchar(50)
        raise ValueError("holds an office id of more than 50 characters")
    return ids[-1]


BOOLEAN = ColumnType("boolean", _parse_boolean)
DATE = ColumnType("date", _parse_date)
OFFICE_ID = ColumnType("varchar", _parse_office_id, is_text=True)

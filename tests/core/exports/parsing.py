"""What the tests of the column types share: all reasons, and how a parser is called."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from salespro_core.exports.column_types import instant, money
from salespro_core.exports.columns import ColumnType
from salespro_core.exports.email_check import (
    AROUND_EMAIL,
    SECOND_AT,
    SPACE_IN_EMAIL,
)
from salespro_core.exports.foreign_forms import (
    DAY_FIRST,
    HAS_TIME,
    HIDDEN,
    OTHER_DATE,
    OTHER_LANGUAGE,
    SAVED_TIMESTAMP,
    SERIAL_DATE,
    TWO_DIGIT_YEAR,
    ZERO_YEAR,
)
from salespro_core.exports.key_check import (
    BOOLEAN_VALUE,
    DOS_END,
    MARKS,
    NO_ID,
    OTHER_MARK,
    REPLACED,
    SPACE_INSIDE,
    TIME_VALUE,
    TOTAL,
    WORD,
)
from salespro_core.exports.spreadsheet_damage import (
    DATE_VALUE,
    ERROR_VALUE,
    FORMULA,
    INVISIBLE,
    SCIENTIFIC,
)

INSTANT = instant()
AMOUNT = money(12, 2)
ARABIC_ONE = "\N{ARABIC-INDIC DIGIT ONE}"

# All reasons of the parsers.  The list is closed, so no reason quotes a cell.
NOT_A_TIMESTAMP = "is not a timestamp such as 2025-06-06T00:16:45.538Z"
NOT_A_DAY = "is not a day of the calendar"
OUTSIDE_YEARS = "is beyond the years 1 to 9999"
NOT_AN_AMOUNT = "is not an amount such as 23245.09"
TOO_MANY_DIGITS = "has more than 10 digits before the point"
NOT_A_BOOLEAN = "is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)"
NOT_A_DATE = "is not a date such as 2025-06-18 or 06/18/2025"
NOT_A_US_DAY = "is not a day of the calendar (read as month, day)"
SAVED_BY_SPREADSHEET = f"{NOT_A_TIMESTAMP}: {SAVED_TIMESTAMP}"
IN_OTHER_LANGUAGE = f"{NOT_A_BOOLEAN}: {OTHER_LANGUAGE}"
DAY_BEFORE_MONTH = f"{NOT_A_US_DAY}: {DAY_FIRST}"
WITH_TWO_DIGIT_YEAR = f"{NOT_A_DATE}: {TWO_DIGIT_YEAR}"
WITH_ZERO_YEAR = f"{NOT_A_DATE}: {ZERO_YEAR}"
IN_OTHER_FORM = f"{NOT_A_DATE}: {OTHER_DATE}"
AS_DAY_NUMBER = f"{NOT_A_DATE}: {SERIAL_DATE}"
WITH_TIME = f"{NOT_A_DATE}: {HAS_TIME}"
AS_HASHES = f"{NOT_A_DATE}: {HIDDEN}"
DATE_REASONS = {
    NOT_A_DATE, NOT_A_US_DAY, DAY_BEFORE_MONTH, WITH_TWO_DIGIT_YEAR, IN_OTHER_FORM,
    AS_DAY_NUMBER, WITH_TIME, AS_HASHES, WITH_ZERO_YEAR,
}  # fmt: skip
TOO_LONG = "is longer than 5 characters"
NUL = "contains a NUL character"
EMPTY = "is empty"
IDENTIFIER_REASONS = {
    INVISIBLE, SCIENTIFIC, DATE_VALUE, ERROR_VALUE, FORMULA, MARKS, TOO_LONG, NUL,
}  # fmt: skip
ADDRESS_REASONS = {*IDENTIFIER_REASONS, AROUND_EMAIL, SECOND_AT, SPACE_IN_EMAIL}
KEY_REASONS = {
    *IDENTIFIER_REASONS, BOOLEAN_VALUE, TIME_VALUE, DOS_END, EMPTY, NO_ID, OTHER_MARK, REPLACED, SPACE_INSIDE, TOTAL, WORD,
}  # fmt: skip
OFFICE_ID_CHANGED = "holds an office id that a spreadsheet has changed"
OFFICE_ID_INVISIBLE = "holds an office id with an invisible character"
OFFICE_ID_TOO_LONG = "holds an office id of more than 50 characters"

PURE = settings(deadline=None, max_examples=200)
# The database belongs to one test, and its examples only read.
ON_POSTGRES = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def is_accepted(column_type: ColumnType, cell: str) -> bool:
    """Whether the parser accepts the cell."""
    try:
        column_type.parse(cell)
    except ValueError:
        return False
    return True


def parse_error(column_type: ColumnType, cell: str) -> str:
    """The reason why the parser refuses the cell."""
    with pytest.raises(ValueError) as error:  # noqa: PT011 -- callers compare the whole text
        column_type.parse(cell)
    return str(error.value)

"""Ids that a spreadsheet has changed, and characters that cannot be seen.

Source: the cells that Excel, LibreOffice Calc and Google Sheets save as CSV.
"""

from __future__ import annotations

import re
import unicodedata

from salespro_core.exports.email_check import check_email
from salespro_core.exports.month_names import (
    ENGLISH_MONTHS,
    is_day_and_month,
    is_month_and_year,
)

INVISIBLE = "contains an invisible character, a tab or a line break"
SCIENTIFIC = "is a number such as 1.23457E+18, to which a spreadsheet has changed it"
DATE_VALUE = "is a date, to which a spreadsheet has changed it"
ERROR_VALUE = "is an error value of a spreadsheet, such as #NAME?"
OFFICE_ID_CHANGED = "holds an office id that a spreadsheet has changed"
FORMULA = "has an = or ' before it, as spreadsheets write text"

# All of Unicode's spaces, and the tab; a person may have typed them around an id.
_SPACES = (
    "\t \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u202f\u205f\u3000"
)
# Hyphens, dashes and the minus sign; some languages write exponents with the latter.
_MINUS = "\\-\u2010-\u2015\u2212\uff0d"
# With a sign, or with decimals: `12E34567890` is an id of SalesPro.
_DECIMALS = r"(?:[0-9]+[.,\u066b][0-9]*|[.,\u066b][0-9]+)"
_SCIENTIFIC = re.compile(
    rf"[+{_MINUS}]?(?:[0-9]+|{_DECIMALS}) ?[Ee] ?[+\uff0b{_MINUS}] ?[0-9]+"
    rf"|[+{_MINUS}]?{_DECIMALS} ?[DdEe][0-9]+"
    rf"|[+{_MINUS}]?{_DECIMALS} ?[*x\xd7\xb7] ?10\^?[+{_MINUS}]?[0-9]+"
    rf"|[+{_MINUS}]?[0-9]+ ?[*x\xd7\xb7] ?10\^[+{_MINUS}]?[0-9]+"
)
# As mmm-yy, d-mmm and d-mmm-yy, and in numbers; for other languages see `month_names`.
_MONTH = f"(?:{'|'.join(ENGLISH_MONTHS)})"
_DATE = re.compile(
    rf"[0-9]{{1,2}}-{_MONTH}(?:-[0-9]{{2}}|-[0-9]{{4}})?|{_MONTH}-[0-9]{{2}}"
    r"|[0-9]{1,2}/[0-9]{1,2}/(?:[0-9]{4}|[0-9]{2})(?: [0-9]{1,2}:[0-9]{2}.*)?"
)
# Also of spreadsheets in other languages: #WERT!, #\xa1VALOR!, #\u0417\u041d\u0410\u0427!
_ERROR_WORD = r"[\xa1\xbf]?[^\W\d_][\w/]*"
_LIBRE_OFFICE_ERROR = "(?:Err|Fehler|Erreur|Errore|Erro|Fel|Fout|\u041e\u0448\u0438\u0431\u043a\u0430):[0-9]+"
_ERROR_VALUE = re.compile(
    rf"#(?:#*|{_ERROR_WORD}[?!]?)|{_LIBRE_OFFICE_ERROR}", re.IGNORECASE
)
_FORMULA_STARTS = ("=", "'")
# The same errors in text, where `#B2` may be a suite.
_SURE_ERROR_VALUE = re.compile(
    rf"#(?:#+|{_ERROR_WORD}[?!]|[\xa1\xbf]\w+|N/?A|NV|N/D|\u041d/\u0414|I/T|YOK|GETTING_DATA)"
    rf"|{_LIBRE_OFFICE_ERROR}",
    re.IGNORECASE,
)
_APOSTROPHES = "'`\xb4\u2018\u2019\u2032"
# An id after a mark, or one with a digit in quotes: 'The Annex' is text.
_MARKED_ID = re.compile(
    rf"=.*|[{_APOSTROPHES}]+[0-9A-Z]+"
    rf"|[{_APOSTROPHES}\"\u201c\u201d]+(?=[^0-9]*[0-9])[0-9A-Z]+[{_APOSTROPHES}\"\u201c\u201d]*",
    re.IGNORECASE,
)
# Characters without ink that Python calls printable: fillers, joiners, the selectors of
# glyph variants, and the empty pattern of Braille.
# Source: Unicode, DerivedCoreProperties.txt, Default_Ignorable_Code_Point.
_INKLESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)

# NUL, and the surrogates that stand for bytes which are not UTF-8.
_KEPT = {"\0", *map(chr, range(0xDC80, 0xDD00))}


def has_invisible(text: str) -> bool:
    """Whether the text has a character that cannot be seen, or a space other than U+0020."""
    return not text.isprintable() or (
        not text.isascii() and _INKLESS.search(text) is not None
    )


def strip_invisible(text: str) -> str:
    """The text without space and invisible characters around it.

    NUL and bytes that are not UTF-8 are kept: both are errors of their own.
    """
    text = text.strip()
    if not has_invisible(text):
        return text
    visible = [
        index
        for index, char in enumerate(text)
        if char in _KEPT or not (char.isspace() or has_invisible(char))
    ]
    return text[visible[0] : visible[-1] + 1] if visible else ""


def strip_space(text: str) -> str:
    """The text without space around it; line ends and separators are not space."""
    return text.strip(_SPACES)


def check_identifier(text: str) -> None:
    """Refuse what a spreadsheet makes of an id.

    Raises:
        ValueError: the text is not the id that SalesPro wrote.
    """
    text = _ordinary(text)
    _check_common(text)
    # mai-22 may be the name of a user.
    if is_month_and_year(text):
        raise ValueError(DATE_VALUE)


def check_address(text: str) -> None:
    """Refuse what a spreadsheet or a mail program makes of an email or a user name.

    Raises:
        ValueError: the text is not the address that SalesPro wrote.
    """
    _check_common(_ordinary(text))
    check_email(text)


def check_office_id(text: str) -> None:
    """Refuse what a spreadsheet makes of an id between parentheses, where text may be.

    Raises:
        ValueError: the text is not the id that SalesPro wrote.
    """
    text = _ordinary(text)
    forms = (_SCIENTIFIC, _DATE, _SURE_ERROR_VALUE, _MARKED_ID)
    if any(form.fullmatch(text) for form in forms):
        raise ValueError(OFFICE_ID_CHANGED)


def _check_common(text: str) -> None:
    if text.startswith(_FORMULA_STARTS):
        raise ValueError(FORMULA)
    if _SCIENTIFIC.fullmatch(text):
        raise ValueError(SCIENTIFIC)
    if _DATE.fullmatch(text) or is_day_and_month(text):
        raise ValueError(DATE_VALUE)
    if _ERROR_VALUE.fullmatch(text):
        raise ValueError(ERROR_VALUE)


def _ordinary(text: str) -> str:
    """The text with ordinary characters instead of full-width ones."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)

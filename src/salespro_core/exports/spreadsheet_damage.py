"""Ids that a spreadsheet has changed, and characters that cannot be seen.

Source: the cells that Excel, LibreOffice Calc and Google Sheets save as CSV.
"""

from __future__ import annotations

import re

INVISIBLE = "contains an invisible character, a tab or a line break"
SCIENTIFIC = "is a number such as 1.23457E+18, to which a spreadsheet has changed it"
ERROR_VALUE = "is an error value of a spreadsheet, such as #NAME?"
FORMULA = "has an = or ' before it, as spreadsheets write text"

# Hyphens, dashes and the minus sign; some languages write exponents with the latter.
_MINUS = "\\-\u2010-\u2015\u2212\uff0d"
# With a sign, or with decimals: `12E34567890` is an id of SalesPro.
_SCIENTIFIC = re.compile(
    rf"[+{_MINUS}]?[0-9]+(?:[.,\u066b][0-9]*)?[Ee][+\uff0b{_MINUS}][0-9]+"
    rf"|[+{_MINUS}]?[0-9]+[.,\u066b][0-9]*[Ee][0-9]+"
)
_ERROR_VALUE = re.compile(r"#(?:#+|[A-Z][A-Z0-9/_]*[?!]?)|Err:[0-9]+", re.IGNORECASE)
_FORMULA_STARTS = ("=", "'", "\N{FULLWIDTH EQUALS SIGN}")
# Characters without ink that Python calls printable: fillers, joiners, the selectors of
# glyph variants, and the empty pattern of Braille.
# Source: Unicode, DerivedCoreProperties.txt, Default_Ignorable_Code_Point.
_INKLESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def has_invisible(text: str) -> bool:
    """Whether the text has a character that cannot be seen, or a space other than U+0020."""
    return not text.isprintable() or (
        not text.isascii() and _INKLESS.search(text) is not None
    )


def strip_invisible(text: str) -> str:
    """The text without space and invisible characters around it; NUL is kept.

    NUL at the ends is an error of its own, see `column_types.text`.
    """
    text = text.strip()
    if not has_invisible(text):
        return text
    visible = [
        index
        for index, char in enumerate(text)
        if char == "\0" or not (char.isspace() or has_invisible(char))
    ]
    return text[visible[0] : visible[-1] + 1] if visible else ""


def check_identifier(text: str) -> None:
    """Refuse what a spreadsheet makes of an id.

    Raises:
        ValueError: the text is not the id that SalesPro wrote.
    """
    if text.startswith(_FORMULA_STARTS):
        raise ValueError(FORMULA)
    if is_scientific(text):
        raise ValueError(SCIENTIFIC)
    if _ERROR_VALUE.fullmatch(text):
        raise ValueError(ERROR_VALUE)


def is_scientific(text: str) -> bool:
    """Whether a spreadsheet has written the text as a number with an exponent."""
    return _SCIENTIFIC.fullmatch(text) is not None

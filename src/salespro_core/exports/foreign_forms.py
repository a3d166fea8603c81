"""Says why a date, timestamp or boolean is invalid: the form in which a spreadsheet saved it.

A spreadsheet shows a cell in the form of its language, and saves what it shows.
Source: the forms of Excel, LibreOffice Calc and Google Sheets for the languages of Europe,
America and East Asia.
"""

from __future__ import annotations

import re

TWO_DIGIT_YEAR = "its year has two digits"
ZERO_YEAR = "its year begins with a zero"
DAY_FIRST = "its day comes first, but the month is read first; write it as 2025-06-18"
OTHER_DATE = (
    "it has another form, as spreadsheets of other languages write dates; write it as "
    "2025-06-18"
)
SERIAL_DATE = (
    "it is a day number of a spreadsheet; format the column as a date 2025-06-18, or "
    "export the file again"
)
HAS_TIME = "it has a time of day; write only the date"
HIDDEN = (
    "a spreadsheet has saved # because the column was too narrow; export the file again"
)
SAVED_TIMESTAMP = (
    "the file was saved by a spreadsheet, which shortens timestamps; export it again from "
    "SalesPro and upload it without opening it in a spreadsheet"
)
OTHER_LANGUAGE = (
    "a spreadsheet in another language wrote it; write TRUE or FALSE, or export the file "
    "again"
)

# What programs write for a login that never was.
_NEVER = "0001-01-01"
# The longest form is a weekday, a date with the month in words and a time.
_MOST_CHARACTERS = 80
_MINUS = "\\-\u2010-\u2015\u2212"
_SPACE = " \xa0\u2009\u202f"
# Three numbers with separators, in any order: 18.06.2025, 2025. 6. 18.
_NUMBERS = (
    rf"[0-9]{{1,4}}([./{_MINUS}])[{_SPACE}]?[0-9]{{1,2}}\1[{_SPACE}]?[0-9]{{1,4}}\.?"
)
_EAST_ASIAN = (
    rf"[0-9]{{2,4}}[年년][{_SPACE}]?[0-9]{{1,2}}[月월][{_SPACE}]?[0-9]{{1,2}}[日일]"
)
# The name of a month between or beside numbers, perhaps after the name of a day.
_WORD = r"[^\W\d_]+\.?"
_NAMED = (
    rf"(?:{_WORD},?[{_SPACE}])?"
    rf"(?:[0-9]{{1,2}}(?:st|nd|rd|th)?\.?[{_SPACE}{_MINUS}/](?:de[{_SPACE}])?{_WORD}"
    rf"|{_WORD}[{_SPACE}{_MINUS}/][0-9]{{1,2}}(?:st|nd|rd|th)?)"
    rf"(?:,?[{_SPACE}{_MINUS}/](?:de[{_SPACE}])?[0-9]{{2,4}})?"
    rf"|[0-9]{{4}}[{_SPACE}{_MINUS}/]{_WORD}[{_SPACE}{_MINUS}/][0-9]{{1,2}}"
)
_DAY = rf"(?:{_NUMBERS}|{_EAST_ASIAN}|{_NAMED})"
_HALF = r"(?:[AaPp]\.?[ \xa0\u202f]?[Mm]\.?|上午|下午|午前|午後|오전|오후)"
_TIME = (
    rf"(?:{_HALF}[{_SPACE}]?)?[0-9]{{1,3}}[:.h][0-9]{{1,2}}(?:[:.][0-9]{{1,2}})?"
    rf"(?:[.,][0-9]{{1,6}})?(?:[{_SPACE}]?{_HALF})?"
)
_DATE = re.compile(_DAY, re.IGNORECASE)
_DATE_AND_TIME = re.compile(
    rf"{_DAY},?[{_SPACE}](?:at[{_SPACE}])?{_TIME}", re.IGNORECASE
)
# Not from a spreadsheet: an instant of another program.
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt].*| [0-9]{2}:[0-9]{2}:[0-9]{2}.*)", re.DOTALL
)
_TIME_ALONE = re.compile(_TIME, re.IGNORECASE)
_TWO_DIGIT_YEAR = re.compile(
    rf"[0-9]{{1,2}}([./{_MINUS}])[{_SPACE}]?[0-9]{{1,2}}\1[{_SPACE}]?[0-9]{{1,2}}\.?(?!\d)"
    rf"|[0-9]{{1,2}}[年년]"
    rf"|[0-9]{{1,2}}[{_SPACE}{_MINUS}/]{_WORD}[{_SPACE}{_MINUS}/][0-9]{{2}}(?!\d)"
    rf"|{_WORD}[{_SPACE}{_MINUS}/][0-9]{{1,2}},[{_SPACE}][0-9]{{2}}(?!\d)"
)
# A day number has five digits from 1927 to 2173.
_SERIAL = re.compile(
    r"[1-9][0-9]{4}(?:[.,][0-9]*)?|[0-9](?:[.,][0-9]+)?E\+?0?4", re.IGNORECASE
)
_HIDDEN = re.compile(r"#{2,}")

# TRUE and FALSE in the languages of Excel and LibreOffice Calc.
_TRUE_OR_FALSE = """
    wahr falsch vrai faux verdadero falso verdadeiro vero waar onwaar sant falskt sann usann
    sand falsk tosi epätosi prawda fałsz pravda nepravda igaz hamis doğru yanlış yanliş истина
    ложь правда хибність αληθησ ψευδησ adevărat cert vertader fals točno netočno istinito
    neistinito resnično tačno netačno tõene väär patiess aplams tiesa netiesa benar salah đúng
    sai 真 假 참 거짓
"""  # noqa: RUF001 -- words of other languages
_YES_OR_NO = """
    ja nein oui non sí si não nao sì nej nei kyllä ei tak nie ano ne igen nem
    evet hayır hayir да нет ναι όχι はい いいえ 是 否 예 아니요
"""  # noqa: RUF001 -- words of other languages
_BOOLEANS = frozenset((_TRUE_OR_FALSE + _YES_OR_NO).split())
# As they are written; any other mixture of capitals may be an id.
TRUE_OR_FALSE_WORDS = frozenset(
    spelling
    for word in ("true", "false", *_TRUE_OR_FALSE.split())
    for spelling in (word, word.capitalize(), word.upper())
)


def date_reason(cell: str) -> str:
    """What a cell that is no date of SalesPro is instead; "" if it is unknown."""
    if len(cell) > _MOST_CHARACTERS:
        return ""
    if _HIDDEN.fullmatch(cell):
        return HIDDEN
    if _SERIAL.fullmatch(cell):
        return SERIAL_DATE
    is_date = _DATE.fullmatch(cell)
    has_time = _DATE_AND_TIME.fullmatch(cell) or _INSTANT.fullmatch(cell)
    if (is_date or has_time) and _TWO_DIGIT_YEAR.match(cell):
        return TWO_DIGIT_YEAR
    if is_date:
        return OTHER_DATE
    return HAS_TIME if has_time else ""


def year_reason(day: str) -> str:
    """Why the year of an ISO date is not the one that was meant; "" if it may be."""
    if not day.startswith("0") or day == _NEVER:
        return ""
    return TWO_DIGIT_YEAR if day.startswith("00") else ZERO_YEAR


def is_saved_timestamp(cell: str) -> bool:
    """Whether a spreadsheet wrote this instead of a timestamp of SalesPro."""
    return (
        len(cell) <= _MOST_CHARACTERS
        and not _INSTANT.fullmatch(cell)
        and any(
            form.fullmatch(cell)
            for form in (_DATE, _DATE_AND_TIME, _TIME_ALONE, _SERIAL, _HIDDEN)
        )
    )


def is_foreign_boolean(cell: str) -> bool:
    """Whether the cell is TRUE or FALSE, or yes or no, in another language."""
    return cell.casefold() in _BOOLEANS

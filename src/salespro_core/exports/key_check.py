"""Rejects text in the id column that cannot be an id: totals, comments, ids in quotes or brackets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from salespro_core.exports.foreign_forms import TRUE_OR_FALSE_WORDS
from salespro_core.exports.spreadsheet_damage import check_identifier

MARKS = "has quotes or other marks around it"
DOS_END = (
    "has 0x1A before it, which DOS writes at the end of a file: files were put together, "
    "and it was left between them"
)
NO_ID = "is not an id: it has no letter and no digit"
REPLACED = "contains U+FFFD: a program replaced a character that it could not decode"
TOTAL = "is the label of a total, not an id"
BOOLEAN_VALUE = "is TRUE or FALSE, perhaps in another language, not an id"
TIME_VALUE = "is a time of day, to which a spreadsheet has changed it"
WORD = "is a word such as NULL, not an id"
SPACE_INSIDE = "has a space inside, which ids do not have"
OTHER_MARK = "has a character that ids do not have, such as a comma or a quote"

_QUOTES = "\"'`\u00b4\u2032\u2033\uff02\uff07"
_TOTAL = re.compile(
    r"(?:.*[\s_-])?(?:sub|grand)?[\s_-]*totals?(?:[\s:=].*)?", re.IGNORECASE
)


def _spellings(words: str) -> frozenset[str]:
    """The usual spellings: `nULl` may be an id."""
    return frozenset(
        spelling
        for word in words.split()
        for spelling in (word, word.capitalize(), word.upper())
    )


# Source: what spreadsheets, report tools and databases write, also in other languages.
_WORDS = _spellings("null none nan n/a undefined eof sep=") | {"NaN"}
_TOTALS = _spellings("""
    sum count average avg median summary overall gesamt gesamtsumme gesamtergebnis ergebnis summe
    zwischensumme teilergebnis insgesamt zusammenfassung mittelwert anzahl somme totale totaux moyenne
    résumé récapitulatif suma sumas promedio resumen totais soma resumo média somma riepilogo totaal
    samenvatting gemiddelde summa totalt delsumma sammendrag sammanfattning yhteensä yhteenveto razem
    podsumowanie średnia celkem součet souhrn súčet összesen összeg részösszeg toplam aratoplam özet
    ukupno zbroj vsota kokku итого всего сумма подытог разом сума общо σύνολο άθροισμα 합계 총계 소계
    合計 合计 总计 總計 小计 小計 総計 汇总 jumlah tổng รวม סהכ
""")
_NO_IDS = _WORDS | _TOTALS | TRUE_OR_FALSE_WORDS
_AFTER_WORD = re.compile(r"[\s:=]")
_TIME = re.compile(
    r"[0-9]{1,2}:[0-5][0-9](?:[.,][0-9]{1,3})?(?: ?[AaPp]\.?[Mm]\.?)?"
    r"|[0-9]{1,4}:[0-5][0-9]:[0-5][0-9](?:[.,][0-9]{1,3})?(?: ?[AaPp]\.?[Mm]\.?)?"
)
# At the start, inside or at the end of text; other marks are left to the ids.
_OTHER_MARK = re.compile(
    r"\A[+@$%~/*&\\^]|:\Z|[\"'`,;|<>!?\u00ab\u00b4\u00bb\u2018-\u201f\u2032-\u2037"
    r"\u2039\u203a\u300c-\u300f\uff02\uff07\uff0c\uff1b]"
)


def check_key(text: str) -> None:
    """Refuse what is no id of a row.

    Args:
        text: without space around it.

    Raises:
        ValueError: the text is not the id that SalesPro wrote.
    """
    check_identifier(text)
    if not any(map(str.isalnum, text)):
        raise ValueError(NO_ID)
    if "\N{REPLACEMENT CHARACTER}" in text:
        raise ValueError(REPLACED)
    first, last = text[0], text[-1]
    if _is_quote(first) or _is_quote(last) or (_is_mark(first) and _is_mark(last)):
        raise ValueError(MARKS)
    if _TOTAL.fullmatch(text) or _AFTER_WORD.split(text, maxsplit=1)[0] in _TOTALS:
        raise ValueError(TOTAL)
    word = text.rstrip(":.")
    if word in _WORDS:
        raise ValueError(WORD)
    if word in TRUE_OR_FALSE_WORDS:
        raise ValueError(BOOLEAN_VALUE)
    if _TIME.fullmatch(text):
        raise ValueError(TIME_VALUE)
    if any(map(str.isspace, text)):
        raise ValueError(SPACE_INSIDE)
    if _OTHER_MARK.search(text):
        raise ValueError(OTHER_MARK)


def check_quotes(text: str) -> None:
    """Refuse a quote before text that is compared with other columns.

    Raises:
        ValueError: the text begins with a quote.
    """
    if text and _is_quote(text[0]):
        raise ValueError(MARKS)


def have_no_words(cells: Sequence[str], joined: str) -> bool:
    """Whether none of these texts of letters and digits is a total or another word."""
    return "total" not in joined.lower() and _NO_IDS.isdisjoint(cells)


def _is_quote(char: str) -> bool:
    return char in _QUOTES or unicodedata.category(char) in ("Pi", "Pf")


def _is_mark(char: str) -> bool:
    # `-` and `_` are digits of base64; `.` separates the parts of an id.
    return not char.isalnum() and char not in "-_."

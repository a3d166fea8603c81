"""Dates without a year, or with two digits of it, into which a spreadsheet changes an id.

A spreadsheet reads `MAR10` and `3-6` as dates, and saves them in the form of its language:
`10-Mar`, `10-mars`, `06.Mrz`.
Source: the abbreviations of the months in Unicode's CLDR 47, and in Windows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

ENGLISH_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
# Each once: German and the languages after it have some of those before them.
_OTHERS: Final = """
    März Mär Mrz Mai Juni Juli Sept Okt Dez janv févr mars avr juin juil août déc
    ene abr ago dic gen mag giu lug set ott mrt mei fev out maj des
    tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu
    sty lut kwi cze lip sie wrz paź lis gru led úno bře dub kvě čvn čvc srp zář říj pro
    máj jún júl febr márc ápr szept Oca Şub Nis Haz Tem Ağu Eyl Eki Kas Ara
    янв февр фев мар апр мая май июн июнь июл июль авг сент сен сеп окт нояб ноя дек март
    січ лют бер квіт кві трав тра черв чер лип серп сер вер жовт жов лист лис груд гру
    сту сак кра чэр ліп жні кас ліс сне яну юни юли ное јан мај јун јул нов дец
    avg sij velj ožu tra svi kol ruj stu ian iun iul març maig juny ag xan maio xuñ xuño xul
    urt ots api eka uzt abu ira urr aza abe
    Ιαν Φεβ Μαρ Μάρ Απρ Μαϊ Μαΐ Μάι Ιουν Ιούν Ιουλ Ιούλ Αυγ Αύγ Σεπ Οκτ Νοε Νοέ Δεκ
    jaan veebr märts juuni juuli dets marts maijs jūn jūl saus vas kov bal geg birž liep
    rugp rugs spal lapkr gruod maí ágú nóv ean feabh márta aib beal meith iúil lún samh noll
    ion chwef chw maw ebr meh gorff gor awst medi hyd tach rhag shk pri qer korr gush sht tet
    nën dhj agu mac ogo dis yan iyn iyl avq sen noy dek peb hun hul nob
    ינו פבר מרץ אפר מאי יוני יולי אוג ספט אוק נוב דצמ
    يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر
    ژانویه فوریه آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر
    जन फ़र मार्च अप्रैल मई जून जुल अग सित अक्टू नव दिस
    ม.ค ก.พ มี.ค เม.ย พ.ค มิ.ย ก.ค ส.ค ก.ย ต.ค พ.ย ธ.ค қаң ақп нау сәу мам мау шіл там қыр
    қаз қар жел იან თებ მარ აპრ მაი ივნ ივლ აგვ სექ ოქტ ნოე დეკ
    հնվ փտվ մրտ ապր մյս հնս հլս օգս սեպ հոկ նոյ դեկ
"""  # noqa: RUF001 -- words of other languages
# In capitals no spreadsheet writes them: `10-MAR` may be an id.
MONTH_NAMES: Final = frozenset(
    spelling
    for name in (*ENGLISH_MONTHS, *unicodedata.normalize("NFKC", _OTHERS).split())
    for spelling in (name, name.lower(), name.capitalize())
)
# The marks of an abbreviation, also in Hebrew and Hindi.
_ABBREVIATION = " .׳॰"  # noqa: RUF001 -- no apostrophe
_NAME = r"([^\d\s/-][^\d/-]*?)"
_DAY_AND_MONTH = re.compile(
    rf"[0-9]{{1,2}}(?:[-/]|\. ?){_NAME}(?:[-/. ](?:[0-9]{{2}}|[0-9]{{4}}))?"
)
_MONTH_AND_YEAR = re.compile(rf"{_NAME}[-/.][0-9]{{2}}")
_EAST_ASIAN = re.compile(
    r"(?:[0-9]{2,4}[年년] ?)?[0-9]{1,2}[月월](?: ?[0-9]{1,2}[日일])?"
)
# What ASCII text of letters, digits and - must have to be a date.
_SHAPE = re.compile(
    r"[0-9]{1,2}[-.][A-Za-z][a-z]{1,7}\.?(?:[-.][0-9]+)?|[A-Za-z][a-z]{1,7}[-.][0-9]{2}"
)


def is_day_and_month(text: str) -> bool:
    """Whether the text is a day and a month, perhaps with a year: `10-mars`, `06.Mrz`."""
    match = _DAY_AND_MONTH.fullmatch(text)
    return _is_month(match) or _EAST_ASIAN.fullmatch(text) is not None


def is_month_and_year(text: str) -> bool:
    """Whether the text is a month and two digits of a year: `mars-25`."""
    return _is_month(_MONTH_AND_YEAR.fullmatch(text))


def may_be_dates(cells: Iterable[str]) -> bool:
    """Whether one of these cells of ASCII may be a date; a fast check of many cells."""
    return any(map(_SHAPE.fullmatch, cells))


def _is_month(match: re.Match[str] | None) -> bool:
    return match is not None and match[1].rstrip(_ABBREVIATION) in MONTH_NAMES

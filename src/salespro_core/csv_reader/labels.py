"""Labels of a header: whether one is a known label, or nearly one."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import unquote

from salespro_core.csv_reader.spelling import (
    WORDS_AFTER,
    WORDS_BEFORE,
    are_run_together,
    has_one_typo,
    is_misspelled,
)

# Characters of the categories Pi, Pf and Cf are added in `_is_dropped`.
_QUOTES = (
    "\"'`\N{ACUTE ACCENT}\N{PRIME}\N{DOUBLE PRIME}\N{FULLWIDTH QUOTATION MARK}"
    "\N{FULLWIDTH APOSTROPHE}\N{SINGLE LOW-9 QUOTATION MARK}"
    "\N{DOUBLE LOW-9 QUOTATION MARK}"
)
# Characters of other categories that are drawn as nothing or as a blank.
# Source: Unicode, Default_Ignorable_Code_Point; and the empty Braille pattern.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
# A UTF-8 byte order mark that was read as Windows-1252 and saved again.
_MISREAD_BYTE_ORDER_MARK = "\xef\xbb\xbf"
# A spreadsheet's way to write text: ="0012".
_TEXT_FORMULA = re.compile(r'\s*=\s*(?=["\'])')
# Escapes of web pages, URLs, XML names, JSON and emails: %20, &#46;, _x0020_, \u0020, =20.
_MAY_BE_ESCAPED = re.compile(r"[%&<=\\]|_x[0-9A-Fa-f]{4}_")
_CODE = re.compile(r"_x([0-9A-Fa-f]{4})_|\\u([0-9A-Fa-f]{4})|=([2-7][0-9A-F])")
_TAG = re.compile(
    r"</?(?:a|abbr|b|br|div|em|font|h[1-6]|i|li|nobr|p|pre|small|span|strong|sub|sup|td|th|tr"
    r"|tt|u|ul|wbr)\b[^<>]*>",
    re.IGNORECASE,
)
# Escaped text may be escaped again.
_MAX_ESCAPES = 3
# Letters of other scripts that look like Latin ones.
_LOOK_ALIKES = str.maketrans(
    "аеорсухіѕјԁвкмнтɩıο",
    "aeopcyxisjdbkmhtiio",
)
# Characters that look alike in ASCII, all as the first.
_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "$": "s"})
_BRACKETED = re.compile(r"[(\[{].*?[)\]}]")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_SEPARATORS = re.compile(r"[,;\t|^:~\r\n]")
# Longer text is no label.
_LONGEST = 300
_SHORTEST_CUT_OFF = _SHORTEST_WITH_A_TYPO = 5
_SHORTEST_INSIDE = 8
# Shorter words are in many labels: id, at.
_SHORTEST_PART = 4
# The labels that rejects.csv has before those of the file.
REJECT_LABELS = ("reject_line", "reject_column", "reject_reason")
# A unit after a label is not another column.
_UNITS = ("utc", "gmt", "usd", "eur")


def clean_label(label: str) -> str:
    """The label as a person reads it.

    Without quotes, invisible characters and tags of web pages; escapes such as %20 are
    the characters they stand for; every white space is one space; full-width and other
    compatible forms are ordinary characters.
    """
    return _clean(label) if len(label) <= _LONGEST else _clean.__wrapped__(label)


# Each header is compared with the same labels.
@lru_cache(maxsize=1024)
def _clean(label: str) -> str:
    if _MAY_BE_ESCAPED.search(label) and len(label) <= _LONGEST:
        label = _unescape(label)
    if label.isascii() and label.isprintable() and not _has_quotes(label):
        return " ".join(label.split())
    text = _TEXT_FORMULA.sub("", label.replace(_MISREAD_BYTE_ORDER_MARK, ""))
    text = "".join(char for char in text if not _is_dropped(char))
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    return " ".join(text.split())


def fold_label(label: str) -> str:
    """The form in which labels are compared: `clean_label` in one case."""
    return _fold(label) if len(label) <= _LONGEST else clean_label(label).casefold()


# Each header is compared with the same labels.
@lru_cache(maxsize=1024)
def _fold(label: str) -> str:
    return clean_label(label).casefold()


def printable_label(label: str, max_characters: int = 100) -> str:
    """The label for a message, with escapes for characters that cannot be seen."""
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in label.strip(" ")[: max_characters + 1]
    )
    return shown if len(shown) <= max_characters else shown[:max_characters] + "…"


def near_miss(label: str, known: Collection[str]) -> str | None:
    """The known label that this unknown label was probably meant as.

    Other punctuation, a number or a unit beside it, another order of the words,
    abbreviations, one typo in a word (two in a long word), letters and digits that look
    alike, a label that is cut off, or words that do not name another column before or
    after it: `appointment.saleAmount`, `sale Amount total`.  A label with another word is
    another column: `saleAmountTax`, `customer.nameMiddle`, `_created_by`.
    """
    if len(label) > _LONGEST:
        return None
    meant = _Spelling.of(label)
    written = {meant, meant.without_unit()}
    if "#" in label:
        written.add(_Spelling.of(label.replace("#", " Number ")))
    clean = clean_label(label)
    without_brackets = _Spelling.of(_BRACKETED.sub("", label)).letters
    for name in known:
        spelling = _known_spelling(name)
        if (
            spelling.letters in (meant.letters.strip("0123456789"), without_brackets)
            or any(it.is_misspelled(spelling) for it in written)
            or any(it.is_equal(spelling) for it in meant.parts())
            or _is_cut_off(clean, name, known)
        ):
            return name
    return None


def similar_label(label: str, known: Collection[str]) -> str | None:
    """The known label that is a part of an unknown label, or whose last words this label has.

    `saleAmountTax` and `amount`, `Email Address`, `Office` and `Is Active`.
    """
    if len(label) > _LONGEST:
        return None
    spelling = _Spelling.of(label)
    return next(
        (it for it in known if spelling.contains(_known_spelling(it))), None
    ) or next((it for it in known if spelling.is_part_of(it)), None)


def label_parts(label: str, known: Collection[str]) -> list[str]:
    """The known labels inside one label: a delimiter or a quote of the header is damaged.

    Args:
        label: no known label.
        known: folded labels.
    """
    parts = [fold_label(part) for part in _SEPARATORS.split(label)]
    if len(parts) > 1 and (found := [part for part in parts if part in known]):
        return found
    folded = fold_label(label)
    return _joined_labels(folded, known) if len(folded) <= _LONGEST else []


def _joined_labels(text: str, known: Collection[str]) -> list[str]:
    """The known labels that make up this text, one after the other; none if others do."""
    for first in known:
        rest = text.removeprefix(first).strip()
        if rest != text and (not rest or (others := _joined_labels(rest, known))):
            return [first, *(others if rest else ())]
    return []


def _unescape(label: str) -> str:
    # A formula, and not an escape: ="20".
    text = _TEXT_FORMULA.sub("", label)
    for _ in range(_MAX_ESCAPES):
        before, text = text, _TAG.sub(" ", unquote(html.unescape(text)))
        text = _CODE.sub(_character, text)
        if text == before:
            break
    return text


def _character(code: re.Match[str]) -> str:
    char = chr(int(code[1] or code[2] or code[3], 16))
    return code[0] if "\ud800" <= char <= "\udfff" else char


def _has_quotes(text: str) -> bool:
    return '"' in text or "'" in text or "`" in text


def _is_dropped(char: str) -> bool:
    return (
        char in _QUOTES
        or unicodedata.category(char) in ("Cf", "Pi", "Pf")
        or (unicodedata.category(char) == "Cc" and not char.isspace())
    )


def _plain(label: str) -> str:
    """Without accents, and with Latin letters for those that look like them."""
    decomposed = unicodedata.normalize("NFKD", clean_label(label))
    return "".join(
        char for char in decomposed if not unicodedata.combining(char)
    ).translate(_LOOK_ALIKES)


@dataclass(frozen=True, slots=True)
class _Spelling:
    """A label as its letters and digits, as characters that look alike, and as its words."""

    letters: str
    alike: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, label: str) -> Self:
        plain = _plain(label)
        folded = plain.casefold().translate(_LOOK_ALIKES)
        return cls(
            "".join(filter(str.isalnum, folded)),
            "".join(filter(str.isalnum, folded.translate(_ALIKE))),
            tuple(word.casefold() for word in _WORD.findall(plain)),
        )

    def without_unit(self) -> _Spelling:
        """The label without a unit at its end."""
        if len(self.words) < 2 or self.words[-1] not in _UNITS:  # noqa: PLR2004 -- a word and its unit
            return self
        unit = self.words[-1]
        return _Spelling(
            self.letters.removesuffix(unit),
            self.alike.removesuffix(unit.translate(_ALIKE)),
            self.words[:-1],
        )

    def parts(self) -> Iterator[_Spelling]:
        """The label without words before or after it that do not name another column."""
        words = self.words
        for start in range(len(words)):
            for end in range(len(words), start, -1):
                if (start, end) != (0, len(words)):
                    letters = "".join(words[start:end]).translate(_LOOK_ALIKES)
                    yield _Spelling(
                        letters, letters.translate(_ALIKE), words[start:end]
                    )
                if words[end - 1] not in WORDS_AFTER:
                    break
            word = words[start]
            if word not in WORDS_BEFORE and len(word) > 1 and not word.isdigit():
                return

    def contains(self, known: _Spelling) -> bool:
        """Whether the words of a known label, or its many letters, are in this label."""
        size = len(known.words)
        return (
            len(known.letters) >= _SHORTEST_INSIDE and known.letters in self.letters
        ) or any(
            self.words[start : start + size] == known.words
            for start in range(len(self.words) - size + 1)
        )

    def is_part_of(self, name: str) -> bool:
        """Whether a known label ends with these words, or has them on one side of its slash."""
        words = self.words[1:] if self.words[:1] == ("is",) else self.words
        ends = [_known_spelling(part).words for part in name.split("/")]
        is_long = sum(map(len, words)) >= _SHORTEST_PART
        return is_long and (words in ends or words == ends[-1][-len(words) :])

    def is_equal(self, known: _Spelling) -> bool:
        """Whether the letters, but for a typo, or the words are those of a label."""
        is_long = len(known.letters) >= _SHORTEST_INSIDE
        return (
            self.alike == known.alike
            or sorted(self.words) == sorted(known.words)
            or (is_long and has_one_typo(self.letters, known.letters))
        )

    def is_misspelled(self, known: _Spelling) -> bool:
        if self.alike == known.alike:
            return True
        if len(known.letters) >= _SHORTEST_WITH_A_TYPO and has_one_typo(
            self.letters, known.letters
        ):
            return True
        is_alone = len(known.words) == 1
        return (
            sorted(self.words) == sorted(known.words)
            or (
                len(self.words) == len(known.words)
                and all(
                    is_misspelled(word, other, is_alone=is_alone)
                    for word, other in zip(self.words, known.words, strict=True)
                )
            )
            or (not is_alone and are_run_together(self.letters, known.words))
        )


@lru_cache(maxsize=256)
def _known_spelling(label: str) -> _Spelling:
    return _Spelling.of(label)


def _is_cut_off(label: str, name: str, known: Collection[str]) -> bool:
    """Whether a label ends in the middle of a word of a known label, or after a word.

    After a word, only one known label may begin like this: not `customer.name`.
    """
    end = len(label)
    if end < max(_SHORTEST_CUT_OFF, len(name) / 2) or not name.startswith(label):
        return False
    is_inside_a_word = label[-1:].isalpha() and name[end : end + 1].islower()
    return is_inside_a_word or sum(other.startswith(label) for other in known) == 1

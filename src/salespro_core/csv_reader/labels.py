"""Labels of a header: whether one is a known label, or nearly one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

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
# Letters of other scripts that look like Latin ones.
_LOOK_ALIKES = str.maketrans(
    "аеорсухіѕјԁвкмнтɩıο",
    "aeopcyxisjdbkmhtiio",
)
_BRACKETED = re.compile(r"[(\[{].*?[)\]}]")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_SEPARATORS = re.compile(r"[,;\t|^:~\r\n]")
# Longer text is no label.
_LONGEST = 300
# A typo in a shorter word makes another word: is, id, at.
_SHORTEST_MISSPELLED = 4
_SHORTEST_ABBREVIATION = 3
_SHORTEST_CUT_OFF = 5
# In a longer word with the same first letter two typos are accepted.
_SHORTEST_WITH_TWO_TYPOS = 8


def clean_label(label: str) -> str:
    """The label as a person reads it.

    Without quotes and invisible characters; every white space is one space; full-width
    and other compatible forms are ordinary characters.
    """
    if label.isascii() and label.isprintable() and not _has_quotes(label):
        return " ".join(label.split())
    text = _TEXT_FORMULA.sub("", label.replace(_MISREAD_BYTE_ORDER_MARK, ""))
    text = "".join(char for char in text if not _is_dropped(char))
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    return " ".join(text.split())


def fold_label(label: str) -> str:
    """The form in which labels are compared: `clean_label` in one case."""
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

    Other punctuation, a number or a unit in brackets beside it, another order of the
    words, an abbreviation, one typo in a word (two in a long word), or a label that is
    cut off.  A label with another word is another column: `saleAmountTax`,
    `customer.nameMiddle`, `_created_by`.
    """
    if len(label) > _LONGEST:
        return None
    meant = _Spelling.of(label)
    without_brackets = _Spelling.of(_BRACKETED.sub("", label)).letters
    for name in known:
        spelling = _known_spelling(name)
        if (
            spelling.letters in (meant.letters.strip("0123456789"), without_brackets)
            or meant.is_misspelled(spelling)
            or _is_cut_off(clean_label(label), name, known)
        ):
            return name
    return None


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


def _has_quotes(text: str) -> bool:
    return any(quote in text for quote in "\"'`")


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
    """A label as its letters and digits, and as its words."""

    letters: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, label: str) -> Self:
        plain = _plain(label)
        folded = plain.casefold().translate(_LOOK_ALIKES)
        return cls(
            "".join(filter(str.isalnum, folded)),
            tuple(word.casefold() for word in _WORD.findall(plain)),
        )

    def is_misspelled(self, known: _Spelling) -> bool:
        if len(known.letters) > _SHORTEST_MISSPELLED and _has_one_typo(
            self.letters, known.letters
        ):
            return True
        return sorted(self.words) == sorted(known.words) or (
            len(self.words) == len(known.words)
            and all(map(_is_misspelled, self.words, known.words))
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


def _is_misspelled(word: str, known: str) -> bool:
    """Whether a word is a known word, one with a typo, or an abbreviation of it."""
    if word == known:
        return True
    if len(known) < _SHORTEST_MISSPELLED or not word:
        return False
    if word[0] == known[0]:
        if (
            len(word) >= max(_SHORTEST_ABBREVIATION, len(known) / 2)
            and len(word) < len(known)
            and _is_abbreviation(word, known)
        ):
            return True
        if len(known) >= _SHORTEST_WITH_TWO_TYPOS and _distance(word, known) <= 2:  # noqa: PLR2004
            return True
    return _has_one_typo(word, known)


def _is_abbreviation(word: str, known: str) -> bool:
    rest = iter(known)
    return all(char in rest for char in word)


def _has_one_typo(text: str, known: str) -> bool:
    """Whether one letter is missing, added, replaced, or swapped with the next."""
    if abs(len(text) - len(known)) > 1:
        return False
    start = _equal_letters(text, known)
    text, known = text[start:], known[start:]
    end = _equal_letters(text[::-1], known[::-1])
    text, known = text[: len(text) - end], known[: len(known) - end]
    return max(len(text), len(known)) <= 1 or (
        len(text) == 2 and text == known[::-1]  # noqa: PLR2004
    )


def _equal_letters(text: str, other: str) -> int:
    """The number of equal letters at the start."""
    pairs = zip(text, other, strict=False)
    return next(
        (i for i, (a, b) in enumerate(pairs) if a != b), min(len(text), len(other))
    )


def _distance(text: str, known: str) -> int:
    """The least number of typos between two texts; 3 if their lengths differ by more.

    Optimal string alignment: the Levenshtein distance with swaps of neighbours.
    """
    if abs(len(text) - len(known)) > 2:  # noqa: PLR2004
        return 3
    before: list[int] = []
    row = list(range(len(known) + 1))
    for i, char in enumerate(text, 1):
        before, row, last = row, [i], before
        for j, other in enumerate(known, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (char != other))
            if i > 1 and j > 1 and (char, text[i - 2]) == (known[j - 2], other):
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]

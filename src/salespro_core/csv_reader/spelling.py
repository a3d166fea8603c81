"""Whether a word is a known word with a typo, or an abbreviation of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A typo in a shorter word makes another word: is, id, at.
_SHORTEST_MISSPELLED = 4
_SHORTEST_ABBREVIATION = 3
# In a longer word with the same first letter two typos are accepted.
_SHORTEST_WITH_TWO_TYPOS = 8
# Usual abbreviations that are shorter than half of the word.
_USUAL = {
    "number": ("no", "nr", "num", "nbr"),
    "representative": ("rep",),
    "identifier": ("id",),
    "amount": ("amt",),
    "credit": ("cr",),
}
# Words before a label that name the table, the file, or what was done with the values.
WORDS_BEFORE = frozenset((
    "appointment", "appointments", "appt", "appts", "user", "users", "salespro", "sales", "pro", "csv", "export", "exports",
    "data", "record", "records", "row", "rows", "field", "fields", "col", "column", "columns", "table", "tbl", "object", "obj",
    "item", "items", "doc", "document", "properties", "props", "attributes", "attr", "source", "src", "raw", "body", "payload",
    "public", "dbo", "schema", "main", "value", "values", "text", "new", "old", "orig", "original", "current", "final",
    "latest", "copy", "of", "the", "my", "total", "sum", "max", "min", "avg", "average",
))  # fmt: skip
# The same after it.
WORDS_AFTER = frozenset((
    "total", "totals", "sum", "value", "values", "val", "vals", "field", "fields", "col", "column", "data", "text", "raw", "new",
    "old", "orig", "original", "current", "final", "latest", "copy", "left", "right", "in", "utc", "usd", "eur", "dollars",
))  # fmt: skip
_VOWELS = re.compile("[aeiou]")


def is_misspelled(word: str, known: str, *, is_alone: bool) -> bool:
    """Whether a word is a known word, one with a typo, or an abbreviation of it.

    Args:
        word: a word of a label, in lower case.
        known: the word of a known label, in lower case.
        is_alone: no other word of the label shows what is meant.
    """
    if word == known or _is_abbreviation(word, known, is_alone=is_alone):
        return True
    if len(known) < _SHORTEST_MISSPELLED or not word:
        return False
    if (
        word[0] == known[0]
        and len(known) >= _SHORTEST_WITH_TWO_TYPOS
        and _distance(word, known) <= 2  # noqa: PLR2004 -- a typo or two
    ):
        return True
    return has_one_typo(word, known)


def are_run_together(text: str, known: Sequence[str]) -> bool:
    """Whether the text is the words in their order, each of them perhaps abbreviated.

    The first word may be its first letter, if the others are not abbreviated: `lname`.
    """
    rest = "".join(known[1:])
    if text == known[0][0] + rest and len(rest) >= _SHORTEST_MISSPELLED:
        return True
    return len(text) <= len(known[0] + rest) and _are_pieces(text, known)


def _are_pieces(text: str, known: Sequence[str]) -> bool:
    if not known or not text:
        return not (known or text)
    first, *others = known
    return text[0] == first[0] and any(
        _are_pieces(text[end:], others)
        for end in range(1, min(len(first), len(text)) + 1)
        if text[:end] == first or _is_abbreviation(text[:end], first, is_alone=False)
    )


def _is_abbreviation(word: str, known: str, *, is_alone: bool) -> bool:
    if word[:1] != known[0]:
        return False
    if word in _USUAL.get(known, ()):
        return not is_alone
    if len(known) < _SHORTEST_MISSPELLED or not 1 < len(word) < len(known):
        return False
    consonants = known[0] + _VOWELS.sub("", known[1:])
    if word == consonants:
        return True
    rest = iter(known)
    if len(word) < _SHORTEST_ABBREVIATION or not all(char in rest for char in word):
        return False
    # A short one of a long word by chance: `rate` has the letters of `representative`.
    is_usual = word[:3] == known[:3] or consonants.startswith(word)
    return len(word) >= len(known) / 2 or (is_usual and not is_alone)


def has_one_typo(text: str, known: str) -> bool:
    """Whether one letter is missing, added, replaced, or swapped with the next."""
    if abs(len(text) - len(known)) > 1:
        return False
    start = _equal_letters(text, known)
    text, known = text[start:], known[start:]
    end = _equal_letters(text[::-1], known[::-1])
    text, known = text[: len(text) - end], known[: len(known) - end]
    return max(len(text), len(known)) <= 1 or (
        len(text) == 2 and text == known[::-1]  # noqa: PLR2004 -- two letters swapped
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
    if abs(len(text) - len(known)) > 2:  # noqa: PLR2004 -- as above
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

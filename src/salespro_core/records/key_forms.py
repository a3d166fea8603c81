"""What the ids of one file look like, so that words of a text are not taken for ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from salespro_core.csv_reader.block import is_utf8

# Ids of sound rows that are compared; all ids of an export look alike.
MAX_LEARNED = 1000
# With fewer ids, the next one may well look different.
MIN_LEARNED = 20
# Of more ids, a rare shape may be anything, such as the name of somebody's test.
MIN_SHARE = 1 / 20
# Of rows that may be text, most must have ids of one shape.
MIN_CANDIDATES = 5
MIN_CANDIDATE_SHARE = 4 / 5
# How much the length of an id may differ from the few ids before it.
FACTOR = 3
RANDOM_FACTOR = 1.25
# Random ids have one length, as soon as two shapes, or a shape and the damaged row, show it.
MIN_ENDS = 2
# A shorter id, such as a number, need not be as long as the others.
MIN_RANDOM_LENGTH = 8
# Several capitals inside, or letters on both sides of digits: no word.
_RANDOM_SHAPES = {"a", "0a"}
# Words and names have fewer capitals inside than a random id without a digit.
MIN_CAPITALS = 2
# No space, and no punctuation of prose.
_TOKEN = re.compile(r"[^\s,;!?\"()\[\]<>]*[^\s,;!?\"()\[\]<>.:]")
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]+")
_MARK = re.compile(r"[\W_]")


class KeyForms:
    """Compares a key with the keys of sound rows, and with the key of the damaged row.

    A key has the form of the others if its shape is known, see `key_shape`, and its length
    is about theirs.
    """

    def __init__(self) -> None:
        """Know no key yet: only a digit shows that a word is a key."""
        self._learned = 0
        self._counts: Counter[str] = Counter()
        self._lengths: dict[str, tuple[int, int]] = {}
        self._frequent_shapes: set[str] = set()
        self._candidate_shapes: set[str] = set()
        self._damaged_key = ""

    @property
    def needs_more(self) -> bool:
        """Whether more keys of sound rows are compared."""
        return self._learned < MAX_LEARNED

    @property
    def has_many(self) -> bool:
        """Whether the next key looks like one of those before it."""
        return self._learned >= MIN_LEARNED

    def learn(self, keys: Iterable[str]) -> None:
        """Remember the keys of sound rows."""
        for key in keys:
            shape = key_shape(key)
            self._learned += 1
            self._counts[shape] += 1
            shortest, longest = self._lengths.get(shape, (len(key), len(key)))
            self._lengths[shape] = min(shortest, len(key)), max(longest, len(key))
        least = max(2, self._learned * MIN_SHARE) if self.has_many else 1
        self._frequent_shapes = {
            shape for shape, count in self._counts.items() if count >= least
        }

    def learn_candidates(self, keys: Iterable[str]) -> None:
        """Remember the shape of most of these keys, some of which may be words of a text."""
        # The same word may be in many texts; ids differ.
        counts = Counter("0a" if is_random_key(k) else key_shape(k) for k in set(keys))
        for shape, count in counts.most_common(1):
            if count >= max(MIN_CANDIDATES, counts.total() * MIN_CANDIDATE_SHARE):
                self._candidate_shapes = {shape}

    def learn_damaged(self, key: str) -> None:
        """Remember the key of the damaged row, unless it does not look like a key."""
        is_word = not has_digit(key)
        # The row may begin inside a text; its first word is not the key.
        is_worse = is_word and has_digit(self._damaged_key)
        if could_be_key(key) and is_utf8(key) and not is_worse:
            self._damaged_key = key

    def has_usual_length(self, key: str) -> bool:
        """Whether a key is as long as keys of sound rows are, all of one length."""
        lengths = {it for name in self._frequent_shapes for it in self._lengths[name]}
        return len(key) >= MIN_RANDOM_LENGTH and lengths == {len(key)}

    def match(self, key: str, *, closely: bool = False) -> bool:
        """Whether a key has the form of the keys before it.

        Args:
            key: a key without space around it.
            closely: its length may not differ from theirs, but for one more digit.
        """
        shape = key_shape(key)
        known = self._frequent_shapes | self._candidate_shapes
        lengths = [it for name in self._frequent_shapes for it in self._lengths[name]]
        damaged = key_shape(self._damaged_key)
        # A damaged row may begin with a word of a text, which says nothing of ids.
        is_id = "0" in damaged or "0" not in shape
        if self._damaged_key and is_id and (not self.has_many or damaged in known):
            known.add(damaged)
            lengths.append(len(self._damaged_key))
        # A random id may have no digit by chance.
        is_random = is_random_key(key)
        if not known:
            return "0" in shape or is_random
        if shape not in known and not (is_random and known & _RANDOM_SHAPES):
            return False
        return self._fits(
            len(key),
            lengths,
            are_random=known <= _RANDOM_SHAPES,
            are_alike=bool(known & _RANDOM_SHAPES),
            closely=closely,
        )

    def _fits(
        self,
        length: int,
        lengths: Sequence[int],
        *,
        are_random: bool,
        are_alike: bool,
        closely: bool,
    ) -> bool:
        if not lengths:
            return True
        shortest, longest = min(lengths), max(lengths)
        is_long = longest >= MIN_RANDOM_LENGTH
        if is_long and are_alike and shortest == longest and len(lengths) > MIN_ENDS:
            return length == longest
        if not (self.has_many or closely):
            factor = RANDOM_FACTOR if is_long and are_random else FACTOR
            return shortest / factor <= length <= longest * factor
        # A counter gets another digit.
        slack = 0 if is_long else 1
        if not closely:
            slack = max(slack, longest - shortest)
        return shortest - slack <= length <= longest + slack


def could_be_key(text: str) -> bool:
    """Whether there is no space, and no punctuation of prose."""
    return _TOKEN.fullmatch(text) is not None


def has_digit(text: str) -> bool:
    """Whether there is a digit, which most words of a text do not have."""
    return _DIGIT.search(text) is not None


def is_random_key(key: str) -> bool:
    """Whether a key is long, and no word with or without a number."""
    return len(key) >= MIN_RANDOM_LENGTH and key_shape(key) in _RANDOM_SHAPES


def key_shape(key: str) -> str:
    """What a key consists of.

    `0` for digits, `w` for a word or `a` for other letters, and each other character:
    `Roofing` is `w`, `Room101` is `0w`, `zK3fg` is `0a`, `K-1` is `0a-`.
    """
    runs = _LETTERS.findall(key)
    digit = "0" if has_digit(key) else ""
    letter = ""
    if runs:
        letter = (
            "w" if len(runs) == 1 and _is_word(runs[0], with_digit=bool(digit)) else "a"
        )
    return digit + letter + "".join(sorted(set(_MARK.findall(key))))


def _is_word(letters: str, *, with_digit: bool) -> bool:
    if letters.islower() or letters.istitle():
        return True
    # COVID19 may be a random id; COVID and McDonald are none.
    capitals = sum(map(str.isupper, letters[1:]))
    return not with_digit and (letters.isupper() or capitals < MIN_CAPITALS)

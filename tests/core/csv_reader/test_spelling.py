"""Typos: letters left out, added, replaced, or swapped with the next."""

from __future__ import annotations

from itertools import product

import pytest

from salespro_core.csv_reader.spelling import (
    are_run_together,
    has_one_typo,
    is_misspelled,
)

WORDS = ("identifier", "representative", "estimates", "additional")


def swapped(word: str, index: int) -> str:
    """The word with two neighbours in the other order."""
    return word[:index] + word[index + 1] + word[index] + word[index + 2 :]


@pytest.mark.parametrize("word", WORDS)
def test_two_swaps_in_a_long_word_are_two_typos(word: str) -> None:
    """A swap is one typo, not two; the first letter must be right."""
    for first, second in product(range(1, len(word) - 1), repeat=2):
        if second - first > 1:
            typed = swapped(swapped(word, first), second)
            assert is_misspelled(typed, word, is_alone=True), typed


@pytest.mark.parametrize("word", WORDS)
def test_a_swap_and_another_typo_in_a_long_word_are_two_typos(word: str) -> None:
    for index in range(3, len(word) - 1):
        once = swapped(word, index)
        for typed in (once[:1] + once[2:], once[:2] + "q" + once[2:]):
            assert is_misspelled(typed, word, is_alone=True), typed


@pytest.mark.parametrize(
    "typed", ["idnetifeirq", "qdnetifeir", "iqentqfiqr", "identifierqqq", "idtnefiier"]
)
def test_three_typos_or_another_first_letter_are_another_word(typed: str) -> None:
    assert not is_misspelled(typed, "identifier", is_alone=True)


@pytest.mark.parametrize(
    ("text", "is_typo"),
    [("emial", True), ("eamil", True), ("emil", True), ("emaail", True), ("emqil", True), ("emlia", False), ("eaiml", False), ("el", False)],
)  # fmt: skip
def test_one_typo(text: str, is_typo: bool) -> None:  # noqa: FBT001 -- a parameter of a test
    assert has_one_typo(text, "email") == is_typo


@pytest.mark.parametrize(
    ("text", "are_words"),
    [("lastname", True), ("lname", True), ("lastnam", True), ("lasname", True), ("ln", False), ("lastnames", False), ("astname", False), ("", False)],
)  # fmt: skip
def test_words_that_run_together(text: str, are_words: bool) -> None:  # noqa: FBT001 -- a parameter of a test
    assert are_run_together(text, ("last", "name")) == are_words

"""Which words look like the ids of a file: each rule alone."""

from __future__ import annotations

import pytest

from salespro_core.records.key_forms import (
    KeyForms,
    could_be_key,
    is_random_key,
    key_shape,
)

RANDOM = ["zK3fgHj8Qw", "a1B2c3D4e5", "Qw4RtZ7uIo", "pL8mN5bV2c"] * 6


def forms_of(keys: list[str], damaged: str = "") -> KeyForms:
    forms = KeyForms()
    forms.learn(keys)
    forms.learn_damaged(damaged)
    return forms


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("1000", "0"),
        ("roofing", "w"),
        ("Roofing", "w"),
        ("SOLD", "w"),
        ("McDonald", "w"),
        ("Room101", "0w"),
        ("24x36", "0w"),
        ("COVID19", "0a"),
        ("zK3fgHj8Qw", "0a"),
        ("XsgtSMYUeD", "a"),
        ("K-1", "0w-"),
        ("follow-up", "a-"),
        ("rep1@x.com", "0a.@"),
        ("Größe", "w"),
    ],
)
def test_shape_shows_digits_words_and_marks(key: str, shape: str) -> None:
    assert key_shape(key) == shape


@pytest.mark.parametrize(
    "text", ["", "Call Ann", "Sold,", "so;", "(a1)", "at:", "end."]
)
def test_space_and_punctuation_are_in_no_key(text: str) -> None:
    assert not could_be_key(text)


@pytest.mark.parametrize("text", ["a1", "K-1", "a.b", "rep_1", "rep@x.com", "12:30pm"])
def test_other_marks_may_be_in_a_key(text: str) -> None:
    assert could_be_key(text)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("zK3fgHj8Qw", True),
        ("XsgtSMYUeD", True),
        ("zK3fg", False),
        ("installed2", False),
    ],
)
def test_random_key_is_long_and_no_word(key: str, *, expected: bool) -> None:
    assert is_random_key(key) is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [("a1", True), ("XsgtSMYUeD", True), ("Roofing", False), ("McDonald", False)],
)
def test_without_other_keys_a_key_has_a_digit_or_is_random(
    key: str, *, expected: bool
) -> None:
    assert KeyForms().match(key) is expected


@pytest.mark.parametrize("key", ["Roofing", "Room101", "K-7", "24x36"])
def test_key_of_another_shape_does_not_match(key: str) -> None:
    assert not forms_of(RANDOM).match(key)


def test_random_key_without_a_digit_matches_random_keys_with_digits() -> None:
    assert forms_of(RANDOM).match("XsgtSMYUeD")


def test_random_key_does_not_match_numbers() -> None:
    assert not forms_of([f"{n:010}" for n in range(30)]).match("XsgtSMYUeD")


def test_many_keys_of_one_length_ask_for_that_length() -> None:
    forms = forms_of(RANDOM)

    assert forms.match("b7Nc4Kd2Wx")
    assert not forms.match("b7Nc4Kd2W")


def test_numbers_may_have_a_digit_more_or_less() -> None:
    forms = forms_of([f"{n}" for n in range(100, 130)])

    assert [forms.match("9" * n) for n in range(1, 6)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_few_random_keys_ask_for_about_their_length() -> None:
    forms = forms_of(RANDOM[:3])

    assert forms.match("b7Nc4Kd2WxQ")
    assert not forms.match("b7Nc4Kd2WxQ4t5")


def test_few_other_keys_ask_for_a_third_to_three_times_their_length() -> None:
    forms = forms_of(["K-13", "K-7"])

    assert forms.match("K-123456789")
    assert not forms.match("K-12345678901")


def test_close_match_allows_one_character_more_than_the_keys() -> None:
    forms = forms_of(["K-13", "K-7"])

    assert forms.match("K-123", closely=True)
    assert not forms.match("K-1234", closely=True)


def test_rare_shape_of_many_keys_is_not_known() -> None:
    forms = forms_of([*RANDOM, "installer"])

    assert not forms.match("installed")


def test_rare_shape_of_few_keys_is_known() -> None:
    forms = forms_of([*RANDOM[:3], "installer"])

    assert forms.match("installed")


def test_damaged_key_shows_the_shape_only_if_few_keys_are_known() -> None:
    assert forms_of([], damaged="Ann").match("Bob")
    assert not forms_of(RANDOM, damaged="installing").match("installers")


def test_word_of_a_damaged_row_does_not_hide_that_keys_have_digits() -> None:
    """The damaged row may begin inside a text."""
    forms = forms_of([], damaged="Call")

    assert forms.match("a1")


def test_word_does_not_replace_a_damaged_key_with_a_digit() -> None:
    forms = forms_of([], damaged="a1")
    forms.learn_damaged("Call")

    assert not forms.match("Sold")


def test_most_of_the_candidates_show_the_shape() -> None:
    forms = KeyForms()
    forms.learn_candidates(["Ann", "Bob", "Cy", "Dee", "Eve", "a1"])

    assert forms.match("Flo")
    assert not forms.match("a2")


@pytest.mark.parametrize(
    "keys",
    [["Ann", "Bob", "Cy", "Dee"], ["Ann", "Bob", "Cy", "Dee", "Eve", "a1", "a2"]],
)
def test_too_few_candidates_show_nothing(keys: list[str]) -> None:
    forms = KeyForms()
    forms.learn_candidates(keys)

    assert not forms.match("Flo")
    assert forms.match("a3")


def test_word_that_is_repeated_counts_once() -> None:
    """The same list may be in the text of every row; ids differ."""
    forms = KeyForms()
    forms.learn_candidates(["roof"] * 9)

    assert not forms.match("door")

"""Ids of every form, before and after text that begins with every kind of word."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import product
from random import Random

import pytest

from tests.core.csv_reader.recovery.exports import (
    AMOUNT,
    DATE,
    NARROW,
    USER,
    WIDE,
    read,
)

LENIENT = pytest.mark.parametrize("is_lenient", [False, True])
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
DIGITS = "23456789"
HEX = "0123456789abcdef"


def _random(length: int, alphabet: str) -> Callable[[int], str]:
    def make(number: int) -> str:
        rng = Random(f"{length} {number}")
        # Random ids are no word, and nearly all of them have a digit.
        end = rng.choice(DIGITS) + rng.choice("GHKQ")
        return "".join(rng.choices(alphabet, k=length - 2)) + end

    return make


IDS: dict[str, Callable[[int], str]] = {
    "ten-letters-and-digits": _random(10, LETTERS + DIGITS),
    "seventeen-letters-and-digits": _random(17, LETTERS + DIGITS),
    "hexadecimal": lambda n: "".join(Random(n).choices(HEX, k=24)),
    "uuid": lambda n: str(uuid.UUID(int=Random(n).getrandbits(128))),
    "number": lambda n: str(1000 + n),
    "number-from-one": lambda n: str(n + 1),
    "number-that-grows": lambda n: str(n + 970),
    "number-that-falls": lambda n: str(1040 - n),
    "letter-and-number": lambda n: f"a{n}",
    "hyphen": lambda n: f"K-{n}",
    "underscore": lambda n: f"rep_{n:04}",
    "email": lambda n: f"rep{n}@example.com",
}
WORDS = [
    "installed", "Roofing", "SOLD", "McDonald", "follow-up", "no-show", "and/or", "Lee&Sons",
    "john@x.com", "J.Lee", "Room101", "24x36", "covid19", "COVID19", "12:30pm", "estimates2",
    "installing", "30yr", "Phase2", "Größe",
]  # fmt: skip
# A random id may look like this, a number followed by a unit as well.
UNDECIDABLE = {("letter-and-number", word) for word in ("30yr", "24x36")}
SOUND = {
    NARROW: "{},Sold,Lee",
    WIDE: f"{{}},{DATE},{DATE},TRUE,Sold,Lee,10.00",
    AMOUNT: "{},Sold,10.00",
    USER: "{},Ann,Lee",
}
DAMAGED = {
    NARROW: '{},"Sold',
    WIDE: f'{{}},{DATE},{DATE},TRUE,"Sold',
    AMOUNT: '{},"Sold',
    USER: '{},"Ann',
}
FRAGMENTS = [
    (NARROW, "{},siding,Lee"),
    (NARROW, "{}, siding, Lee"),
    (NARROW, "{},,"),
    (USER, "{},siding,Lee"),
    (AMOUNT, "{},siding,10.00"),
    (AMOUNT, "{},siding,lot"),
    (WIDE, "{},,,yes,doors,Lee,10.00"),
    (WIDE, "{},,,TRUE,,,"),
    (WIDE, "{},,,,a,b,10.00"),
    (WIDE, "{},a,b,c,d,e,f"),
    (WIDE, "{},a,b,TRUE,d,e,10.00"),
]


@pytest.mark.parametrize("form", IDS)
@pytest.mark.parametrize("word", WORDS)
@LENIENT
def test_word_at_the_start_of_text_after_damage_is_no_id(
    form: str, word: str, *, is_lenient: bool
) -> None:
    for (header, fragment), before in product(FRAGMENTS, (0, 30)):
        # With few ids, a short one and a word with a digit look alike.
        is_short = before == 0 and len(IDS[form](70)) < 8
        is_alike = is_short or (form, word) in UNDECIDABLE
        if is_alike and any(map(str.isdigit, word)):
            continue
        ids = [IDS[form](n) for n in range(before + 3)]
        lines = [SOUND[header].format(id_) for id_ in ids]
        lines[before] = DAMAGED[header].format(ids[before])
        lines.insert(before + 1, fragment.format(word))

        found, rejects, _ = read(
            "\n".join([header, *lines, ""]).encode(), is_lenient=is_lenient
        )

        assert found == ids[:before] + ids[before + 1 :], (header, fragment, before)
        assert [reject.line for reject in rejects] == [before + 2]


SPACES = ["{},Sold,Lee", "{}, Sold, Lee", " {},Sold,Lee", "{} ,Sold,Lee", "{}, Sold,Lee", " {} , Sold , Lee "]  # fmt: skip
DAMAGES = {
    "short": lambda line: line.rpartition(",")[0],
    "long": lambda line: line + ",x",
    "open-quote": lambda line: line.replace("Sold", '"Sold'),
    "text-after-quote": lambda line: line.replace("Sold", '"Sold" x'),
    "stray-quote": lambda line: line.replace("Sold", 'Sold" x'),
}


@pytest.mark.parametrize("form", IDS)
@pytest.mark.parametrize("damage", DAMAGES)
@LENIENT
def test_neighbours_are_imported_with_ids_of_every_form_and_spaces(
    form: str, damage: str, *, is_lenient: bool
) -> None:
    for sound, (count, index) in product(
        SPACES, [(1, 0), (7, 0), (7, 3), (60, 0), (60, 29), (300, 101)]
    ):  # fmt: skip
        ids = [IDS[form](n) for n in range(count + 1)]
        lines = [sound.format(id_) for id_ in ids]
        lines[index] = DAMAGES[damage](lines[index])

        found, rejects, _ = read(
            "\n".join([NARROW, *lines, ""]).encode(), is_lenient=is_lenient
        )

        others = ids[:index] + ids[index + 1 :]
        assert found == others, (sound, count, index)
        assert len(rejects) == 1


def test_space_around_an_id_after_damage_is_no_part_of_it() -> None:
    found, rejects, _ = read(f"{NARROW}\na1,Sold\n b1,Sold,Fox\nc1,Sold,Fox\n".encode())

    assert found == ["b1", "c1"]
    assert [reject.line for reject in rejects] == [2]


@pytest.mark.parametrize("odd", ["installerX", "Test", "ab", "A1"])
@pytest.mark.parametrize("word", WORDS)
def test_one_odd_id_among_many_does_not_make_ids_of_words(odd: str, word: str) -> None:
    ids = [IDS["ten-letters-and-digits"](n) for n in range(60)]
    ids[7] = odd
    body = [
        NARROW,
        *(f"{id_},Sold,Lee" for id_ in ids),
        'x1,"Sold',
        f"{word},siding,Lee",
    ]

    found, rejects, _ = read("\n".join([*body, "zK3fgHj8Qw,Sold,Lee", ""]).encode())

    assert found == [*ids, "zK3fgHj8Qw"]
    assert [reject.line for reject in rejects] == [62]


def test_row_with_two_times_after_damage_is_a_record_whatever_its_id_is() -> None:
    lines = [SOUND[WIDE].format(IDS["uuid"](n)) for n in range(40)]
    lines += [DAMAGED[WIDE].format("x1"), SOUND[WIDE].format("Ann"), ""]

    found, rejects, _ = read("\n".join([WIDE, *lines]).encode())

    assert found[-1] == "Ann"
    assert [reject.line for reject in rejects] == [42]


@pytest.mark.parametrize("text", ["", "\na7,see,below", "\n24x36,see,below"])
@pytest.mark.parametrize("damaged", [0, 1])
def test_words_are_ids_after_damage_if_those_of_most_rows_are_words(
    damaged: int, text: str
) -> None:
    """The first row may be damaged: the rows after it show what ids look like."""
    words = ["Ann", "Bob", "Cy", "Dee", "Eve", "Fay", "Gus", "Hal", "Ivy", "Jim"]
    lines = [f"{word},Sold,Lee" for word in words]
    lines[damaged] = f'{words[damaged]},"Sold,Lee{text}'

    found, [reject], _ = read("\n".join([NARROW, *lines, ""]).encode())

    assert found == [word for word in words if word != words[damaged]]
    assert reject.line == damaged + 2

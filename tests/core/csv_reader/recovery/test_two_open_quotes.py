"""A quote that is never closed, up to a later row that is damaged as well, or that is sound."""

from __future__ import annotations

from itertools import product

import pytest

from salespro_core.csv_reader import row_blocks
from tests.core.csv_reader.recovery.exports import USER, read

LINE_ENDS = pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
LENIENT = pytest.mark.parametrize("is_lenient", [False, True])

# Header, and the cells after the id; the quote of the last one is not closed.
EXPORTS = {
    "text": ("_id,resultFullString", ["Sold"]),
    "amount-before": ("_id,saleAmount,resultFullString", ["10.00", "Sold"]),
    "users": (USER, ["Ann", "Lee"]),
}
# The rest of a cell that begins with a line end, after the quote that opens it.
LATER_TEXTS = {
    "unclosed": "\nCall back",
    "unclosed-two-lines": "\nCall back\nat five",
    "text-after": '\nCall back" x',
    "closed": '\nCall back"',
}
# `+` are the cells of a sound row after its id.
BETWEEN = {
    "none": [],
    "sound": ["b1+", "b2+"],
    "many": [f"b{n}+" for n in range(50)],
    "short": ["b1+", "b", "b2+"],
    "long": ["b1+", "b+,x", "b2+"],
    "commas": ["b1+", ",", "b2+"],
    "blank": ["b1+", "", "b2+"],
    "no-id": ["b1+", "+", "b2+"],
    "damaged-first": ["b", "b1+", "b2+"],
}


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("later", LATER_TEXTS)
@pytest.mark.parametrize("between", BETWEEN)
@LINE_ENDS
@LENIENT
def test_open_quote_that_another_open_quote_closes_rejects_the_damaged_rows_only(
    export: str, later: str, between: str, line_end: str, *, is_lenient: bool
) -> None:
    for before, after in product((0, 60), (0, 1, 3)):
        body = file_of(export, later, BETWEEN[between], before=before, after=after)

        found, rejects, _ = read(
            body.replace("\n", line_end).encode(), is_lenient=is_lenient
        )

        assert found == sound_ids(later, BETWEEN[between], before=before, after=after)
        assert rejects[0].line == before + 2


@pytest.mark.parametrize("block_characters", [1, 10, 40, 200])
@pytest.mark.parametrize("later", LATER_TEXTS)
@pytest.mark.parametrize("between", BETWEEN)
def test_two_open_quotes_are_found_where_blocks_end_inside_of_them(
    later: str, between: str, block_characters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_blocks, "BLOCK_CHARACTERS", block_characters)
    for export in EXPORTS:
        body = file_of(export, later, BETWEEN[between], before=2, after=3)

        found, _, _ = read(body.encode())

        assert found == sound_ids(later, BETWEEN[between], before=2, after=3)


@pytest.mark.parametrize(
    "pasted",
    [
        pytest.param('Sold\nb1,Sold\nb2,Sold\nend"', id="text-after-it"),
        pytest.param(
            'Sold\nb1,Sold\nsee\nabove\nthere\nb2,"', id="more-text-than-rows"
        ),
        pytest.param('Sold\nsee, above,"', id="no-row"),
    ],
)
@pytest.mark.parametrize("damage", ["c1", "c1,x,y", 'c1,"x', 'c1,x" y', 'c1,"x" y'])
def test_text_that_is_not_mostly_rows_stays_text_even_if_damage_follows(
    pasted: str, damage: str
) -> None:
    body = f'_id,resultFullString\na1,"{pasted}\n{damage}\nd1,Sold\n'

    found, rejects, _ = read(body.encode())

    assert found == ["a1", "d1"]
    assert len(rejects) == 1


def file_of(
    export: str, later: str, between: list[str], *, before: int, after: int
) -> str:
    header, cells = EXPORTS[export]
    sound = "".join(f",{cell}" for cell in cells)
    opened = sound.rpartition(",")[0] + ',"'
    commas = "," * len(cells)
    lines = [header, *(f"a{n}{sound}" for n in range(before))]
    lines += [f"x1{opened}Sold"]
    lines += [commas if line == "," else line.replace("+", sound) for line in between]
    lines += [f"c1{opened}{LATER_TEXTS[later]}"]
    lines += [f"e{n}{sound}" for n in range(after)]
    return "\n".join([*lines, ""])


def sound_ids(later: str, between: list[str], *, before: int, after: int) -> list[str]:
    return [
        *(f"a{n}" for n in range(before)),
        *(line[:-1] for line in between if line[:1] == "b" and line[-1:] == "+"),
        *(["c1"] if later == "closed" else []),
        *(f"e{n}" for n in range(after)),
    ]

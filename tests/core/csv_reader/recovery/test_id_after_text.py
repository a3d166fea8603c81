"""An open quote in a text before the id: the line with the id ends the damaged row."""

from __future__ import annotations

from itertools import product

import pytest

from tests.core.csv_reader.recovery.exports import read

EXPORTS = {
    "id-second": ("resultFullString,_id,saleAmount", '"Sold\n{}{},10.00', "Sold,{},1.00"),
    "id-last": ("saleAmount,resultFullString,_id", '10.00,"Sold\n{}{}', "1.00,Sold,{}"),
    "users": (
        "Assigned Office,Last Login,User Object ID",
        '"Balt\n{}06/16/2025,{}',
        "Balt,06/16/2025,{}",
    ),
}  # fmt: skip
# The rest of the text of the damaged row.
TEXTS = [
    "Roofing,",
    "roof, siding, doors,",
    "\nand, more,",
    "see\nbelow,",
    "a\nb, c\nd,",
]
IDS = {"random": "b{}Nc4Kd2Wx", "short": "a{}", "number": "1{}"}


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("form", IDS.values(), ids=IDS.keys())
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("is_lenient", [False, True])
def test_rest_of_a_text_before_the_id_makes_no_record_of_the_damaged_row(
    export: str, text: str, form: str, line_end: str, *, is_lenient: bool
) -> None:
    """Otherwise its id would be stored with a part of its text."""
    header, damaged, sound = EXPORTS[export]
    for before, after in product((1, 2, 30), (0, 1, 3)):
        ids = [form.format(n + 10) for n in range(before + 1 + after)]
        lines = [sound.format(id_) for id_ in ids]
        lines[before] = damaged.format(text, ids[before])
        body = "\n".join([header, *lines, ""]).replace("\n", line_end).encode()

        found, rejects, _ = read(body, is_lenient=is_lenient)

        assert found == ids[:before] + ids[before + 1 :], (before, after)
        assert rejects[0].line == before + 2


def test_each_of_several_damaged_rows_ends_with_its_id() -> None:
    header, damaged, sound = EXPORTS["id-second"]
    lines = [sound.format("a1")]
    lines += [damaged.format("Roofing,", f"a{n}") for n in (2, 3, 4)]
    body = "\n".join([header, *lines, sound.format("a5"), ""]).encode()

    found, rejects, _ = read(body)

    assert found == ["a1", "a5"]
    assert [reject.line for reject in rejects] == [3, 5, 7]


def test_cell_that_begins_with_a_line_end_may_be_the_first_of_its_row() -> None:
    """Its quote closes the open quote of the last cell before."""
    header = "Assigned Office,Last Login,User Object ID,Email"
    sound = "Balt,06/16/2025,{},a@x.com"
    opened = 'Balt,06/16/2025,a2,"a@x.com'
    lines = [sound.format("a1"), opened, '"\nBalt, MD",06/16/2025,a3,a@x.com']

    found, _, _ = read("\n".join([header, *lines, sound.format("a4"), ""]).encode())

    assert found == ["a1", "a3", "a4"]


def test_row_without_an_open_quote_does_not_wait_for_its_id() -> None:
    header = "resultFullString,saleAmount,_id"
    lines = [f'"Sold","1.00","b{n}"' for n in range(4)]
    lines[1] = '"Sold","1.00";"b1"'

    found, rejects, _ = read("\n".join([header, *lines, ""]).encode())

    assert found == ["b0", "b2", "b3"]
    assert [reject.line for reject in rejects] == [3]


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param('"', id="quote-only"),
        pytest.param('"Sold\nso";1.00;b1', id="quote-closed-later"),
    ],
)
def test_row_after_a_damaged_row_that_does_not_go_on_is_imported(damaged: str) -> None:
    header = "resultFullString,saleAmount,_id"
    lines = [f"Sold,1.00,b{n}" for n in range(4)]
    lines[1] = damaged

    found, rejects, _ = read("\n".join([header, *lines, ""]).encode())

    assert found == ["b0", "b2", "b3"]
    assert [reject.line for reject in rejects] == [3]

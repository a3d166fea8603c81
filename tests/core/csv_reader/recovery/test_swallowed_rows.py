"""A quote that is never closed, but that the quote of a later cell seems to close."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from salespro_core.csv_reader import row_blocks
from tests.core.csv_reader.damage import imported
from tests.core.csv_reader.recovery.exports import (
    AMOUNT,
    DATE,
    USER,
    WIDE,
    read,
)

LINE_ENDS = pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
LENIENT = pytest.mark.parametrize("is_lenient", [False, True])


SWALLOWING: dict[str, tuple[str, Callable[[str], str], str, Callable[[str], str]]] = {
    "text-last": (
        "_id,resultFullString",
        lambda key: f"{key},Sold",
        'a1,"Sold',
        lambda text: f'c1,"\n{text}"',
    ),
    "amount-last": (
        AMOUNT,
        lambda key: f"{key},Sold,10.00",
        'a1,Sold,"10.00',
        lambda text: f'c1,"\n{text}",10.00',
    ),
    "amount-last-of-a-wide-file": (
        WIDE,
        lambda key: f"{key},{DATE},{DATE},TRUE,Sold,Lee,10.00",
        f'a1,{DATE},{DATE},TRUE,Sold,Lee,"10.00',
        lambda text: f'c1,{DATE},{DATE},TRUE,Sold,"\n{text}",10.00',
    ),
    "amount-in-the-middle": (
        "_id,saleAmount,resultFullString",
        lambda key: f"{key},10.00,Sold",
        'a1,10.00,"Sold',
        lambda text: f'c1,10.00,"\n{text}"',
    ),
    "users": (
        USER,
        lambda key: f"{key},Ann,Lee",
        'a1,Ann,"Lee',
        lambda text: f'c1,Ann,"\n{text}"',
    ),
}
TEXTS = {
    "one-line": "Call back",
    "comma": "Call back, please",
    "two-lines": "Call back\nat five",
    "line-with-commas": "Call,back\nat five",
    "quotes": 'Said ""no""\nat five',
}


@pytest.mark.parametrize("name", SWALLOWING)
@pytest.mark.parametrize("text", TEXTS)
@LINE_ENDS
@LENIENT
def test_open_quote_that_a_later_cell_closes_rejects_its_row_only(
    name: str, text: str, line_end: str, *, is_lenient: bool
) -> None:
    header, sound, opened, last = SWALLOWING[name]
    for between, after in product((0, 1, 2, 100), (0, 1, 3)):
        lines = [header, sound("d1"), opened]
        lines += [sound(f"b{n}") for n in range(between)]
        lines += [last(TEXTS[text]), *(sound(f"e{n}") for n in range(after))]
        body = "\n".join([*lines, ""]).replace("\n", line_end)

        found, rejects, _ = read(body.encode(), is_lenient=is_lenient)

        expected = ["d1", *(f"b{n}" for n in range(between)), "c1"]
        assert found == expected + [f"e{n}" for n in range(after)]
        assert [reject.line for reject in rejects] == [3]


@pytest.mark.parametrize("block_characters", [1, 10, 40, 200])
@pytest.mark.parametrize("name", SWALLOWING)
@pytest.mark.parametrize("text", TEXTS)
def test_swallowed_rows_are_found_where_blocks_end_inside_of_them(
    name: str, text: str, block_characters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_blocks, "BLOCK_CHARACTERS", block_characters)
    header, sound, opened, last = SWALLOWING[name]
    lines = [header, sound("d1"), opened, sound("b1"), sound("b2"), last(TEXTS[text])]

    found, rejects, _ = read("\n".join([*lines, sound("e1"), ""]).encode())

    assert found == ["d1", "b1", "b2", "c1", "e1"]
    assert [reject.line for reject in rejects] == [3]


@pytest.mark.parametrize("name", SWALLOWING)
def test_text_of_rows_in_a_legal_file_stays_the_text_of_a_cell(name: str) -> None:
    """Someone pasted an export into a cell; nothing after it is damaged."""
    header, sound, _, _ = SWALLOWING[name]
    pasted = "\n".join(sound(f"b{n}") for n in range(3))
    first, *_, last = sound("a1").split(",")
    is_text = not header.endswith("saleAmount")
    for after in (
        [],
        [sound("e1")],
        [sound("roof")],
        [sound("roof"), sound("e1")],
    ):
        cells = [first, *sound("a1").split(",")[1:-1], f'"{last}\n{pasted}\nend"']
        body = "\n".join([header, ",".join(cells), *after, ""])

        found, rejects, _ = read(body.encode(), is_lenient=True)

        assert found == ["a1", *(line.split(",")[0] for line in after)]
        assert not rejects
        assert is_text or found[0] == "a1"


@LINE_ENDS
@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        pytest.param('a1,"Sold\nb1,Sold\nc1,"\nd1,"\nb2,Sold\nx"\n', "a1 d1", id="text-after"),
        pytest.param('a1,"Sold\nb1,Sold\nc1,"\nd1,"\nb2,Sold\nc2,"\n', "a1 d1", id="twice"),
        pytest.param('a1,"Sold\nb1,Sold\nc1,"\nroof,"\nx"\nd1,"\nx"\n', "a1 roof d1", id="word"),
        pytest.param('a1,"\nb1,Sold\nc1,"\n\nd1,"\nx"', "a1 d1", id="blank-line"),
        pytest.param('a1,"\nc1,"\nd1,"\nx"', "a1 d1", id="no-row-between"),
    ],
)  # fmt: skip
def test_legal_file_whose_other_reading_has_records_is_read_as_python_reads_it(
    rows: str, ids: str, line_end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only damage after the row makes the other reading the likely one."""
    monkeypatch.setattr(row_blocks, "BLOCK_CHARACTERS", 1)  # read row by row
    body = f"_id,resultFullString\n{rows}".replace("\n", line_end)

    found, rejects, _ = read(body.encode())

    assert found == ids.split()
    assert not rejects


# Ids of a rare form: inside a damaged row, and behind it.
NARROW = "_id,resultFullString\n"
USERS = "User Object ID,License Number,Last Name\n"
IDS = [f"q9XsBqt{n:03}" for n in range(25)]
ODD_IDS = [
    "1234567890", "eghpvvxm65", "vkozzpkpt3", "abcdefghij", "12abcdefgh", "ab-defgh12", "MTWXNJYBWN", "Mtwxnjybwn",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_IDS)
def test_swallowed_row_with_an_odd_id_is_imported(odd: str) -> None:
    rows = "".join(f"{id_},Sold\n" for id_ in IDS)
    body = f'{NARROW}{rows}hPpwRFAie2,"Sold\n{odd},"\nCall back"\nzz9w25hLZu,Sold\n'

    found, rejects, _ = imported(body.encode())

    assert found == [*IDS, odd, "zz9w25hLZu"]
    assert [reject.line for reject in rejects] == [27]


@pytest.mark.parametrize(
    ("body", "ids", "line"),
    [
        pytest.param(
            NARROW
            + "".join(f"{id_},Sold\n" for id_ in IDS)
            + 'hPpwRFAie2,"Sold\n1001,Sold\n1002,Sold\n1003,"\nCall back"\nzz9w25hLZu,x\n',
            [*IDS, "1001", "1002", "1003", "zz9w25hLZu"],
            27,
            id="numbers-among-random-ids",
        ),
        pytest.param(
            NARROW
            + 'xWMyZ4YEGZ,"Sold\neghpvvxm65,Sold\nLntelnLbpi,Sold\nabcdefgh12,"\nCall back"\n'
            + "zz9w25hLZu,Sold\n",
            ["eghpvvxm65", "LntelnLbpi", "abcdefgh12", "zz9w25hLZu"],
            2,
            id="first-row-damaged",
        ),
        pytest.param(
            USERS
            + "".join(f"{id_},x,Lee\n" for id_ in IDS)
            + 'hPpwRFAie2,x,"Sold\neghpvvxm65,"\nMD-2","Smith, Jr"\nzz9w25hLZu,x,y\n',
            [*IDS, "eghpvvxm65", "zz9w25hLZu"],
            27,
            id="middle-column-of-users",
        ),
    ],
)
def test_swallowed_rows_are_imported(body: str, ids: list[str], line: int) -> None:
    found, rejects, _ = imported(body.encode())

    assert found == ids
    assert [reject.line for reject in rejects] == [line]


@pytest.mark.parametrize("word", ["Demo", "roof", "Baltimore", "NoShow", "DEMO"])
@pytest.mark.parametrize("first", ["OFJDNUUTYY", "LntelnLbpi", "abcdefghij"])
def test_one_id_like_a_word_does_not_make_ids_of_words(word: str, first: str) -> None:
    body = (
        "_id,resultFullString,customer.nameLast,saleAmount\n"
        f"{first},Sold,Lee,1.00\n"
        f'edHRg03ywF,"Sold\n{word},said no,Ann,7610.00\n'
        "AborPGr45d,Sold,Lee,1.00\n"
    )

    found, rejects, _ = imported(body.encode())

    assert found == [first, "AborPGr45d"]
    assert [reject.line for reject in rejects] == [3]


@pytest.mark.parametrize(
    "odd", ["Mtwxnjybwn", "cjhhvphwLt", "54dhubjrdj", "98jodpezfm"]
)
def test_neighbour_with_a_valid_date_and_the_usual_length_is_imported(odd: str) -> None:
    rows = [f"{id_},Ann,06/18/2025,TRUE" for id_ in IDS]
    body = "\n".join(
        [
            "User Object ID,First Name,Last Login,Active/Inactive",
            *rows,
            'hPpwRFAie2,"Ann" x,06/18/2025,TRUE',
            f"{odd},Ann,06/18/2025,TRUE",
            "zz9w25hLZu,Ann,06/18/2025,TRUE",
            "",
        ]
    )

    found, rejects, _ = imported(body.encode())

    assert found == [*IDS, odd, "zz9w25hLZu"]
    assert [reject.line for reject in rejects] == [27]


BLANK_LINES = [" ", "\t", "\xa0", ",,", '""', '"",""', '"", ']


@pytest.mark.parametrize("blank", BLANK_LINES)
@pytest.mark.parametrize("before", [0, 1, 200])
def test_many_narrow_blank_rows_are_blank(blank: str, before: int) -> None:
    ids = [f"a{n}" for n in range(before)]
    rows = "".join(f"{id_},x,5.00,TRUE\n" for id_ in ids)
    header = "_id,resultFullString,saleAmount,isSale\n"

    blanks = f"{blank}\n" * 3000

    found, rejects, _ = imported(f"{header}{rows}{blanks}b1,x,5.00,TRUE\n".encode())

    assert (found, rejects) == ([*ids, "b1"], [])


@pytest.mark.parametrize("rows", [1, 2, 30])
def test_row_of_too_many_cells_gives_back_the_rows_that_it_swallowed(rows: int) -> None:
    sound = [f"b{n},Sold,Lee" for n in range(rows)]
    header = "_id,resultFullString,customer.nameLast"
    lines = [header, 'a1,"Sold', *sound, 'c1",Lee,X', "d1,Sold,Lee", ""]

    found, rejects, _ = read("\n".join(lines).encode())

    assert found == [*(row.partition(",")[0] for row in sound), "d1"]
    assert [reject.line for reject in rejects] == [2, 3 + rows]

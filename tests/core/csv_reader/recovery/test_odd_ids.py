"""Ids of a rare form: inside a damaged row, and behind it."""

from __future__ import annotations

import pytest

from tests.core.csv_reader.damage import imported

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

"""Rows after damage in a rejects file are recognised without the escape of their cells."""

from __future__ import annotations

import csv
import io

import pytest

from salespro_core.csv_reader.csv_injection import escape_formula
from tests.core.csv_reader.recovery.exports import AMOUNT, DATE, WIDE, read

# What begins with - is escaped in a rejects file.
ROWS = {
    AMOUNT: [[f"{{sign}}bc{n:04}X", "Sold", f"{{sign}}{n}.50"] for n in range(40)],
    WIDE: [
        [f"{{sign}}bc{n:04}X", DATE, DATE, "TRUE", "Sold", "Lee", f"{{sign}}{n}.50"]
        for n in range(40)
    ],
}
DAMAGE = {
    "open-quote": '{id},"Sold',
    "stray-quote": '{id},Sold" and',
    "text-after-a-quote": '{id},"Sold" and',
    "open-quote-in-the-id": '"{id},Sold',
    "line-break": "{id},Sold",
}


def line_of(cells: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def body_of(header: str, place: int, damage: str, *, sign: str, escaped: bool) -> bytes:
    """A file whose row at this place is damaged; as export, or as rejects file."""
    rows = [[cell.format(sign=sign) for cell in cells] for cells in ROWS[header]]
    if escaped:
        rows = [list(map(escape_formula, cells)) for cells in rows]
    lines = list(map(line_of, rows))
    lines[place] = damage.format(id=rows[place][0])
    if escaped:
        header = f"reject_line,reject_column,reject_reason,{header}"
        lines = [f"{n},,x,{line}" for n, line in enumerate(lines)]
    return "\n".join([header, *lines, ""]).encode()


@pytest.mark.parametrize("header", ROWS, ids=["amount", "wide"])
@pytest.mark.parametrize("place", [0, 1, 4, 25])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("sign", ["-", "", "--"])
def test_rows_after_damage_are_those_of_the_same_export(
    header: str, place: int, damage: str, sign: str
) -> None:
    found, rejects, _ = read(body_of(header, place, damage, sign=sign, escaped=True))
    expected, _, _ = read(body_of(header, place, damage, sign=sign, escaped=False))

    assert found == expected
    assert len(found) + len(rejects) >= 30


@pytest.mark.parametrize("place", [0, 1, 4, 25])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_only_the_damaged_row_of_a_rejects_file_is_rejected(
    place: int, damage: str
) -> None:
    found, rejects, _ = read(body_of(WIDE, place, damage, sign="-", escaped=True))

    ids = [cells[0].format(sign="-") for cells in ROWS[WIDE]]
    assert found == ids[:place] + ids[place + 1 :]
    assert len(rejects) == 1


def test_escaped_amount_shows_that_a_row_with_a_label_is_data() -> None:
    """Otherwise the row would be another header, which refuses the file."""
    body = f"reject_line,reject_column,reject_reason,{AMOUNT}\n2,,x,_id,isSale,'-5.00\n"

    found, rejects, _ = read(body.encode())

    assert (found, len(rejects)) == ([], 1)

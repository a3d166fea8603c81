"""Random files with the check of an export: legal ones, and ones with one damage."""

from __future__ import annotations

import csv
import io
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader import row_blocks
from salespro_core.csv_reader.labels import fold_label
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Reject
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.csv_reader.damage import QUOTINGS, TABLES, file_of, keys, plain, written
from tests.core.csv_reader.recovery.exports import (
    AMOUNT,
    DATE,
    NARROW,
    USER,
    WIDE,
    read,
)
from tests.support.builders import items_of

KEY_LABELS = {
    fold_label(label)
    for export in (APPOINTMENTS, USERS)
    for label in export.columns[0].labels
}
# Without control characters: 0x1A at the end of a file is left out.
visible = st.characters(codec="utf-8", exclude_categories=["Cc"])
# The label of an id next to an id without a digit is another header.
cells_of_text = (
    st.text(visible, max_size=6) | st.text('ab1,"\r\n ', max_size=8)
).filter(lambda text: fold_label(text) not in KEY_LABELS)
legal_tables = st.lists(
    st.tuples(st.sampled_from(["a1", "b2", "roof", "Call Ann"]), cells_of_text, cells_of_text),
    max_size=8,
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(legal_tables, st.sampled_from([1, 7, 50, 10_000]))
def test_legal_file_is_read_as_python_reads_it(
    table: list[tuple[str, str, str]], block_characters: int
) -> None:
    """With the check of an export: only damage makes a difference."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([NARROW.split(","), *table])
    with pytest.MonkeyPatch.context() as patch, Rejects() as rejects:
        patch.setattr(row_blocks, "BLOCK_CHARACTERS", block_characters)
        body = io.BytesIO(file.getvalue().encode(errors="surrogatepass"))
        reader = ExportReader(body, (APPOINTMENTS,), rejects, is_lenient=False)
        items = items_of(reader)

    found = [
        item.cells if isinstance(item, Reject) else tuple(item.cells) for item in items
    ]
    assert found == table


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(list(TABLES)),
    st.sampled_from(list(QUOTINGS)),
    st.integers(0, 38),
    st.sampled_from([1, 4, 9, -1]),
    st.sampled_from(['"{}', '{}"', '"{}" x', "{}\n{}", '"{}\nroof, siding, doors']),
    st.sampled_from(["\n", "\r\n", "\r"]),
)  # fmt: skip
def test_one_damage_loses_no_neighbour_and_makes_no_record(
    export: str,
    quoting: str,
    row_index: int,
    column_index: int,
    form: str,
    line_end: str,
) -> None:
    # A row that is broken in its last cell is complete without the rest.
    assume(column_index != -1 or form != "{}\n{}")
    quote = QUOTINGS[quoting]
    lines = written(export, quoting)
    cells = [quote(cell) for cell in TABLES[export][row_index]]
    text = plain(TABLES[export][row_index][column_index])
    cells[column_index] = form.format(text, text).replace("\n", line_end)
    lines[row_index] = ",".join(cells)

    found, _, _ = read(file_of(export, lines, line_end))

    others = [key for n, key in enumerate(keys(export)) if n != row_index]
    assert sorted(map(str, found)) == sorted(others)


LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
TEXTS = ["Sold", "No, not now", 'said "no"', "a\nb", ""]
ROWS = {
    WIDE: [DATE, DATE, "TRUE", "", "Lee", "10.00"],
    NARROW: ["", "Lee"],
    AMOUNT: ["", "10.00"],
    USER: ["", "Lee"],
    "_id,resultFullString": [""],
}
OPENED = ["", "\nCall Ann, not Bob", "\nroof, siding,Lee", "\none\n\ntwo, three,four"]


def make_id(kind: str, number: int, rng: Random) -> str:
    """An id as exports have them."""
    if kind == "random":
        return "".join(rng.choices(LETTERS, k=16)) + LETTERS[number]
    return f"a{number}" if kind == "short" else str(number + 1000)


@pytest.mark.parametrize("seed", range(60))
def test_random_export_loses_the_damaged_rows_only(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both exports, strict and lenient, with any line end and size of block."""
    rng = Random(seed)
    for _ in range(20):
        header, cells = rng.choice(list(ROWS.items()))
        kind = rng.choice(["number", "short", "random"])
        quote = rng.choice(list(QUOTINGS.values()))
        rows = [
            [make_id(kind, n, rng), *(cell or rng.choice(TEXTS) for cell in cells)]
            for n in range(rng.choice([2, 5, 12, 30]))
        ]
        lines = [",".join(map(quote, row)) for row in rows]
        damaged = {rng.randrange(len(rows)), rng.randrange(len(rows))}
        for row_index in damaged:
            column_index = rng.randrange(len(cells) + 1)
            text = plain(rows[row_index][column_index])
            written_cells = list(map(quote, rows[row_index]))
            written_cells[column_index] = rng.choice([
                f'"{text}{rng.choice(OPENED) if column_index else ""}',
                f'"{text}" x',
                f'{text}" x',
            ])  # fmt: skip
            lines[row_index] = ",".join(written_cells)
        line_end = rng.choice(["\n", "\r\n", "\r"])
        body = "\n".join([header, *lines, ""]).replace("\n", line_end).encode()
        block_characters = rng.choice([1, 30, 100, 500, 128 * 1024])
        monkeypatch.setattr(row_blocks, "BLOCK_CHARACTERS", block_characters)

        found, _, _ = read(body, is_lenient=rng.choice([False, True]))

        sound = [row[0] for n, row in enumerate(rows) if n not in damaged]
        assert found == sound

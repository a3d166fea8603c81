"""Random damage: no undamaged row is lost or changed, and no line is read twice."""

from __future__ import annotations

import io
import re
from random import Random

import pytest

from salespro_core.csv_reader.row_reader import Row
from salespro_core.errors import InputError
from tests.core.csv_reader.damage import QUOTINGS, TABLES, file_of, imported, written
from tests.support.builders import read_rows

ANY_LINE_END = re.compile(r"\r\n|\r|\n")


def line_ends_in(row: Row) -> int:
    return sum(len(ANY_LINE_END.findall(cell)) for cell in row.cells)


def assert_every_line_is_in_one_row(body: bytes, found: list[Row]) -> None:
    """Each line that is not blank belongs to exactly one row."""
    lines = ANY_LINE_END.split(
        body.decode(errors="surrogateescape").removeprefix("\ufeff")
    )
    line = 1
    for row in found:
        assert not any(lines[line - 1 : row.line - 1])
        line = row.line + line_ends_in(row) + 1
        assert lines[row.line - 1]
    assert not any(lines[line - 1 :])


NASTY_TEXTS = ['"', '""', ",", "\n", "\r", "\r\n", '\\"', '","', '"\n', '\n"', "\0", "\udcff", "", "x", ",,", "\ufeff"]  # fmt: skip


def random_change(text: str, rng: Random) -> tuple[str, int]:
    """The text after one deletion, insertion or replacement, and its position."""
    position = rng.randrange(text.index("\n") + 1, len(text))
    end = position + rng.choice([0, 1, 1, 3])
    return text[:position] + rng.choice(NASTY_TEXTS) + text[end:], position


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("export", TABLES)
def test_one_random_change_leaves_all_other_rows_unchanged(
    export: str, seed: int
) -> None:
    """Any byte may be deleted, inserted or replaced."""
    rng = Random(f"{export} {seed}")
    for _ in range(40):
        quoting = rng.choice(list(QUOTINGS))
        lines = written(export, quoting)
        text = file_of(export, lines, rng.choice(["\n", "\r\n"])).decode()
        whole = list(read_rows(io.BytesIO(text.encode())))
        damaged, position = random_change(text, rng)

        body = damaged.encode(errors="surrogateescape")
        found = list(read_rows(io.BytesIO(body)))

        line = text[:position].count("\n") + 1
        changed = [row for row in whole if row.line <= line][-1].line
        # The end of the changed row may be deleted; it then takes the next row with it.
        after = [row for row in whole if row.line > changed][1:]
        before = [row for row in whole if row.line < changed]
        # A change at the start of a row may join it to the row before.
        assert found[: len(before) - 1] == before[:-1]
        assert [row.cells for row in found[len(found) - len(after) :]] == [
            row.cells for row in after
        ]
        assert_every_line_is_in_one_row(body, found)


@pytest.mark.parametrize("seed", range(10))
def test_many_random_changes_give_rows_or_an_input_error(seed: int) -> None:
    """No traceback, and no line that is lost or read twice."""
    rng = Random(seed)
    for _ in range(50):
        export = rng.choice(list(TABLES))
        lines = written(export, rng.choice(list(QUOTINGS)))
        text = file_of(export, lines, rng.choice(["\n", "\r\n", "\r"])).decode()
        for _ in range(rng.choice([1, 2, 5, 20, 100])):
            start = rng.randrange(len(text))
            end = start + rng.randrange(3)
            text = text[:start] + rng.choice(NASTY_TEXTS) + text[end:]
        body = text.encode(errors="surrogateescape")
        try:
            found = list(read_rows(io.BytesIO(body)))
            imported(body)
        except InputError:
            continue
        assert_every_line_is_in_one_row(body, found)

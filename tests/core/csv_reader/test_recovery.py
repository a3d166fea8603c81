"""CSV that fights back: the damaged row is rejected, and its neighbours are imported."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from salespro_cli.sample_data import generator
from salespro_core.csv_reader import recovery
from salespro_core.csv_reader.row_reader import Row
from salespro_core.errors import InputError, UnreadableObject
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.outcome import MAYBE_CUT
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.parser import Record, Reject
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import appointment, csv_bytes, items_of, read_rows

ROWS = 40
LABELS = {
    "appointments": list(generator.APPOINTMENT_LABELS),
    "users": list(generator.USER_LABELS),
}
TABLES = {
    "appointments": list(generator.appointments(ROWS, 7)),
    "users": list(generator.users(ROWS, 7)),
}
# One row of each table has what SalesPro's cells have: commas, quotes and line breaks.
TABLES["appointments"][20][4] = 'Said "no, not now"\r\ncall again\r\n, in June'
TABLES["users"][20][9] = 'The "Annex"\r\nBaltimore, MD ( a1B2c3D4e5 )'
PLACES = {"first": 0, "second": 1, "middle": 20, "next-to-last": ROWS - 2}


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def minimal(cell: str) -> str:
    return quoted(cell) if re.search(r'[,"\r\n]', cell) else cell


QUOTINGS = {"minimal": minimal, "all": quoted}


def plain(cell: str) -> str:
    """The cell without what would need quotes."""
    return re.sub(r'[,"\r\n]', " ", cell) or "?"


# The row's cells, and how the file quotes those that are left alone.
Damage = Callable[[list[str], Callable[[str], str]], str]


def instead(place: int, damaged: Callable[[str], str]) -> Damage:
    """Damage one cell."""

    def damage(cells: list[str], quote: Callable[[str], str]) -> str:
        written = [quote(cell) for cell in cells]
        written[place] = damaged(cells[place])
        return ",".join(written)

    return damage


def missing_delimiter(cells: list[str], quote: Callable[[str], str]) -> str:
    written = [quote(cell) for cell in cells]
    return ",".join([*written[:2], written[2] + written[3], *written[4:]])


def extra_delimiter(cells: list[str], quote: Callable[[str], str]) -> str:
    written = [quote(cell) for cell in cells]
    return ",".join([*written[:4], "", *written[4:]])


def trailing_delimiter(cells: list[str], quote: Callable[[str], str]) -> str:
    return ",".join([*map(quote, cells), ""])


DAMAGES: dict[str, Damage] = {
    **{
        f"{name}-in-the-{where}-cell": instead(place, damaged)
        for where, place in {"first": 0, "fifth": 4, "last": -1}.items()
        for name, damaged in {
            "quote-never-closed": lambda c: '"' + plain(c),
            "quote-never-closed-but-doubled": lambda c: '"' + plain(c) + '""',
            "quote-never-opened": lambda c: plain(c) + '"',
            "text-behind-a-quote": lambda c: f'"{plain(c)}" more',
            "backslashes": lambda c: f'"said \\"{plain(c)}\\", and left"',
            "stray-quote": lambda c: f'{plain(c)} 5" pipe',
            "quote-behind-space": lambda c: f' "{plain(c)}"',
        }.items()
    },
    # Not in the first cell: the second line would have all the cells of a row.
    **{
        f"{name}-in-the-{where}-cell": instead(place, damaged)
        for where, place in {"fifth": 4, "last": -1}.items()
        for name, damaged in {
            "quote-never-closed-and-lines": lambda c: f'"{plain(c)}\n\nand, more',
            "text-behind-a-quote-of-lines": lambda c: f'"{plain(c)}\nmore" than that',
        }.items()
    },
    "line-break-without-quotes": instead(4, lambda c: plain(c) + "\rmore"),
    "missing-delimiter": missing_delimiter,
    "extra-delimiter": extra_delimiter,
    "trailing-delimiter": trailing_delimiter,
}


def file_of(
    export: str, lines: list[str], line_end: str, *, ends: bool = True
) -> bytes:
    text = line_end.join([",".join(LABELS[export]), *lines])
    return (text + line_end * ends).encode()


def written(export: str, quoting: str) -> list[str]:
    quote = QUOTINGS[quoting]
    return [",".join(map(quote, cells)) for cells in TABLES[export]]


def keys(export: str) -> list[str]:
    return [cells[0] for cells in TABLES[export]]


def imported(body: bytes) -> tuple[list[str | None], list[Reject], Counter[str]]:
    """The keys of the records, the rejects, and the warnings."""
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS, USERS), rejects, is_lenient=False
        )
        items = items_of(reader)
    return (
        [item.values[0] for item in items if isinstance(item, Record)],
        [item for item in items if isinstance(item, Reject)],
        reader.warnings,
    )


@pytest.mark.parametrize("export", TABLES)
@pytest.mark.parametrize("quoting", QUOTINGS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_the_tables_are_whole_before_they_are_damaged(
    export: str, quoting: str, line_end: str
) -> None:
    body = file_of(export, written(export, quoting), line_end)

    assert imported(body) == (keys(export), [], Counter())


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_only_the_damaged_row_is_rejected(damage: str, where: str) -> None:
    """In both exports, however their other cells are quoted and their lines end."""
    place = PLACES[where]
    for export in TABLES:
        for quoting, quote in QUOTINGS.items():
            for line_end in ("\n", "\r\n", "\r"):
                lines = written(export, quoting)
                lines[place] = DAMAGES[damage](TABLES[export][place], quote)
                body = file_of(export, lines, line_end)

                found, rejects, warnings = imported(body)

                others = keys(export)
                del others[place]
                assert found == others
                assert not warnings
                # A line break without quotes leaves two rows that are too short.
                is_split = damage.startswith("line-break")
                assert 1 <= len(rejects) <= (3 if is_split else 1)
                [first, *_] = rejects
                before = file_of(export, lines[:place], line_end).decode()
                assert first.line == 1 + len(re.findall("\r\n|\r|\n", before))


@pytest.mark.parametrize("damage", DAMAGES)
def test_two_damaged_rows_leave_what_is_between_them(damage: str) -> None:
    """A quote that is never closed must not find its end in that of another row."""
    for export in TABLES:
        for quoting, quote in QUOTINGS.items():
            lines = written(export, quoting)
            for place in (10, 30):
                lines[place] = DAMAGES[damage](TABLES[export][place], quote)

            found, rejects, _ = imported(file_of(export, lines, "\r\n"))

            others = [key for n, key in enumerate(keys(export)) if n not in (10, 30)]
            assert found == others
            assert len(rejects) >= 2


@pytest.mark.parametrize("export", TABLES)
@pytest.mark.parametrize("quoting", QUOTINGS)
@pytest.mark.parametrize("place", [0, 5, 19, 20, ROWS - 2])
def test_a_missing_line_end_rejects_the_two_rows_it_joins(
    export: str, quoting: str, place: int
) -> None:
    lines = written(export, quoting)
    lines[place : place + 2] = ["".join(lines[place : place + 2])]

    found, rejects, warnings = imported(file_of(export, lines, "\r\n"))

    assert found == keys(export)[:place] + keys(export)[place + 2 :]
    assert len(rejects) == 1
    assert not warnings


@pytest.mark.parametrize("export", TABLES)
@pytest.mark.parametrize("quoting", QUOTINGS)
@pytest.mark.parametrize("rows", [1, 21, ROWS])
def test_a_file_cut_anywhere_in_its_last_row_is_said_to_be_cut(
    export: str, quoting: str, rows: int
) -> None:
    """Or else the row is whole: all of its cells are there, and no quote is open."""
    lines = written(export, quoting)[:rows]
    whole = file_of(export, lines, "\r\n", ends=False).decode()
    start = len(file_of(export, lines[:-1], "\r\n").decode())
    # Behind the last comma the row has all of its cells, but for an open quote.
    last_cell = whole.rindex(",") + 1
    is_closed = len(whole) if whole.endswith('"') else last_cell

    verdicts = []
    for end in range(start + 1, len(whole)):
        found, rejects, warnings = imported(whole[:end].encode())
        assert found[: rows - 1] == keys(export)[: rows - 1]
        assert len(found) + len(rejects) == rows
        verdicts.append(warnings == Counter({MAYBE_CUT: 1}))
        if end < last_cell:
            assert len(rejects) == 1

    # A cut right behind the last comma leaves a blank cell, which nobody can tell.
    can_tell = [
        end < last_cell or (end > last_cell and end < is_closed)
        for end in range(start + 1, len(whole))
    ]
    assert verdicts == can_tell


@pytest.mark.parametrize("export", TABLES)
@pytest.mark.parametrize("place", [0, 4, -1])
def test_a_quote_opened_in_the_last_row_costs_that_row_only(
    export: str, place: int
) -> None:
    lines = written(export, "minimal")
    lines[-1] = instead(place, lambda cell: '"' + plain(cell))(
        TABLES[export][-1], minimal
    )

    found, [reject], warnings = imported(file_of(export, lines, "\r\n"))

    assert found == keys(export)[:-1]
    assert [problem.reason for problem in reject.problems] == [recovery.OPEN_AT_END]
    assert warnings == Counter({MAYBE_CUT: 1})


def test_the_rejects_file_has_every_character_of_a_bad_row() -> None:
    """In cells that can be corrected: those between the commas."""
    bad = 'A-2,2025-06-06T00:16:45.538Z,"said \\"no\\", and left\r\nat once,TRUE'
    body = f"_id,_created_at,resultFullString,isSale\r\nA-1,,,\r\n{bad}\r\nA-3,,,\r\n"

    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body.encode()), (APPOINTMENTS,), rejects, is_lenient=False
        )
        assert [item.line for item in items_of(reader)] == [2, 3, 5]
        file = rejects.open()
        assert file is not None
        text = file.read().decode()
    [_, [line, column, reason, *cells]] = csv.reader(io.StringIO(text, newline=""))

    assert (line, column, reason) == ("3", "", recovery.BEHIND)
    assert ",".join(cells) == bad


ANY_LINE_END = re.compile(r"\r\n|\r|\n")


def breaks(row: Row) -> int:
    return sum(len(ANY_LINE_END.findall(cell)) for cell in row.cells)


def covered(body: bytes, found: list[Row]) -> None:
    """Each line that is not blank belongs to one row, and each row has a line."""
    lines = ANY_LINE_END.split(
        body.decode(errors="surrogateescape").removeprefix("\ufeff")
    )
    line = 1
    for row in found:
        assert not any(lines[line - 1 : row.line - 1])
        line = row.line + breaks(row) + 1
        assert lines[row.line - 1]
    assert not any(lines[line - 1 :])


NASTY = ['"', '""', ",", "\n", "\r", "\r\n", '\\"', '","', '"\n', '\n"', "\0", "\udcff", "", "x", ",,", "\ufeff"]  # fmt: skip


def changed(text: str, rng: Random) -> tuple[str, int]:
    """The text with something deleted, inserted or replaced, and where."""
    at = rng.randrange(text.index("\n") + 1, len(text))
    return text[:at] + rng.choice(NASTY) + text[at + rng.choice([0, 1, 1, 3]) :], at


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("export", TABLES)
def test_one_change_touches_the_rows_it_is_in(export: str, seed: int) -> None:
    """Whatever byte is deleted, inserted or replaced: no other row is lost or altered."""
    rng = Random(f"{export} {seed}")
    for _ in range(40):
        quoting = rng.choice(list(QUOTINGS))
        lines = written(export, quoting)
        text = file_of(export, lines, rng.choice(["\n", "\r\n"])).decode()
        whole = list(read_rows(io.BytesIO(text.encode())))
        damaged, at = changed(text, rng)

        body = damaged.encode(errors="surrogateescape")
        found = list(read_rows(io.BytesIO(body)))

        line = text[:at].count("\n") + 1
        touched = [row for row in whole if row.line <= line][-1].line
        # What is deleted may be the end of that row.
        after = [row for row in whole if row.line > touched][1:]
        before = [row for row in whole if row.line < touched]
        # A change at the start of a row may join it to the one before.
        assert found[: len(before) - 1] == before[:-1]
        assert [row.cells for row in found[len(found) - len(after) :]] == [
            row.cells for row in after
        ]
        covered(body, found)


@pytest.mark.parametrize("seed", range(10))
def test_any_pollution_ends_in_rows_or_one_refusal(seed: int) -> None:
    """Never in a traceback, never in a line that is lost or read twice."""
    rng = Random(seed)
    for _ in range(50):
        export = rng.choice(list(TABLES))
        lines = written(export, rng.choice(list(QUOTINGS)))
        text = file_of(export, lines, rng.choice(["\n", "\r\n", "\r"])).decode()
        for _ in range(rng.choice([1, 2, 5, 20, 100])):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(NASTY) + text[at + rng.randrange(3) :]
        body = text.encode(errors="surrogateescape")
        try:
            found = list(read_rows(io.BytesIO(body)))
            imported(body)
        except InputError:
            continue
        covered(body, found)


def naughty(corpus: Path | None) -> Iterator[str]:
    if corpus is None:
        pytest.skip("the corpus is not beside this checkout")
    yield from json.loads((corpus / "blns" / "blns.json").read_bytes())


def test_naughty_strings_are_text_like_any_other(corpus: Path | None) -> None:
    """Each survives to the character, or its row is rejected for a reason that is said."""
    strings = list(naughty(corpus))
    body = csv_bytes(
        *(appointment(f"A-{n}", resultFullString=s) for n, s in enumerate(strings))
    )

    found = [
        item.values[4] if isinstance(item, Record) else str(item.problems[0])
        for item in items(body)
    ]

    nul = "resultFullString holds a NUL character, which Postgres cannot keep"
    assert found == [
        nul if "\0" in string else string if string.strip() else None
        for string in strings
    ]


def test_naughty_strings_that_nobody_quoted_spare_their_neighbours(
    corpus: Path | None,
) -> None:
    strings = list(naughty(corpus))
    rows: list[str] = []
    for n, string in enumerate(strings):
        rows += [f"A-{n},,,", f"B-{n},,{string},"]
    body = "\n".join(["_id,_created_at,resultFullString,isSale", *rows, ""]).encode()

    found, rejects, _ = imported(body)

    whole = [key for key in found if key and key.startswith("A-")]
    assert whole == [f"A-{n}" for n in range(len(strings))]
    assert len(found) + len(rejects) >= 2 * len(strings)
    assert {key for key in found if key} >= {
        f"B-{n}" for n, s in enumerate(strings) if not re.search(r'[,"\r\n]', s)
    }


def test_formulas_are_text(corpus: Path | None) -> None:
    """They go to Postgres as they came; what a spreadsheet does with them is its own."""
    if corpus is None:
        pytest.skip("the corpus is not beside this checkout")
    payloads = (
        (corpus / "csv-injection-payloads" / "csv-payload.txt").read_text().splitlines()
    )
    quoted_ = csv_bytes(
        *(appointment(f"A-{n}", resultFullString=p) for n, p in enumerate(payloads))
    )
    bare = "\n".join(
        [
            "_id,resultFullString,isSale",
            *(f"A-{n},{p}," for n, p in enumerate(payloads)),
        ]
    ).encode()

    found = [item.values[4] for item in items(quoted_) if isinstance(item, Record)]
    keys_, rejects, _ = imported(bare)

    assert found == payloads
    # The first has quotes, the last a comma.
    assert keys_ == ["A-1", "A-2", "A-3", "A-4"]
    assert [reject.line for reject in rejects] == [2, 7]
    assert [str(reject.problems[0]) for reject in rejects] == [
        recovery.STRAY,
        "has 4 cells where the header has 3",
    ]


def items(body: bytes) -> list[Record | Reject]:
    with Rejects() as rejects:
        stream = io.BytesIO(body)
        exports = (APPOINTMENTS, USERS)
        return items_of(ExportReader(stream, exports, rejects, is_lenient=False))


def test_a_quote_behind_which_no_row_comes_refuses_the_file() -> None:
    """One row would be rejected, and with it a hundred thousand be lost."""
    good = [it for it in written("appointments", "minimal") if '"' not in it]
    opened = 'X-1,"never closed' + "," * 10
    odd = [f"{line},and one too many" for line in good] * 13
    body = file_of("appointments", [*good, opened, *odd], "\r\n")

    with pytest.raises(UnreadableObject, match=f"Line {len(good) + 2} is no CSV"):
        imported(body)


def test_a_last_row_that_is_cut_off_in_a_long_text_is_only_rejected() -> None:
    """Nothing else is in it."""
    good = written("appointments", "minimal")
    text = "\r\n".join(f"line {n} of a mail" for n in range(90))
    body = file_of("appointments", [*good, f'X-1,,,,"{text}'], "\r\n", ends=False)

    found, rejects, warnings = imported(body)

    assert sorted(map(str, found)) == sorted(keys("appointments"))
    assert [reject.cells[0] for reject in rejects] == ["X-1"]
    assert warnings == {MAYBE_CUT: 1}

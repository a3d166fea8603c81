"""Files of a simulation: drawn small and nasty, each with what the model has to know."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import NamedTuple

from salespro_core.model.outcome import Counts
from salespro_core.model.upload import Upload
from tests.support.builders import MORNING, upload
from tests.support.table_contents import APPOINTMENT_TABLE, USERS_TABLE
from tests.support.world.model import Row, Values

# What a constraint of the simulated warehouse refuses.
REFUSED_AMOUNT = "666.00"
BAD = "bad"


class Sort(NamedTuple):
    """An export, as far as it is simulated.

    Attributes:
        labels: those that a file may carry, with their columns; the key comes first.
        cells: column -> what stands in a cell, what is stored then, and how likely it is.
        blank: what a new row has in the columns that its file does not carry.
    """

    name: str
    table: str
    labels: Mapping[str, str]
    cells: Mapping[str, Sequence[tuple[str, str | None, int]]]
    blank: Values


_TIMES = [(f"2025-06-0{day}T00:00:00Z",) * 2 for day in (1, 2, 3)]
_MOMENT = [*((*time, 8) for time in _TIMES), ("", None, 4), ("soon", BAD, 1)]
_FLAG = [("TRUE", "true", 8), ("no", "false", 8), ("", "false", 4), ("?", BAD, 1)]
_TEXT = [
    *(("Sold", "Sold", 8), ("Not home", "Not home", 8), ("", None, 4)),
    *(("two\nlines", "two\nlines", 1), ('"May", he said', '"May", he said', 1)),
]


def _amount(blank: str | None) -> list[tuple[str, str | None, int]]:
    drawn = [("1.00", "1.00", 8), ("$2.0", "2.00", 8), ("", blank, 4), ("lot", BAD, 2)]
    return [*drawn, (REFUSED_AMOUNT, REFUSED_AMOUNT, 1)]


APPOINTMENTS = Sort(
    "appointments",
    APPOINTMENT_TABLE,
    {
        "_id": "id",
        "_updated_at": "updated_at",
        "saleAmount": "sale_amount",
        "isSale": "is_sale",
        "resultFullString": "result_full_string",
    },
    {
        "updated_at": _MOMENT,
        "sale_amount": _amount(None),
        "is_sale": _FLAG,
        "result_full_string": _TEXT,
    },
    {
        "updated_at": None,
        "sale_amount": None,
        "is_sale": "false",
        "result_full_string": None,
    },
)
USERS = Sort(
    "users",
    USERS_TABLE,
    {
        "User Object ID": "user_object_id",
        "Additional Amount": "additional_amount",
        "Active/Inactive": "is_active",
        "First Name": "first_name",
    },
    {"additional_amount": _amount("0.00"), "is_active": _FLAG, "first_name": _TEXT},
    {"additional_amount": "0.00", "is_active": "false", "first_name": None},
)


@dataclass(eq=False)
class Put:
    """An object in the bucket, and how far it has come.

    Attributes:
        rows: the whole file, for the model.
        counts: what the model says of the rows that are committed.
        refused_lines: where Postgres refused a row of those.
        is_unknown: its header is no known export's.
        is_gone: it was deleted from the bucket.
        is_acknowledged: its message is gone; until then it comes again.
        claims: that were sent to Postgres, so far.
    """

    sort: Sort
    upload: Upload
    data: bytes
    rows: list[Row]
    is_unknown: bool = False
    counts: Counts = field(default_factory=Counts)
    refused_lines: set[int] = field(default_factory=set)
    is_gone: bool = False
    is_acknowledged: bool = False
    claims: int = 0

    def __str__(self) -> str:
        return f"{self.sort.name} {self.upload.version}"

    @property
    def rejected_lines(self) -> list[int]:
        """Where its rejects stand, once all of it is committed."""
        bad = {row.line for row in self.rows if row.values is None}
        return sorted(bad | self.refused_lines)


def draw_put(
    random: Random, number: int, sorts: Sequence[Sort], *, is_lenient: bool
) -> Put:
    """An upload; the more there are, the more they overlap."""
    sort = random.choice(sorts)
    at = MORNING + timedelta(hours=random.randint(0, 3))
    of = upload(
        object_key=random.choice([f"{sort.name}.csv", f"late/{sort.name}.csv"]),
        version=f"v{number}",
        uploaded_at=at,
    )
    if random.random() < 0.06:
        return Put(sort, of, b"name;phone\r\nLee;555\r\n", [], is_unknown=True)
    version = f"{at:%Y-%m-%dT%H:%M:%SZ}" if sort is USERS else None
    file = _File(random, sort, version, is_lenient=is_lenient)
    for _ in range(random.choice([0, 3, 8, 8, 20, 40])):
        file.add_row()
    return Put(sort, of, file.data(), file.rows)


class _File:
    """A file in the making.

    Attributes:
        rows: what is in it.
    """

    def __init__(
        self, random: Random, sort: Sort, version: str | None, *, is_lenient: bool
    ) -> None:
        self.rows: list[Row] = []
        self._random = random
        self._sort = sort
        self._version = version
        self._is_lenient = is_lenient
        key, *others = sort.labels
        labels = [key, *(label for label in others if random.random() < 0.85)]
        random.shuffle(labels)
        self._columns = [sort.labels[label] for label in labels]
        # Not of our table, and so long that the rows come with several reads.
        self._padding = ["x" * 400] if random.random() < 0.4 else []
        # Behind one that is left open there are no others: where it should have ended
        # would be anybody's guess.
        self._may_quote = random.random() < 0.5
        self._is_open = False
        self._is_next_whole = False
        self._text = io.StringIO(newline="")
        csv.writer(self._text).writerow(
            [*labels, *(["Notes"] if self._padding else [])]
        )

    def add_row(self) -> None:
        """One more; of the few keys that there are."""
        random = self._random
        line = self._text.getvalue().count("\n") + 1
        key = f"K-{random.randint(1, random.choice([3, 12, 40]))}"
        cells, values = [], {}
        for column in self._columns[:]:
            cell, value = self._cell(column, key)
            cells.append(cell)
            values[column] = value
        row = self._row(line, key, values)
        if random.random() < 0.08 and not self._is_next_whole:
            self._damage(cells)
            row = row._replace(values=None)
        else:
            self._is_next_whole = False
            csv.writer(self._text).writerow([*cells, *self._padding])
        self.rows.append(row)
        if random.random() < 0.03:
            self._text.write("\r\n")

    def data(self) -> bytes:
        """The bytes of it, in one of the forms that are taken."""
        text = self._text.getvalue()
        if self._random.random() < 0.1:
            text = text.rstrip("\r\n")
        if self._random.random() < 0.1:
            text = f"\N{ZERO WIDTH NO-BREAK SPACE}{text}"
        data = text.encode(errors="surrogateescape")
        return gzip.compress(data, mtime=0) if self._random.random() < 0.15 else data

    def _cell(self, column: str, key: str) -> tuple[str, str | None]:
        if column not in self._sort.cells:
            return key, key
        drawn = self._sort.cells[column]
        if not self._may_quote:
            drawn = [
                each for each in drawn if '"' not in each[0] and "\n" not in each[0]
            ]
        cell, value, _ = self._random.choices(drawn, [weight for *_, weight in drawn])[
            0
        ]
        return cell, value

    def _row(self, line: int, key: str, values: dict[str, str | None]) -> Row:
        del values[next(iter(self._sort.labels.values()))]
        if BAD in values.values() and not self._is_lenient:
            return Row(key, "", None, line)
        good = {column: value for column, value in values.items() if value != BAD}
        version = self._version or good.get("updated_at") or ""
        return Row(key, version, good, line)

    def _damage(self, cells: list[str]) -> None:
        """Write it so that it cannot be imported, and its neighbours can."""
        place = self._columns.index(next(iter(self._sort.labels.values())))
        ways = ["no key", "not UTF-8", "too long"]
        ways += ["too short"] if len(cells) > 2 else []
        if len(cells) > 2 and not self._is_open:
            ways += ["stray quote", "text behind quote"]
            ways += [] if self._may_quote else ["open quote"]
        way = self._random.choice(ways)
        cells = ["" if "\n" in cell or '"' in cell else cell for cell in cells]
        cells += self._padding
        match way:
            case "no key":
                cells[place] = " "
            case "not UTF-8":
                cells[place] = "K-\udcff"
            case "too short":
                cells.pop()
            case "too long":
                cells.append("")
            case "stray quote":
                cells[-1] += 'o"o'
            case "text behind quote":
                cells[0] = f'"{cells[0]}"o'
            case "open quote":
                cells[-1] = f'"{cells[-1]}'
        # The next row is what says where this one ends.
        self._is_next_whole = "quote" in way
        self._is_open = self._is_open or way == "open quote"
        self._text.write(",".join(cells) + "\r\n")

"""Random small files with damaged rows, each with the rows that the model expects."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import NamedTuple

from salespro_core.exports.spreadsheet_damage import strip_invisible
from salespro_core.model.counts import Counts
from salespro_core.model.upload import Upload
from tests.support.builders import MORNING, upload
from tests.support.table_contents import APPOINTMENT_TABLE, USERS_TABLE
from tests.support.world.model import Row, Values

# An amount that a constraint of the simulated database refuses.
REFUSED_AMOUNT = "666.00"
BAD = "bad"


class SimulatedExport(NamedTuple):
    """The simulated part of an export.

    Attributes:
        labels: label in the file -> column in the table; the key comes first.
        cells: column -> (cell in the file, stored value, weight).
        defaults: values of a new row in columns that its file does not have.
    """

    name: str
    table: str
    labels: Mapping[str, str]
    cells: Mapping[str, Sequence[tuple[str, str | None, int]]]
    defaults: Values


_TIMES = [(f"2025-06-0{day}T00:00:00Z",) * 2 for day in (1, 2, 3)]
_MOMENT = [*((*time, 8) for time in _TIMES), ("", None, 4), ("soon", BAD, 1)]
_FLAG = [("TRUE", "true", 8), ("no", "false", 8), ("", "false", 4), ("?", BAD, 1)]
_TEXT = [
    *(("Sold", "Sold", 8), ("Not home", "Not home", 8), ("", None, 4)),
    *(("two\nlines", "two\nlines", 1), ('"May", he said', '"May", he said', 1)),
]


def _amount(defaults: str | None) -> list[tuple[str, str | None, int]]:
    drawn = [
        ("1.00", "1.00", 8),
        ("$2.0", "2.00", 8),
        ("", defaults, 4),
        ("lot", BAD, 2),
    ]
    return [*drawn, (REFUSED_AMOUNT, REFUSED_AMOUNT, 1)]


APPOINTMENTS = SimulatedExport(
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
USERS = SimulatedExport(
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
class SimulatedFile:
    """An uploaded file, with the state of its import.

    Attributes:
        rows: all rows of the file, as the model reads them.
        counts: the model's counts of the committed rows.
        refused_lines: lines of the committed rows that Postgres refused.
        is_unknown: its header belongs to no export.
        is_gone: it was deleted from the bucket.
        is_acknowledged: the queue has deleted its message.
        claims: claims that were sent to Postgres so far.
    """

    export: SimulatedExport
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
        return f"{self.export.name} {self.upload.version}"

    @property
    def rejected_lines(self) -> list[int]:
        """Lines of its rejects, once the whole file is committed."""
        bad = {row.line for row in self.rows if row.values is None}
        return sorted(bad | self.refused_lines)


def draw_file(
    random: Random, number: int, exports: Sequence[SimulatedExport], *, is_lenient: bool
) -> SimulatedFile:
    """Return a random file; its few keys overlap with those of other files."""
    export = random.choice(exports)
    uploaded_at = MORNING + timedelta(hours=random.randint(0, 3))
    of = upload(
        object_key=random.choice([f"{export.name}.csv", f"late/{export.name}.csv"]),
        version=f"v{number}",
        uploaded_at=uploaded_at,
    )
    if random.random() < 0.06:
        return SimulatedFile(
            export, of, b"name;phone\r\nLee;555\r\n", [], is_unknown=True
        )
    version = f"{uploaded_at:%Y-%m-%dT%H:%M:%SZ}" if export is USERS else None
    file = _FileBuilder(random, export, version, is_lenient=is_lenient)
    for _ in range(random.choice([0, 3, 8, 8, 20, 40])):
        file.add_row()
    return SimulatedFile(export, of, file.data(), file.rows)


class _FileBuilder:
    """Builds the text of a random file row by row.

    Attributes:
        rows: the rows so far, as the model reads them.
    """

    def __init__(
        self,
        random: Random,
        export: SimulatedExport,
        version: str | None,
        *,
        is_lenient: bool,
    ) -> None:
        self.rows: list[Row] = []
        self._random = random
        self._sort = export
        self._version = version
        self._is_lenient = is_lenient
        key, *others = export.labels
        labels = [key, *(label for label in others if random.random() < 0.85)]
        random.shuffle(labels)
        self._columns = [export.labels[label] for label in labels]
        # An unknown column, so long that the file takes several reads.
        self._padding = ["x" * 400] if random.random() < 0.4 else []
        # No other quoted cells in a file with an unclosed quote: they would make the end
        # of the damaged row ambiguous.
        self._may_quote = random.random() < 0.5
        self._is_open = False
        self._is_next_whole = False
        self._text = io.StringIO(newline="")
        csv.writer(self._text).writerow(
            [*labels, *(["Notes"] if self._padding else [])]
        )

    def add_row(self) -> None:
        """Add a random row."""
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
        """Return the bytes of the file, perhaps compressed or with a byte order mark."""
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
        """Write a row that must be rejected without affecting its neighbours."""
        key_index = self._columns.index(next(iter(self._sort.labels.values())))
        ways = ["not UTF-8", "too long"] + ["no key"] * (len(cells) > 1)
        ways += ["too short"] if len(cells) > 2 else []
        if len(cells) > 2 and not self._is_open:
            ways += ["stray quote", "text after quote"]
            ways += [] if self._may_quote else ["open quote"]
        way = self._random.choice(ways)
        cells = ["" if "\n" in cell or '"' in cell else cell for cell in cells]
        cells += self._padding
        match way:
            case "no key":
                cells[key_index] = " "
            case "not UTF-8":
                cells[key_index] = "K-\udcff"
            case "too short":
                cells.pop()
            case "too long":
                cells.append("")
            case "stray quote":
                cells[-1] += 'o"o'
            case "text after quote":
                cells[0] = f'"{cells[0]}"o'
            case "open quote":
                cells[-1] = f'"{cells[-1]}'
        if not any(map(strip_invisible, cells)):  # a row of blank cells is no row
            cells[key_index == 0] = "x"
        # The reader needs a whole row to find the end of this one.
        self._is_next_whole = "quote" in way
        self._is_open = self._is_open or way == "open quote"
        self._text.write(",".join(cells) + "\r\n")

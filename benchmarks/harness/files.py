"""The export files of a benchmark: a base file and its variants."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from math import ceil
from pathlib import Path

from salespro_cli.sample_data.generator import write_sample

ID, CREATED, UPDATED, LAST_NAME = 0, 1, 2, 5
Cells = list[str]


class ExportFiles:
    """Writes exports of appointments into a folder, each at its first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def base(self, rows: int, *, seed: int = 1) -> Path:
        """The base file: `rows` invented appointments."""
        path = self._folder / f"base-{rows}-{seed}.csv"
        if not path.exists():
            write_sample("appointments", rows, seed, path)
        return path

    def changed(self, rows: int, every: int) -> Path:
        """The base file; each `every`-th row is a day newer and has a changed name."""

        def change(row_index: int, cells: Cells) -> Cells:
            if row_index % every == 0:
                cells[UPDATED] = _a_day_later(cells[UPDATED])
                cells[LAST_NAME] = f"{cells[LAST_NAME]}-Changed"
            return cells

        return self._derived(rows, f"changed-{every}", change)

    def with_rejects(self, rows: int, every: int = 20) -> Path:
        """The base file; each `every`-th row is invalid and will be rejected."""

        def spoil(row_index: int, cells: Cells) -> Cells:
            if row_index % every == 0:
                cells[CREATED] = "yesterday"
            return cells

        return self._derived(rows, f"rejects-{every}", spoil)

    def compressed(self, rows: int) -> Path:
        """The base file as `.csv.gz`."""
        path = self._folder / f"base-{rows}-1.csv.gz"
        if not path.exists():
            with self.base(rows).open("rb") as file, gzip.open(path, "wb", 6) as out:
                shutil.copyfileobj(file, out)
        return path

    def parts(self, rows: int, count: int) -> list[Path]:
        """The base file, cut into `count` files in the order of its rows."""
        whole = self.base(rows)
        paths = [
            whole.with_name(f"{whole.stem}-{n + 1}-of-{count}.csv")
            for n in range(count)
        ]
        if not paths[-1].exists():
            with whole.open(encoding="utf-8", newline="") as file:
                reader = csv.reader(file)
                header = next(reader)
                for path in paths:
                    with path.open("w", encoding="utf-8", newline="") as out:
                        writer = csv.writer(out)
                        writer.writerow(header)
                        writer.writerows(islice(reader, ceil(rows / count)))
        return paths

    def header(self) -> Path:
        """An export without rows."""
        path = self._folder / "header.csv"
        if not path.exists():
            with self.base(1).open(encoding="utf-8") as file:
                path.write_text(file.readline(), encoding="utf-8")
        return path

    def overlapping(self, rows: int, count: int) -> list[Path]:
        """`count` exports of `rows` rows each, cut from `backlog_base`.

        Each begins in the middle of the one before: as daily exports do, a file repeats
        rows of its neighbours.
        """
        whole = self.backlog_base(rows, count)
        folder = whole.with_suffix("")
        paths = [folder / f"{number:04}.csv" for number in range(count)]
        if not paths[-1].exists():
            folder.mkdir(exist_ok=True)
            with whole.open(encoding="utf-8", newline="") as file:
                header, *all_rows = csv.reader(file)
            for number, path in enumerate(paths):
                start = number * (rows // 2)
                with path.open("w", encoding="utf-8", newline="") as out:
                    writer = csv.writer(out)
                    writer.writerow(header)
                    writer.writerows(all_rows[start : start + rows])
        return paths

    def backlog_base(self, rows: int, count: int) -> Path:
        """The base file with the rows of all `overlapping` files, each once."""
        return self.base(backlog_rows(rows, count))

    def _derived(
        self, rows: int, name: str, alter: Callable[[int, Cells], Cells]
    ) -> Path:
        path = self._folder / f"{name}-{rows}.csv"
        if not path.exists():
            with (
                self.base(rows).open(encoding="utf-8", newline="") as file,
                path.open("w", encoding="utf-8", newline="") as out,
            ):
                reader, writer = csv.reader(file), csv.writer(out)
                writer.writerow(next(reader))
                writer.writerows(_altered(reader, alter))
        return path


def backlog_rows(rows: int, count: int) -> int:
    """Number of different rows in `count` overlapping files of `rows` rows."""
    return (count - 1) * (rows // 2) + rows


def _altered(
    rows: Iterator[Cells], alter: Callable[[int, Cells], Cells]
) -> Iterator[Cells]:
    for row_index, cells in enumerate(rows):
        yield alter(row_index, cells)


def _a_day_later(moment: str) -> str:
    later = datetime.fromisoformat(moment) + timedelta(days=1)
    return later.isoformat(timespec="milliseconds")[:-6] + "Z"

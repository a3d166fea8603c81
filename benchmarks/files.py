"""The exports of a run: the base, what changes of it, and what is wrong with it."""

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


class Files:
    """Appointments of any number, each file written once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def base(self, rows: int, *, seed: int = 1) -> Path:
        """Appointments as they are exported."""
        path = self._folder / f"base-{rows}-{seed}.csv"
        if not path.exists():
            write_sample("appointments", rows, seed, path)
        return path

    def changed(self, rows: int, every: int) -> Path:
        """Those, of which each tenth (say) is a day newer and has another name."""

        def change(place: int, cells: Cells) -> Cells:
            if place % every == 0:
                cells[UPDATED] = _a_day_later(cells[UPDATED])
                cells[LAST_NAME] = f"{cells[LAST_NAME]}-Changed"
            return cells

        return self._derived(rows, f"changed-{every}", change)

    def with_rejects(self, rows: int, every: int = 20) -> Path:
        """Those, of which each twentieth (say) is no record: 5 %."""

        def spoil(place: int, cells: Cells) -> Cells:
            if place % every == 0:
                cells[CREATED] = "yesterday"
            return cells

        return self._derived(rows, f"rejects-{every}", spoil)

    def compressed(self, rows: int) -> Path:
        """The base, as `.csv.gz`."""
        path = self._folder / f"base-{rows}-1.csv.gz"
        if not path.exists():
            with self.base(rows).open("rb") as file, gzip.open(path, "wb", 6) as out:
                shutil.copyfileobj(file, out)
        return path

    def parts(self, rows: int, count: int) -> list[Path]:
        """The base in so many files, one after the other."""
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


def _altered(
    rows: Iterator[Cells], alter: Callable[[int, Cells], Cells]
) -> Iterator[Cells]:
    for place, cells in enumerate(rows):
        yield alter(place, cells)


def _a_day_later(moment: str) -> str:
    later = datetime.fromisoformat(moment) + timedelta(days=1)
    return later.isoformat(timespec="milliseconds")[:-6] + "Z"

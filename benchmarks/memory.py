"""`make bench-memory`: the peak of a process, with a file and with one ten times as long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from benchmarks import page
from benchmarks.bench import Bench, a_bench
from benchmarks.files import Files
from benchmarks.page import Table
from benchmarks.settings import Wanted
from benchmarks.ways import LOCAL, S3, Way

SORTS = ("plain", "5 % rejected", "gzipped", "dry run")


@dataclass(frozen=True, slots=True)
class Peaks:
    """The peaks of one sort of import, by the rows of the file."""

    way: Way
    sort: str
    by_rows: dict[int, float]


def main() -> None:
    """Measure, show the table, and write it down."""
    wanted = Wanted.from_env(
        rows=(200_000, 2_000_000), ways=(LOCAL, S3), rounds=1, limit_s=1800
    )
    found = [Peaks(way, sort, {}) for way in wanted.ways for sort in SORTS]
    with a_bench(wanted.limit_s) as bench:
        plan = [
            (rows, peaks)
            for rows in wanted.rows
            for peaks in found
            for _ in range(wanted.rounds)
        ]
        for rows, peaks in (bar := tqdm(plan, unit="run")):
            bar.set_postfix_str(f"{rows:,} rows, {peaks.sort}, {peaks.way.title}")
            peak = measure(bench, peaks, rows)
            peaks.by_rows[rows] = max(peak, peaks.by_rows.get(rows, 0.0))
    few, *_, many = wanted.rows
    names = ("way", "file", f"{few:,} rows, MB", f"{many:,} rows, MB", "more, MB")
    table = Table("Peak resident memory", names)
    for peaks in found:
        low, high = peaks.by_rows[few], peaks.by_rows[many]
        cells = (f"{low:.1f}", f"{high:.1f}", f"{high - low:+.1f}")
        table.rows.append([peaks.way.title, peaks.sort, *cells])
    table.show()
    page.write(wanted.page, "memory", "make bench-memory", table.markdown())


def measure(bench: Bench, peaks: Peaks, rows: int) -> float:
    """The peak of one process, which imports into an empty table or only tries to."""
    path = file(bench.files, peaks.sort, rows)
    job = bench.job(peaks.way, path, is_dry_run=peaks.sort == "dry run")
    return bench.alone(job, bench.table(0)).ran.peak_mb


def file(files: Files, sort: str, rows: int) -> Path:
    """The file of that sort."""
    match sort:
        case "5 % rejected":
            return files.with_rejects(rows)
        case "gzipped":
            return files.compressed(rows)
        case _:
            return files.base(rows)


if __name__ == "__main__":
    main()

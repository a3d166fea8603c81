"""`make bench-memory`: the peak memory with a short and with a long file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from benchmarks.harness import page
from benchmarks.harness.bench import Bench, open_bench
from benchmarks.harness.files import ExportFiles
from benchmarks.harness.page import Table
from benchmarks.harness.settings import BenchmarkSettings
from benchmarks.loaders import LOCAL, S3, Loader

VARIANTS = ("plain", "5 % rejected", "gzipped", "dry run")


@dataclass(frozen=True, slots=True)
class Peaks:
    """Peak memory of one variant of import, in MiB, by the rows of the file."""

    loader: Loader
    variant: str
    by_rows: dict[int, float]


def main() -> None:
    """Measure, print the table, and write it to the page."""
    settings = BenchmarkSettings.from_env(
        rows=(200_000, 2_000_000), loaders=(LOCAL, S3), rounds=1, limit_s=1800
    )
    all_peaks = [
        Peaks(loader, variant, {})
        for loader in settings.loaders
        for variant in VARIANTS
    ]
    with open_bench(settings.limit_s) as bench:
        plan = [
            (rows, peaks)
            for rows in settings.rows
            for peaks in all_peaks
            for _ in range(settings.rounds)
        ]
        for rows, peaks in (bar := tqdm(plan, unit="run")):
            bar.set_postfix_str(f"{rows:,} rows, {peaks.variant}, {peaks.loader.title}")
            peak = measure(bench, peaks, rows)
            peaks.by_rows[rows] = max(peak, peaks.by_rows.get(rows, 0.0))
    few, *_, many = settings.rows
    names = (
        "loader",
        "file",
        f"{few:,} rows, MB",
        f"{many:,} rows, MB",
        "difference, MB",
    )
    table = Table("Peak resident memory", names)
    for peaks in all_peaks:
        low, high = peaks.by_rows[few], peaks.by_rows[many]
        cells = (f"{low:.1f}", f"{high:.1f}", f"{high - low:+.1f}")
        table.rows.append([peaks.loader.title, peaks.variant, *cells])
    table.show()
    page.write(settings.page, "memory", "make bench-memory", table.markdown())


def measure(bench: Bench, peaks: Peaks, rows: int) -> float:
    """Peak memory of one process that imports a file, or runs a dry run, in MiB."""
    path = file(bench.files, peaks.variant, rows)
    job = bench.job(peaks.loader, path, is_dry_run=peaks.variant == "dry run")
    return bench.measure_unchecked(job, bench.base_template(0)).usage.peak_mb


def file(files: ExportFiles, variant: str, rows: int) -> Path:
    """Path of the file of a variant."""
    match variant:
        case "5 % rejected":
            return files.with_rejects(rows)
        case "gzipped":
            return files.compressed(rows)
        case _:
            return files.base(rows)


if __name__ == "__main__":
    main()

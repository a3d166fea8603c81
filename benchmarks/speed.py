"""`make bench`: compare this project with the floor, the earlier system and other loaders."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from statistics import median

from tqdm import tqdm

from benchmarks.harness import page, plot
from benchmarks.harness.bench import (
    Bench,
    Failure,
    Measurement,
    median_seconds,
    open_bench,
)
from benchmarks.harness.cases import Case
from benchmarks.harness.page import Table
from benchmarks.harness.settings import BenchmarkSettings
from benchmarks.loaders import FLOOR, REAL_ROWS, Loader

NAMES = (
    *("case", "loader", "seconds", "range", "rows/s", "times floor"),
    *("peak RSS, MB", "WAL, MB"),
)


@dataclass(slots=True)
class CaseResult:
    """The measurements of one loader with one case."""

    rows: int
    case: Case
    loader: Loader
    measurements: list[Measurement] = field(default_factory=list)
    failure: Failure | None = None


def main() -> None:
    """Measure, print the tables, and write them to the page."""
    settings = BenchmarkSettings.from_env(rows=(254, 2_374, 20_000, 200_000))
    with open_bench(settings.limit_s) as bench:
        results = [
            result
            for rows in settings.rows
            for result in measure(bench, settings, rows)
        ]
        postgres = bench.server.version
    for result in results:
        if result.failure and result.failure.detail:
            tqdm.write(result.failure.detail)
    tables = [table_of(results, rows, postgres) for rows in settings.rows]
    for table in tables:
        table.show()
    if settings.page:
        picture = plot.ratios(
            settings.page.parent,
            {
                rows: [
                    (result.case.title, result.loader.title, _ratio(result, results))
                    for result in results
                    if result.rows == rows
                ]
                for rows in settings.rows
            },
        )
        parts = [picture, *(table.markdown() for table in tables)]
        page.write(settings.page, "speed", "make bench", *parts)
    sys.exit(any(r.loader.is_ours and r.failure is not None for r in results))


def measure(bench: Bench, settings: BenchmarkSettings, rows: int) -> list[CaseResult]:
    """All cases with files of one size; in each round the loaders take turns."""
    # A short run varies more, so the sizes of real exports are measured more often.
    rounds = settings.rounds * (3 if rows <= REAL_ROWS else 1)
    results = [
        CaseResult(rows, case, loader)
        for case in settings.cases
        for loader in settings.loaders
        if loader.rounds(rows, rounds)
    ]
    for result in results:
        if result.loader.version is None:
            result.failure = Failure("not installed")
    plan = [
        result
        for case in settings.cases
        for number in range(rounds)
        for result in results
        if result.case == case and number < result.loader.rounds(rows, rounds)
    ]
    for result in (bar := tqdm(plan, desc=f"{rows:,} rows", unit="run")):
        bar.set_postfix_str(f"{result.case.title}: {result.loader.title}")
        # A loader that failed would fail again, perhaps only at the long time limit.
        if result.failure is None:
            match bench.measure_case(result.loader, result.case, rows):
                case Failure() as failure:
                    result.failure = failure
                case Measurement() as measurement:
                    result.measurements.append(measurement)
    return results


def table_of(results: list[CaseResult], rows: int, postgres: str) -> Table:
    """The table of one size."""
    table = Table(f"{rows:,} rows", NAMES)
    of_size = [result for result in results if result.rows == rows]
    for result in of_size:
        table.rows.append(_row(result, results))
    loaders = {result.loader.name: result.loader for result in of_size}
    packages = dict.fromkeys(
        f"{loader.package} {loader.version or '(not installed)'}"
        for loader in loaders.values()
    )
    rounds = {
        loader.title: len(result.measurements)
        for loader in loaders.values()
        for result in of_size
        if result.loader == loader and result.measurements
    }
    counts = "; ".join(f"{title} {count}" for title, count in rounds.items())
    table.notes.append(f"Postgres {postgres}; {', '.join(packages)}. Rounds: {counts}.")
    return table


def _row(result: CaseResult, results: list[CaseResult]) -> list[str]:
    named = [result.case.title, result.loader.title]
    if result.failure is not None or not result.measurements:
        return [*named, result.failure.reason if result.failure else "", *[""] * 5]
    times = [each.usage.seconds for each in result.measurements]
    ratio = _ratio(result, results)
    return [
        *named,
        _seconds(median(times)),
        f"{_seconds(min(times))} to {_seconds(max(times))}"
        if len(times) > 1
        else "once",
        f"{result.rows / median(times):,.0f}",
        f"{ratio:.2f}" if ratio else "",
        f"{median(each.usage.peak_mb for each in result.measurements):.0f}",
        f"{median(each.wal_mb for each in result.measurements):.2f}",
    ]


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.2f}"


def _ratio(result: CaseResult, results: list[CaseResult]) -> float | None:
    """The time of a result divided by that of the floor; None if one is missing."""
    if result.failure is not None or not result.measurements:
        return None
    wanted = (result.rows, result.case, FLOOR)
    for floor in results:
        if (floor.rows, floor.case, floor.loader) == wanted and floor.measurements:
            return median_seconds(result.measurements) / median_seconds(
                floor.measurements
            )
    return None


if __name__ == "__main__":
    main()

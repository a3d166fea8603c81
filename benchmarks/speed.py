"""`make bench`: this project beside the floor, the earlier system and its peers."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from statistics import median

from tqdm import tqdm

from benchmarks import page, plot
from benchmarks.bench import Bench, Failed, Measured, a_bench, seconds
from benchmarks.cases import Case
from benchmarks.page import Table
from benchmarks.settings import Wanted
from benchmarks.ways import FLOOR, Way

NAMES = (
    *("case", "way", "seconds", "range", "rows/s", "times floor"),
    *("peak RSS, MB", "WAL, MB"),
)


@dataclass(slots=True)
class Results:
    """What was measured of one way with one case."""

    rows: int
    case: Case
    way: Way
    found: list[Measured] = field(default_factory=list)
    failed: Failed | None = None


def main() -> None:
    """Measure, show the tables, and write them down."""
    wanted = Wanted.from_env(rows=(20_000, 200_000))
    with a_bench(wanted.limit_s) as bench:
        results = [
            found for rows in wanted.rows for found in measure(bench, wanted, rows)
        ]
        postgres = bench.server.version
    for result in results:
        if result.failed and result.failed.detail:
            tqdm.write(result.failed.detail)
    tables = [table_of(results, rows, postgres) for rows in wanted.rows]
    for table in tables:
        table.show()
    if wanted.page:
        picture = plot.ratios(
            wanted.page.parent,
            {
                rows: [(r.case.title, r.way.title, _ratio(r, results)) for r in found]
                for rows in wanted.rows
                if (found := [r for r in results if r.rows == rows])
            },
        )
        parts = [picture, *(table.markdown() for table in tables)]
        page.write(wanted.page, "speed", "make bench", *parts)
    sys.exit(any(r.way.is_ours and r.failed is not None for r in results))


def measure(bench: Bench, wanted: Wanted, rows: int) -> list[Results]:
    """All cases with files of one size, the ways round by round."""
    results = [Results(rows, c, w) for c in wanted.cases for w in wanted.ways]
    for result in results:
        if result.way.version is None:
            result.failed = Failed("not installed")
    plan = [
        result
        for case in wanted.cases
        for number in range(wanted.rounds)
        for result in results
        if result.case == case and number < result.way.rounds(rows, wanted.rounds)
    ]
    for result in (bar := tqdm(plan, desc=f"{rows:,} rows", unit="run")):
        bar.set_postfix_str(f"{result.case.title}: {result.way.title}")
        # What failed once would fail again, and the limit is long.
        if result.failed is None:
            match bench.case(result.way, result.case, rows):
                case Failed() as failed:
                    result.failed = failed
                case Measured() as measured:
                    result.found.append(measured)
    return results


def table_of(results: list[Results], rows: int, postgres: str) -> Table:
    """The table of one size."""
    table = Table(f"{rows:,} rows", NAMES)
    found = [result for result in results if result.rows == rows]
    for result in found:
        table.rows.append(_row(result, results))
    ways = {result.way.name: result.way for result in found}
    packages = dict.fromkeys(
        f"{way.package} {way.version or '(not installed)'}" for way in ways.values()
    )
    rounds = {
        way.title: len(result.found)
        for way in ways.values()
        for result in found
        if result.way == way and result.found
    }
    told = "; ".join(f"{title} {count}" for title, count in rounds.items())
    table.notes.append(f"Postgres {postgres}; {', '.join(packages)}. Rounds: {told}.")
    return table


def _row(result: Results, results: list[Results]) -> list[str]:
    named = [result.case.title, result.way.title]
    if result.failed is not None or not result.found:
        return [*named, result.failed.why if result.failed else "", *[""] * 5]
    times = [measured.ran.seconds for measured in result.found]
    ratio = _ratio(result, results)
    return [
        *named,
        f"{median(times):.2f}",
        f"{min(times):.2f} to {max(times):.2f}" if len(times) > 1 else "once",
        f"{result.rows / median(times):,.0f}",
        f"{ratio:.2f}" if ratio else "",
        f"{median(m.ran.peak_mb for m in result.found):.0f}",
        f"{median(m.wal_mb for m in result.found):.2f}",
    ]


def _ratio(result: Results, results: list[Results]) -> float | None:
    for other in results:
        is_floor = (other.rows, other.case, other.way) == (
            result.rows,
            result.case,
            FLOOR,
        )
        if is_floor and other.found and result.found and result.failed is None:
            return seconds(result.found) / seconds(other.found)
    return None


if __name__ == "__main__":
    main()

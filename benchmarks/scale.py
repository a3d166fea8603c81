"""`make bench-scale`: the time by number of rows in the table, and in the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from pathlib import Path

from psycopg import Connection, sql
from tqdm import tqdm

from benchmarks.harness import page
from benchmarks.harness.bench import (
    Bench,
    Failure,
    Measurement,
    load,
    median_seconds,
    open_bench,
)
from benchmarks.harness.cases import ALL, NEW, UNCHANGED, Case
from benchmarks.harness.page import Table
from benchmarks.harness.settings import BenchmarkSettings
from benchmarks.loaders import COLUMNS, FLOOR, LOCAL, Loader
from salespro_core.importer.options import CHECKPOINT_ROWS

# More rows, as varied as the rows of the file, with ids in SalesPro's format.
MORE = """
INSERT INTO salespro_appointment ({columns})
SELECT substr(encode(decode(md5(id || '-' || i), 'hex'), 'base64'), 1, 10),
       created_at - i * interval '11 days', updated_at - i * interval '11 days', {rest}
  FROM generate_series(1, %s) AS i, salespro_appointment
 LIMIT %s
"""


@dataclass(slots=True)
class Comparison:
    """The measurements of one loader and case, by size.

    Attributes:
        run: measures once, with a size.
        measurements: size -> measurements.
    """

    title: str
    loader: Loader
    run: Callable[[int], Measurement | Failure]
    measurements: dict[int, list[Measurement]] = field(default_factory=dict)


def main() -> None:
    """Measure, print the tables, and write them to the page."""
    settings = BenchmarkSettings.from_env(
        rows=(200_000, 2_000_000),
        loaders=(FLOOR, LOCAL),
        rounds=3,
        limit_s=1800,
        stored=(200_000, 5_000_000),
        buffers=_quarter_of_memory(),
    )
    with open_bench(settings.limit_s, buffers=settings.buffers) as bench:
        tables = [table_of_stored(bench, settings), table_of_files(bench, settings)]
    for table in tables:
        table.show()
    parts = [table.markdown() for table in tables]
    page.write(settings.page, "scale", "make bench-scale", *parts)


def _quarter_of_memory() -> str:
    """`shared_buffers` for millions of rows.

    Source: PostgreSQL documentation, section 19.4, recommends a quarter of the memory.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{memory // 4 // 1024**2}MB"


def table_of_stored(bench: Bench, settings: BenchmarkSettings) -> Table:
    """The time of `CHECKPOINT_ROWS` rows, by the number of rows in the table."""
    rows = min(settings.stored) // 4
    before = bench.files.base(rows, seed=3)
    files = {
        NEW: bench.files.base(rows, seed=2),
        UNCHANGED: UNCHANGED.path(bench.files, rows),
        ALL: ALL.path(bench.files, rows),
    }

    def run(loader: Loader, path: Path) -> Callable[[int], Measurement | Failure]:
        return lambda stored: bench.measure_compared(
            loader, path, template_with_more_rows(bench, stored, rows), before=before
        )

    comparisons = [
        Comparison(case.title, loader, run(loader, path))
        for case, path in files.items()
        if case in settings.cases
        for loader in settings.loaders
    ]
    measure(comparisons, settings.stored, settings.rounds, "stored")
    few, *_, most = settings.stored
    chunks = rows / CHECKPOINT_ROWS
    names = ("case", "loader", f"{few:,} stored, ms", f"{most:,} stored, ms", "ratio")
    title = f"Time of {CHECKPOINT_ROWS:,} rows, by rows in the table"
    table = Table(title, names)
    for comparison in comparisons:
        low, high = (
            median_seconds(comparison.measurements[size]) / chunks
            for size in (few, most)
        )
        cells = (f"{low * 1000:.0f}", f"{high * 1000:.0f}", f"{high / low:.2f}")
        table.rows.append([comparison.title, comparison.loader.title, *cells])
    table.notes.append(
        f"A commit covers at most {CHECKPOINT_ROWS:,} rows. The time of a file of {rows:,} "
        f"rows, including connecting and the report, divided by {chunks:g}."
    )
    return table


def table_of_files(bench: Bench, settings: BenchmarkSettings) -> Table:
    """The time of a file, by its number of rows."""
    comparisons = [
        Comparison(case.title, loader, partial(bench.measure_case, loader, case))
        for case in (NEW, UNCHANGED)
        if case in settings.cases
        for loader in settings.loaders
    ]
    few, *_, most = settings.rows
    times, rest = divmod(most, few)
    if rest:
        raise SystemExit(f"ROWS: {most:,} is not a multiple of {few:,}.")
    # A short run varies more, so the short file is measured more often.
    measure(comparisons, (few, *settings.rows, few), settings.rounds, "rows")
    in_parts = [
        Comparison(
            case.title, loader, partial(measure_parts, bench, loader, case, times)
        )
        for case in (NEW, UNCHANGED)
        if case in settings.cases
        for loader in settings.loaders
    ]
    measure(in_parts, (most,), settings.rounds, f"rows in {times} files")
    names = (
        *("case", "loader", f"{few:,} rows, s", f"{most:,} rows, s"),
        *(f"ratio to {times} times", f"{times} files of {few:,} rows, s", "ratio"),
    )
    table = Table("Time of a file, by its rows", names)
    for comparison, parts in zip(comparisons, in_parts, strict=True):
        low, high = (
            median_seconds(comparison.measurements[size]) for size in (few, most)
        )
        row = median_seconds(parts.measurements[most])
        cells = (
            *(f"{low:.2f}", f"{high:.2f}", f"{high / low / times:.2f}"),
            *(f"{row:.2f}", f"{high / row:.2f}"),
        )
        table.rows.append([comparison.title, comparison.loader.title, *cells])
    table.notes.append(
        f"The first ratio compares the long file with {times} times the short file. Each "
        "starts with an empty table, or with its own rows in the table. The second ratio "
        f"compares the long file with its rows in {times} files, loaded one after the other "
        "into the same table. The short file is measured three times as often."
    )
    return table


def measure_parts(
    bench: Bench, loader: Loader, case: Case, count: int, rows: int
) -> Measurement:
    """Load the base file in `count` parts into the table of the whole file."""
    template = bench.base_template(rows if case.is_stored else 0)
    return bench.measure_sequence(loader, bench.files.parts(rows, count), template)


def measure(
    comparisons: list[Comparison], sizes: tuple[int, ...], rounds: int, unit: str
) -> None:
    """Measure each comparison at each size; in each round they take turns.

    Raises:
        SystemExit: a measurement failed.
    """
    plan = [
        (comparison, size)
        for _ in range(rounds)
        for comparison in comparisons
        for size in sizes
    ]
    for comparison, size in (bar := tqdm(plan, unit="run")):
        bar.set_postfix_str(
            f"{comparison.title}: {comparison.loader.title}, {size:,} {unit}"
        )
        match comparison.run(size):
            case Failure(reason, detail):
                raise SystemExit(f"{comparison.loader.title}: {reason} {detail}")
            case Measurement() as measurement:
                comparison.measurements.setdefault(size, []).append(measurement)


def template_with_more_rows(bench: Bench, stored: int, rows: int) -> str:
    """Name of the template with `stored` rows: the base file of `rows` rows and copies."""

    def fill(conn: Connection) -> None:
        load(conn, bench.files.base(rows))
        add_more(conn, stored - rows, rows)

    return bench.template(f"many_{stored}_{rows}", fill)


def add_more(conn: Connection, more: int, rows: int) -> None:
    """Insert varied copies of the stored rows, then rebuild all indexes."""
    table = "salespro_appointment"
    indexes = conn.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s"
        " AND indexname <> %s",
        [table, f"{table}_pkey"],
    ).fetchall()
    for name, _ in indexes:
        conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    conn.execute(
        "ALTER TABLE salespro_appointment DROP CONSTRAINT salespro_appointment_pkey"
    )
    query = sql.SQL(MORE).format(columns=_listed(COLUMNS), rest=_listed(COLUMNS[3:]))
    conn.execute(query, [ceil(more / rows), more])
    conn.execute("ALTER TABLE salespro_appointment ADD PRIMARY KEY (id)")
    for _, definition in indexes:
        conn.execute(definition.encode())


def _listed(names: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


if __name__ == "__main__":
    main()

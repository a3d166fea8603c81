"""`make bench-scale`: a commit with many rows stored, and a file with many rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from psycopg import Connection, sql
from tqdm import tqdm

from benchmarks import page
from benchmarks.bench import Bench, Failed, Measured, a_bench, load, seconds
from benchmarks.cases import ALL, NEW, UNCHANGED, Case
from benchmarks.page import Table
from benchmarks.settings import Wanted
from benchmarks.ways import COLUMNS, FLOOR, LOCAL, Way
from salespro_core.importer.options import CHECKPOINT_ROWS

# More rows, as different from each other as those of the file; ids as SalesPro's.
MORE = """
INSERT INTO salespro_appointment ({columns})
SELECT substr(encode(decode(md5(id || '-' || i), 'hex'), 'base64'), 1, 10),
       created_at - i * interval '11 days', updated_at - i * interval '11 days', {rest}
  FROM generate_series(1, %s) AS i, salespro_appointment
 LIMIT %s
"""


@dataclass(slots=True)
class Pair:
    """One thing measured at a small and at a large size."""

    title: str
    way: Way
    run: Callable[[int], Measured | Failed]
    found: dict[int, list[Measured]] = field(default_factory=dict)


def main() -> None:
    """Measure, show the tables, and write them down."""
    wanted = Wanted.from_env(
        rows=(200_000, 2_000_000),
        ways=(FLOOR, LOCAL),
        rounds=3,
        limit_s=1800,
        stored=(200_000, 5_000_000),
        buffers=_a_quarter_of_memory(),
    )
    with a_bench(wanted.limit_s, buffers=wanted.buffers) as bench:
        tables = [table_of_stored(bench, wanted), table_of_files(bench, wanted)]
    for table in tables:
        table.show()
    parts = [table.markdown() for table in tables]
    page.write(wanted.page, "scale", "make bench-scale", *parts)


def _a_quarter_of_memory() -> str:
    """What Postgres is given where there are millions of rows.

    Source: PostgreSQL documentation, section 19.4, `shared_buffers`.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{memory // 4 // 1024**2}MB"


def table_of_stored(bench: Bench, wanted: Wanted) -> Table:
    """The time of a commit, by how much is stored."""
    rows = min(wanted.stored) // 4
    before = bench.files.base(rows, seed=3)
    files = {
        NEW: bench.files.base(rows, seed=2),
        UNCHANGED: UNCHANGED.path(bench.files, rows),
        ALL: ALL.path(bench.files, rows),
    }

    def run(way: Way, path: Path) -> Callable[[int], Measured | Failed]:
        return lambda stored: bench.compared(
            way, path, many(bench, stored, rows), before=before
        )

    pairs = [
        Pair(case.title, way, run(way, path))
        for case, path in files.items()
        if case in wanted.cases
        for way in wanted.ways
    ]
    measure(pairs, wanted.stored, wanted.rounds, "stored")
    few, *_, most = wanted.stored
    chunks = rows / CHECKPOINT_ROWS
    names = ("case", "way", f"{few:,} stored, ms", f"{most:,} stored, ms", "ratio")
    title = f"What {CHECKPOINT_ROWS:,} rows take, by the rows stored"
    table = Table(title, names)
    for pair in pairs:
        low, high = (seconds(pair.found[size]) / chunks for size in (few, most))
        cells = (f"{low * 1000:.0f}", f"{high * 1000:.0f}", f"{high / low:.2f}")
        table.rows.append([pair.title, pair.way.title, *cells])
    table.notes.append(
        f"As many as one commit covers at most; of a file of {rows:,} rows, all of its time "
        "divided, connecting and the report included."
    )
    return table


def table_of_files(bench: Bench, wanted: Wanted) -> Table:
    """The time of a file, by its rows."""
    pairs = [
        Pair(case.title, way, lambda rows, c=case, w=way: bench.case(w, c, rows))  # type: ignore[misc]
        for case in (NEW, UNCHANGED)
        if case in wanted.cases
        for way in wanted.ways
    ]
    few, *_, most = wanted.rows
    times, rest = divmod(most, few)
    if rest:
        raise SystemExit(f"ROWS: {most:,} is not some times {few:,}.")
    # What others do on the machine shows in a short run most.
    measure(pairs, (few, *wanted.rows, few), wanted.rounds, "rows")
    in_a_row = [
        Pair(case.title, way, lambda rows, c=case, w=way: cut(bench, w, c, rows, times))  # type: ignore[misc]
        for case in (NEW, UNCHANGED)
        if case in wanted.cases
        for way in wanted.ways
    ]
    measure(in_a_row, (most,), wanted.rounds, f"rows in {times} files")
    names = (
        *("case", "way", f"{few:,} rows, s", f"{most:,} rows, s", f"to {times} times"),
        *(f"{times} files of {few:,} in a row, s", "to these"),
    )
    table = Table("A file, by its rows", names)
    for pair, parts in zip(pairs, in_a_row, strict=True):
        low, high = (seconds(pair.found[size]) for size in (few, most))
        row = seconds(parts.found[most])
        cells = (
            *(f"{low:.2f}", f"{high:.2f}", f"{high / low / times:.2f}"),
            *(f"{row:.2f}", f"{high / row:.2f}"),
        )
        table.rows.append([pair.title, pair.way.title, *cells])
    table.notes.append(
        f"The long file to {times} times the short one, which is measured thrice as often "
        f"and finds the table empty or as long as itself; and to its own rows in {times} "
        "files, one after the other, which find the table that the long one finds."
    )
    return table


def cut(bench: Bench, way: Way, case: Case, rows: int, count: int) -> Measured:
    """The base in so many files, into the table that the whole of it would find."""
    template = bench.table(rows if case.is_stored else 0)
    return bench.in_a_row(way, bench.files.parts(rows, count), template)


def measure(pairs: list[Pair], sizes: tuple[int, ...], rounds: int, unit: str) -> None:
    """Each pair at each size, round by round.

    Raises:
        SystemExit: one of them failed.
    """
    plan = [(pair, size) for _ in range(rounds) for pair in pairs for size in sizes]
    for pair, size in (bar := tqdm(plan, unit="run")):
        bar.set_postfix_str(f"{pair.title}: {pair.way.title}, {size:,} {unit}")
        match pair.run(size):
            case Failed() as failed:
                raise SystemExit(f"{pair.way.title}: {failed.why} {failed.detail}")
            case Measured() as measured:
                pair.found.setdefault(size, []).append(measured)


def many(bench: Bench, stored: int, rows: int) -> str:
    """The template that has the base of so many rows stored, and more."""

    def fill(conn: Connection) -> None:
        load(conn, bench.files.base(rows))
        add_more(conn, stored - rows, rows)

    return bench.template(f"many_{stored}_{rows}", fill)


def add_more(conn: Connection, more: int, rows: int) -> None:
    """Make more rows of those that are stored; indexes are built over all of them."""
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

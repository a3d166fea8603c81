"""`make bench-backlog`: many overlapping files, drained by several workers at a time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from queue import Empty, SimpleQueue
from statistics import median
from threading import Event, Thread

import psycopg
from tqdm import tqdm

from benchmarks.harness import page
from benchmarks.harness.bench import Bench, load, open_bench
from benchmarks.harness.cases import NEW, UNCHANGED, Case
from benchmarks.harness.child import environment
from benchmarks.harness.files import backlog_rows
from benchmarks.harness.page import Table
from benchmarks.harness.postgres_server import Contents, contents
from benchmarks.harness.settings import BenchmarkSettings
from benchmarks.loaders import FLOOR, LOCAL, REAL_ROWS, Loader

NAMES = (
    *("case", "loader", "workers", "seconds", "files/s", "rows/s", "times floor"),
    *("deadlocks", "waiting for locks"),
)
SAMPLE_S = 0.02
WAITING = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """One measurement.

    Attributes:
        deadlocks: as Postgres counts them.
        waiting: share of the workers' time in which they waited for a lock.
        stored: the table afterwards.
    """

    seconds: float
    deadlocks: int
    waiting: float
    stored: Contents


@dataclass(slots=True)
class Series:
    """The measurements of one loader with one case and number of workers."""

    case: Case
    loader: Loader
    workers: int
    drains: list[Drain] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median time."""
        return median(drain.seconds for drain in self.drains)


def main() -> None:
    """Measure, print the tables, and write them to the page."""
    settings = BenchmarkSettings.from_env(
        rows=(REAL_ROWS,),
        loaders=(FLOOR, LOCAL),
        cases=(NEW, UNCHANGED),
        rounds=3,
        files=(60, 600),
        workers=(1, 2, 4, 8),
    )
    [rows, *_] = settings.rows
    with open_bench(settings.limit_s) as bench:
        tables = [table_of(bench, settings, rows, count) for count in settings.files]
    for table in tables:
        table.show()
    parts = [table.markdown() for table in tables]
    page.write(settings.page, "backlog", "make bench-backlog", *parts)


def table_of(bench: Bench, settings: BenchmarkSettings, rows: int, count: int) -> Table:
    """The table of one number of files.

    Raises:
        SystemExit: a loader stored other rows than the floor.
    """
    paths = bench.files.overlapping(rows, count)
    all_series = [
        Series(case, loader, workers)
        for case, workers, loader in product(
            settings.cases, settings.workers, settings.loaders
        )
    ]
    plan = [series for _ in range(settings.rounds) for series in all_series]
    expected: Contents | None = None
    for series in (bar := tqdm(plan, desc=f"{count} files", unit="run")):
        bar.set_postfix_str(
            f"{series.case.title}: {series.loader.title}, {series.workers} workers"
        )
        drained = drain(bench, series, paths, rows)
        expected = expected or drained.stored
        if drained.stored != expected:
            sys.exit(f"{series.loader.title}: {drained.stored}, not {expected}")
        series.drains.append(drained)
    table = Table(f"{count:,} files of {rows:,} rows", NAMES)
    table.rows.extend(_row(series, all_series, rows, count) for series in all_series)
    table.notes.append(
        f"Each file repeats half of the rows of the one before: {rows * count:,} rows, "
        f"{backlog_rows(rows, count):,} different ones. Rounds: {settings.rounds}."
    )
    return table


def _row(
    series: Series, all_series: Sequence[Series], rows: int, count: int
) -> Sequence[str]:
    wanted = (series.case, FLOOR, series.workers)
    floors = [
        other.seconds
        for other in all_series
        if (other.case, other.loader, other.workers) == wanted
    ]
    waiting = max(drain.waiting for drain in series.drains)
    return (
        *(series.case.title, series.loader.title, str(series.workers)),
        f"{series.seconds:.2f}",
        f"{count / series.seconds:.1f}",
        f"{rows * count / series.seconds:,.0f}",
        f"{series.seconds / floors[0]:.2f}" if floors else "",
        str(sum(drain.deadlocks for drain in series.drains)),
        f"{waiting:.1%}",
    )


def drain(bench: Bench, series: Series, paths: Sequence[Path], rows: int) -> Drain:
    """Load all files with the workers of a series; each takes the next file when it is free."""
    base = bench.files.backlog_base(rows, len(paths))

    def fill(conn: psycopg.Connection) -> None:
        if series.case.is_stored:
            load(conn, base)

    name = f"backlog_{base.stem}_{series.case.is_stored}".replace("-", "_")
    template = bench.template(name, fill)
    with bench.server.copy(template) as conninfo:
        queue: SimpleQueue[Path] = SimpleQueue()
        for path in paths:
            queue.put(path)
        with ExitStack() as stack:
            workers = [
                stack.enter_context(_worker(series.loader, conninfo))
                for _ in range(series.workers)
            ]
            pool = stack.enter_context(ThreadPoolExecutor(series.workers))
            waiting = stack.enter_context(_lock_waits(conninfo))
            started = time.perf_counter()
            for done in [pool.submit(_serve, worker, queue) for worker in workers]:
                done.result()
            seconds = time.perf_counter() - started
        with psycopg.connect(conninfo) as conn:
            [[deadlocks]] = conn.execute(DEADLOCKS).fetchall()
        return Drain(
            seconds=seconds,
            deadlocks=deadlocks,
            waiting=sum(waiting) / max(1, len(waiting)) / series.workers,
            stored=contents(conninfo),
        )


@contextmanager
def _worker(loader: Loader, conninfo: str) -> Iterator[subprocess.Popen[str]]:
    """A worker that is ready."""
    with subprocess.Popen(  # noqa: S603 -- ourselves
        [sys.executable, "-m", "benchmarks.harness.worker", loader.name, conninfo],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        _expect(process, "ready")
        yield process


def _serve(process: subprocess.Popen[str], queue: SimpleQueue[Path]) -> None:
    """Give files to a worker until the queue is empty."""
    assert process.stdin is not None  # noqa: S101 -- a pipe
    while True:
        try:
            path = queue.get_nowait()
        except Empty:
            return
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        _expect(process, "done")


def _expect(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None  # noqa: S101 -- a pipe
    if process.stdout.readline().strip() != word:
        raise SystemExit("A worker has failed; its error is above.")


@contextmanager
def _lock_waits(conninfo: str) -> Iterator[list[int]]:
    """Samples of how many sessions wait for a lock, until the block ends."""
    samples: list[int] = []
    is_over = Event()

    def sample() -> None:
        with psycopg.connect(conninfo, autocommit=True) as conn:
            while not is_over.wait(SAMPLE_S):
                [[waiting]] = conn.execute(WAITING).fetchall()
                samples.append(waiting)

    thread = Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        is_over.set()
        thread.join()


if __name__ == "__main__":
    main()

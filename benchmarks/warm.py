"""`make bench-warm`: files of real sizes with warm connections, and the steps of an import.

All loaders run in this process, in turn: what a process and a connection cost to start is
not measured, so the rest shows even for the smallest files.
"""

from __future__ import annotations

import io
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import BinaryIO

import psycopg
from psycopg import Connection
from tqdm import tqdm

from benchmarks.harness import page
from benchmarks.harness.bench import Bench, open_bench
from benchmarks.harness.cases import NEW, UNCHANGED, Case
from benchmarks.harness.page import Table
from benchmarks.harness.settings import BenchmarkSettings
from benchmarks.loaders import floor
from salespro_cli.reports.writer import prepare_report
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres.connection import connect
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.html_report.render import as_html
from salespro_core.report.json_report import as_json_text

REAL_ROWS = 254
BATCH_SIZES = (500, 5000)
EMPTY = "TRUNCATE salespro_appointment; TRUNCATE salespro_sync_history"


@dataclass(slots=True)
class Run:
    """The times of one run, in seconds; `server_s` is 0 where the system does not tell."""

    wall_s: float
    client_s: float
    server_s: float


@dataclass(slots=True)
class WarmLoader:
    """A loader with a connection of its own, to a database of its own."""

    title: str
    conn: Connection
    load: Callable[[Connection, Path], None]
    runs: list[Run] = field(default_factory=list)

    def measure(self, path: Path) -> None:
        """Load the file once more, and note how long it took."""
        server_s, client_s = self._server_cpu_s(), time.process_time()
        started = time.perf_counter()
        self.load(self.conn, path)
        wall_s = time.perf_counter() - started
        client_s = time.process_time() - client_s
        self.runs.append(Run(wall_s, client_s, self._server_cpu_s() - server_s))

    def _server_cpu_s(self) -> float:
        """CPU time of the backend.  Source: Linux, Documentation/scheduler/sched-stats."""
        path = Path(f"/proc/{self.conn.info.backend_pid}/schedstat")
        if not path.exists():
            return 0.0
        return int(path.read_text(encoding="ascii").split()[0]) / 1e9


def main() -> None:
    """Measure, print the tables, and write them to the page."""
    settings = BenchmarkSettings.from_env(
        rows=(REAL_ROWS, 2374, 20_000, 200_000), cases=(NEW, UNCHANGED), rounds=15
    )
    sizes = Table(
        "Warm connections",
        (
            "case",
            "loader",
            "rows",
            "ms",
            "times floor",
            "client CPU, ms",
            "server CPU, ms",
        ),
    )
    sizes.notes.append(
        f"Medians of {settings.rounds} rounds; the ratio is the median of those of each round."
    )
    prepare_report()
    with open_bench(settings.limit_s) as bench:
        for rows in settings.rows:
            for case in settings.cases:
                sizes.rows += measure_case(bench, case, rows, settings.rounds)
        steps = measure_steps(bench, settings.rounds)
    for table in (sizes, steps):
        table.show()
    page.write(
        settings.page, "warm", "make bench-warm", sizes.markdown(), steps.markdown()
    )


def measure_case(
    bench: Bench, case: Case, rows: int, rounds: int
) -> Iterator[list[str]]:
    """The rows of the table for one case and one size."""
    path = case.path(bench.files, rows)
    with open_loaders(bench) as loaders:
        # The first round warms the caches, and stores the rows.
        for number in tqdm(range(rounds + 1), desc=f"{rows:,} rows, {case.title}"):
            for loader in loaders if number % 2 else loaders[::-1]:
                if not case.is_stored:
                    loader.conn.execute(EMPTY)
                    loader.conn.commit()
                loader.measure(path)
        for loader in loaders:
            del loader.runs[0]
            ratios = [
                run.wall_s / first.wall_s
                for run, first in zip(loader.runs, loaders[0].runs, strict=True)
            ]
            yield [
                case.title,
                loader.title,
                f"{rows:,}",
                f"{1000 * median(run.wall_s for run in loader.runs):.1f}",
                f"{median(ratios):.2f}",
                f"{1000 * median(run.client_s for run in loader.runs):.1f}",
                f"{1000 * median(run.server_s for run in loader.runs):.1f}",
            ]


@contextmanager
def open_loaders(bench: Bench) -> Iterator[list[WarmLoader]]:
    """The floor, and the importer with each batch size; each on an empty database."""

    def load_with(options: Options) -> Callable[[Connection, Path], None]:
        return lambda conn, path: run_import(conn, path, options)

    with ExitStack() as stack:
        conninfos = [
            stack.enter_context(bench.server.copy(bench.base_template(0)))
            for _ in range(1 + len(BATCH_SIZES))
        ]
        # Closed before the databases are dropped.
        plain = stack.enter_context(psycopg.connect(conninfos[0]))
        loaders = [WarmLoader("floor", plain, committing(floor.loading()))]
        for size, conninfo in zip(BATCH_SIZES, conninfos[1:], strict=True):
            options = replace(DEFAULTS, batch_size=size)
            conn = stack.enter_context(connect(conninfo))
            title = f"this project, BATCH_SIZE={size}"
            loaders.append(WarmLoader(title, conn, load_with(options)))
        yield loaders


def committing(
    load: Callable[[Connection, Path], None],
) -> Callable[[Connection, Path], None]:
    """The function, which also commits."""

    def run(conn: Connection, path: Path) -> None:
        load(conn, path)
        conn.commit()

    return run


def run_import(conn: Connection, path: Path, options: Options) -> None:
    """Import the file as a new upload; its report is made, and stored nowhere."""

    def publish(outcome: Outcome, _rejects: Rejects) -> str:
        make_report(outcome)
        return "bench"

    with path.open("rb") as file:
        outcome = import_upload(
            conn,
            new_upload(path.stat().st_size),
            file,
            options=options,
            callbacks=ImportCallbacks(publish=publish),
        )
    assert outcome.status == "completed", outcome.error  # noqa: S101


def make_report(outcome: Outcome) -> None:
    """Make the files of a report, as the function does."""
    as_json_text(outcome)
    as_html(outcome)


def new_upload(size_bytes: int) -> Upload:
    """An upload that was not imported before."""
    return Upload(
        bucket="bench",
        object_key="appointments.csv",
        version=uuid.uuid4().hex,
        uploaded_at=datetime.now(UTC),
        size_bytes=size_bytes,
    )


class Steps:
    """The steps of one import, with the answers that it waited for in each."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._trace = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed by `close`
        self.ended: list[tuple[str, float, float, int]] = []
        self._start()

    def _start(self) -> None:
        self._conn.pgconn.trace(self._trace.fileno())
        self._began = time.perf_counter(), time.process_time()

    def end(self, name: str) -> None:
        """The step is done, and the next one begins."""
        wall_s = time.perf_counter() - self._began[0]
        client_s = time.process_time() - self._began[1]
        self._conn.pgconn.untrace()
        self._trace.seek(0)
        trips = self._trace.read().count("\tReadyForQuery\t")
        self._trace.truncate(0)
        self.ended.append((name, wall_s, client_s, trips))
        self._start()

    def close(self) -> None:
        """Stop to trace the connection."""
        self._conn.pgconn.untrace()
        self._trace.close()


class FirstRead(io.RawIOBase):
    """A stream that tells when it is read first: then the import is claimed."""

    def __init__(self, data: bytes, steps: Steps) -> None:
        self._data = io.BytesIO(data)
        self._steps: Steps | None = steps

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read, and end the first step if it is the first time."""
        if self._steps:
            self._steps.end("claim")
            self._steps = None
        return self._data.readinto(buffer)


def measure_steps(bench: Bench, rounds: int) -> Table:
    """The steps of an import of the smallest real file, unchanged."""
    data = bench.files.base(REAL_ROWS).read_bytes()
    table = Table(
        f"The steps of an import of {REAL_ROWS} rows, all unchanged",
        (
            "step",
            "round trips",
            "commits that wait for the disk",
            "ms",
            "client CPU, ms",
        ),
        left=1,
    )
    with (
        bench.server.copy(bench.base_template(0)) as conninfo,
        connect(conninfo) as conn,
    ):
        measured = [steps_of(conn, data) for _ in range(rounds + 1)][1:]
    for step in zip(*measured, strict=True):
        name, _, _, trips = step[0]
        table.rows.append(
            [
                name,
                str(trips),
                "1" if name == "completion" else "0",
                f"{1000 * median(wall_s for _, wall_s, _, _ in step):.2f}",
                f"{1000 * median(client_s for _, _, client_s, _ in step):.2f}",
            ]
        )
    table.notes.append(
        f"Medians of {rounds} rounds. From S3, reading adds a GetObject; the report adds the "
        "PutObject of three objects, at once, and of rejects.csv before them."
    )
    return table


def steps_of(conn: Connection, data: bytes) -> list[tuple[str, float, float, int]]:
    """The steps of one import: name, wall time, CPU time of the client, round trips."""
    steps = Steps(conn)
    commits = iter(["recognising the export", "reading and writing the rows"])

    def publish(outcome: Outcome, _rejects: Rejects) -> str:
        steps.end("the file's summary")
        make_report(outcome)
        steps.end("report")
        return "bench"

    stream: BinaryIO = io.BufferedReader(FirstRead(data, steps))
    import_upload(
        conn,
        new_upload(len(data)),
        stream,
        callbacks=ImportCallbacks(
            on_commit=lambda _: steps.end(next(commits)), publish=publish
        ),
    )
    steps.end("completion")
    steps.close()
    return steps.ended


if __name__ == "__main__":
    main()

"""Measure a loader with a file: in a new process, on a new copy of a database."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from psycopg import Connection

from benchmarks.harness import child
from benchmarks.harness.cases import Case
from benchmarks.harness.child import LoaderFailedError, Usage
from benchmarks.harness.files import ExportFiles
from benchmarks.harness.postgres_server import (
    MB,
    Contents,
    PostgresServer,
    contents,
    run_postgres,
)
from benchmarks.harness.s3_server import S3Server, run_s3_server
from benchmarks.loaders import FLOOR, WARM, Job, Loader, floor


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The result of one run.

    Attributes:
        usage: time, CPU and memory of the process.
        wal_mb: write-ahead log that Postgres wrote in that time, in MiB.
    """

    usage: Usage
    wal_mb: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no measurement.

    Attributes:
        reason: for the cell of the table.
        detail: the complete message; may be empty.
    """

    reason: str
    detail: str = ""


class Bench:
    """Measures loaders on one Postgres server; see `open_bench`."""

    def __init__(
        self, server: PostgresServer, s3: S3Server, files: ExportFiles, limit_s: float
    ) -> None:
        self.server = server
        self.s3 = s3
        self.files = files
        self._limit_s = limit_s
        self._expected: dict[tuple[Path, str, Path | None], Contents] = {}

    def measure_case(
        self, loader: Loader, case: Case, rows: int
    ) -> Measurement | Failure:
        """Measure a loader with a case; see `measure_compared`."""
        template = self.base_template(rows if case.is_stored else 0)
        return self.measure_compared(loader, case.path(self.files, rows), template)

    def base_template(self, rows: int) -> str:
        """Name of the template whose table holds `ExportFiles.base(rows)`."""

        def fill(conn: Connection) -> None:
            if rows:
                load(conn, self.files.base(rows))

        return self.template(f"stored_{rows}", fill)

    def template(self, name: str, fill: Callable[[Connection], None]) -> str:
        """Make the template unless it exists, and return its name."""
        if name not in self.server.templates():
            self.server.template(name, fill)
        return name

    def measure_compared(
        self, loader: Loader, path: Path, template: str, *, before: Path | None = None
    ) -> Measurement | Failure:
        """Measure a loader with a file, and compare its rows with those of the floor.

        Args:
            loader: the loader to measure.
            path: path of the export.
            template: name of the template database to start from.
            before: an export that the floor loads first; not measured.

        Returns:
            A `Failure` if the loader fails, exceeds the time limit, or stores other rows.

        Raises:
            LoaderFailedError: the floor failed, so that nothing can be compared.
            subprocess.TimeoutExpired: the floor exceeded the time limit.
        """
        expected = self._expected.get((path, template, before))
        if expected is None:
            # This run is not measured; it also warms the caches.
            _, expected = self._run(self.job(FLOOR, path), template, before)
            self._expected[path, template, before] = expected
        try:
            measurement, stored = self._run(self.job(loader, path), template, before)
        except LoaderFailedError as error:
            return Failure("failed", f"{loader.title}:\n{error}")
        except subprocess.TimeoutExpired:
            return Failure(f"> {self._limit_s:.0f}, stopped")
        if stored != expected:
            return Failure("other rows", f"{loader.title}: {stored}, not {expected}")
        return measurement

    def measure_sequence(
        self, loader: Loader, paths: Sequence[Path], template: str
    ) -> Measurement:
        """Load several files into one table, and measure them together.

        Raises:
            LoaderFailedError: a run failed.
            subprocess.TimeoutExpired: a run exceeded the time limit.
        """
        with self.server.copy(template) as conninfo:
            wal_before = self.server.wal_bytes()
            usages = [
                child.run(
                    replace(self.job(loader, path), conninfo=conninfo),
                    limit_s=self._limit_s,
                )
                for path in paths
            ]
            wal_mb = (self.server.wal_bytes() - wal_before) / MB
        total = Usage(
            seconds=sum(usage.seconds for usage in usages),
            cpu_s=sum(usage.cpu_s for usage in usages),
            peak_mb=max(usage.peak_mb for usage in usages),
        )
        return Measurement(usage=total, wal_mb=wal_mb)

    def measure_unchecked(self, job: Job, template: str) -> Measurement:
        """Measure a job without comparing its rows.

        Raises:
            LoaderFailedError: the run failed.
            subprocess.TimeoutExpired: the run exceeded the time limit.
        """
        return self._run(job, template)[0]

    def job(self, loader: Loader, path: Path, *, is_dry_run: bool = False) -> Job:
        """The job of loading a file with a loader; its database is not set yet."""
        details = {"dry_run": "yes"} if is_dry_run else {}
        if loader.reads_s3:
            details |= self.s3.upload(path, is_dry_run=is_dry_run)
        if loader == WARM:
            empty = self.s3.upload(self.files.header())
            details |= {f"empty_{name}": empty[name] for name in ("key", "version")}
        return Job(loader=loader.name, conninfo="", path=str(path), details=details)

    def _run(
        self, job: Job, template: str, before: Path | None = None
    ) -> tuple[Measurement, Contents]:
        with self.server.copy(template) as conninfo:
            if before is not None:
                first = replace(self.job(FLOOR, before), conninfo=conninfo)
                child.run(first, limit_s=self._limit_s)
            wal_before = self.server.wal_bytes()
            usage = child.run(replace(job, conninfo=conninfo), limit_s=self._limit_s)
            wal_mb = (self.server.wal_bytes() - wal_before) / MB
            return Measurement(usage=usage, wal_mb=wal_mb), contents(conninfo)


def load(conn: Connection, path: Path) -> None:
    """Load a file with the floor, in this process."""
    floor.ready(Job(loader=FLOOR.name, conninfo=conn.info.dsn, path=str(path)))()


def median_seconds(measurements: list[Measurement]) -> float:
    """Median time of several runs."""
    return median(measurement.usage.seconds for measurement in measurements)


@contextmanager
def open_bench(limit_s: float, *, buffers: str | None = None) -> Iterator[Bench]:
    """Start Postgres and S3 for a `Bench`, and delete everything at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="salespro-bench-") as folder,
        run_postgres(buffers) as server,
        run_s3_server() as s3,
    ):
        yield Bench(server, s3, ExportFiles(Path(folder)), limit_s)

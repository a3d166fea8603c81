"""A server, a cloud and files; and each way of each case in a fresh process and database."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from psycopg import Connection

from benchmarks import child
from benchmarks.cases import Case
from benchmarks.child import Ran, WayFailedError
from benchmarks.cloud import Cloud, a_cloud
from benchmarks.files import Files
from benchmarks.server import MB, Contents, Server, a_server, contents
from benchmarks.ways import FLOOR, S3, Job, Way, floor


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a way took, and what the server wrote to its log meanwhile."""

    ran: Ran
    wal_mb: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no measurement, for the table; and in full."""

    why: str
    detail: str = ""


class Bench:
    """Measures; see `a_bench`.

    Attributes:
        server, cloud, files: what it measures with.
    """

    def __init__(
        self, server: Server, cloud: Cloud, files: Files, limit_s: float
    ) -> None:
        self.server = server
        self.cloud = cloud
        self.files = files
        self._limit_s = limit_s
        self._expected: dict[tuple[Path, str, Path | None], Contents] = {}

    def case(self, way: Way, case: Case, rows: int) -> Measured | Failed:
        """Measure a way with a case; the table has to end up as with the floor."""
        template = self.table(rows if case.is_stored else 0)
        return self.compared(way, case.path(self.files, rows), template)

    def table(self, rows: int) -> str:
        """The template whose table holds the base of so many rows."""

        def fill(conn: Connection) -> None:
            if rows:
                load(conn, self.files.base(rows))

        return self.template(f"stored_{rows}", fill)

    def template(self, name: str, fill: Callable[[Connection], None]) -> str:
        """The template of that name, which is made once."""
        if name not in self.server.templates():
            self.server.template(name, fill)
        return name

    def compared(
        self, way: Way, path: Path, template: str, *, before: Path | None = None
    ) -> Measured | Failed:
        """Measure a way with a file, if it leaves what the floor leaves.

        Args:
            way: what to measure.
            path: of the file.
            template: what is stored.
            before: a file that the floor stores first, outside the measurement.
        """
        expected = self._expected.get((path, template, before))
        if expected is None:
            # What the floor does first is not measured: it warms the caches as well.
            _, expected = self._once(self.job(FLOOR, path), template, before)
            self._expected[path, template, before] = expected
        try:
            measured, found = self._once(self.job(way, path), template, before)
        except WayFailedError as error:
            return Failed("failed", f"{way.title}:\n{error}")
        except subprocess.TimeoutExpired:
            return Failed(f"> {self._limit_s:.0f}, stopped")
        if found != expected:
            return Failed("other rows", f"{way.title}: {found} and not {expected}")
        return measured

    def in_a_row(self, way: Way, paths: Sequence[Path], template: str) -> Measured:
        """Measure a way with files, one after the other into the same table: all of them.

        Raises:
            WayFailedError: it failed.
        """
        with self.server.copy(template) as conninfo:
            wal_before = self.server.wal_bytes()
            found = [
                child.run(
                    replace(self.job(way, path), conninfo=conninfo),
                    limit_s=self._limit_s,
                )
                for path in paths
            ]
            wal_mb = (self.server.wal_bytes() - wal_before) / MB
        whole = Ran(
            seconds=sum(ran.seconds for ran in found),
            cpu_s=sum(ran.cpu_s for ran in found),
            peak_mb=max(ran.peak_mb for ran in found),
        )
        return Measured(ran=whole, wal_mb=wal_mb)

    def alone(self, job: Job, template: str) -> Measured:
        """Do a job whose rows are not looked at.

        Raises:
            WayFailedError: it failed.
        """
        return self._once(job, template)[0]

    def job(self, way: Way, path: Path, *, is_dry_run: bool = False) -> Job:
        """What a process is to do, but for its database."""
        details = {"dry_run": "yes"} if is_dry_run else {}
        if way == S3:
            details |= self.cloud.uploaded(path, is_dry_run=is_dry_run)
        return Job(way=way.name, conninfo="", path=str(path), details=details)

    def _once(
        self, job: Job, template: str, before: Path | None = None
    ) -> tuple[Measured, Contents]:
        with self.server.copy(template) as conninfo:
            if before is not None:
                first = replace(self.job(FLOOR, before), conninfo=conninfo)
                child.run(first, limit_s=self._limit_s)
            wal_before = self.server.wal_bytes()
            ran = child.run(replace(job, conninfo=conninfo), limit_s=self._limit_s)
            wal_mb = (self.server.wal_bytes() - wal_before) / MB
            return Measured(ran=ran, wal_mb=wal_mb), contents(conninfo)


def load(conn: Connection, path: Path) -> None:
    """Store the rows of a file, as the floor does."""
    floor.ready(Job(way=FLOOR.name, conninfo=conn.info.dsn, path=str(path)))()


def seconds(found: list[Measured]) -> float:
    """The median."""
    return median(measured.ran.seconds for measured in found)


@contextmanager
def a_bench(limit_s: float, *, buffers: str | None = None) -> Iterator[Bench]:
    """Start what is needed, and leave nothing behind; see `server.a_server`."""
    with (
        tempfile.TemporaryDirectory(prefix="salespro-bench-") as folder,
        a_server(buffers) as server,
        a_cloud() as cloud,
    ):
        yield Bench(server, cloud, Files(Path(folder)), limit_s)

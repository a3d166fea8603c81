"""One way, once, in a fresh process: `python -m benchmarks.child JOB OUT`."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.cpu import limited
from benchmarks.ways import Job

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a way took.

    Attributes:
        seconds: from connecting to the last commit; the start of Python is not in it.
        cpu_s: of the process in that time, all of its threads.
        peak_mb: the most memory that the process ever had resident.
    """

    seconds: float
    cpu_s: float
    peak_mb: float


class WayFailedError(Exception):
    """It ended with an error; what it said is the text."""


def run(job: Job, *, limit_s: float) -> Ran:
    """Run a job in a process of its own.

    Raises:
        WayFailedError: it did not come to its end.
        subprocess.TimeoutExpired: nor did it in time; it is killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "ran.json"
        done = subprocess.run(  # noqa: S603 -- ourselves
            [sys.executable, "-m", "benchmarks.child", json.dumps(asdict(job)), out],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        if done.returncode != 0:
            raise WayFailedError(done.stderr or done.stdout)
        return Ran(**json.loads(out.read_text()))


def environment() -> dict[str, str]:
    """Ours, with the repository's modules, and without settings of the importer."""
    ours = {"ROWS", "ONLY", "CASES", "ROUNDS", "LIMIT_S", "BATCH_SIZE"}
    ours.add("PYTHONDONTWRITEBYTECODE")  # what is installed has its bytecode
    kept = {n: v for n, v in os.environ.items() if n not in ours and n[:3] != "AWS"}
    places = [ROOT, ROOT / "src"]
    return kept | {"PYTHONPATH": os.pathsep.join(map(str, places))}


def main() -> None:
    """Do the job, and write what it took."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    job = Job(**given)
    measured = import_module(f"benchmarks.ways.{job.way}").ready(job)
    with limited(job.cgroup, job.share):
        cpu, started = time.process_time(), time.perf_counter()
        measured()
        ran = Ran(
            seconds=time.perf_counter() - started,
            cpu_s=time.process_time() - cpu,
            peak_mb=peak_mb(),
        )
    Path(sys.argv[2]).write_text(json.dumps(asdict(ran)), encoding="ascii")


def peak_mb() -> float:
    """The peak of this process's resident memory.

    As the kernel has it where it says so: ru_maxrss starts with what the parent had when
    it forked.
    """
    status = Path("/proc/self/status")
    if status.exists():
        [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(kilobytes) / 1024
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()

"""Run one job in a new process: `python -m benchmarks.harness.child JOB OUT`."""

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

from benchmarks.harness.cpu_limit import limited
from benchmarks.loaders import Job

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one run of a loader used.

    Attributes:
        seconds: from connecting to the last commit, without the start of Python.
        cpu_s: CPU time of the process in that time, all threads.
        peak_mb: peak resident memory of the process, in MiB, from its start.
    """

    seconds: float
    cpu_s: float
    peak_mb: float


class LoaderFailedError(Exception):
    """The process of the loader failed; the text is its stderr or stdout."""


def run(job: Job, *, limit_s: float) -> Usage:
    """Run a job in a new process.

    Raises:
        LoaderFailedError: the process ended with an error.
        subprocess.TimeoutExpired: it took longer than `limit_s`, and was killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "usage.json"
        done = subprocess.run(  # noqa: S603 -- ourselves
            [
                sys.executable,
                "-m",
                "benchmarks.harness.child",
                json.dumps(asdict(job)),
                out,
            ],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        if done.returncode != 0:
            raise LoaderFailedError(done.stderr or done.stdout)
        return Usage(**json.loads(out.read_text()))


def environment() -> dict[str, str]:
    """This environment, with the repository on PYTHONPATH and without our settings."""
    removed = {"ROWS", "ONLY", "CASES", "ROUNDS", "LIMIT_S", "BATCH_SIZE"}
    removed.add("PYTHONDONTWRITEBYTECODE")  # an installation has bytecode
    kept = {n: v for n, v in os.environ.items() if n not in removed and n[:3] != "AWS"}
    return kept | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}


def main() -> None:
    """Run the job of the first argument; write its `Usage` as JSON to the second."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    job = Job(**given)
    measured = import_module(f"benchmarks.loaders.{job.loader}").ready(job)
    with limited(job.cgroup, job.share):
        cpu, started = time.process_time(), time.perf_counter()
        measured()
        usage = Usage(
            seconds=time.perf_counter() - started,
            cpu_s=time.process_time() - cpu,
            peak_mb=peak_mb(),
        )
    Path(sys.argv[2]).write_text(json.dumps(asdict(usage)), encoding="ascii")


def peak_mb() -> float:
    """Peak resident memory of this process or of its largest child, in MiB.

    VmHWM if the system has it: ru_maxrss starts with the memory of the parent at the fork.
    """
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    of_children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
    status = Path("/proc/self/status")
    if status.exists():
        [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        return max(int(kilobytes) / 1024, of_children)
    return max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, of_children)


if __name__ == "__main__":
    main()

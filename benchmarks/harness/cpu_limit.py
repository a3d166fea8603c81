"""Limit the CPU of a process as Lambda does: with a control group, or by SIGSTOP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Short, so that waits for Postgres and waits for the CPU overlap as in a virtual machine.
PERIOD_S = 0.02
POLL_S = 0.001
GROUPS = Path("/sys/fs/cgroup")


@contextmanager
def control_group(share: float) -> Iterator[str | None]:
    """A control group whose processes together get `share` of one CPU.

    Yields:
        The file that a process writes its pid to, to join the group. None without
        permission to make a group.
    """
    group = None
    with suppress(OSError):
        group = _make_group(share)
    try:
        yield str(group / "cgroup.procs") if group else None
    finally:
        if group:
            group.rmdir()


def _make_group(share: float) -> Path | None:
    period = round(PERIOD_S * 1e6)
    quota = round(share * period)
    name = f"salespro-bench-{os.getpid()}"
    if (GROUPS / "cpu" / "cpu.cfs_quota_us").exists():  # version 1
        group = GROUPS / "cpu" / name
        limits = {"cpu.cfs_period_us": str(period), "cpu.cfs_quota_us": str(quota)}
    elif (GROUPS / "cgroup.controllers").exists():
        (GROUPS / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
        group = GROUPS / name
        limits = {"cpu.max": f"{quota} {period}"}
    else:
        return None
    group.mkdir()
    try:
        for file, limit in limits.items():
            (group / file).write_text(limit, encoding="ascii")
    except OSError:
        group.rmdir()
        raise
    return group


@contextmanager
def limited(cgroup: str | None, share: float | None) -> Iterator[None]:
    """Limit this process: until it ends with a control group, else in the context."""
    if cgroup:
        Path(cgroup).write_text(str(os.getpid()), encoding="ascii")
        yield
    elif share:
        command = [
            sys.executable,
            "-m",
            "benchmarks.harness.cpu_limit",
            str(os.getpid()),
            str(share),
        ]
        with subprocess.Popen(command) as process:  # noqa: S603 -- ourselves
            yield
            process.terminate()
    else:
        yield


def throttle(pid: int, share: float) -> None:
    """Stop a process when it has used its share of a period, until the period ends."""
    clock = (~pid << 3) | 2  # CPU time of the process; Linux, posix-timers_types.h
    with suppress(OSError):  # the process has ended
        while True:
            ends, budget = time.monotonic() + PERIOD_S, share * PERIOD_S
            before = time.clock_gettime(clock)
            while (left := ends - time.monotonic()) > 0:
                if time.clock_gettime(clock) - before >= budget:
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(left)
                    os.kill(pid, signal.SIGCONT)
                    break
                time.sleep(POLL_S)


def main() -> None:
    """Throttle a process: `python -m benchmarks.harness.cpu_limit PID SHARE`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    pid = int(sys.argv[1])
    try:
        throttle(pid, float(sys.argv[2]))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


if __name__ == "__main__":
    main()

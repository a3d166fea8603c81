"""A part of a CPU, as Lambda sells it: by a control group, or by stopping and going on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Short, so that waiting for Postgres and waiting for the CPU mix as they would in a VM.
PERIOD_S = 0.02
POLL_S = 0.001
GROUPS = Path("/sys/fs/cgroup")


@contextmanager
def control_group(share: float) -> Iterator[str | None]:
    """A group whose processes share so much of one CPU.

    Yields:
        The file to join it by; None if we may not make any.
    """
    group = None
    with suppress(OSError):
        group = _made(share)
    try:
        yield str(group / "cgroup.procs") if group else None
    finally:
        if group:
            group.rmdir()


def _made(share: float) -> Path | None:
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
    """Let this process have no more, from now on or, without a group, in the context."""
    if cgroup:
        Path(cgroup).write_text(str(os.getpid()), encoding="ascii")
        yield
    elif share:
        command = [sys.executable, "-m", "benchmarks.cpu", str(os.getpid()), str(share)]
        with subprocess.Popen(command) as process:  # noqa: S603 -- ourselves
            yield
            process.terminate()
    else:
        yield


def throttle(pid: int, share: float) -> None:
    """Stop a process whenever it has had its share of a period, until that is over."""
    clock = (~pid << 3) | 2  # its CPU time.  Source: Linux, posix-timers_types.h
    with suppress(OSError):  # it is gone
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
    """`python -m benchmarks.cpu PID SHARE`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    pid = int(sys.argv[1])
    try:
        throttle(pid, float(sys.argv[2]))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


if __name__ == "__main__":
    main()

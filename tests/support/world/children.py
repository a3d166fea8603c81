"""Invocations and commands in child processes that a test may kill, freeze and race.

The children are forked from a server process that has made all imports, so that a child
starts within milliseconds. pytest itself has threads and cannot be forked safely.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from handler import app
from salespro_cli import main as cli
from salespro_cli.sandbox.function import Invocation
from salespro_cli.sandbox.local_aws import REGION
from tests.support.world.uploads import TrackedUpload
from tests.support.world.world import World

_CONTEXT = multiprocessing.get_context("forkserver")
# Longer than any child needs that does not wait for a timeout of the server.
TIMEOUT_S = 30.0

Response = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Child:
    """A process that runs one invocation of the function, or one command.

    Attributes:
        output_file: its standard output with its log.
        response_file: the response of the handler; missing if the handler has not returned.
    """

    process: ForkServerProcess
    output_file: Path
    response_file: Path

    def kill(self) -> None:
        """Send SIGKILL, as the Lambda runtime does."""
        self._send(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._send(signal.SIGTERM)

    def freeze(self) -> None:
        """Send SIGSTOP: the process does nothing until `thaw`."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Send SIGCONT."""
        self._send(signal.SIGCONT)

    def wait(self, seconds: float = TIMEOUT_S) -> int:
        """Wait for the end and return the exit code: -9 after SIGKILL."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, "the child hangs"
        return self.process.exitcode

    def time_out(self, deadline: float) -> None:
        """Kill the process at its deadline, as the Lambda runtime does.

        Raises:
            AssertionError: the process has ended before the deadline.
        """
        is_busy = self.is_busy_after(deadline - time.monotonic())
        assert is_busy, self.output_file.read_text()
        self.kill()
        self.wait()

    def is_busy_after(self, seconds: float) -> bool:
        """Wait that long and return whether the process still runs."""
        self.process.join(seconds)
        return self.process.exitcode is None

    def response(self, seconds: float = TIMEOUT_S) -> Response:
        """Wait for the end and return the response of the handler."""
        assert self.wait(seconds) == 0, self.output_file.read_text()
        response: Response = json.loads(self.response_file.read_text())
        return response

    def log(self) -> str:
        """Return the complete lines of the output."""
        return "".join(
            line
            for line in self.output_file.read_text().splitlines(keepends=True)
            if line.endswith("\n")
        )

    def _send(self, number: signal.Signals) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)


@dataclass
class Children:
    """All child processes of one test."""

    folder: Path
    started: list[Child] = field(default_factory=list)

    def invoke(
        self,
        world: World,
        upload: TrackedUpload,
        *,
        seconds: float = 30,
        start_barrier: Barrier | None = None,
        delay_s: float = 0,
        **environ: str,
    ) -> Child:
        """Deliver the message to a function in a new process.

        Args:
            seconds: time until the deadline of the invocation.
            start_barrier: where the process waits for others before it begins.
            delay_s: a pause after the barrier.
            environ: settings that differ from the world's.
        """
        event = world.next_event(upload)
        return self._start(_invoke, (event, seconds, start_barrier, delay_s), environ)

    def command(self, *args: str, **environ: str) -> Child:
        """Run `salespro` with these arguments in a new process."""
        return self._start(_command, args, environ)

    def end(self) -> None:
        """Kill and reap all of them."""
        for child in self.started:
            child.process.kill()
            child.process.join()
            child.process.close()

    def _start(
        self,
        target: Callable[..., None],
        args: tuple[Any, ...],
        environ: Mapping[str, str],
    ) -> Child:
        stem = self.folder / str(len(self.started))
        output_file, response_file = stem.with_suffix(".log"), stem.with_suffix(".json")
        process = _CONTEXT.Process(
            target=_run,
            args=({**os.environ, **environ}, output_file, response_file, target, args),
        )
        process.start()
        child = Child(process, output_file, response_file)
        self.started.append(child)
        return child


def _run(
    environ: dict[str, str],
    output_file: Path,
    response_file: Path,
    target: Callable[..., None],
    args: tuple[Any, ...],
) -> None:
    os.environ.clear()
    os.environ.update(environ)
    with (
        output_file.open("w", buffering=1) as out,
        redirect_stdout(out),
        redirect_stderr(out),
    ):
        log: Any = app.logger.registered_handler
        log.setStream(out)
        target(response_file, *args)


def _invoke(
    response_file: Path,
    event: dict[str, Any],
    seconds: float,
    start_barrier: Barrier | None,
    delay_s: float,
) -> None:
    if start_barrier is not None:
        app.importer()
        start_barrier.wait()
        time.sleep(delay_s)
    context: Any = Invocation(deadline=time.monotonic() + seconds)
    response_file.write_text(json.dumps(app.lambda_handler(event, context)))


def _command(response_file: Path, *args: str) -> None:
    os.chdir(response_file.parent)
    sys.argv = ["salespro", *args]
    cli.main()


def barrier(parties: int) -> Barrier:
    """Return a barrier for this many child processes."""
    return _CONTEXT.Barrier(parties)


@contextmanager
def fork_server() -> Iterator[None]:
    """Start the server process from which all children of a test session are forked."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }.items():
            monkeypatch.setenv(name, value)
        _CONTEXT.set_forkserver_preload(["tests.support.world.children_preload"])
        forkserver.ensure_running()
        yield

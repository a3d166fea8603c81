"""Invocations in processes of their own, which can be killed, frozen and raced.

They are forked from a server that has imported all there is, so that one costs some
milliseconds; a fork of pytest itself, with its threads, would be asking for trouble.
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
from salespro_cli.sandbox import REGION, Invocation
from tests.support.world.world import Put, World

_CONTEXT = multiprocessing.get_context("forkserver")
# No child of ours takes that long, but for one that has to wait for the server's clock.
PATIENCE_S = 30.0

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Child:
    """A process with one invocation of the function, or one command.

    Attributes:
        told: the file of its standard output, with its log.
        answered: the file of what the handler returned; missing if it did not.
    """

    process: ForkServerProcess
    told: Path
    answered: Path

    def kill(self) -> None:
        """End it as the runtime does: it learns nothing of it."""
        self._send(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop its clock: from here on it does nothing at all."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on as if nothing had been."""
        self._send(signal.SIGCONT)

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """The exit code, when it has ended; minus the signal that killed it."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, "the child hangs"
        return self.process.exitcode

    def time_out(self, deadline: float) -> None:
        """Kill it at its deadline, as the runtime does; it must still be busy then."""
        assert self.is_busy_after(deadline - time.monotonic()), self.told.read_text()
        self.kill()
        self.wait()

    def is_busy_after(self, seconds: float) -> bool:
        """Whether it has not ended by itself by then."""
        self.process.join(seconds)
        return self.process.exitcode is None

    def answer(self, seconds: float = PATIENCE_S) -> Answer:
        """What the handler returned."""
        assert self.wait(seconds) == 0, self.told.read_text()
        found: Answer = json.loads(self.answered.read_text())
        return found

    def log(self) -> str:
        """What it has said, but for a line that it could not end."""
        return "".join(
            line
            for line in self.told.read_text().splitlines(keepends=True)
            if line.endswith("\n")
        )

    def _send(self, number: signal.Signals) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)


@dataclass
class Children:
    """All children of one test; none outlives it."""

    folder: Path
    started: list[Child] = field(default_factory=list)

    def invoke(
        self,
        world: World,
        put: Put,
        *,
        seconds: float = 30,
        at_once: Barrier | None = None,
        after_s: float = 0,
        **environ: str,
    ) -> Child:
        """Have a function of its own deliver the message; it begins at once.

        Args:
            world: what is around it.
            put: what is delivered.
            seconds: until its deadline.
            at_once: where it waits for others, when it is ready.
            after_s: for how long it waits then.
            environ: settings that are others than the world's.
        """
        event = world.event(put)

        def begin() -> tuple[Any, ...]:
            return event, seconds, at_once, after_s

        return self._start(_invoke, begin(), environ)

    def command(self, *args: str, **environ: str) -> Child:
        """Run `salespro`."""
        return self._start(_command, args, environ)

    def end(self) -> None:
        """Reap them, however the test ended."""
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
        number = len(self.started)
        told, answered = (self.folder / f"{number}.{it}" for it in ("log", "json"))
        process = _CONTEXT.Process(
            target=_run,
            args=({**os.environ, **environ}, told, answered, target, args),
        )
        process.start()
        child = Child(process, told, answered)
        self.started.append(child)
        return child


def _run(
    environ: dict[str, str],
    told: Path,
    answered: Path,
    target: Callable[..., None],
    args: tuple[Any, ...],
) -> None:
    """The life of a child."""
    os.environ.clear()
    os.environ.update(environ)
    with told.open("w", buffering=1) as out, redirect_stdout(out), redirect_stderr(out):
        log: Any = app.logger.registered_handler
        log.setStream(out)
        target(answered, *args)


def _invoke(
    answered: Path,
    event: dict[str, Any],
    seconds: float,
    at_once: Barrier | None,
    after_s: float,
) -> None:
    if at_once is not None:
        app.importer()
        at_once.wait()
        time.sleep(after_s)
    context: Any = Invocation(deadline=time.monotonic() + seconds)
    answered.write_text(json.dumps(app.lambda_handler(event, context)))


def _command(answered: Path, *args: str) -> None:
    os.chdir(answered.parent)
    sys.argv = ["salespro", *args]
    cli.main()


def barrier(parties: int) -> Barrier:
    """Where so many children wait for each other."""
    return _CONTEXT.Barrier(parties)


@contextmanager
def fork_server() -> Iterator[None]:
    """Have all imported that a child needs, once for all children of this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }.items():
            patch.setenv(name, value)
        _CONTEXT.set_forkserver_preload(["tests.support.world.children_preload"])
        forkserver.ensure_running()
        yield

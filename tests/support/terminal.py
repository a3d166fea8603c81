"""Runs the command `salespro` as a user does, in a folder of the test."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from threading import Event, Thread, Timer
from typing import IO, Any

SALESPRO = Path(sys.executable).with_name("salespro")
COUNT_NAMES = ("created", "updated", "unchanged", "stale", "duplicate", "rejected")
# A file name with rich's markup, a colour, a terminal title, a bell, an emoji code.
HOSTILE_NAME = "a[red]b\x1b[31m\x1b]0;t\x07:smile:.csv"
HOSTILE_NAME_PRINTED = "a[red]b [31m ]0;t :smile:.csv"
# A time zone in the form that needs no zone database.
NEW_YORK = {"TZ": "EST5EDT,M3.2.0,M11.1.0"}
# Variables of this machine that would change what a command does.
_IGNORED_VARIABLES = re.compile(
    "(AWS|BATCH|CHECKPOINT|DATABASE|DB|INVALID|MAX|REPORT|SALESPRO|SOURCE|TQDM)_"
    "|PYTHON(?!PATH)|COLUMNS|LINES"
)


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 -- an object or a list
        """Standard output, which must be one JSON value and nothing else."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The error message; asserts exit code 1 and exactly one line on stderr."""
        assert (self.code, self.err.count("\n")) == (1, 1), self.err
        assert self.err.startswith("Error: ")
        return self.err.removeprefix("Error: ").strip()

    @property
    def counts(self) -> dict[str, int]:
        """The counts in the JSON output that are not 0; asserts success."""
        assert (self.code, self.err) == (0, "")
        report = self.json()
        return {name: report[name] for name in COUNT_NAMES if report[name]}


@dataclass(frozen=True, slots=True)
class Terminal:
    """Runs commands in one folder, with one environment.

    Attributes:
        folder: the current folder of each command.
        environ: variables of the test; settings of this machine are removed.
        program: what runs; the docs have lines for a shell.
    """

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    program: Path = SALESPRO

    def run(self, *args: str | Path, **environ: str) -> CommandResult:
        """Run `salespro` and wait until it ends."""
        done = subprocess.run(  # noqa: S603 -- our own command
            [self.program, *args],
            cwd=self.folder,
            env=self.variables(**environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def start(
        self,
        *args: str | Path,
        stdout: int | IO[str] = subprocess.PIPE,
        stderr: int | IO[str] = subprocess.PIPE,
        **environ: str,
    ) -> subprocess.Popen[str]:
        """Start `salespro`; see `wait_for_exit`."""
        return subprocess.Popen(  # noqa: S603 -- our own command
            [self.program, *args],
            cwd=self.folder,
            env=self.variables(**environ),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    def run_in_pty(
        self,
        *args: str,
        columns: int = 100,
        interrupt_at: str | None = None,
        code: int = 0,
        **environ: str,
    ) -> str:
        """Run `salespro` in a pseudo-terminal and return all that it printed.

        It is killed after a minute.

        Args:
            args: of the command.
            columns: width of the terminal.
            interrupt_at: send SIGINT as soon as the command has printed this text.
            code: the exit code that it must have.
            environ: more environment variables.
        """
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        printed = io.BytesIO()
        with (
            open(theirs, "w", encoding="utf-8") as tty,  # noqa: PTH123 -- a descriptor
            self.start(*args, stdout=tty, stderr=tty, **environ) as process,
        ):
            tty.close()
            # A text that never comes must not block the tests.
            deadline = Timer(60, process.kill)
            deadline.start()
            with suppress(OSError):  # Linux reports EIO when the other end is closed
                while data := os.read(ours, 65536):
                    printed.write(data)
                    text = printed.getvalue().decode(errors="replace")
                    if interrupt_at is not None and interrupt_at in text:
                        interrupt_at = None
                        process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == code
            deadline.cancel()
        os.close(ours)
        return printed.getvalue().decode()

    def variables(self, **more: str) -> dict[str, str]:
        """All environment variables of a command."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not _IGNORED_VARIABLES.match(name)
        }
        # Without this, boto3 would ask the network for credentials.
        kept |= {"HOME": str(self.folder), "AWS_EC2_METADATA_DISABLED": "true"}
        return kept | self.environ | more

    def write(self, name: str, data: bytes) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_bytes(data)
        return path


def wait_for_exit(process: subprocess.Popen[str]) -> CommandResult:
    """Wait until the command ends.

    Raises:
        AssertionError: it still runs after 30 s; it is killed.
    """
    try:
        out, err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"The command does not end: {out!r}, {err!r}") from None
    return CommandResult(process.returncode, out or "", err or "")


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the condition is true.

    Raises:
        AssertionError: it is still false after 30 s.
    """
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def named_pipe(pipe: Path, data: bytes, *, is_endless: bool = False) -> Iterator[None]:
    """Make a named pipe and write the data to its reader.

    Args:
        pipe: where to make it.
        data: what the reader gets.
        is_endless: keep the pipe open until the context ends, so that the reader waits.
    """
    os.mkfifo(pipe)
    may_close = Event()
    if not is_endless:
        may_close.set()

    def write() -> None:
        with suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            may_close.wait()

    # In a daemon thread: opening a pipe without a reader blocks for ever.
    Thread(target=write, daemon=True).start()
    yield
    may_close.set()


class Keyboard:
    """A command in a terminal of its own, in which a test types."""

    def __init__(self, terminal: Terminal, *args: str, **environ: str) -> None:
        self._child, self._tty = pty.fork()
        if self._child == 0:  # the command; Ctrl-C reaches it and its children
            os.chdir(terminal.folder)
            os.execve(SALESPRO, [str(SALESPRO), *args], terminal.variables(**environ))  # noqa: S606 -- our own command
        self._printed = ""

    def type(self, text: str) -> None:
        r"""Type the text; `\x03` is Ctrl-C."""
        os.write(self._tty, text.encode())

    def wait_for(self, text: str) -> str:
        """Wait until the command prints the text; return all before and the text.

        Raises:
            AssertionError: the command ended, or 30 s are over.
        """
        deadline = time.monotonic() + 30
        while text not in self._printed:
            left_s = deadline - time.monotonic()
            readable, _, _ = select([self._tty], [], [], max(0.0, left_s))
            assert readable, f"Not printed: {text!r}, but {self._printed!r}"
            data = b""
            with suppress(OSError):  # Linux reports EIO when the command has ended
                data = os.read(self._tty, 65536)
            assert data, f"The command ended: {self._printed!r}"
            self._printed += data.decode(errors="replace")
        before, _, self._printed = self._printed.partition(text)
        return before + text

    def wait_for_exit(self) -> int:
        """The exit code; the rest of the output is dropped."""
        with suppress(OSError):
            while os.read(self._tty, 65536):
                pass
        os.close(self._tty)
        return os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])

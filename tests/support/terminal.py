"""A prompt in a folder of the test's own, at which `salespro` is run as people run it."""

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

SALESPRO = Path(sys.executable).with_name("salespro")
# What would make a command do something else than on another machine.
_FOREIGN = re.compile(
    "(AWS|BATCH|CHECKPOINT|DATABASE|DB|INVALID|MAX|REPORT|SALESPRO|SOURCE|TQDM)_"
    "|PYTHON(?!PATH)|COLUMNS|LINES"
)


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has come to its end."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 -- an object or a list
        """Standard output, which has to be one JSON value and nothing else."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """What the command failed with: one line on stderr, whose form is asserted."""
        assert (self.code, self.err.count("\n")) == (1, 1), self.err
        assert self.err.startswith("Error: ")
        return self.err.removeprefix("Error: ").strip()


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where commands are run.

    Attributes:
        folder: the current one of each command.
        environ: variables of the test's own; the settings of this machine are left out.
    """

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *args: str | Path, **environ: str) -> Done:
        """Run `salespro` to its end."""
        done = subprocess.run(  # noqa: S603 -- our own command
            [SALESPRO, *args],
            cwd=self.folder,
            env=self.variables(**environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(
        self,
        *args: str | Path,
        stdout: int | IO[str] = subprocess.PIPE,
        stderr: int | IO[str] = subprocess.PIPE,
        **environ: str,
    ) -> subprocess.Popen[str]:
        """Start `salespro`; the caller waits for it."""
        return subprocess.Popen(  # noqa: S603 -- our own command
            [SALESPRO, *args],
            cwd=self.folder,
            env=self.variables(**environ),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    def variables(self, **more: str) -> dict[str, str]:
        """All that a command finds in its environment."""
        kept = {n: v for n, v in os.environ.items() if not _FOREIGN.match(n)}
        # Nobody asks the network where this runs, for credentials.
        kept |= {"HOME": str(self.folder), "AWS_EC2_METADATA_DISABLED": "true"}
        return kept | self.environ | more

    def write(self, name: str, data: bytes) -> Path:
        """Put a file into the folder."""
        path = self.folder / name
        path.write_bytes(data)
        return path


def ended(process: subprocess.Popen[str]) -> Done:
    """Wait for a command, which must not take long any more."""
    try:
        out, err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"It does not end: {out!r}, {err!r}") from None
    return Done(process.returncode, out or "", err or "")


def on_a_terminal(
    terminal: Terminal,
    *args: str,
    columns: int = 100,
    until: str | None = None,
) -> str:
    """What a terminal is sent.

    Args:
        terminal: where the command is run.
        args: of the command.
        columns: how wide it is.
        until: Ctrl-C is pressed when it has shown this.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    sent = io.BytesIO()
    with (
        open(theirs, "w", encoding="utf-8") as tty,  # noqa: PTH123 -- no path
        terminal.start(*args, stdout=tty, stderr=tty) as process,
    ):
        tty.close()
        # Linux says EIO when the other end is closed.
        try:
            while piece := os.read(ours, 65536):
                sent.write(piece)
                if until is not None and until in sent.getvalue().decode(
                    errors="replace"
                ):
                    until = None
                    process.send_signal(signal.SIGINT)
        except OSError:
            pass
        assert process.wait(timeout=30) == 0
    os.close(ours)
    return sent.getvalue().decode()

"""A running `salespro sandbox`, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.terminal import Terminal

# No server listens at this port: a request through this proxy fails.
PROXY = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox.

    Attributes:
        process: the command.
        output: file with its standard output.
    """

    process: subprocess.Popen[str]
    output: Path

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait up to 45 s until the output matches the pattern, and return the match."""
        deadline = time.monotonic() + 45
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(pattern, self.text, re.MULTILINE):
                return found
            time.sleep(0.02)
        raise AssertionError(f"{pattern!r} is not in the output:\n{self.text}")

    @property
    def endpoint(self) -> str:
        """Address of the page, S3 and SQS."""
        return self.wait_for(r"S3 and SQS listen on (http://127\.0\.0\.1:\d+),")[1]

    @property
    def text(self) -> str:
        """All of the output so far."""
        return self.output.read_text(encoding="utf-8")

    def put(self, key: str, data: bytes) -> None:
        """Upload as `curl -T` does: a plain PUT to the printed address."""
        request = urllib.request.Request(  # noqa: S310 -- of our own server
            f"{self.endpoint}/salespro-uploads/{key}",
            data,
            # The default of urllib is a form, which moto would parse.
            {"Content-Type": "text/csv"},
            method="PUT",
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            assert answer.status == 200


@contextmanager
def sandbox(terminal: Terminal, *options: str) -> Iterator[Sandbox]:
    """Start a sandbox on a free port, and wait until it is ready."""
    output = terminal.folder / "output"
    with (
        output.open("w", encoding="utf-8") as stdout,
        terminal.start("sandbox", "--port", "0", *options, stdout=stdout) as process,
    ):
        running = Sandbox(process, output)
        try:
            running.wait_for(r"^Ctrl-C ends it\.")
            yield running
        finally:
            process.kill()

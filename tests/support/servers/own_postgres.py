"""A Postgres that a test may stop, kill and start again."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Literal

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from salespro_cli.local_postgres import embedded

# Source: PostgreSQL documentation, section 18.5, "Shutting Down the Server".
SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class OwnServer:
    """It is durable: what an immediate stop took from another would be no fault of ours.

    Attributes:
        conninfo: of a superuser; the same after each start.
    """

    def __init__(self, home: Path, running: ExitStack) -> None:
        self._home = home
        self._running = running
        self._starting = Thread()
        # The server's socket is elsewhere after each start, and this link leads there.
        self.conninfo = make_conninfo(self._run(), host=str(home / "socket"))

    @property
    def pgdata(self) -> Path:
        """Where its files are."""
        return self._home / "pgdata"

    def stop(self, mode: Literal["fast", "immediate"]) -> None:
        """End it, with all of its sessions, or have it die without a goodbye."""
        pid = int((self.pgdata / "postmaster.pid").read_text().split()[0])
        os.kill(pid, SIGNALS[mode])
        give_up_at = time.monotonic() + 30
        while PGconn.ping(self.conninfo.encode()) != Ping.NO_RESPONSE:
            assert time.monotonic() < give_up_at, "it does not stop"
            time.sleep(0.01)

    def start_soon(self, delay_s: float) -> None:
        """Start it in the background; it recovers first if it was killed."""

        def start() -> None:
            time.sleep(delay_s)
            self._run()

        self._starting = Thread(target=start)
        self._starting.start()

    def ensure_up(self) -> None:
        """Return when it is up, by itself or by us."""
        if self._starting.is_alive():
            self._starting.join()
        self._run()

    def _run(self) -> str:
        """Start it, or join it if it runs."""
        return self._running.enter_context(embedded.running(self._home, keep=False))


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server that nobody else uses; gone at the end."""
    # Not in pytest's folder: a socket's path ends at 108 bytes.
    home = Path(tempfile.mkdtemp(prefix="own-", dir="/tmp"))
    home.chmod(0o711)  # root's server runs as somebody else
    try:
        with ExitStack() as running:
            yield OwnServer(home, running)
    finally:
        shutil.rmtree(home, ignore_errors=True)

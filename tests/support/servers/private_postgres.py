"""A Postgres server that a test may stop, kill and start again."""

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


class PrivateServer:
    """A server with fsync on: without it, a kill could lose committed rows.

    Attributes:
        conninfo: of a superuser; the same after each start.
    """

    def __init__(self, home: Path, running: ExitStack) -> None:
        self._home = home
        self._running = running
        self._starting = Thread()
        # Each start uses a new socket folder; this link points to the current one.
        self.conninfo = make_conninfo(self._run(), host=str(home / "socket"))

    @property
    def pgdata(self) -> Path:
        """The data directory."""
        return self._home / "pgdata"

    def stop(self, mode: Literal["fast", "immediate"]) -> None:
        """Stop the server with pg_ctl's `fast` or `immediate` mode, and wait for it."""
        pid = int((self.pgdata / "postmaster.pid").read_text().split()[0])
        os.kill(pid, SIGNALS[mode])
        give_up_at = time.monotonic() + 30
        while PGconn.ping(self.conninfo.encode()) != Ping.NO_RESPONSE:
            assert time.monotonic() < give_up_at, "the server does not stop"
            time.sleep(0.01)

    def become_standby(self) -> None:
        """Make the stopped server a standby, without a primary, from its next start on."""
        signal_file = self.pgdata / "standby.signal"
        signal_file.touch()
        owner = self.pgdata.resolve().stat()
        os.chown(signal_file, owner.st_uid, owner.st_gid)

    def start_soon(self, delay_s: float) -> None:
        """Start the server in the background after a delay."""

        def start() -> None:
            time.sleep(delay_s)
            self._run()

        self._starting = Thread(target=start)
        self._starting.start()

    def ensure_up(self) -> None:
        """Wait for a background start, or start the server now."""
        if self._starting.is_alive():
            self._starting.join()
        self._run()

    def _run(self) -> str:
        """Start the server if it is down; return its conninfo."""
        return self._running.enter_context(embedded.running(self._home, keep=False))


@contextmanager
def run_private_server() -> Iterator[PrivateServer]:
    """Start a server in a new folder; stop and delete it at the end."""
    # Not in pytest's folder: the path of a Unix socket is limited to 108 bytes.
    home = Path(tempfile.mkdtemp(prefix="own-", dir="/tmp"))
    home.chmod(0o711)  # Postgres does not run as root but as another user
    try:
        with ExitStack() as running:
            yield PrivateServer(home, running)
    finally:
        shutil.rmtree(home, ignore_errors=True)

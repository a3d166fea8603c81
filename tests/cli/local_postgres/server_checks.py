"""Starts users of an embedded Postgres in other processes, and checks its server."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.pq import PGconn, Ping

from tests.support import paths

AS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
SERVER_UID = NOBODY.pw_uid if AS_ROOT else os.geteuid()
ENVIRON = os.environ | {"PYTHONPATH": str(paths.SRC)}

_USER = """
import sys
from pathlib import Path
from salespro_cli.local_postgres.embedded import running
with running(Path(sys.argv[1])) as conninfo:
    print(conninfo, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_user(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server until it reads a line from its standard input."""
    with subprocess.Popen(  # noqa: S603 -- our own code
        [sys.executable, "-c", _USER, data_dir],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRON,
        start_new_session=True,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def conninfo_of(user: subprocess.Popen[str]) -> str:
    """The conninfo of the server, when the user has it."""
    assert user.stdout is not None
    return user.stdout.readline().strip()


def is_up(conninfo: str) -> bool:
    """Whether the server accepts connections."""
    return PGconn.ping(conninfo.encode()) == Ping.OK


def is_gone(data_dir: Path) -> bool:
    """Whether no process of the server is left, nor its socket and pid file.

    Raises:
        BlockingIOError: a process of the server still runs.
    """
    with (data_dir / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return not (
        (data_dir / "pgdata" / "postmaster.pid").exists()
        or (data_dir / "socket").is_symlink()
    )


def server_pid(data_dir: Path) -> int:
    """Process id of the server."""
    return int((data_dir / "pgdata" / "postmaster.pid").read_text().split()[0])


def select(conninfo: str, query: str) -> object:
    """The first column of the first row of a query."""
    with psycopg.connect(conninfo) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def delete(data_dir: Path) -> None:
    """Delete a data directory and its cluster, which may be in another directory."""
    shutil.rmtree((data_dir / "pgdata").resolve(), ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)

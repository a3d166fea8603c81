"""A PgBouncer between the tests and a Postgres server: `apt-get install pgbouncer`.

It listens on 127.0.0.1 only.  It refuses to run as root, so root's PgBouncer runs as the
user `nobody`.  `PGBOUNCER` names another program than the installed one.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

PoolMode = Literal["session", "transaction", "statement"]

_ADMIN = "pooler-admin"
_TIMEOUT_S = 20.0


def find_program() -> str | None:
    """Return the path of PgBouncer; None if it is not installed."""
    # Debian installs it in /usr/sbin, which is not on every user's PATH.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    return os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=path)


@cache
def version() -> str:
    """Return the version of the installed PgBouncer, such as 1.18.0; 0.0 without one."""
    program = find_program()
    if program is None:
        return "0.0"
    told = subprocess.run(  # noqa: S603 -- PgBouncer's own program
        [program, "--version"], capture_output=True, text=True, check=True
    )
    number = re.search(r"PgBouncer (\d+[.\d]+)", told.stdout)
    assert number, told.stdout
    return number[1]


def is_at_least(major: int, minor: int) -> bool:
    """Whether the installed PgBouncer is of this version or newer."""
    numbers = version().split(".")
    return (int(numbers[0]), int(numbers[1])) >= (major, minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """The settings of a pool; the defaults are those of PgBouncer but for the size.

    Attributes:
        mode: when a server session returns to the pool.
        size: number of server sessions.
        reset_query: cleans a server session after a client of a session pool; "" for none.
        always_resets: also after each transaction of a transaction pool.
        max_prepared_statements: of a server session, which PgBouncer renames and makes
            again where needed; only from PgBouncer 1.21 on.
        ignored_startup_parameters: separated by commas.
        query_wait_timeout_s: how long a client waits for a server session.
    """

    mode: PoolMode = "transaction"
    size: int = 1
    reset_query: str = "DISCARD ALL"
    always_resets: bool = False
    max_prepared_statements: int = 0
    ignored_startup_parameters: str = ""
    query_wait_timeout_s: float = 120.0

    def lines(self) -> dict[str, str]:
        """Return the settings as they are called in pgbouncer.ini."""
        settings = {
            "pool_mode": self.mode,
            "default_pool_size": str(self.size),
            "server_reset_query": self.reset_query,
            "server_reset_query_always": str(int(self.always_resets)),
            "query_wait_timeout": str(self.query_wait_timeout_s),
        }
        if self.max_prepared_statements:
            settings["max_prepared_statements"] = str(self.max_prepared_statements)
        if self.ignored_startup_parameters:
            settings["ignore_startup_parameters"] = self.ignored_startup_parameters
        return settings


class PgBouncer:
    """A running PgBouncer with one pool.

    Attributes:
        conninfo: leads through the pool.
        server_conninfo: the same without the pool.
        settings: of the pool.
    """

    def __init__(self, home: Path, server: str, settings: PoolSettings) -> None:
        self.server_conninfo = server
        self.settings = settings
        self._home = home
        # No port is released between the search and the start: `SO_REUSEPORT` of PgBouncer
        # is off, so another program that takes the port fails the start.
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self._port = int(taken.getsockname()[1])
        behind = conninfo_to_dict(server)
        # From the server to the pool; everything else, such as a timeout, stays.
        self.conninfo = make_conninfo(
            server, host="127.0.0.1", hostaddr="", port=self._port, sslmode="disable"
        )
        self._database = str(behind["dbname"])
        self._write_files({name: str(value) for name, value in behind.items()})
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        program = find_program()
        assert program, "These tests need PgBouncer: apt-get install pgbouncer"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- PgBouncer's own program
                [program, self._home / "pgbouncer.ini"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                user=_account(),
                start_new_session=True,
            )
        give_up_at = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                is_running = self._process.poll() is None
                assert is_running, f"PgBouncer does not start:\n{self.log()}"
                assert time.monotonic() < give_up_at, self.log()
                time.sleep(0.005)
            else:
                return

    def start_if_ended(self) -> bool:
        """Start it again if its process has ended by itself; whether it had."""
        has_ended = self._process is not None and self._process.poll() is not None
        if has_ended:
            self.start()
        return has_ended

    def stop(self, *, kills: bool = False) -> None:
        """Stop it in the middle of transactions, and wait for its end.

        Args:
            kills: by SIGKILL; otherwise by SHUTDOWN, since SIGTERM waits for all clients
                from PgBouncer 1.23 on.
        """
        assert self._process is not None
        if kills:
            self._process.kill()
        else:
            with suppress(psycopg.OperationalError):  # it closes the console too
                self.console("SHUTDOWN")
        try:
            self._process.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError("PgBouncer does not stop") from None

    def restart(self, *, kills: bool = False) -> None:
        """Stop it, and start it again on the same port."""
        self.stop(kills=kills)
        self.start()

    def console(self, command: str) -> list[dict[str, Any]]:
        """Run a command of the admin console, such as `RECONNECT`; return its rows."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self._port,
            user=_ADMIN,
            password=_ADMIN,
            dbname="pgbouncer",
            autocommit=True,
            row_factory=dict_row,
            client_encoding="UTF8",
        ) as console:
            cursor = console.execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def pause(self) -> None:
        """Keep all clients waiting from the end of their transactions on."""
        self.console(f'PAUSE "{self._database}"')

    def resume(self) -> None:
        """Serve the clients again after `pause` or `kill`."""
        self.console(f'RESUME "{self._database}"')

    def kill(self) -> None:
        """Close all connections of the pool, of clients and to the server, at once."""
        self.console(f'KILL "{self._database}"')
        self.resume()

    def reconnect(self) -> None:
        """Replace each connection to the server as soon as no transaction uses it."""
        self.console(f'RECONNECT "{self._database}"')

    def server_pids(self) -> list[int]:
        """Return the process ids of the pool's sessions on the server."""
        return [row["remote_pid"] for row in self.console("SHOW SERVERS")]

    def log(self) -> str:
        """Return its log."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def _log(self) -> Path:
        return self._home / "log"

    def _write_files(self, behind: dict[str, str]) -> None:
        keys = ("host", "hostaddr", "port", "dbname")
        address = " ".join(f"{key}='{behind[key]}'" for key in keys if behind.get(key))
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self._port),
            "unix_socket_dir": "",
            "auth_type": "md5",
            "auth_file": str(self._home / "users.txt"),
            "admin_users": _ADMIN,
            "server_tls_sslmode": behind.get("sslmode", "prefer"),
            "max_client_conn": "200",
            # After a failed connection to the server, all clients get an error for 15 s.
            "server_login_retry": "0.2",
            **self.settings.lines(),
        }
        lines = ["[databases]", f"{self._database} = {address}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        self._write("pgbouncer.ini", "\n".join(lines) + "\n")
        users = {behind["user"]: behind.get("password", ""), _ADMIN: _ADMIN}
        self._write("users.txt", "".join(f'"{n}" "{p}"\n' for n, p in users.items()))
        self._write("log", "")

    def _write(self, name: str, text: str) -> None:
        file = self._home / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
        if account := _account():
            shutil.chown(file, account)


@contextmanager
def run_pgbouncer(server: str, settings: PoolSettings) -> Iterator[PgBouncer]:
    """Start a PgBouncer before a server; stop it at the end.

    Args:
        server: conninfo of a role and a database; also the way to the server.
        settings: of the pool.
    """
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        if account := _account():
            shutil.chown(folder, account)
        pooler = PgBouncer(Path(folder), server, settings)
        try:
            yield pooler
        finally:
            pooler.stop(kills=True)


def _account() -> str | None:
    return "nobody" if os.geteuid() == 0 else None

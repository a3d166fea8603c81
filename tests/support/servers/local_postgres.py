"""A Postgres server from any folder of binaries, with settings that a test chooses."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from psycopg.conninfo import make_conninfo

TRUSTED = "local all all trust\n"
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}


@dataclass(frozen=True, slots=True)
class LocalPostgres:
    """A running server.

    Attributes:
        home: folder with the data folder `data`, the Unix socket and `log`.
        port: of the Unix socket, and of `listen_addresses` if that is set.
        user: account that runs the server and owns its files; None: that of this process.
        environment: variables of the server's process, beside `_ENVIRONMENT`.
    """

    home: Path
    port: int
    user: str | None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def conninfo(self) -> str:
        """Conninfo of the superuser `postgres`, over the Unix socket."""
        return make_conninfo(
            host=str(self.home), port=self.port, user="postgres", dbname="postgres"
        )

    def write(self, name: str, content: bytes) -> None:
        """Write a file into the data folder that only the server's account can read."""
        path = self.home / "data" / name
        path.touch(0o600)
        path.write_bytes(content)
        if self.user:
            shutil.chown(path, self.user)


@contextmanager
def run_postgres(
    binaries: Path,
    settings: Mapping[str, str] | None = None,
    *,
    hba: str = TRUSTED,
    environment: Mapping[str, str] | None = None,
) -> Iterator[LocalPostgres]:
    """Start a server in a new folder; stop and delete it at the end.

    Postgres refuses to run as root, so root's server runs as the user `nobody`.  The
    server has no TCP port, unless `settings` has `listen_addresses`.

    Args:
        binaries: folder with initdb, pg_ctl and postgres.
        settings: lines of postgresql.conf, which ALTER SYSTEM can override.
        hba: lines of pg_hba.conf.
        environment: more variables of the server's process, such as `LOCPATH`.

    Raises:
        AssertionError: initdb or the server failed; with the end of its output.
    """
    # Not in pytest's folder: the path of a Unix socket is limited to 108 bytes.
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        home = Path(folder)
        user = "nobody" if os.geteuid() == 0 else None
        if user:
            shutil.chown(home, user)
            home.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as unused:
            server = LocalPostgres(
                home, unused.getsockname()[1], user, environment or {}
            )
        data = str(home / "data")
        initdb = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
        _run(server, binaries / "initdb", "-D", data, "--no-sync", *initdb)
        server.write("pg_hba.conf", hba.encode())
        lines = {
            "listen_addresses": "",
            "port": str(server.port),
            "unix_socket_directories": folder,
            "fsync": "off",
            **(settings or {}),
        }
        with (home / "data" / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in lines.items())
        pg_ctl = (binaries / "pg_ctl", "-D", data)
        _run(server, *pg_ctl, "-l", str(home / "log"), "-w", "start")
        try:
            yield server
        finally:
            try:
                _run(server, *pg_ctl, "-m", "immediate", "stop")
            except AssertionError:  # a shutdown that a test began may have ended
                if (home / "data" / "postmaster.pid").exists():
                    raise


def _run(server: LocalPostgres, program: Path, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 -- Postgres' own programs
        [program, *arguments],
        cwd=server.home,
        env={**_ENVIRONMENT, **server.environment},
        user=server.user,
        capture_output=True,
        text=True,
        check=False,
    )
    log = server.home / "log"
    output = (
        done.stdout + done.stderr + (log.read_text("utf-8") if log.exists() else "")
    )
    assert done.returncode == 0, "\n".join(output.splitlines()[-12:])

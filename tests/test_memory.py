"""Memory is a read buffer and a span of the file, whatever the size of the file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from salespro_cli.sample import write_sample

# Peak RSS of the whole process, interpreter and libraries included (about 60 MB here).
CEILING_MB = 120


def peak_rss_mb(arguments: list[str], environ: dict[str, str]) -> float:
    """Run `salespro`, and return what the kernel says of that process alone."""
    salespro = str(Path(sys.executable).with_name("salespro"))
    pid = os.posix_spawn(salespro, [salespro, *arguments], os.environ | environ)
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_maxrss / 1024


def test_200_000_rows_are_imported_and_tried_in_bounded_memory(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = tmp_path / "big.csv"
    write_sample("appointments", 200_000, 1, big)
    monkeypatch.chdir(tmp_path)  # reports go to the folder that we are in
    environ = {"DATABASE_URL": database_url}

    tried = peak_rss_mb(["import", "--dry-run", str(big)], environ)
    imported = peak_rss_mb(["import", str(big)], environ)
    repeated = peak_rss_mb(["import", str(big)], environ)

    assert max(tried, imported, repeated) < CEILING_MB

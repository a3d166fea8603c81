"""Memory is a read buffer and a span of the file, whatever the size of the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from salespro_cli.sample_data.generator import write_sample

# Peak RSS of the whole process, interpreter and libraries included (about 56 MB here).
CEILING_MB = 90
# What a file ten times as long may add.
GROWTH_MB = 5


# What the kernel says of the process itself; ru_maxrss would count the fork of pytest too.
MEASURED = """
import atexit, re, sys
from pathlib import Path
place = sys.argv[1]
atexit.register(lambda: Path(place).write_text(
    re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]))
del sys.argv[1]
from salespro_cli.main import main
main()
"""


def peak_rss_mb(arguments: list[str], environ: dict[str, str]) -> float:
    """Run `salespro`, and return the peak of its resident memory in MB."""
    place = Path("peak")
    subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, "-c", MEASURED, str(place), *arguments],
        env=os.environ | environ,
        check=True,
    )
    return int(place.read_text()) / 1024


def test_200_000_rows_are_imported_and_tried_in_bounded_memory(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, big = tmp_path / "small.csv", tmp_path / "big.csv"
    write_sample("appointments", 20_000, 2, small)
    write_sample("appointments", 200_000, 1, big)
    monkeypatch.chdir(tmp_path)  # reports go to the folder that we are in
    environ = {"DATABASE_URL": database_url}
    budget = {"MAX_REJECTED_ROWS": "0"}  # validated before it is imported

    few = peak_rss_mb(["import", str(small)], environ)
    tried = peak_rss_mb(["import", "--dry-run", str(big)], environ | budget)
    imported = peak_rss_mb(["import", str(big)], environ)
    repeated = peak_rss_mb(["import", str(big)], environ | budget)

    assert max(tried, imported, repeated) < CEILING_MB
    assert max(tried, imported, repeated) - few < GROWTH_MB

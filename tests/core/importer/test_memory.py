"""Memory is bounded by a read buffer and a chunk, regardless of the size of the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from salespro_cli.sample_data.generator import write_sample

# Peak RSS of the whole process, interpreter and libraries included (about 56 MB here).
CEILING_MB = 90
# Most that a file of ten times the rows may add.
GROWTH_MB = 5


# The peak from the kernel; ru_maxrss would include the fork of pytest.
MEASURE = """
import atexit, re, sys
from pathlib import Path
output = sys.argv[1]
atexit.register(lambda: Path(output).write_text(
    re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]))
del sys.argv[1]
from salespro_cli.main import main
main()
"""


def peak_rss_mb(arguments: list[str], environ: dict[str, str]) -> float:
    """Run `salespro`; return the peak of its resident memory in MB."""
    output = Path("peak")
    subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, "-c", MEASURE, str(output), *arguments],
        env=os.environ | environ,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return int(output.read_text()) / 1024


def test_import_and_dry_run_of_200_000_rows_stay_within_the_memory_limit(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, big = tmp_path / "small.csv", tmp_path / "big.csv"
    write_sample("appointments", 20_000, 2, small)
    write_sample("appointments", 200_000, 1, big)
    monkeypatch.chdir(tmp_path)  # reports go to the working directory
    environ = {"DATABASE_URL": database_url}
    budget = {"MAX_REJECTED_ROWS": "0"}  # adds a validation

    small_mb = peak_rss_mb(["import", str(small)], environ)
    dry_run_mb = peak_rss_mb(["import", "--dry-run", str(big)], environ | budget)
    import_mb = peak_rss_mb(["import", str(big)], environ)
    repeated_mb = peak_rss_mb(["import", str(big)], environ | budget)

    changes_mb = peak_rss_mb(["changes", "2", "--limit", "200000"], environ)

    assert changes_mb < small_mb
    assert max(dry_run_mb, import_mb, repeated_mb) < CEILING_MB
    assert max(dry_run_mb, import_mb, repeated_mb) - small_mb < GROWTH_MB

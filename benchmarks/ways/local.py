"""This project's command: `salespro import FILE`, in the process that the clock is in."""

from __future__ import annotations

import os
from collections.abc import Callable

from benchmarks.ways import Job
from salespro_cli.main import cli


def ready(job: Job) -> Callable[[], None]:
    """Run the command with its defaults; it raises unless the file is imported."""
    os.environ["DATABASE_URL"] = job.conninfo
    options = ["--dry-run"] if "dry_run" in job.details else []

    def run() -> None:
        cli.main(["import", *options, job.path], standalone_mode=False)

    return run

"""This project's command: `salespro import FILE`, in the process that the clock is in."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

from benchmarks.ways import Job
from salespro_cli.main import cli


def ready(job: Job) -> Callable[[], None]:
    """Run the command with its defaults; it raises unless the file is imported."""
    os.environ["DATABASE_URL"] = job.conninfo
    # Libraries are loaded before the clock starts; this one, the command loads late.
    import_module("jinja2")
    options = ["--dry-run"] if "dry_run" in job.details else []

    def run() -> None:
        cli.main(["import", *options, job.path], standalone_mode=False)

    return run

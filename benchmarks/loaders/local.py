"""This project's command `salespro import FILE`, in the measured process.

The modules of the command are loaded before the measurement.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

from benchmarks.loaders import Job
from salespro_cli.commands.import_ import import_


def ready(job: Job) -> Callable[[], None]:
    """Prepare the command with its defaults; it raises if the import fails."""
    os.environ["DATABASE_URL"] = job.conninfo
    # Libraries are imported before the measurement; the command imports this one late.
    import_module("jinja2")
    options = ["--dry-run"] if "dry_run" in job.details else []

    def run() -> None:
        import_.main([*options, job.path], standalone_mode=False)

    return run

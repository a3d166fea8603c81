"""The function once more, to see which of its modules an import makes use of.

It writes the names of those of which nothing ran to the job's `out`.  A module may be of
use by its constants and classes alone, so they are candidates and no more.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from benchmarks.ways import Job, s3


def ready(job: Job) -> Callable[[], None]:
    """Load the handler, then watch what runs."""
    before = set(sys.modules)
    import handler.app  # noqa: F401, PLC0415 -- its modules are counted

    loaded = {
        name: module.__file__
        for name, module in sys.modules.items()
        if name not in before and getattr(module, "__file__", None)
    }
    ran: set[str] = set()

    def note(frame: FrameType, _event: str, _arg: object) -> None:
        ran.add(frame.f_code.co_filename)

    threading.setprofile(note)
    sys.setprofile(note)
    measured = s3.ready(job)

    def run() -> None:
        measured()
        sys.setprofile(None)
        idle = [
            name
            for name, file in loaded.items()
            if file and file.endswith(".py") and file not in ran
        ]
        Path(job.details["out"]).write_text(json.dumps(idle), encoding="utf-8")

    return run

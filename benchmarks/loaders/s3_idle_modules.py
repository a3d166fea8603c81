"""The function as in `s3`, and which of its modules run no code during an import.

It writes the names of these modules to the job's detail `out`.  They are only candidates
for removal: a module may be needed for its constants and classes.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from benchmarks.loaders import Job, s3


def ready(job: Job) -> Callable[[], None]:
    """Load the handler, then trace the files whose code runs."""
    before = set(sys.modules)
    import handler.app  # noqa: F401, PLC0415 -- its modules are listed

    loaded = {
        name: module.__file__
        for name, module in sys.modules.items()
        if name not in before and getattr(module, "__file__", None)
    }
    executed: set[str] = set()

    def note(frame: FrameType, _event: str, _arg: object) -> None:
        executed.add(frame.f_code.co_filename)

    threading.setprofile(note)
    sys.setprofile(note)
    measured = s3.ready(job)

    def run() -> None:
        measured()
        sys.setprofile(None)
        idle = [
            name
            for name, file in loaded.items()
            if file and file.endswith(".py") and file not in executed
        ]
        Path(job.details["out"]).write_text(json.dumps(idle), encoding="utf-8")

    return run

"""The function's first invocation in a new environment: it also loads the modules.

The start of Python and of the environment itself is not included; Lambda adds it.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.loaders import Job, s3


def ready(job: Job) -> Callable[[], None]:
    """Prepare the event and the environment, and load nothing."""
    s3.set_environment(job)
    details = job.details
    event = s3.notification(details["bucket"], details["key"], details["version"])
    return lambda: s3.invoke(event)

"""The function as in `s3`, in an environment that has imported a file before.

So the connection to Postgres and to S3 exist, and all modules are loaded.  The file before
has no rows.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.loaders import Job, s3


def ready(job: Job) -> Callable[[], None]:
    """Import a file without rows, and prepare one more invocation."""
    run = s3.ready(job)
    details = job.details
    key, version = details["empty_key"], details["empty_version"]
    s3.invoke(s3.notification(details["bucket"], key, version))
    return run

"""This project's function: one S3 event, one invocation of a warm environment.

A warm environment has an S3 client and a compiled report page, so both are made before the
measurement.  The connection to Postgres is part of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.loaders import Job

# Not imported from the sandbox, because that would also import moto.
REGION = "eu-central-1"
# More than in the template, so that a slow machine does not stop at a checkpoint.
TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Invocation:
    """The context that the Lambda runtime hands to a handler."""

    ends_at: float
    function_name: str = "salespro-importer"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = (
        f"arn:aws:lambda:{REGION}:123456789012:function:salespro"
    )
    aws_request_id: str = "4f4e3c5e-6a0f-4d0e-9d3c-0a3f5f2f4a1b"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the runtime would end the invocation."""
        return round((self.ends_at - time.monotonic()) * 1000)


def ready(job: Job) -> Callable[[], None]:
    """Prepare one invocation of the handler with the notification of an object."""
    set_environment(job)
    from handler import app  # noqa: PLC0415 -- after the environment it reads
    from salespro_core.report.html_report import render  # noqa: PLC0415 -- see above

    app.importer()
    render.template()
    details = job.details
    event = notification(details["bucket"], details["key"], details["version"])
    return lambda: invoke(event)


def set_environment(job: Job) -> None:
    """Set the variables of the function."""
    details = job.details
    os.environ |= {
        "DATABASE_URL": job.conninfo,
        "REPORT_BUCKET": details["reports"],
        "AWS_ENDPOINT_URL": details["endpoint"],
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": REGION,
        # A proxy would resolve localhost on another machine.
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def invoke(event: dict[str, Any]) -> None:
    """Invoke the handler with the notification of one object.

    Raises:
        RuntimeError: the file was refused.
    """
    from handler import app  # noqa: PLC0415 -- after the environment it reads

    context: Any = Invocation(time.monotonic() + TIMEOUT_S)
    answer = app.lambda_handler(event, context)
    [outcome] = answer["imports"]
    if outcome["error"] is not None:
        raise RuntimeError(outcome["error"])


def notification(bucket: str, key: str, version: str) -> dict[str, Any]:
    """The S3 event for an object."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": REGION,
                "eventTime": "2025-06-18T06:00:00.000Z",
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": {"key": key, "versionId": version},
                },
            }
        ]
    }

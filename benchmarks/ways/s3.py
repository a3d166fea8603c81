"""This project's function: one S3 event, one invocation of a warm environment.

What an environment makes once, the client of S3 and what writes the page of a report, is
made before the clock starts; the connection to Postgres after.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.ways import Job

# The sandbox has both of these; with it would come moto, and all that moto needs.
REGION = "eu-central-1"
# More than the template's: a slow machine is no reason to stop at a checkpoint.
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
    """Invoke the handler with the notification of an object."""
    details = job.details
    os.environ |= {
        "DATABASE_URL": job.conninfo,
        "REPORT_BUCKET": details["reports"],
        "AWS_ENDPOINT_URL": details["endpoint"],
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": REGION,
        # A proxy of this machine knows another localhost.
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    from handler import app  # noqa: PLC0415 -- after the environment it reads
    from handler.aws import report_store  # noqa: PLC0415 -- after the environment it reads

    app.importer()
    report_store.get_ready()
    event = notification(details["bucket"], details["key"], details["version"])

    def run() -> None:
        context: Any = Invocation(time.monotonic() + TIMEOUT_S)
        answer = app.lambda_handler(event, context)
        [done] = answer["imports"]
        if done["error"] is not None:
            raise RuntimeError(done["error"])

    return run


def notification(bucket: str, key: str, version: str) -> dict[str, Any]:
    """What S3 sends."""
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

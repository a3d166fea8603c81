"""moto's S3 on localhost, in a process of its own: `python -m benchmarks.harness.s3_server`."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from benchmarks.harness.child import environment
from salespro_cli.sandbox.local_aws import REGION

UPLOADS = "uploads"
REPORTS = "reports"


class S3Server:
    """An upload bucket and a report bucket."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="benchmark",
            aws_secret_access_key="benchmark",  # noqa: S106 -- any value works with moto
            config=Config(proxies={}),
        )
        for bucket in (UPLOADS, REPORTS):
            self._s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        self._s3.put_bucket_versioning(
            Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"}
        )
        self._known: dict[str, Mapping[str, str]] = {}

    def upload(self, path: Path, *, is_dry_run: bool = False) -> Mapping[str, str]:
        """Upload a file unless it is there, and return the `Job.details` for it."""
        key = f"dryrun/{path.name}" if is_dry_run else path.name
        if key not in self._known:
            with path.open("rb") as file:
                answer = self._s3.put_object(Bucket=UPLOADS, Key=key, Body=file)
            self._known[key] = {
                "endpoint": self._endpoint,
                "bucket": UPLOADS,
                "reports": REPORTS,
                "key": key,
                "version": answer["VersionId"],
            }
        return self._known[key]


@contextmanager
def run_s3_server() -> Iterator[S3Server]:
    """Start the server, and stop it at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.harness.s3_server"],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 -- a pipe
        try:
            yield S3Server(process.stdout.readline().strip())
        finally:
            process.terminate()


def main() -> None:
    """Serve until standard input closes, which happens even if the parent is killed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201 -- the parent reads it
    sys.stdin.read()


if __name__ == "__main__":
    main()

"""`make invoke EVENT=events/….json`: what is built, invoked once in Lambda's emulator.

S3 and SQS are moto's, with the sample exports under the keys of the sample events; the
database is that of DATABASE_URL, or the embedded one that `salespro` uses.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import boto3

from salespro_cli.local_postgres.database_url import database_url
from salespro_cli.sandbox import (
    LOCALHOST,
    REPORTS,
    UPLOADS,
    create_resources,
    local_aws,
)
from tools.emulator import ROOT, emulator
from tools.uploads import FILES

_OF_THE_CLOUD = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_SECRET_ACCESS_KEY",
    "no_proxy",
)


def main() -> None:
    """Invoke, and show the log, the answer and the reports."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("Name one event: make invoke EVENT=events/s3-put.json")
    try:
        event = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"{sys.argv[1]} is no event: {error}")
    with (
        database_url() as url,
        local_aws(LOCALHOST, 0),
        tempfile.TemporaryDirectory() as folder,
    ):
        s3 = boto3.client("s3")
        create_resources(s3, boto3.client("sqs"))
        for key, file in FILES.items():
            body = (ROOT / "events" / file).read_bytes()
            s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
        # As `local_aws` has set them; whatever else is in the environment stays here.
        environ = {name: os.environ[name] for name in _OF_THE_CLOUD}
        environ |= {"DATABASE_URL": url, "REPORT_BUCKET": REPORTS}
        with emulator(environ, Path(folder) / "log") as running:
            answer = running.invoke(event)
        sys.stderr.write(running.told)
        sys.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
        for found in s3.list_objects_v2(Bucket=REPORTS).get("Contents", []):
            if found["Key"].endswith("/report.txt"):
                report = s3.get_object(Bucket=REPORTS, Key=found["Key"])["Body"].read()
                sys.stdout.write("\n" + report.decode())


if __name__ == "__main__":
    main()

"""`make invoke EVENT=events/….json`: invoke the built function once in Lambda's emulator.

S3 and SQS are moto's, with the sample exports under the keys of the sample events; the
database is DATABASE_URL, or the embedded Postgres of `salespro`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import boto3

from salespro_cli.local_postgres.database_url import database_url
from salespro_cli.sandbox.local_aws import (
    LOCALHOST,
    REPORTS,
    UPLOADS,
    create_resources,
    listen,
    local_aws,
)
from tools.emulator import ROOT, emulator
from tools.uploads import FILES

_AWS_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_SECRET_ACCESS_KEY",
    "no_proxy",
)


def main() -> None:
    """Invoke, and print the log, the response and the reports."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("Name one event file: make invoke EVENT=events/s3-put.json")
    try:
        event = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"{sys.argv[1]} cannot be read as JSON: {error}")
    with (
        database_url() as url,
        local_aws(listen(LOCALHOST, 0)),
        tempfile.TemporaryDirectory() as folder,
    ):
        s3 = boto3.client("s3")
        create_resources(s3, boto3.client("sqs"))
        for key, file in FILES.items():
            body = (ROOT / "events" / file).read_bytes()
            s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
        # Only the variables that `local_aws` has set; not the rest of the environment.
        environ = {name: os.environ[name] for name in _AWS_VARIABLES}
        environ |= {"DATABASE_URL": url, "REPORT_BUCKET": REPORTS}
        with emulator(environ, Path(folder) / "log") as running:
            response = running.invoke(event)
        sys.stderr.write(running.output)
        sys.stdout.write(json.dumps(response, indent=2, ensure_ascii=False) + "\n")
        for object_ in s3.list_objects_v2(Bucket=REPORTS).get("Contents", []):
            if object_["Key"].endswith("/report.txt"):
                report = s3.get_object(Bucket=REPORTS, Key=object_["Key"])[
                    "Body"
                ].read()
                sys.stdout.write("\n" + report.decode())


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Try a deployed stack: run its check, upload a sample to dryrun/, wait for the report.

    python3 deploy/try_stack.py salespro-staging

Nothing is imported: a dry run writes a report and no rows. It exits with 1 and one line on
stderr if something is wrong. It needs boto3 and the permissions `try` of deploy-role.yaml.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SAMPLE = Path(__file__).resolve().parents[1] / "events" / "SalesPro2025-06-18.csv"
SAMPLE_ROWS = 2374
POLL_S = 2.0


class StackFailed(Exception):
    """The stack does not do what it should; the text says what and what to do."""


def main() -> None:
    """Run the steps, and print one line for each."""
    parser = argparse.ArgumentParser(description="Try a deployed stack with a dry run.")
    parser.add_argument("stack", help="name of the stack")
    parser.add_argument(
        "--migrate",
        action="store_true",
        help="first let the function create or update its tables",
    )
    parser.add_argument(
        "--prefix", default="", help="UploadPrefix of the stack, if it has one"
    )
    parser.add_argument(
        "--timeout", type=float, default=300, help="seconds to wait for the report"
    )
    given = parser.parse_args()
    try:
        outputs = stack_outputs(given.stack)
        if given.migrate:
            invoke(outputs["FunctionName"], {"action": "migrate"})
        check = {"action": "check", "bucket": outputs["UploadBucket"]}
        invoke(outputs["FunctionName"], check)
        dry_run(
            outputs["UploadBucket"],
            outputs["ReportBucket"],
            prefix=given.prefix,
            timeout_s=given.timeout,
        )
    except StackFailed as error:
        sys.exit(f"{given.stack}: {error}")
    except KeyError as error:
        sys.exit(f"{given.stack} has no output {error}: deploy the current template.")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"{given.stack}: {error}")


def stack_outputs(stack: str) -> dict[str, str]:
    """Name -> value of the stack's outputs."""
    stacks = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {
        each["OutputKey"]: each["OutputValue"] for each in stacks[0].get("Outputs", [])
    }


def invoke(function: str, event: dict[str, str]) -> None:
    """Run an action of the function.

    Raises:
        StackFailed: its answer is not ok.
    """
    # A migration may take the function's whole timeout, and must not be sent twice.
    config = Config(read_timeout=310, retries={"total_max_attempts": 1})
    response = boto3.client("lambda", config=config).invoke(
        FunctionName=function, Payload=json.dumps(event).encode()
    )
    answer: Any = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        raise StackFailed(f"{event['action']} failed: {answer.get('errorMessage')}")
    if not answer["ok"]:
        problems = [
            f"{problem['says']}: {problem['remedy']}"
            for check in answer.get("checks", [])
            for problem in check["problems"]
        ] or [f"{answer.get('says')} {answer.get('remedy', '')}"]
        raise StackFailed(f"{event['action']} is not ok: {'; '.join(problems)}")
    sys.stdout.write(f"{event['action']}: ok\n")


def dry_run(
    uploads: str, reports: str, *, prefix: str = "", timeout_s: float = 300
) -> None:
    """Upload the sample to `dryrun/`, and wait for its report.

    Raises:
        StackFailed: no report in time, or its counts are not those of the sample.
    """
    s3 = boto3.client("s3")
    # A new key for each try, so that the report is that of this one.
    key = f"dryrun/{prefix}try-{uuid.uuid4()}.csv"
    uploaded = s3.put_object(
        Bucket=uploads, Key=key, Body=SAMPLE.read_bytes(), ContentType="text/csv"
    )
    version = uploaded.get("VersionId") or uploaded["ETag"].strip('"')
    address = {"Bucket": reports, "Key": f"{key}/{version}/report.json"}
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            report = json.loads(s3.get_object(**address)["Body"].read())
            break
        except s3.exceptions.NoSuchKey:
            if time.monotonic() >= give_up_at:
                raise StackFailed(
                    f"s3://{uploads}/{key} has no report after {timeout_s:.0f} s: look "
                    "at the function's log, and at the dead-letter queue"
                ) from None
            time.sleep(POLL_S)
    counted = report["processed"], report["rejected"]
    if not report["dry_run"] or counted != (SAMPLE_ROWS, 0):
        raise StackFailed(
            f"the dry run counted {counted[0]} rows and {counted[1]} rejected ones, but "
            f"the sample has {SAMPLE_ROWS} and none: see s3://{reports}/{address['Key']}"
        )
    sys.stdout.write(f"dry run: ok, {SAMPLE_ROWS:,} rows\n")


if __name__ == "__main__":
    main()

"""The product on localhost: S3 and SQS of moto, an embedded Postgres, the real handler."""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import boto3
import click
from moto.server import ThreadedMotoServer

from salespro_cli.local_postgres.container_access import (
    grant_container_access,
    local_address,
)
from salespro_cli.local_postgres.database_url import (
    database_url,
    describe_database,
    has_database_url,
)
from salespro_cli.output.terminal import echo_lines
from salespro_core.postgres import connection

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

UPLOADS = "salespro-uploads"
REPORTS = "salespro-reports"
LOCALHOST = "127.0.0.1"
TIMEOUT_S = 300
REGION: Final = "eu-central-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The context object that the Lambda runtime passes to a handler."""

    function_name: str = "salespro-importer"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = (
        f"arn:aws:lambda:{REGION}:123456789012:function:salespro"
    )
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deadline: float = field(default_factory=lambda: time.monotonic() + TIMEOUT_S)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out."""
        return max(0, round((self.deadline - time.monotonic()) * 1000))


def run_sandbox(port: int, *, host: str = LOCALHOST, has_function: bool = True) -> None:
    """Serve until interrupted; see `salespro sandbox --help`.

    Args:
        port: of S3 and SQS.
        host: address on which they listen; if it is not localhost, the embedded Postgres
            listens there too.
        has_function: false if a function elsewhere, such as in a container, processes
            the uploads.

    Raises:
        click.ClickException: a port is in use.
        StoreUnavailable, StoreRefused: the database cannot be reached or used.
        EmbeddedPostgresError: the embedded Postgres did not start.
    """
    listens_to_others = host != LOCALHOST
    with (
        database_url(host=host if listens_to_others else None) as url,
        local_aws(host, port) as endpoint,
    ):
        with connection.connect(url) as conn:
            if listens_to_others and not has_database_url():
                grant_container_access(conn, host)
        # Before DATABASE_URL is set to the conninfo of the embedded Postgres.
        database = describe_database()
        os.environ |= {
            "DATABASE_URL": url,
            "REPORT_BUCKET": REPORTS,
            "UPLOAD_BUCKETS": UPLOADS,
        }
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        queue_url = create_resources(s3, sqs)
        echo_lines(_welcome_text(endpoint, has_function=has_function))
        try:
            while True:
                if has_function:
                    process_one_message(s3, sqs, queue_url)
                else:
                    time.sleep(1)
        except KeyboardInterrupt:
            echo_lines(f"\nThe sandbox has ended. Its rows are still in {database}.")


@contextmanager
def local_aws(host: str, port: int) -> Iterator[str]:
    """Run S3 and SQS on this machine, set the environment for boto3, yield the endpoint.

    Raises:
        click.ClickException: the port is in use.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        # The server of moto binds the port in a thread, where its error would be lost.
        socket.create_server((host, port)).close()
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used ({os.strerror(error.errno or 0)}): "
            "choose another port with --port."
        ) from None
    server = ThreadedMotoServer(host, port, verbose=False)
    server.start()
    endpoint = f"http://{local_address(host)}:{server.get_host_and_port()[1]}"
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": REGION,
        # Through a proxy, localhost would be the proxy's machine.
        "no_proxy": local_address(host),
    }
    try:
        yield endpoint
    finally:
        server.stop()


def create_resources(s3: S3Client, sqs: SQSClient) -> str:
    """Create the buckets and the queue of template.yaml; return the URL of the queue."""
    for bucket in (UPLOADS, REPORTS):
        s3.create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
        )
    queue_url = sqs.create_queue(
        QueueName=UPLOADS, Attributes={"VisibilityTimeout": str(6 * TIMEOUT_S)}
    )["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    s3.put_bucket_notification_configuration(
        Bucket=UPLOADS,
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "QueueArn": arn["Attributes"]["QueueArn"],
                    "Events": ["s3:ObjectCreated:*"],
                }
            ]
        },
    )
    return queue_url


def process_one_message(s3: S3Client, sqs: SQSClient, queue_url: str) -> int:
    """Pass the next message of the queue to the handler, as the Lambda service does.

    Returns:
        The number of messages that were processed and deleted; a failed one comes again.
    """
    # Imported here: the handler reads the environment that the sandbox sets.
    from handler.app import lambda_handler  # noqa: PLC0415

    answer = sqs.receive_message(
        QueueUrl=queue_url,
        WaitTimeSeconds=1,
        AttributeNames=["All"],
        MaxNumberOfMessages=1,
    )
    arn = f"arn:aws:sqs:{REGION}:123456789012:{UPLOADS}"
    done = 0
    for message in answer.get("Messages", []):
        before = _report_keys(s3)
        event = {"Records": [_sqs_record(dict(message), arn)]}
        response = lambda_handler(event, cast("LambdaContext", Invocation()))
        if not response["batchItemFailures"]:
            sqs.delete_message(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
            done += 1
        for key in sorted(_report_keys(s3) - before):
            body = s3.get_object(Bucket=REPORTS, Key=key)["Body"].read()
            # The key has no line end: see `folder_names`.
            echo_lines(f"\n{body.decode()}s3://{REPORTS}/{key}\n")
    return done


def _sqs_record(message: dict[str, Any], arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }


def _report_keys(s3: S3Client) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=REPORTS)
    return {
        item["Key"]
        for page in pages
        for item in page.get("Contents", [])
        if item["Key"].endswith("/report.txt")
    }


def _welcome_text(endpoint: str, *, has_function: bool) -> str:
    function = "the function waits for uploads" if has_function else "no function runs"
    return f"""\
S3 and SQS listen on {endpoint}, Postgres is up, and {function}.

To upload a file to the bucket, in another terminal:
    curl -T events/SalesPro2025-06-18.csv {endpoint}/{UPLOADS}/SalesPro2025-06-18.csv
or, with the AWS CLI (any credentials work):
    export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox AWS_DEFAULT_REGION={REGION}
    aws --endpoint-url {endpoint} s3 cp events/SalesPro2025-06-18.csv s3://{UPLOADS}/
To see what an import would change, without importing:
    curl -T events/SalesPro2025-06-18.csv {endpoint}/{UPLOADS}/dryrun/SalesPro2025-06-18.csv
To see the imports and their rows:
    salespro history
    salespro psql

Ctrl-C ends it.
"""

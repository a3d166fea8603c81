"""The product on localhost: moto's S3 and SQS, an embedded Postgres, the real handler."""

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

from salespro_cli.local_postgres.container_access import let_containers_in, reachable
from salespro_cli.local_postgres.database_url import (
    database_url,
    describe_database,
    is_given,
)
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
    """The context that the Lambda runtime hands to a handler."""

    function_name: str = "salespro-importer"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = (
        f"arn:aws:lambda:{REGION}:123456789012:function:salespro"
    )
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deadline: float = field(default_factory=lambda: time.monotonic() + TIMEOUT_S)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the runtime would end the invocation."""
        return max(0, round((self.deadline - time.monotonic()) * 1000))


def run_sandbox(port: int, *, host: str = LOCALHOST, has_function: bool = True) -> None:
    """Serve until interrupted; see `salespro sandbox --help`.

    Args:
        port: of S3 and SQS.
        host: what they listen on, and the embedded Postgres unless it is localhost.
        has_function: false leaves the uploads to another, such as one in a container.

    Raises:
        click.ClickException: the port is taken.
        StoreUnavailable, StoreRefused: DATABASE_URL leads nowhere.
        EmbeddedPostgresError: the embedded Postgres did not start.
    """
    is_open = host != LOCALHOST
    with (
        database_url(host=host if is_open else None) as url,
        cloud(host, port) as endpoint,
    ):
        with connection.connect(url) as conn:
            if is_open and not is_given():
                let_containers_in(conn, host)
        # Before DATABASE_URL is set, which may then have a password.
        described = describe_database()
        os.environ |= {"DATABASE_URL": url, "REPORT_BUCKET": REPORTS}
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        queue_url = set_up(s3, sqs)
        click.echo(_welcome(endpoint, has_function=has_function))
        try:
            while True:
                if has_function:
                    serve_once(s3, sqs, queue_url)
                else:
                    time.sleep(1)
        except KeyboardInterrupt:
            click.echo(f"\nThe sandbox is closed; its rows are kept in {described}.")


@contextmanager
def cloud(host: str, port: int) -> Iterator[str]:
    """S3 and SQS on this machine, and an environment in which boto3 finds only them.

    Raises:
        click.ClickException: the port is taken.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        # moto's server would find out in a thread of its own, and never say.
        socket.create_server((host, port)).close()
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be had ({os.strerror(error.errno or 0)}); "
            "choose another with --port."
        ) from None
    server = ThreadedMotoServer(host, port, verbose=False)
    server.start()
    endpoint = f"http://{reachable(host)}:{server.get_host_and_port()[1]}"
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": REGION,
        # A proxy of this machine knows another localhost.
        "no_proxy": reachable(host),
    }
    try:
        yield endpoint
    finally:
        server.stop()


def set_up(s3: S3Client, sqs: SQSClient) -> str:
    """Make the buckets and the queue of the template, and return the queue's URL."""
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


def serve_once(s3: S3Client, sqs: SQSClient, queue_url: str) -> int:
    """Hand what is in the queue to the handler, as the Lambda service does.

    Returns:
        How many messages are done; the others come again.
    """
    # Imported late: the handler's settings are those that the sandbox has made.
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
        before = _reports(s3)
        event = {"Records": [_record(dict(message), arn)]}
        response = lambda_handler(event, cast("LambdaContext", Invocation()))
        if not response["batchItemFailures"]:
            sqs.delete_message(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
            done += 1
        for key in sorted(_reports(s3) - before):
            body = s3.get_object(Bucket=REPORTS, Key=key)["Body"].read()
            click.echo(f"\n{body.decode()}s3://{REPORTS}/{key}\n")
    return done


def _record(message: dict[str, Any], arn: str) -> dict[str, Any]:
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


def _reports(s3: S3Client) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=REPORTS)
    return {
        found["Key"]
        for page in pages
        for found in page.get("Contents", [])
        if found["Key"].endswith("/report.txt")
    }


def _welcome(endpoint: str, *, has_function: bool) -> str:
    waits = "the function waits for uploads" if has_function else "no function runs"
    return f"""\
S3 and SQS listen on {endpoint}, Postgres is up, and {waits}.

Drop a file in the bucket, from another terminal:
    curl -T events/SalesPro2025-06-18.csv {endpoint}/{UPLOADS}/SalesPro2025-06-18.csv
or, with the AWS CLI (any credentials do):
    export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox AWS_DEFAULT_REGION={REGION}
    aws --endpoint-url {endpoint} s3 cp events/SalesPro2025-06-18.csv s3://{UPLOADS}/
Only report what it would do:
    curl -T events/SalesPro2025-06-18.csv {endpoint}/{UPLOADS}/dryrun/SalesPro2025-06-18.csv
See what was imported:
    salespro history
    salespro psql

Ctrl-C ends it.
"""

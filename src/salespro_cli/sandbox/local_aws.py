"""S3 and SQS of moto on this machine, with the buckets and the queue of template.yaml."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click
from moto.server import ThreadedMotoServer

from salespro_cli.local_postgres.container_access import local_address

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

UPLOADS = "salespro-uploads"
REPORTS = "salespro-reports"
LOCALHOST = "127.0.0.1"
TIMEOUT_S = 300
REGION: Final = "eu-central-1"


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

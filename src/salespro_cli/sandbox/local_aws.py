"""S3 and SQS of moto on this machine, with the buckets and the queue of template.yaml."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Final
from wsgiref.types import WSGIApplication

import click
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from salespro_cli.local_postgres.container_access import local_address

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

UPLOADS = "salespro-uploads"
REPORTS = "salespro-reports"
LOCALHOST = "127.0.0.1"
TIMEOUT_S = 300
REGION: Final = "eu-central-1"


def listen(host: str, port: int) -> socket.socket:
    """Take the port; clients wait until `local_aws` serves them.

    Args:
        host: address on which to listen.
        port: 0 takes any free port.

    Raises:
        click.ClickException: the port is taken, or the host is not of this machine, or
            cannot be a name of one.
    """
    # Not by werkzeug, which prints its own message and ends the process.
    try:
        return socket.create_server((host, port))
    except TypeError:  # it cannot be encoded as the name of a host
        cause = "Not the name of a host"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"Port {port} is taken: choose another with --port."
            raise click.ClickException(message) from None
        # `create_server` appends the address to the text.
        cause = str(error.strerror).partition(" (")[0]
    raise click.ClickException(
        f"The sandbox cannot listen on {host}, port {port} ({cause}): "
        "choose another --host or --port."
    )


@contextmanager
def local_aws(
    listener: socket.socket,
    wrap: Callable[[WSGIApplication], WSGIApplication] = lambda moto: moto,
) -> Iterator[str]:
    """Run S3 and SQS on this machine, set the environment for boto3, yield the endpoint.

    Args:
        listener: see `listen`.
        wrap: puts an application in front of moto's; called with boto3 configured.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    host, port = listener.getsockname()
    address = local_address(host)
    endpoint = f"http://{address}:{port}"
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": REGION,
        # Through a proxy, localhost would be the proxy's machine.
        "no_proxy": address,
    }
    server = make_server(
        host,
        port,
        wrap(DomainDispatcherApplication(create_backend_app)),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=listener.fileno(),
    )
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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

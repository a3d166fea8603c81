"""What `salespro import s3://bucket/key` reads: an object, as the function reads it.

A module of its own, for boto3 takes as long to be imported as all the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BufferedReader
from typing import BinaryIO

import boto3
import click
from botocore.exceptions import BotoCoreError

from handler.aws.s3_object import CLIENT, ObjectStream
from handler.events import Notification
from salespro_core.errors import ObjectGone, ObjectUnavailable
from salespro_core.model.upload import Upload


@contextmanager
def opened_object(uri: str) -> Iterator[tuple[Upload, BinaryIO]]:
    """The object and its bytes, from the start.

    Raises:
        click.ClickException: there is no such object, or AWS is not set up here.
        ObjectRefused, ObjectUnavailable: S3 does not give the object.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise click.ClickException(f"An object is named s3://bucket/key, not {uri}")
    notification = Notification(
        bucket=bucket,
        object_key=key,
        version_id=None,
        etag=None,
        size_bytes=None,
        sequencer=None,
    )
    try:
        stream = ObjectStream(boto3.client("s3", config=CLIENT), notification)
    except (BotoCoreError, ValueError) as error:  # no such profile, no URL for endpoint
        raise click.ClickException(f"AWS is not set up here: {error}") from None
    except ObjectGone:
        raise click.ClickException(f"Object not found: {uri}") from None
    except ObjectUnavailable as error:
        if isinstance(error.__cause__, BotoCoreError):  # no credentials, no connection
            raise click.ClickException(
                f"S3 could not be asked for {uri}: {error.__cause__}"
            ) from None
        raise
    with closing(stream):
        yield stream.upload, BufferedReader(stream)

"""The input of `salespro import s3://bucket/key`, read as the function reads it.

A separate module, because boto3 takes as long to import as everything else together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BufferedReader
from typing import BinaryIO

import click
from botocore.exceptions import BotoCoreError

from handler.aws.s3_object import ObjectStream
from handler.events import Notification
from salespro_cli.aws import s3_client
from salespro_core.errors import ObjectGone, ObjectUnavailable
from salespro_core.model.object_key import loggable, reason_not_storable
from salespro_core.model.upload import Upload

_VALID_S = 600


def presigned_url(uri: str) -> str:
    """A link to the object, which opens it without credentials for ten minutes.

    Raises:
        click.ClickException, ObjectRefused, ObjectUnavailable: as `open_object`.
    """
    with open_object(uri) as (upload, _):
        parameters = {"Bucket": upload.bucket, "Key": upload.object_key}
    url: str = s3_client().generate_presigned_url(
        "get_object", Params=parameters, ExpiresIn=_VALID_S
    )
    return url


@contextmanager
def open_object(uri: str) -> Iterator[tuple[Upload, BinaryIO]]:
    """The upload and the stream of its bytes, closed when the context ends.

    Raises:
        click.ClickException: the object does not exist, S3 cannot be reached, or AWS is
            not configured.
        ObjectRefused, ObjectUnavailable: S3 refuses, or fails, to return the object.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise click.ClickException(f"Name the object as s3://bucket/key, not {uri}")
    if reason := reason_not_storable(key):
        raise click.ClickException(
            f"{loggable(uri)} was not imported: {reason}. No object has such a key: check "
            "the name, and whether the terminal or the script writes UTF-8."
        )
    notification = Notification(
        bucket=bucket,
        object_key=key,
        version_id=None,
        etag=None,
        size_bytes=None,
        sequencer=None,
    )
    try:
        stream = ObjectStream(s3_client(), notification)
    except ObjectGone:
        raise click.ClickException(f"Object not found: {uri}") from None
    except ObjectUnavailable as error:
        if isinstance(error.__cause__, BotoCoreError):  # no credentials, no connection
            raise click.ClickException(
                f"S3 could not be reached for {uri}: {error.__cause__}"
            ) from None
        raise
    with closing(stream):
        yield stream.upload, BufferedReader(stream)

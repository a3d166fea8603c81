"""What `salespro import` was pointed at: a local file or an object in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import boto3
import click
from botocore.exceptions import BotoCoreError

from handler.notifications import Notification
from handler.objects import CLIENT, ObjectStream
from salespro_core.uploads import Upload


@contextmanager
def opened(name: str) -> Iterator[tuple[Upload, BinaryIO]]:
    """The file and its bytes, from the start.

    Raises:
        click.ClickException: there is no such file, or it may not be read.
        ObjectGone, ObjectRefused, ObjectUnavailable: S3 does not give the object.
    """
    if name.startswith("s3://"):
        with _object(name) as source:
            yield source
        return
    path = Path(name)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise click.ClickException(f"File not found: {name}") from None
    except IsADirectoryError:
        raise click.ClickException(f"This is a folder, not a file: {name}") from None
    except OSError as error:
        raise click.ClickException(f"{error.strerror}: {name}") from None
    with file:
        stat = path.stat()
        yield (
            Upload(
                bucket=None,
                object_key=name,
                version=None,
                uploaded_at=datetime.fromtimestamp(stat.st_mtime, UTC),
                size_bytes=stat.st_size,
            ),
            file,
        )


@contextmanager
def _object(uri: str) -> Iterator[tuple[Upload, BinaryIO]]:
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
    except BotoCoreError as error:  # no region, no such profile
        raise click.ClickException(f"AWS is not set up here: {error}") from None
    with closing(stream):
        yield stream.upload, BufferedReader(stream)

"""What `salespro import` was pointed at: a local file or an object in a bucket."""

from __future__ import annotations

import os
import stat
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
from salespro_core.errors import ObjectGone, ObjectUnavailable
from salespro_core.uploads import Upload


@contextmanager
def opened(name: str) -> Iterator[tuple[Upload, BinaryIO]]:
    """The file and its bytes, from the start.

    Raises:
        click.ClickException: there is no such file or object, or it may not be read.
        ObjectRefused, ObjectUnavailable: S3 does not give the object.
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
        found = os.fstat(file.fileno())
        yield (
            Upload(
                bucket=None,
                # A name is any bytes; what is no UTF-8 could not be noted in the history.
                object_key=os.fsencode(name).decode(errors="replace"),
                version=None,
                uploaded_at=datetime.fromtimestamp(found.st_mtime, UTC),
                # A pipe has no size.
                size_bytes=found.st_size if stat.S_ISREG(found.st_mode) else None,
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

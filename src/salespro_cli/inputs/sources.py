"""The input of `salespro import`: a local file, standard input or an S3 object."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from salespro_cli.inputs.name_time import upload_time
from salespro_core.model.upload import Upload

STDIN = "-"
# Its name in the history and in reports.
STDIN_NAME = "stdin"


@contextmanager
def open_source(name: str) -> Iterator[tuple[Upload, BinaryIO]]:
    """The upload and the stream of its bytes, closed when the context ends.

    Args:
        name: a path, `-` or `s3://bucket/key`.

    Raises:
        click.ClickException: the file or object does not exist, or cannot be read.
        ObjectRefused, ObjectUnavailable: S3 refuses, or fails, to return the object.
    """
    if name == STDIN:
        if sys.stdin is None:  # as cron or a daemon may start a command
            raise click.ClickException(
                "Standard input is closed. Name a file, or pipe one into this command."
            )
        # Not closed: it belongs to the process.
        yield _local_upload(STDIN_NAME, os.fstat(sys.stdin.fileno())), sys.stdin.buffer
        return
    if name.startswith("s3://"):
        # Imported here: boto3 takes long to load, and a file does not need it.
        from salespro_cli.inputs.s3_source import open_object  # noqa: PLC0415 -- slow to import; most commands do not need it

        with open_object(name) as source:
            yield source
        return
    if not name:
        raise click.ClickException("File not found: the name is empty")
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
        # Without "..", but links as they are.
        absolute = os.path.abspath(path)  # noqa: PTH100 -- a link stays as it is
        yield _local_upload(name, os.fstat(file.fileno()), absolute), file


def local_upload_time(name: str, status: os.stat_result) -> datetime:
    """When a local file was exported; it decides which of two users exports is newer."""
    now = datetime.now(UTC)
    if not stat.S_ISREG(status.st_mode):  # a pipe, which is written now
        return now
    return upload_time(
        Path(name).name, datetime.fromtimestamp(status.st_mtime, UTC), now
    )


def _local_upload(name: str, status: os.stat_result, path: str | None = None) -> Upload:
    return Upload(
        bucket=None,
        object_key=_as_utf8(name),
        version=None,
        uploaded_at=local_upload_time(name, status),
        # A pipe has no size.
        size_bytes=status.st_size if stat.S_ISREG(status.st_mode) else None,
        path=path and _as_utf8(path),
    )


def _as_utf8(name: str) -> str:
    # A file name may be any bytes; the history stores only valid UTF-8.
    return os.fsencode(name).decode(errors="replace")

"""The input of `salespro import`: a local file or an S3 object."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from salespro_core.model.upload import Upload


@contextmanager
def open_source(name: str) -> Iterator[tuple[Upload, BinaryIO]]:
    """The upload and the stream of its bytes, closed when the context ends.

    Args:
        name: a path, or `s3://bucket/key`.

    Raises:
        click.ClickException: the file or object does not exist, or cannot be read.
        ObjectRefused, ObjectUnavailable: S3 refuses, or fails, to return the object.
    """
    if name.startswith("s3://"):
        # Imported here: boto3 takes long to load, and a file does not need it.
        from salespro_cli.inputs.s3_source import open_object  # noqa: PLC0415

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
        status = os.fstat(file.fileno())
        yield (
            Upload(
                bucket=None,
                object_key=_as_utf8(name),
                version=None,
                uploaded_at=datetime.fromtimestamp(status.st_mtime, UTC),
                # A pipe has no size.
                size_bytes=status.st_size if stat.S_ISREG(status.st_mode) else None,
                path=_as_utf8(os.path.abspath(path)),  # noqa: PTH100 -- without ".."
            ),
            file,
        )


def _as_utf8(name: str) -> str:
    # A file name may be any bytes; the history stores only valid UTF-8.
    return os.fsencode(name).decode(errors="replace")

"""What `salespro import` was pointed at: a local file or an object in a bucket."""

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
def opened(name: str) -> Iterator[tuple[Upload, BinaryIO]]:
    """The file and its bytes, from the start.

    Raises:
        click.ClickException: there is no such file or object, or it may not be read.
        ObjectRefused, ObjectUnavailable: S3 does not give the object.
    """
    if name.startswith("s3://"):
        # Imported here: boto3 is heavy, and a file does without it.
        from salespro_cli.inputs.s3_source import opened_object  # noqa: PLC0415

        with opened_object(name) as source:
            yield source
        return
    if not name:
        raise click.ClickException("File not found: (no name was given)")
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

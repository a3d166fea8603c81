"""The objects of a prefix such as `s3://bucket/june/`, with their upload times.

A separate module, because boto3 takes as long to import as everything else together.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

import click
from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.error_codes import Cause
from handler.aws.errors import failure_of
from salespro_cli.aws import s3_client


class ListedObject(NamedTuple):
    """An object of a bucket."""

    uri: str
    uploaded_at: datetime


def list_objects(uri: str) -> list[ListedObject]:
    """All objects below a prefix, or those that match a pattern; folders are left out.

    Args:
        uri: `s3://bucket/prefix/`, or with `*` for any characters but a slash and `**`
            for any characters.

    Raises:
        click.ClickException: S3 refuses the list, cannot be reached, or is not configured.
    """
    bucket, _, pattern = uri.removeprefix("s3://").partition("/")
    if not bucket or "*" in bucket:
        raise click.ClickException(f"Name a folder as s3://bucket/prefix/, not {uri}")
    prefix = pattern.partition("*")[0]
    matching = _compile(pattern)
    try:
        pages = s3_client().get_paginator("list_objects_v2")
        return [
            ListedObject(f"s3://{bucket}/{found['Key']}", found["LastModified"])
            for page in pages.paginate(Bucket=bucket, Prefix=prefix)
            for found in page.get("Contents", [])
            if matching.fullmatch(found["Key"]) and not found["Key"].endswith("/")
        ]
    except ClientError as error:
        failure = failure_of(error, "s3:ListBucket on the bucket")
        fix = "try again" if failure.cause is Cause.PASSING else failure.fix
        raise click.ClickException(
            f"S3 does not list {uri} ({failure.code}): {fix}."
        ) from None
    except (BotoCoreError, ValueError) as error:
        raise click.ClickException(
            f"S3 could not be reached for {uri}: {error}"
        ) from None


def object_upload_time(uri: str) -> datetime | None:
    """LastModified of an object; None if S3 does not say it, as opening it then tells."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        return s3_client().head_object(Bucket=bucket, Key=key)["LastModified"]
    except (BotoCoreError, ClientError, ValueError, click.ClickException):
        return None


def _compile(pattern: str) -> re.Pattern[str]:
    """A pattern for keys; without `*`, the prefix of all keys."""
    if "*" not in pattern:
        return re.compile(re.escape(pattern) + ".*", re.DOTALL)
    parts = re.split(r"(\*+)", pattern)
    wild = {"*": "[^/]*"}
    return re.compile(
        "".join(
            wild.get(part, ".*") if part.startswith("*") else re.escape(part)
            for part in parts
        ),
        re.DOTALL,
    )

"""The objects of a bucket in all of their versions, and which of them are gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from handler.aws.errors import aws_errors
from handler.events import Notification
from salespro_core.model.upload import version_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of an object, as it is listed.

    Attributes:
        is_gone: it was deleted since, or cannot be asked for any more.
    """

    notification: Notification
    uploaded_at: datetime
    is_gone: bool

    @property
    def identity(self) -> tuple[str, str]:
        """Key and version, as in `Upload` and in the history."""
        known = self.notification
        version = version_of(known.version_id, known.etag or "", self.uploaded_at)
        return known.object_key, version


def pages_of_versions(
    s3: S3Client, bucket: str, page_size: int
) -> Iterator[list[Version]]:
    """The versions of all objects, by key; those of one key the newest first.

    Args:
        s3: may list the versions.
        bucket: with or without versioning.
        page_size: objects that are listed and in memory at once, at most 1000.

    Raises:
        ObjectUnavailable, ObjectRefused: S3 does not list them.
    """
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": page_size}
    )
    deleted_at: dict[str, datetime] = {}
    with aws_errors(f"listing s3://{bucket}", "s3:ListBucketVersions on the bucket"):
        for page in pages:
            for marker in page.get("DeleteMarkers", []):
                _note_deletion(deleted_at, marker)
            versions = [
                _version(bucket, found, deleted_at)
                for found in page.get("Versions", [])
            ]
            yield versions
            # A page may end amid the versions of one object, and all others are done.
            last = page.get("NextKeyMarker", "")
            deleted_at = {key: at for key, at in deleted_at.items() if key == last}


def _note_deletion(deleted_at: dict[str, datetime], marker: Mapping[str, Any]) -> None:
    """Note the newest mark of a deletion; what is older than it was deleted."""
    key, at = marker["Key"], marker["LastModified"]
    if marker["IsLatest"]:
        # All of its versions are older, those of the same second too.
        at = datetime.max.replace(tzinfo=UTC)
    deleted_at[key] = max(at, deleted_at.get(key, at))


def _version(
    bucket: str, found: Mapping[str, Any], deleted_at: Mapping[str, datetime]
) -> Version:
    key, at, version_id = found["Key"], found["LastModified"], found["VersionId"]
    # S3 has seconds: of an upload and a deletion in one of them the upload may be later.
    is_deleted = key in deleted_at and at < deleted_at[key] and not found["IsLatest"]
    # Without a version id only the newest can be asked for.
    is_replaced = version_id == "null" and not found["IsLatest"]
    return Version(
        notification=Notification(
            bucket=bucket,
            object_key=key,
            version_id=None if version_id == "null" else version_id,
            etag=found["ETag"].strip('"'),
            size_bytes=found["Size"],
            sequencer=None,
        ),
        uploaded_at=at,
        is_gone=is_deleted or is_replaced,
    )

"""All versions of the objects in a bucket, and which of them can still be read."""

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
    """One version of an object, as listed by S3.

    Attributes:
        is_gone: it was deleted or replaced, and must not be imported any more.
    """

    notification: Notification
    uploaded_at: datetime
    is_gone: bool

    @property
    def identity(self) -> tuple[str, str]:
        """Object key and version, as in `Upload` and in the history."""
        object_ = self.notification
        version = version_of(object_.version_id, object_.etag or "", self.uploaded_at)
        return object_.object_key, version


def pages_of_versions(
    s3: S3Client, bucket: str, page_size: int, *, prefix: str = ""
) -> Iterator[list[Version]]:
    """List the versions of the objects, by key, and within a key from new to old.

    Args:
        s3: its credentials allow s3:ListBucketVersions.
        bucket: with or without versioning.
        page_size: objects per request, at most 1000; one page is in memory at once.
        prefix: of the keys; empty for all objects.

    Raises:
        ObjectUnavailable, ObjectRefused: S3 did not return a page.
    """
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": page_size}
    )
    deleted_at: dict[str, datetime] = {}
    with aws_errors(f"listing s3://{bucket}", "s3:ListBucketVersions on the bucket"):
        for page in pages:
            for marker in page.get("DeleteMarkers", []):
                _note_deletion(deleted_at, marker)
            versions = [
                _version(bucket, listed, deleted_at)
                for listed in page.get("Versions", [])
            ]
            yield versions
            # Only the last key of a page can continue on the next page.
            last = page.get("NextKeyMarker", "")
            deleted_at = {key: at for key, at in deleted_at.items() if key == last}


def _note_deletion(deleted_at: dict[str, datetime], marker: Mapping[str, Any]) -> None:
    """Note the time of a key's newest delete marker; older versions are deleted."""
    key, at = marker["Key"], marker["LastModified"]
    if marker["IsLatest"]:
        # All versions are older than the latest marker, even those of the same second.
        at = datetime.max.replace(tzinfo=UTC)
    deleted_at[key] = max(at, deleted_at.get(key, at))


def _version(
    bucket: str, listed: Mapping[str, Any], deleted_at: Mapping[str, datetime]
) -> Version:
    key, at, version_id = listed["Key"], listed["LastModified"], listed["VersionId"]
    # S3 lists whole seconds: within the second of a deletion, the upload may be the newer.
    is_deleted = key in deleted_at and at < deleted_at[key] and not listed["IsLatest"]
    # An object without a version id can only be read while it is the latest.
    is_replaced = version_id == "null" and not listed["IsLatest"]
    return Version(
        notification=Notification(
            bucket=bucket,
            object_key=key,
            version_id=None if version_id == "null" else version_id,
            etag=listed["ETag"].strip('"'),
            size_bytes=listed["Size"],
            sequencer=None,
        ),
        uploaded_at=at,
        is_gone=is_deleted or is_replaced,
    )

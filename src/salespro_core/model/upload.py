"""An upload: one object in the bucket, or a local file instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The identity of one file, and the time of its upload.

    Attributes:
        bucket: None for a local file.
        object_key: decoded; the path of a local file.
        version: the S3 version id; without versioning the ETag and LastModified, so that
            a second upload of the same bytes is a new upload.  None for a local file:
            importing it again is always a new import.
        uploaded_at: LastModified, or for a local file the time in its name or of its last
            change; orders two users exports.
        size_bytes: of the object in the bucket, which may be compressed.
        path: absolute path of a local file, for the history.
    """

    bucket: str | None
    object_key: str
    version: str | None
    uploaded_at: datetime
    size_bytes: int | None = None
    path: str | None = None

    @property
    def location(self) -> str:
        """`s3://bucket/key`, or the path of a local file."""
        return (
            f"s3://{self.bucket}/{self.object_key}" if self.bucket else self.object_key
        )


def version_of(version_id: str | None, etag: str, uploaded_at: datetime) -> str:
    """The value of `Upload.version` for a version of an object.

    Args:
        version_id: None without versioning.
        etag: without quotes.
        uploaded_at: LastModified, in UTC.
    """
    return version_id or f"{etag} {uploaded_at:%Y-%m-%dT%H:%M:%SZ}"

"""S3: an upload as a byte stream that survives dropped connections; where reports go."""

from __future__ import annotations

import io
import random
import time
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
)

from handler.notifications import Notification
from salespro_core.errors import (
    ObjectGone,
    ObjectRefused,
    ObjectUnavailable,
    SalesProError,
)
from salespro_core.uploads import Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Said out loud, since boto3's default mode changed between 1.43 and 1.44.
CLIENT = Config(
    retries={"mode": "standard", "max_attempts": 4},
    connect_timeout=5,
    read_timeout=20,
)
# How often a body that broke is asked for again without a byte of progress in between.
TRIES = 5
BACKOFF_S = 0.2


class ObjectStream(io.RawIOBase):
    """The bytes of one version of one object.

    boto3 retries a request, and never a body that breaks halfway.  This one counts the
    bytes against Content-Length and asks for the rest, of the very same version.
    """

    def __init__(self, s3: S3Client, notification: Notification) -> None:
        """Ask for the object.

        Raises:
            ObjectGone: it was deleted, or replaced by another.
            ObjectRefused: the role may not read it, or there is no such bucket.
            ObjectUnavailable: S3 could not be reached.
        """
        super().__init__()
        self._s3 = s3
        self._where: Any = {
            "Bucket": notification.bucket,
            "Key": notification.object_key,
        }
        self._pin: Any = {}
        if notification.version_id:
            self._pin = {"VersionId": notification.version_id}
        elif notification.etag:
            self._pin = {"IfMatch": f'"{notification.etag.strip(chr(34))}"'}
        self._position = 0
        self._body: Any = None
        answer = self._ask()
        self._size_bytes: int = answer["ContentLength"]
        self.etag = answer["ETag"].strip('"')
        version_id = answer.get("VersionId", "null")
        self.version_id = None if version_id == "null" else version_id
        self._pin = (
            {"VersionId": self.version_id}
            if self.version_id
            else {"IfMatch": answer["ETag"]}
        )
        self.upload = Upload(
            bucket=notification.bucket,
            object_key=notification.object_key,
            version=self.version_id
            or f"{self.etag} {answer['LastModified']:%Y-%m-%dT%H:%M:%SZ}",
            uploaded_at=answer["LastModified"],
            size_bytes=self._size_bytes,
        )

    def readable(self) -> bool:
        """It is, and nothing else."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 -- typeshed's WriteableBuffer
        """Read the next bytes, asking again for what a broken body still owes.

        Raises:
            ObjectUnavailable: it broke too often without a byte of progress.
            ObjectGone: the object was replaced or deleted meanwhile.
        """
        if self._position >= self._size_bytes:
            return 0
        for attempt in range(TRIES):
            try:
                if self._body is None:
                    self._ask()
                piece: bytes = self._body.read(
                    min(len(buffer), self._size_bytes - self._position)
                )
            except (HTTPClientError, FlexibleChecksumError, OSError):
                piece = b""
            if piece:
                buffer[: len(piece)] = piece
                self._position += len(piece)
                return len(piece)
            self._drop()
            # Jittered, so that many functions do not come back as one.
            time.sleep(BACKOFF_S * 2**attempt * random.uniform(0.5, 1))  # noqa: S311
        raise ObjectUnavailable(
            f"S3 stopped sending {self.upload.location} after {self._position:,} of "
            f"{self._size_bytes:,} bytes, {TRIES} times in a row. It is tried again."
        )

    def close(self) -> None:
        """Let the connection go."""
        self._drop()
        super().close()

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def _ask(self) -> dict[str, Any]:
        """Ask for the object from here on."""
        ranged: Any = {"Range": f"bytes={self._position}-"} if self._position else {}
        location = "s3://{Bucket}/{Key}".format(**self._where)
        try:
            answer: Any = self._s3.get_object(**self._where, **self._pin, **ranged)
        except ClientError as error:
            raise _our_error(error, location) from error
        except BotoCoreError as error:
            raise ObjectUnavailable(
                f"S3 could not be reached for {location} ({type(error).__name__}); "
                "in a VPC it needs an endpoint or a NAT gateway."
            ) from error
        if ranged:
            expected = (
                f"bytes {self._position}-{self._size_bytes - 1}/{self._size_bytes}"
            )
            if answer.get("ContentRange") != expected:
                raise ObjectUnavailable(
                    f"S3 answered with another range of {location} than was asked for."
                )
        self._body = answer["Body"]
        return dict(answer)


def _our_error(error: ClientError, location: str) -> SalesProError:
    code = str(error.response["Error"]["Code"])
    if code in ("PreconditionFailed", "412"):
        return ObjectGone(
            f"{location} was replaced before it was read to its end; "
            "the newer upload is imported by its own notification."
        )
    if code in ("NoSuchKey", "NoSuchVersion", "404"):
        return ObjectGone(
            f"{location} was deleted before it was read; upload it again."
        )
    if code in ("AccessDenied", "403"):
        return ObjectRefused(
            f"Reading {location} is not allowed: give the function's role "
            "s3:GetObject and s3:GetObjectVersion on the bucket's objects."
        )
    if code == "NoSuchBucket":
        return ObjectRefused(f"{location}: there is no such bucket.")
    return ObjectUnavailable(f"S3 answered {code} for {location}. It is tried again.")

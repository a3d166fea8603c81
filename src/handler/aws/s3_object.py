"""An S3 object as a byte stream that survives dropped connections."""

from __future__ import annotations

import io
import itertools
import math
import random
import time
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from handler.aws.errors import map_read_error
from handler.aws.object_requests import (
    mismatched_fields,
    pinned_request,
    range_request,
)
from handler.events import Notification
from salespro_core.errors import ObjectUnavailable
from salespro_core.model.upload import Upload, version_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The retry mode is explicit because boto3's default changed between 1.43 and 1.44.  A
# request without a response ends after 3 x 5 s and at most 3 s of botocore's backoff, within
# the time that an attempt reserves (`upload_import.READ_RESERVE_S`).
CLIENT_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=5,
    read_timeout=5,
    response_checksum_validation="when_supported",  # requests S3's checksum
)
MAX_TRIES = 5  # consecutive attempts without a byte
MAX_BREAKS = 100  # per object; limits connections that yield one byte each
BACKOFF_S = 0.2


class ObjectStream(io.RawIOBase):
    """The bytes of one version of one object.

    boto3 retries requests, but not a body that breaks off.  This stream compares the bytes
    with Content-Length and requests the rest of the same version.  A response with an
    unexpected range, length or version counts as a break too.  `seek(0)` starts again with
    the same version.

    Attributes:
        upload: the object that is read.
        version_id: None without versioning.
        etag: without quotes.
    """

    def __init__(
        self,
        s3: S3Client,
        notification: Notification,
        *,
        give_up_at: float | None = None,
    ) -> None:
        """Request the object.

        Args:
            s3: has the retries and timeouts of CLIENT_CONFIG.
            notification: its version, ETag and size must match S3's response.
            give_up_at: seconds of `time.monotonic()`, after which reads and retries fail;
                a request that has started may take longer.

        Raises:
            ObjectGone: the object was deleted or replaced.
            ObjectRefused: the role may not read it, or the bucket does not exist.
            ObjectUnavailable: S3 could not be reached, or returned another object.
        """
        super().__init__()
        self._body: Any = None
        self._s3 = s3
        self._address: Any = {
            "Bucket": notification.bucket,
            "Key": notification.object_key,
        }
        self._location = f"s3://{notification.bucket}/{notification.object_key}"
        self._give_up_at = math.inf if give_up_at is None else give_up_at
        self._position = self._breaks = self._crc = 0
        self._size_bytes: int | None = None
        self._pin, self._expected = pinned_request(notification)

        response = self._request()

        size: int = response["ContentLength"]
        self._size_bytes = size
        self.etag: str = response["ETag"].strip('"')
        version_id: str = response.get("VersionId", "null")
        self.version_id = None if version_id == "null" else version_id
        self._pin = (
            {"VersionId": self.version_id}
            if self.version_id
            else {"IfMatch": response["ETag"]}
        )
        self._expected = {name: response.get(name) for name in ("ETag", "VersionId")}
        # A multipart checksum, such as "…-3", is not that of the whole object.
        crc = response.get("ChecksumCRC32")
        self._expected_crc = None if crc is None or "-" in crc else crc
        self.upload = Upload(
            bucket=notification.bucket,
            object_key=notification.object_key,
            version=version_of(self.version_id, self.etag, response["LastModified"]),
            uploaded_at=response["LastModified"],
            size_bytes=size,
        )

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True, but only to the start."""
        return True

    def tell(self) -> int:
        """The number of bytes read since the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go back to the start; the next read requests the object again.

        Raises:
            io.UnsupportedOperation: for any position but the start.
        """
        if (offset, whence) != (0, io.SEEK_SET):
            raise io.UnsupportedOperation("only seek(0) is supported")
        self._close_body()
        # Breaks are counted per object, not per reading: `_breaks` is not reset.
        self._position = self._crc = 0
        return 0

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 -- typeshed's WriteableBuffer
        """Read available bytes; after a break, request the rest.

        Raises:
            ObjectUnavailable: it broke too often or took too long, or its checksum is
                wrong; then the last bytes are not returned.
            ObjectGone: the object was replaced or deleted while being read.
            ObjectRefused: the permission was withdrawn while being read.
            ValueError: the stream is closed.
        """
        if self.closed:
            raise ValueError("the stream is closed")
        view = memoryview(buffer).cast("B")
        max_bytes = min(len(view), (self._size_bytes or 0) - self._position)
        if max_bytes == 0:
            return 0
        if time.monotonic() >= self._give_up_at:
            raise self._unavailable("was not read in time: the attempt stopped")
        piece = self._read(max_bytes)
        crc = zlib.crc32(piece, self._crc)
        is_complete = self._position + len(piece) == self._size_bytes
        if is_complete and self._expected_crc not in (None, _base64(crc)):
            raise self._unavailable("does not have the checksum it was uploaded with")
        self._crc = crc
        self._position += len(piece)
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Close the stream and its connection."""
        self._close_body()
        super().close()

    def _read(self, max_bytes: int) -> bytes:
        """Read at least one byte, with retries."""
        for attempt in itertools.count(1):
            try:
                if self._body is None:
                    self._request()
                # Not read(): it blocks until all bytes have arrived, and loses them after
                # a break.
                piece: bytes = self._body.read1(max_bytes)
                if piece:
                    return piece
                raise EOFError
            except (ObjectUnavailable, HTTPError, OSError, EOFError) as error:
                self._close_body()
                self._breaks += 1
                # Jitter, so that many functions do not retry at the same moment.
                pause_s = BACKOFF_S * 2 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311
                is_last_try = attempt == MAX_TRIES or self._breaks == MAX_BREAKS
                if is_last_try or time.monotonic() + pause_s >= self._give_up_at:
                    raise self._unavailable(
                        f"broke off (breaks: {self._breaks}, in a row: {attempt})"
                    ) from error
            time.sleep(pause_s)
        raise AssertionError

    def _unavailable(self, problem: str) -> ObjectUnavailable:
        return ObjectUnavailable(
            f"{self._location} {problem} after {self._position:,} of "
            f"{self._size_bytes or 0:,} bytes. It is tried again."
        )

    def _close_body(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def _request(self) -> dict[str, Any]:
        """Request the object from the current position on."""
        range_, range_fields = range_request(self._position, self._size_bytes)
        try:
            response: Any = self._s3.get_object(**self._address, **self._pin, **range_)
        except (ClientError, BotoCoreError, HTTPError, OSError) as error:
            when = (
                "before it was read" if self._size_bytes is None else "while being read"
            )
            raise map_read_error(error, self._location, when) from error
        # botocore raises ValueError for a malformed number or date in the response.
        except (ResponseParserError, ValueError) as error:
            raise ObjectUnavailable(
                f"S3 returned a malformed response for {self._location}. "
                "It is tried again."
            ) from error
        if names := mismatched_fields(response, self._expected | range_fields):
            response["Body"].close()
            raise ObjectUnavailable(
                f"S3's response for {self._location} has a missing or unexpected "
                f"{' and '.join(names)}. It is tried again."
            )
        # The raw stream: boto3's wrapper has no read1().
        self._body = response["Body"].__enter__()
        return dict(response)


def _base64(crc: int) -> str:
    return b64encode(crc.to_bytes(4, "big")).decode()

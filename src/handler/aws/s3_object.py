"""S3: an upload as a byte stream that survives dropped connections."""

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

from handler.aws.errors import announced, map_error, mismatched_fields, range_request
from handler.events import Notification
from salespro_core.errors import ObjectUnavailable
from salespro_core.model.upload import Upload, version_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The mode is said out loud, since boto3's default changed between 1.43 and 1.44.  A
# request that is never answered ends after 3 x 5 s and at most 3 s of botocore's backoff:
# within what an attempt keeps back (`imports.LAST_S`).
CLIENT = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=5,
    read_timeout=5,
    response_checksum_validation="when_supported",  # S3 is asked to send its checksum
)
TRIES = 5  # breaks in a row, without a byte in between, until the object is given up
BREAKS = 100  # in one object: a byte per connection is progress, but leads nowhere
BACKOFF_S = 0.2


class ObjectStream(io.RawIOBase):
    """The bytes of one version of one object.

    boto3 retries a request, and never a body that breaks halfway.  This one counts the
    bytes against Content-Length and asks for the rest, of the very same version.  An
    answer that is not to the question (another range, length or version) is a break too.
    It can be read from its start again, and is the same version still.

    Attributes:
        upload: what is being read.
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
        """Ask for the object, once: botocore retries a request by itself.

        Args:
            s3: its retries and timeouts are those of CLIENT.
            notification: what it says of version, ETag and size is held against S3.
            give_up_at: seconds of `time.monotonic()`; when it has passed, nothing is read
                any more, and nothing that takes longer is begun, save one last request.

        Raises:
            ObjectGone: it was deleted, or replaced by another.
            ObjectRefused: the role may not read it, or there is no such bucket.
            ObjectUnavailable: S3 could not be reached, or gave another object.
        """
        super().__init__()
        self._body: Any = None
        self._s3 = s3
        self._where: Any = {
            "Bucket": notification.bucket,
            "Key": notification.object_key,
        }
        self._location = f"s3://{notification.bucket}/{notification.object_key}"
        self._give_up_at = math.inf if give_up_at is None else give_up_at
        self._position = self._breaks = self._crc = 0
        self._size_bytes: int | None = None
        self._pin, self._expected = announced(notification)

        answer = self._ask()

        size: int = answer["ContentLength"]
        self._size_bytes = size
        self.etag: str = answer["ETag"].strip('"')
        version_id: str = answer.get("VersionId", "null")
        self.version_id = None if version_id == "null" else version_id
        self._pin = (
            {"VersionId": self.version_id}
            if self.version_id
            else {"IfMatch": answer["ETag"]}
        )
        self._expected = {name: answer.get(name) for name in ("ETag", "VersionId")}
        # That of the whole object, unless it was composed of those of parts: "…-3".
        crc = answer.get("ChecksumCRC32")
        self._expected_crc = None if crc is None or "-" in crc else crc
        self.upload = Upload(
            bucket=notification.bucket,
            object_key=notification.object_key,
            version=version_of(self.version_id, self.etag, answer["LastModified"]),
            uploaded_at=answer["LastModified"],
            size_bytes=size,
        )

    def readable(self) -> bool:
        """It is, and nothing else."""
        return True

    def seekable(self) -> bool:
        """To its start, and to no other place."""
        return True

    def tell(self) -> int:
        """How many bytes were read since the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go back to the start; the bytes are asked for when they are read.

        Raises:
            io.UnsupportedOperation: that is no way to the start.
        """
        if (offset, whence) != (0, io.SEEK_SET):
            raise io.UnsupportedOperation("only its start can be sought")
        self._drop()
        # The breaks keep counting: it is the same object that breaks too often.
        self._position = self._crc = 0
        return 0

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 -- typeshed's WriteableBuffer
        """Read what has come, asking again for what a broken body still owes.

        Raises:
            ObjectUnavailable: it broke too often or took too long, or is not what was
                uploaded by its checksum; in the latter case before its last bytes.
            ObjectGone: the object was replaced or deleted meanwhile.
            ObjectRefused: the permission was withdrawn meanwhile.
        """
        if self.closed:
            raise ValueError("the stream is closed")
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), (self._size_bytes or 0) - self._position)
        if wanted == 0:
            return 0
        if time.monotonic() >= self._give_up_at:
            raise self._unavailable("was given up, since the time is up,")
        piece = self._read(wanted)
        crc = zlib.crc32(piece, self._crc)
        is_last = self._position + len(piece) == self._size_bytes
        if is_last and self._expected_crc not in (None, _base64(crc)):
            raise self._unavailable("does not have the checksum it was uploaded with")
        self._crc = crc
        self._position += len(piece)
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Let the connection go."""
        self._drop()
        super().close()

    def _read(self, wanted: int) -> bytes:
        """At least one byte."""
        for attempt in itertools.count(1):
            try:
                if self._body is None:
                    self._ask()
                # Not read(), which waits until all is there, or loses what was.
                piece: bytes = self._body.read1(wanted)
                if piece:
                    return piece
                raise EOFError
            except (ObjectUnavailable, HTTPError, OSError, EOFError) as error:
                self._drop()
                self._breaks += 1
                # Jittered, so that many functions do not come back as one.
                pause_s = BACKOFF_S * 2 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311
                is_hopeless = attempt == TRIES or self._breaks == BREAKS
                if is_hopeless or time.monotonic() + pause_s >= self._give_up_at:
                    raise self._unavailable(
                        f"broke off (breaks: {self._breaks}, in a row: {attempt})"
                    ) from error
            time.sleep(pause_s)
        raise AssertionError

    def _unavailable(self, what: str) -> ObjectUnavailable:
        return ObjectUnavailable(
            f"{self._location} {what} after {self._position:,} of "
            f"{self._size_bytes or 0:,} bytes. It is tried again."
        )

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def _ask(self) -> dict[str, Any]:
        """Ask for the object from here on."""
        ranged, rest = range_request(self._position, self._size_bytes)
        try:
            answer: Any = self._s3.get_object(**self._where, **self._pin, **ranged)
        except ClientError as error:
            when = (
                "before it was read" if self._size_bytes is None else "while being read"
            )
            raise map_error(error, self._location, when) from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise ObjectUnavailable(
                f"S3 could not be reached for {self._location} "
                f"({type(error).__name__}); in a VPC it needs an endpoint or a NAT "
                "gateway. It is tried again."
            ) from error
        # So botocore meets an answer with a number or a date that is none.
        except (ResponseParserError, ValueError) as error:
            raise ObjectUnavailable(
                f"S3's answer for {self._location} makes no sense. It is tried again."
            ) from error
        if amiss := mismatched_fields(answer, self._expected | rest):
            answer["Body"].close()
            raise ObjectUnavailable(
                f"S3 gave another {' and '.join(amiss)} than was asked for, or none, with "
                f"{self._location}. It is tried again."
            )
        # The raw stream: boto3's own has no read1.
        self._body = answer["Body"].__enter__()
        return dict(answer)


def _base64(crc: int) -> str:
    return b64encode(crc.to_bytes(4, "big")).decode()

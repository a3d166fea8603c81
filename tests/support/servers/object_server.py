"""As much of S3 as GetObject needs, on localhost, failing by plan."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Literal, get_args
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from handler.aws.s3_object import CLIENT_CONFIG
from handler.events import Notification

BUCKET = "uploads"
# Long enough for two busy cores to answer in, since a stall costs a test this much.
READ_TIMEOUT_S = 1.5
THREADS = 16

# The body ends early, at `until`: by FIN, by RST, by silence, or in whole but with a byte
# that was not uploaded.
BodyFault = Literal["cut", "reset", "stall", "garbled"]
# The head of the answer is not to the question, its body is honest.
LyingHead = Literal[
    "length too long",
    "length too short",
    "length missing",
    "range elsewhere",
    "range of another total",
    "range missing",
    "other ETag",
    "other version",
]
# A head that botocore gives up on, in a way that leaves its connection to the garbage
# collector, which warns of it.
Gibberish = Literal["length no number", "date no date"]
# There is no answer, or a plain one that says so.
NoAnswer = Literal[
    "hung up", "hung up in the head", "silent", "500", "503", "503 cut", "429", "408"
]
# The object itself is no more; or is no longer for us.
Change = Literal["replaced", "deleted", "denied"]
ColumnType = BodyFault | LyingHead | Gibberish | NoAnswer | Change | Literal["trickle"]


def kinds(of: object) -> tuple[ColumnType, ...]:
    """The values of one of the above."""
    return tuple(one for part in get_args(of) for one in get_args(part) or [part])


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        kind: see above; "trickle" is slow and nothing worse.
        until: the offset in the object up to which bytes are sent, for a fault of the
            body; if that is behind what was asked for, none are sent.
    """

    kind: ColumnType
    until: int = 0


HONEST = Fault("trickle")
HUNG_UP: dict[ColumnType, bytes] = {
    "hung up": b"",
    "hung up in the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "503 cut": b"HTTP/1.1 503 Slow\r\nContent-Length: 99\r\n\r\n<Err",
}
REFUSALS: dict[ColumnType, tuple[str, str]] = {
    "denied": ("403 Forbidden", "AccessDenied"),
    "500": ("500 Internal Server Error", "InternalError"),
    "503": ("503 Slow Down", "SlowDown"),
    "429": ("429 Too Many Requests", "TooManyRequests"),
    "408": ("400 Bad Request", "RequestTimeout"),
}


def lies(kind: ColumnType, start: int, total: int) -> dict[str, str]:
    """The headers that are not what they should be; an empty one is left out."""
    all_lies: dict[ColumnType, dict[str, str]] = {
        "length too long": {"Content-Length": str(total - start + 7)},
        "length too short": {"Content-Length": str(max(total - start - 7, 0))},
        "length missing": {"Content-Length": ""},
        "length no number": {"Content-Length": "many"},
        "range elsewhere": {"Content-Range": f"bytes {start + 1}-{total - 1}/{total}"},
        "range of another total": {
            "Content-Range": f"bytes {start}-{total - 1}/{total + 7}"
        },
        "other ETag": {"ETag": f'"{"0" * 32}"'},
        "other version": {"x-amz-version-id": "another"},
        "date no date": {"Last-Modified": "yesterday"},
    }
    return all_lies.get(kind, {})


@dataclass(slots=True)
class Stored:
    """An object, and what is to happen to the requests for it, one by one.

    Attributes:
        body: its bytes.
        version_id: None in a bucket without versioning.
        has_checksum: S3 knows its CRC32.
        faults: of the first requests; those after them are answered honestly.
        asked: the Range headers of the requests so far.
    """

    body: bytes
    version_id: str | None = None
    has_checksum: bool = False
    faults: tuple[Fault, ...] = ()
    asked: list[str | None] = field(default_factory=list)
    is_replaced: bool = False
    is_deleted: bool = False

    @property
    def etag(self) -> str:
        """Without quotes."""
        return hashlib.md5(self.body).hexdigest()  # noqa: S324 -- as S3 does


class ObjectServer(ThreadingTCPServer):
    """Serves `objects`, by key."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.objects: dict[str, Stored] = {}
        self.open_connections = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """For `endpoint_url`."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(
        self,
        key: str,
        body: bytes,
        *faults: Fault,
        version_id: str | None = None,
        has_checksum: bool = False,
        has_size: bool = True,
    ) -> Notification:
        """Store an object; return the notification that S3 sends of it."""
        stored = Stored(body, version_id, has_checksum, faults)
        self.objects[key] = stored
        return Notification(
            bucket=BUCKET,
            object_key=key,
            version_id=version_id,
            etag=stored.etag,
            size_bytes=len(body) if has_size else None,
            sequencer=None,
        )


@contextmanager
def running(port: int = 0) -> Iterator[ObjectServer]:
    """A server in a thread of its own."""
    with ObjectServer(port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def client(url: str, **options: object) -> S3Client:
    """CLIENT_CONFIG, with a short patience and without botocore's own retries."""
    hasty = Config(
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=THREADS,
        retries={"mode": "standard", "total_max_attempts": 1},
        s3={"addressing_style": "path"},
    ).merge(Config(**options))  # type: ignore[arg-type]
    found: S3Client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106
        config=CLIENT_CONFIG.merge(hasty),
    )
    return found


class _HungUpError(Exception):
    """The connection is not to be used again."""


class _Connection(StreamRequestHandler):
    """One connection, with one request after the other."""

    disable_nagle_algorithm = True
    server: ObjectServer

    def handle(self) -> None:
        with self.server.lock:
            self.server.open_connections += 1
        try:
            while self._serve_one():
                pass
        except (_HungUpError, OSError):
            pass
        finally:
            with self.server.lock:
                self.server.open_connections -= 1

    def _serve_one(self) -> bool:
        line = self.rfile.readline().decode()
        if not line:
            return False
        headers: dict[str, str] = {}
        while header := self.rfile.readline().decode().strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        url = urlsplit(line.split()[1])
        stored = self.server.objects[unquote(url.path).removeprefix(f"/{BUCKET}/")]
        number = len(stored.asked)
        stored.asked.append(headers.get("range"))
        fault = stored.faults[number] if number < len(stored.faults) else HONEST
        version_id = parse_qs(url.query).get("versionId", [None])[0]
        self._answer(stored, headers, version_id, fault)
        return True

    def _answer(
        self,
        stored: Stored,
        headers: dict[str, str],
        version_id: str | None,
        fault: Fault,
    ) -> None:
        if fault.kind == "silent":
            self._wait_for_the_client_to_leave()
        if fault.kind in HUNG_UP:
            self.wfile.write(HUNG_UP[fault.kind])
            raise _HungUpError
        stored.is_replaced |= fault.kind == "replaced"
        stored.is_deleted |= fault.kind == "deleted"
        start = int(headers.get("range", "bytes=0-")[len("bytes=") : -1])
        # Whose version is asked for does not see that there is a newer one.
        current = stored
        if stored.is_replaced and version_id is None:
            current = Stored(b"somebody else's\r\n")
        refusal = REFUSALS.get(fault.kind)
        if refusal is None:
            refusal = self._refusal(current, headers, version_id, start)
        if refusal is None:
            self._send(current, headers, start, fault)
        else:
            status, code = refusal
            xml = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(xml)}\r\n\r\n"
            self.wfile.write((head + xml).encode())

    def _refusal(
        self,
        stored: Stored,
        headers: dict[str, str],
        version_id: str | None,
        start: int,
    ) -> tuple[str, str] | None:
        """What S3 itself has to say against the request."""
        if stored.is_deleted or version_id not in (None, stored.version_id):
            return "404 Not Found", "NoSuchVersion" if version_id else "NoSuchKey"
        if headers.get("if-match", f'"{stored.etag}"') != f'"{stored.etag}"':
            return "412 Precondition Failed", "PreconditionFailed"
        if start and start >= len(stored.body):
            return "416 Range Not Satisfiable", "InvalidRange"
        return None

    def _send(
        self, stored: Stored, asked: dict[str, str], start: int, fault: Fault
    ) -> None:
        total = len(stored.body)
        if fault.kind == "range missing":  # what a server says that knows no Range
            start = 0
        head = {
            "Content-Length": str(total - start),
            "ETag": f'"{stored.etag}"',
            "Last-Modified": "Wed, 18 Jun 2025 06:00:00 GMT",
        }
        if stored.version_id:
            head["x-amz-version-id"] = stored.version_id
        if stored.has_checksum and "x-amz-checksum-mode" in asked and not start:
            crc = zlib.crc32(stored.body).to_bytes(4, "big")
            head["x-amz-checksum-crc32"] = base64.b64encode(crc).decode()
        if start:
            head["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        head |= lies(fault.kind, start, total)
        status = "206 Partial Content" if start else "200 OK"
        lines = [f"HTTP/1.1 {status}", *(f"{k}: {v}" for k, v in head.items() if v)]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode())
        self._send_body(stored.body, start, fault)
        if fault.kind in kinds(LyingHead | Gibberish):
            raise _HungUpError  # what is on the wire is no HTTP any more

    def _send_body(self, body: bytes, start: int, fault: Fault) -> None:
        rest = body[start:]
        if fault.kind in kinds(BodyFault):
            rest = body[start : max(start, fault.until)]
        match fault.kind:
            case "garbled":
                self.wfile.write(rest[:-1] + bytes([rest[-1] ^ 1]) if rest else b"")
                raise _HungUpError
            case "trickle":
                for at in range(0, len(rest), 97):
                    self.wfile.write(rest[at : at + 97])
            case _:
                self.wfile.write(rest)
        match fault.kind:
            case "cut":
                raise _HungUpError
            case "reset":
                linger = struct.pack("ii", 1, 0)
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.rfile.close()
                self.wfile.close()
                self.request.close()
                raise _HungUpError
            case "stall":
                self._wait_for_the_client_to_leave()

    def _wait_for_the_client_to_leave(self) -> None:
        self.request.recv(1)
        raise _HungUpError

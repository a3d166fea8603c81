"""An HTTP server that implements GetObject of S3 and injects planned faults."""

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
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from handler.aws.s3_object import CLIENT_CONFIG
from handler.events import Notification
from tests.support.servers.s3_faults import (
    CLOSED_EARLY,
    NO_FAULT,
    REFUSALS,
    BodyFault,
    MalformedHeader,
    ResponseFault,
    WrongHeader,
    fault_types,
    wrong_headers,
)

BUCKET = "uploads"
# Each stall costs a test this much; long enough for a busy machine to respond.
READ_TIMEOUT_S = 1.5
THREADS = 16


@dataclass(slots=True)
class StoredObject:
    """An object with the faults of the requests for it.

    Attributes:
        version_id: None in a bucket without versions.
        has_checksum: S3 has stored its CRC32.
        faults: one per request, in order; later requests have no fault.
        requested_ranges: Range headers of the requests so far; None without one.
    """

    body: bytes
    version_id: str | None = None
    has_checksum: bool = False
    faults: tuple[ResponseFault, ...] = ()
    requested_ranges: list[str | None] = field(default_factory=list)
    is_replaced: bool = False
    is_deleted: bool = False

    @property
    def etag(self) -> str:
        """The ETag without quotes."""
        return hashlib.md5(self.body).hexdigest()  # noqa: S324 -- as S3 does


class ObjectServer(ThreadingTCPServer):
    """Serves the values of `objects` by key."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.objects: dict[str, StoredObject] = {}
        self.open_connections = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """The `endpoint_url` for a client."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(
        self,
        key: str,
        body: bytes,
        *faults: ResponseFault,
        version_id: str | None = None,
        has_checksum: bool = False,
        has_size: bool = True,
    ) -> Notification:
        """Store an object and return its notification."""
        stored = StoredObject(body, version_id, has_checksum, faults)
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
def run_object_server(port: int = 0) -> Iterator[ObjectServer]:
    """Run a server in a new thread."""
    with ObjectServer(port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def short_timeout_client(url: str, **options: object) -> S3Client:
    """CLIENT_CONFIG, with a short patience and without botocore's own retries."""
    short_timeout = Config(
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
        config=CLIENT_CONFIG.merge(short_timeout),
    )
    return found


class _ConnectionClosedError(Exception):
    """The connection must be closed."""


class _Connection(StreamRequestHandler):
    """One connection with its consecutive requests."""

    disable_nagle_algorithm = True
    server: ObjectServer

    def handle(self) -> None:
        with self.server.lock:
            self.server.open_connections += 1
        try:
            while self._serve_one():
                pass
        except (_ConnectionClosedError, OSError):
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
        number = len(stored.requested_ranges)
        stored.requested_ranges.append(headers.get("range"))
        fault = stored.faults[number] if number < len(stored.faults) else NO_FAULT
        version_id = parse_qs(url.query).get("versionId", [None])[0]
        self._answer(stored, headers, version_id, fault)
        return True

    def _answer(
        self,
        stored: StoredObject,
        headers: dict[str, str],
        version_id: str | None,
        fault: ResponseFault,
    ) -> None:
        if fault.kind == "silent":
            self._wait_for_client_to_close()
        if fault.kind in CLOSED_EARLY:
            self.wfile.write(CLOSED_EARLY[fault.kind])
            raise _ConnectionClosedError
        stored.is_replaced |= fault.kind == "replaced"
        stored.is_deleted |= fault.kind == "deleted"
        start = int(headers.get("range", "bytes=0-")[len("bytes=") : -1])
        # A request for a version is not affected by a newer version.
        current = stored
        if stored.is_replaced and version_id is None:
            current = StoredObject(b"another object\r\n")
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
        stored: StoredObject,
        headers: dict[str, str],
        version_id: str | None,
        start: int,
    ) -> tuple[str, str] | None:
        """Return the status and code with which S3 refuses the request, if it does."""
        if stored.is_deleted or version_id not in (None, stored.version_id):
            return "404 Not Found", "NoSuchVersion" if version_id else "NoSuchKey"
        if headers.get("if-match", f'"{stored.etag}"') != f'"{stored.etag}"':
            return "412 Precondition Failed", "PreconditionFailed"
        if start and start >= len(stored.body):
            return "416 Range Not Satisfiable", "InvalidRange"
        return None

    def _send(
        self,
        stored: StoredObject,
        requested_ranges: dict[str, str],
        start: int,
        fault: ResponseFault,
    ) -> None:
        total = len(stored.body)
        if fault.kind == "range missing":  # as from a server without support for Range
            start = 0
        head = {
            "Content-Length": str(total - start),
            "ETag": f'"{stored.etag}"',
            "Last-Modified": "Wed, 18 Jun 2025 06:00:00 GMT",
        }
        if stored.version_id:
            head["x-amz-version-id"] = stored.version_id
        if (
            stored.has_checksum
            and "x-amz-checksum-mode" in requested_ranges
            and not start
        ):
            crc = zlib.crc32(stored.body).to_bytes(4, "big")
            head["x-amz-checksum-crc32"] = base64.b64encode(crc).decode()
        if start:
            head["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        head |= wrong_headers(fault.kind, start, total)
        status = "206 Partial Content" if start else "200 OK"
        lines = [f"HTTP/1.1 {status}", *(f"{k}: {v}" for k, v in head.items() if v)]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode())
        self._send_body(stored.body, start, fault)
        if fault.kind in fault_types(WrongHeader | MalformedHeader):
            raise _ConnectionClosedError  # the length is wrong, so no request can follow

    def _send_body(self, body: bytes, start: int, fault: ResponseFault) -> None:
        rest = body[start:]
        if fault.kind in fault_types(BodyFault):
            rest = body[start : max(start, fault.until)]
        match fault.kind:
            case "garbled":
                self.wfile.write(rest[:-1] + bytes([rest[-1] ^ 1]) if rest else b"")
                raise _ConnectionClosedError
            case "trickle":
                for offset in range(0, len(rest), 97):
                    self.wfile.write(rest[offset : offset + 97])
            case _:
                self.wfile.write(rest)
        match fault.kind:
            case "cut":
                raise _ConnectionClosedError
            case "reset":
                linger = struct.pack("ii", 1, 0)
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.rfile.close()
                self.wfile.close()
                self.request.close()
                raise _ConnectionClosedError
            case "stall":
                self._wait_for_client_to_close()

    def _wait_for_client_to_close(self) -> None:
        self.request.recv(1)
        raise _ConnectionClosedError

"""An HTTP server that answers every request with one error of AWS, in S3's XML."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from handler.aws.s3_object import CLIENT_CONFIG

MAX_REQUESTS = 3  # of botocore, per request of ours


class ErrorServer(ThreadingHTTPServer):
    """Answers every request with one error, and counts the requests."""

    daemon_threads = True
    status = 500
    code = message = ""
    requests = 0

    @property
    def url(self) -> str:
        """For `endpoint_url`."""
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, status: int, code: str, message: str) -> None:
        """Set the answer from now on, and start counting again."""
        self.status, self.code, self.message, self.requests = status, code, message, 0


class Handler(BaseHTTPRequestHandler):
    """Writes the answer of its server."""

    protocol_version = "HTTP/1.1"  # answers `Expect: 100-continue` at once

    server: ErrorServer

    def do_GET(self) -> None:
        """Write the error."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests += 1
        code, message = escape(self.server.code), escape(self.server.message)
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_PUT = do_GET  # noqa: N815 -- the name that the base class looks up

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def run_error_server() -> Iterator[ErrorServer]:
    """A server that runs until the context ends."""
    with ErrorServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def error_client(server: ErrorServer, attempts: int) -> S3Client:
    """An S3 client of `server` with a number of attempts per request."""
    retries = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        s3={"addressing_style": "path"},
    )
    s3: S3Client = boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="AKIATESTING",
        aws_secret_access_key="testing",  # noqa: S106 -- of no account
        config=CLIENT_CONFIG.merge(retries),
    )
    return s3

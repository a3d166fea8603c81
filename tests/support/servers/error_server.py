"""An HTTP server that answers every request with one error of AWS.

In the form of the service: XML of S3; JSON of SQS and Secrets Manager, whose requests have
the header X-Amz-Target; the query XML of SNS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
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
    batch_answer: Mapping[str, Any] | None = None
    requests = 0

    @property
    def url(self) -> str:
        """For `endpoint_url`."""
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, status: int, code: str, message: str) -> None:
        """Set the answer from now on, and start counting again."""
        self.status, self.code, self.message, self.requests = status, code, message, 0
        self.batch_answer = None

    def answer_batch(self, answer: Mapping[str, Any]) -> None:
        """From now on, answer requests of JSON with this."""
        self.answer(200, "", "")
        self.batch_answer = answer


class Handler(BaseHTTPRequestHandler):
    """Writes the answer of its server."""

    protocol_version = "HTTP/1.1"  # answers `Expect: 100-continue` at once
    # Buffered, so that an answer is one packet: a second would wait for an acknowledgement.
    wbufsize = -1

    server: ErrorServer

    def do_GET(self) -> None:
        """Write the error as S3 does."""
        code, message = escape(self.server.code), escape(self.server.message)
        self._write(f"<Error><Code>{code}</Code><Message>{message}</Message></Error>")

    def handle_expect_100(self) -> bool:
        """Ask for the body at once."""
        is_expected = super().handle_expect_100()
        self.wfile.flush()
        return is_expected

    do_PUT = do_GET  # noqa: N815 -- the name that the base class looks up

    def do_POST(self) -> None:
        """Write the error as SQS and Secrets Manager do, or as SNS does."""
        code, message = self.server.code, self.server.message
        if "X-Amz-Target" not in self.headers:
            self._write(
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(code)}</Code>"
                f"<Message>{escape(message)}</Message></Error></ErrorResponse>"
            )
        elif self.server.batch_answer is None:
            self._write(json.dumps({"__type": code, "message": message}))
        else:
            self._write(json.dumps(self.server.batch_answer))

    def _write(self, body: str) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests += 1
        data = body.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

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

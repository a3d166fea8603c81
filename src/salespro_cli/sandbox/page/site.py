"""The page of the sandbox, in front of moto's S3 and SQS at the same address.

S3 has no passwords here, so every request is checked: web pages of other origins may
neither upload nor read.  A browser names the origin of a page in `Origin`, and in `Host` the
name that the user opened, which DNS rebinding cannot change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from botocore.exceptions import ClientError
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from salespro_cli.local_postgres.container_access import local_address
from salespro_cli.sandbox.local_aws import LOCALHOST, REGION, REPORTS
from salespro_cli.sandbox.page.document import (
    CONTENT_SECURITY_POLICY,
    MAX_UPLOAD_BYTES,
    document,
)
from salespro_cli.sandbox.page.import_list import ImportList
from salespro_core.errors import SalesProError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# No bucket can have this name.
PREFIX: Final = "/_sandbox/"
_CONTENT_TYPES = {
    "report.html": "text/html; charset=utf-8",
    "report.json": "application/json",
    "report.txt": "text/plain; charset=utf-8",
    "rejects.csv": "text/csv; charset=utf-8",
}
_HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Without a signature, which moto does not check, it refuses to overwrite an object: neither
# `curl -T` nor the page could upload a file again.
_SIGNATURE = f"AWS4-HMAC-SHA256 Credential=sandbox/20250618/{REGION}/s3/aws4_request"
# Objects of S3 and reports hold text of uploads: no script of theirs runs at this address.
_CONTENT_POLICY = (
    "sandbox allow-downloads; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'none'"
)


def report_url(endpoint: str, key: str) -> str:
    """The address at which the page serves a file of a report."""
    return f"{endpoint}{PREFIX}reports/{quote(key)}"


class Site:
    """Answers browsers on this machine, and passes all other requests on to moto."""

    def __init__(
        self, moto: WSGIApplication, s3: S3Client, conninfo: str, host: str
    ) -> None:
        """Take the application of moto.

        Args:
            moto: S3 and SQS.
            s3: a client of that S3.
            conninfo: of the database with the history.
            host: address on which it listens; if it is not localhost, other machines use
                S3 and SQS, by any name of this one.
        """
        self._moto = moto
        self._s3 = s3
        self._imports = ImportList(s3, conninfo)
        self._listens_to_others = host != LOCALHOST
        self._names = {LOCALHOST, "localhost", local_address(host)}

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        request = Request(environ)
        response = self._refusal(request) or self._page(request)
        if response is None:
            if request.method == "PUT":
                environ.setdefault("HTTP_AUTHORIZATION", _SIGNATURE)
            return self._moto(environ, partial(_start_moto_response, start_response))
        response.headers.extend(_HEADERS | {"Cache-Control": "no-store"})
        return response(environ, start_response)

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("Host", "")
        name = _name_of(request)
        # S3 clients may put the bucket's name before `localhost`.
        is_local = name in self._names or name.endswith(".localhost")
        if not (is_local or self._listens_to_others):
            address = f"http://127.0.0.1:{request.environ['SERVER_PORT']}/"
            return _error(403, f"The sandbox answers only on this machine: {address}")
        origin = request.headers.get("Origin")
        if origin is None:
            return None
        if not is_local or origin != f"http://{host}":
            return _error(403, "Other web pages may not use the sandbox.")
        if (request.content_length or 0) > MAX_UPLOAD_BYTES:
            return _error(
                413,
                f"The page takes files of up to {MAX_UPLOAD_BYTES // 10**6} MB. "
                "Import this one with: salespro import",
            )
        return None

    def _page(self, request: Request) -> Response | None:
        """The response to a browser; None for a request of S3 or SQS."""
        if _name_of(request) not in self._names:
            return None
        is_read = request.method in ("GET", "HEAD")
        # Clients of S3 list the buckets with this path, and sign the request.
        if request.path == "/" and is_read and "Authorization" not in request.headers:
            policy = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
            return Response(document(), mimetype="text/html", headers=policy)
        if not request.path.startswith(PREFIX):
            return None
        if not is_read:
            return _error(405, "Only GET is allowed here.", Allow="GET, HEAD")
        return self._resource(request.path.removeprefix(PREFIX))

    def _resource(self, path: str) -> Response:
        match path.split("/"):
            case ["imports"]:
                return self._list_imports()
            case ["reports", *key]:
                return self._report("/".join(key))
            case _:
                return _error(404, "There is no such page.")

    def _list_imports(self) -> Response:
        try:
            text = self._imports.as_json()
        except SalesProError as error:  # such as an unreachable Postgres
            return _error(503, str(error))
        return Response(text, mimetype="application/json")

    def _report(self, key: str) -> Response:
        content_type = _CONTENT_TYPES.get(key.rpartition("/")[2])
        if content_type is None:
            return _error(404, "There is no such report.")
        try:
            object_ = self._s3.get_object(Bucket=REPORTS, Key=key)
        except ClientError:
            return _error(404, "There is no such report.")
        headers = {
            "Content-Length": str(object_["ContentLength"]),
            "Content-Security-Policy": _CONTENT_POLICY,
        }
        if key.endswith(".csv"):
            headers["Content-Disposition"] = "attachment; filename=rejects.csv"
        chunks = object_["Body"].iter_chunks(64 * 1024)
        return Response(chunks, content_type=content_type, headers=headers)


def _name_of(request: Request) -> str:
    """The name in `Host`, if its port is the sandbox's."""
    host = request.headers.get("Host", "")
    return host.removesuffix(f":{request.environ['SERVER_PORT']}").lower()


def _error(status: int, message: str, **headers: str) -> Response:
    return Response(f"{message}\n", status, headers, mimetype="text/plain")


def _start_moto_response(
    start_response: Callable[..., Any],
    status: str,
    headers: list[tuple[str, str]],
    exc_info: Any = None,  # noqa: ANN401 -- of WSGI
) -> Any:  # noqa: ANN401 -- of WSGI
    safe = Headers(headers)
    safe.extend(_HEADERS | {"Content-Security-Policy": _CONTENT_POLICY})
    return start_response(status, safe.to_wsgi_list(), exc_info)

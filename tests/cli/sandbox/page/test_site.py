"""Requests to the address of the sandbox: its page, its reports, and who may send them."""

from __future__ import annotations

import re
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from urllib.parse import quote

import boto3
import pytest
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from salespro_cli.sandbox.local_aws import REGION, REPORTS, UPLOADS
from salespro_cli.sandbox.page.document import MAX_UPLOAD_BYTES
from tests.support.builders import csv_bytes, user
from tests.support.servers.sandbox import PROXY, Sandbox, sandbox
from tests.support.terminal import Terminal

FOLDER = "reports/of a file.csv/v1"
PAGES = ("/", "/_sandbox/imports", f"/_sandbox/{quote(FOLDER)}/report.html")
S3_PATHS = (f"/{UPLOADS}/x.csv", f"/{UPLOADS}?list-type=2", "/moto-api/", "/?Action=x")


def port_of(running: Sandbox) -> int:
    return int(running.endpoint.rpartition(":")[2])


def ask(
    running: Sandbox,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    **headers: str,
) -> tuple[int, HTTPMessage, bytes]:
    """Send one request exactly as given; `{port}` in headers is the sandbox's port."""
    port = port_of(running)
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(
            method,
            path,
            body,
            {
                name.replace("_", "-"): value.format(port=port)
                for name, value in headers.items()
            },
        )
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def client(running: Sandbox) -> S3Client:
    s3: S3Client = boto3.client(
        "s3",
        endpoint_url=running.endpoint,
        region_name=REGION,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106 -- any value works with moto
        config=Config(proxies={}),
    )
    return s3


@pytest.fixture(scope="module")
def s3(running: Sandbox) -> S3Client:
    """A client; the report bucket has one report with all of its files."""
    s3 = client(running)
    for name in ("report.html", "report.json", "report.txt", "rejects.csv", "secret"):
        key = f"{FOLDER.removeprefix('reports/')}/{name}"
        s3.put_object(Bucket=REPORTS, Key=key, Body=b'{"dry_run": false}')
    return s3


def uploads(s3: S3Client) -> list[str]:
    contents = s3.list_objects_v2(Bucket=UPLOADS).get("Contents", [])
    return [item["Key"] for item in contents]


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}"]
)
@pytest.mark.parametrize("path", PAGES)
def test_browser_on_this_machine_gets_the_page(
    running: Sandbox, path: str, host: str
) -> None:
    status, headers, body = ask(running, path, Host=host)
    head_status, _, no_body = ask(running, path, "HEAD", Host=host)

    assert (status, head_status, no_body) == (200, 200, b"")
    assert body
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example:{port}",
        "evil-localhost:{port}",
        "127.0.0.1:1",
        "127.0.0.1:{port}:{port}",
        "localhost@evil.example:{port}",
        "192.168.0.1:{port}",
        "",
    ],
)
@pytest.mark.parametrize("path", [*PAGES, *S3_PATHS])
def test_other_host_is_refused(
    running: Sandbox, s3: S3Client, path: str, host: str
) -> None:
    """DNS rebinding: a foreign page whose name now leads to this machine."""
    for method in ("GET", "PUT", "POST"):
        status, headers, body = ask(running, path, method, b"a", Host=host)

        assert (status, headers["Content-Type"]) == (403, "text/plain; charset=utf-8")
        assert body == (
            f"The sandbox answers only on this machine: {running.endpoint}/\n".encode()
        )
    assert "x.csv" not in uploads(s3)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1:1",
        "http://127.0.0.1",
        "https://127.0.0.1:{port}",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://127.0.0.1:{port}/",
        "null",
        "",
    ],
)
@pytest.mark.parametrize("path", [*PAGES, *S3_PATHS])
def test_request_of_another_web_page_is_refused(
    running: Sandbox, s3: S3Client, path: str, origin: str
) -> None:
    """Moto would allow each origin to read and to write."""
    for method in ("GET", "PUT", "POST", "DELETE", "OPTIONS"):
        status, headers, body = ask(running, path, method, b"a", Origin=origin)

        assert (status, body) == (403, b"Other web pages may not use the sandbox.\n")
        assert "Access-Control-Allow-Origin" not in headers
    assert "x.csv" not in uploads(s3)


@pytest.mark.parametrize("origin", [{}, {"Origin": "http://localhost:{port}"}])
def test_page_and_curl_upload_a_file_and_upload_it_again(
    running: Sandbox, s3: S3Client, origin: dict[str, str]
) -> None:
    for number in (1, 2):
        data = csv_bytes(user(f"U{number}"))
        status, _, _ = ask(
            running,
            f"/{UPLOADS}/again.csv",
            "PUT",
            data,
            Host="localhost:{port}",
            Content_Type="text/csv",
            **origin,
        )

        assert status == 200
        stored = s3.get_object(Bucket=UPLOADS, Key="again.csv")["Body"].read()
        assert stored == data


def test_upload_of_the_page_above_the_limit_is_refused_before_it_is_read(
    running: Sandbox, s3: S3Client
) -> None:
    status, _, body = ask(
        running,
        f"/{UPLOADS}/large.csv",
        "PUT",
        Origin="http://127.0.0.1:{port}",
        Content_Length=str(MAX_UPLOAD_BYTES + 1),
    )

    assert status == 413
    assert body == (
        b"The page takes files of up to 200 MB. Import this one with: salespro import\n"
    )
    assert "large.csv" not in uploads(s3)


def test_clients_of_s3_list_buckets_and_objects(s3: S3Client) -> None:
    names = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}

    assert names == {UPLOADS, REPORTS}


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("report.html", "text/html; charset=utf-8"),
        ("report.json", "application/json"),
        ("report.txt", "text/plain; charset=utf-8"),
        ("rejects.csv", "text/csv; charset=utf-8"),
    ],
)
def test_files_of_a_report_are_served_without_scripts(
    running: Sandbox, name: str, content_type: str
) -> None:
    status, headers, body = ask(running, f"/_sandbox/{quote(FOLDER)}/{name}")

    assert (status, body) == (200, b'{"dry_run": false}')
    assert headers["Content-Type"] == content_type
    assert headers["Content-Security-Policy"].startswith(
        "sandbox allow-downloads; default-src 'none';"
    )
    is_download = headers["Content-Disposition"] == "attachment; filename=rejects.csv"
    assert is_download is (name == "rejects.csv")


@pytest.mark.parametrize(
    "path",
    [
        "x",
        "imports/",
        "reports",
        "reports/",
        "reports/report.html",
        "reports/missing.csv/v1/report.html",
        f"{quote(FOLDER)}/secret",
        f"{quote(FOLDER)}/",
        f"reports/../{UPLOADS}/private/report.html",
        f"reports/%2e%2e/{UPLOADS}/private/report.html",
        f"reports/..%2F{UPLOADS}%2Fprivate%2Freport.html",
        "reports/./of%20a%20file.csv/v1/report.html",
        "reports//etc/passwd",
        "reports/../../../../etc/passwd",
        "reports/..%5c..%5creport.html",
        "reports/%00/report.html",
        "reports/%ff/report.html",
        "reports/%0d%0aSet-Cookie:a/report.html",
        f"reports/{'k' * 2000}/report.html",
    ],
)
def test_path_that_names_no_report_is_not_found(
    running: Sandbox, s3: S3Client, path: str
) -> None:
    s3.put_object(Bucket=UPLOADS, Key="private/report.html", Body=b"private")

    status, headers, body = ask(running, f"/_sandbox/{path}")

    assert (status, headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert re.fullmatch(rb"There is no such (page|report)\.\n", body)


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", PAGES[1:])
def test_pages_are_only_read(running: Sandbox, path: str, method: str) -> None:
    status, headers, _ = ask(running, path, method)

    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_document_allows_only_its_own_script_and_style(running: Sandbox) -> None:
    _, headers, body = ask(running, "/")

    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; "
        r"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        r"frame-ancestors 'none'",
        headers["Content-Security-Policy"],
    )
    assert b"{style}" not in body
    assert not re.search(rb"\b(src|href)=\"(?!data:)", body)


def test_object_of_s3_cannot_run_scripts_at_the_address_of_the_page(
    running: Sandbox, s3: S3Client
) -> None:
    s3.put_object(
        Bucket=UPLOADS,
        Key="page.html",
        Body=b"<script>",
        ContentType="text/html",
        ACL="public-read",
    )

    status, headers, _ = ask(running, f"/{UPLOADS}/page.html")

    assert (status, headers["Content-Type"]) == (200, "text/html")
    assert headers["Content-Security-Policy"].startswith("sandbox allow-downloads; ")


def test_large_rejects_file_is_streamed(running: Sandbox, s3: S3Client) -> None:
    size = 60_000_000
    key = "large.csv/v1/rejects.csv"
    s3.put_object(Bucket=REPORTS, Key=key, Body=bytes(size))
    proc = Path(f"/proc/{running.process.pid}")
    (proc / "clear_refs").write_text("5")  # resets the peak
    before = peak_bytes(proc)

    status, headers, body = ask(running, f"/_sandbox/reports/{key}")

    assert (status, headers["Content-Length"], len(body)) == (200, str(size), size)
    # moto reads the object at once; the page adds no second copy.
    assert peak_bytes(proc) - before < 1.5 * size


def peak_bytes(proc: Path) -> int:
    [line] = re.findall(r"VmHWM:\s+(\d+) kB", (proc / "status").read_text())
    return int(line) * 1024


def test_other_machines_use_s3_by_any_name_but_not_the_page(
    tmp_path: Path, database_url: str
) -> None:
    """`--host` is for containers, which name this machine in their own way."""
    terminal = Terminal(tmp_path, {"DATABASE_URL": database_url, **PROXY})
    host = "host.docker.internal:{port}"
    with sandbox(terminal, "--host", "0.0.0.0") as running:  # noqa: S104 -- the option
        path = f"/{UPLOADS}/x.csv"
        put, _, _ = ask(running, path, "PUT", b"a", Host=host, Content_Type="text/csv")
        foreign, _, _ = ask(running, path, "PUT", Host=host, Origin=f"http://{host}")
        imports, _, _ = ask(running, "/_sandbox/imports", Host=host)
        page, _, _ = ask(running, "/")

    assert (put, foreign, page) == (200, 403, 200)
    assert imports in (403, 404)  # of moto: there is no such bucket

"""Commands with SeaweedFS: listings, versions and presigned uploads."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from salespro_cli.sandbox.local_aws import REGION
from tests.s3.second_s3 import SecondS3
from tests.support.builders import appointment, csv_bytes
from tests.support.servers.seaweedfs import ACCESS_KEY, SECRET_KEY
from tests.support.terminal import Terminal

pytestmark = pytest.mark.s3


@pytest.fixture
def terminal(tmp_path: Path, database_url: str, seaweedfs: str) -> Terminal:
    """A terminal whose commands use SeaweedFS and a database of this test."""
    return Terminal(
        tmp_path,
        {
            "DATABASE_URL": database_url,
            "AWS_ENDPOINT_URL": seaweedfs,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "NO_PROXY": "127.0.0.1",
        },
    )


def test_prefix_is_imported_and_reconcile_lists_what_is_left(
    bucket: SecondS3, terminal: Terminal
) -> None:
    for index, key in enumerate(("june/a b.csv", "june/ü+1.csv", "july/c.csv")):
        bucket.put(key, csv_bytes(appointment(f"A-{index}")))
    uri = f"s3://{bucket.uploads}"

    imported = terminal.run("import", "--json", f"{uri}/june/")

    assert imported.code == 0, imported.err
    assert [file["status"] for file in imported.json()["files"]] == ["completed"] * 2
    listed = terminal.run("reconcile", "--bucket", bucket.uploads)
    assert f"{uri}/july/c.csv" in listed.out, listed.err
    assert "june" not in listed.out


def test_object_is_imported_once_by_its_version(
    bucket: SecondS3, terminal: Terminal
) -> None:
    bucket.put("a.csv", csv_bytes(appointment("A-1")))
    uri = f"s3://{bucket.uploads}/a.csv"

    first, second = (terminal.run("import", "--json", uri) for _ in range(2))

    assert first.json()["created"] == 1, first.err
    assert second.json()["already_imported"] is True


def post(signed: dict[str, Any], name: str, body: bytes, **fields: str) -> int:
    """Upload as a form does; return the status."""
    form = signed["fields"] | fields
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in form.items()
    ]
    parts.append(
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    )
    request = urllib.request.Request(  # noqa: S310 -- our own server
        signed["url"],
        "".join(parts).encode() + body + b"\r\n--b--\r\n",
        {"Content-Type": "multipart/form-data; boundary=b"},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 -- our own server
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return int(error.code)


def test_upload_link_is_limited_to_its_prefix_size_and_content_type(
    bucket: SecondS3, terminal: Terminal
) -> None:
    """Moto accepts every form; SeaweedFS checks its policy."""
    limits = ("--prefix", "june/", "--max-mb", "1")
    signed = terminal.run(
        *("upload-link", "--json", "--bucket", bucket.uploads), *limits
    ).json()
    small, large = b"x" * 100, b"x" * (1024 * 1024 + 1)

    assert post(signed, "a.csv", small) == 204
    stored = bucket.s3.head_object(Bucket=bucket.uploads, Key="june/a.csv")
    assert (stored["ContentLength"], stored["ContentType"]) == (100, "text/csv")
    assert post(signed, "b.csv", large) in (400, 403)
    assert post(signed, "c.csv", b"") in (400, 403)
    assert post(signed, "d.csv", small, key="july/d.csv") == 403
    other_type = {"Content-Type": "text/html"}
    assert post(signed, "e.csv", small, **other_type) == 403
    listed = bucket.s3.list_objects_v2(Bucket=bucket.uploads)["Contents"]
    assert [each["Key"] for each in listed] == ["june/a.csv"]

"""Commands with SeaweedFS: listings, versions and presigned uploads."""

from __future__ import annotations

from pathlib import Path

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

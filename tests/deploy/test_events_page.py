"""events/README.md: its commands upload what the events name."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from salespro_cli.sandbox.local_aws import REGION, UPLOADS
from tests.support import paths
from tests.support.function.cloud import open_cloud
from tests.support.servers.sandbox import sandbox
from tests.support.terminal import Terminal
from tools.uploads import FILES

PAGE = (paths.EVENTS / "README.md").read_text(encoding="utf-8")


def test_commands_upload_every_object_that_the_events_name(
    tmp_path: Path, database_url: str
) -> None:
    [commands] = re.findall(r"```sh\n(S3=.*?)```", PAGE, re.DOTALL)
    shutil.copytree(paths.EVENTS, tmp_path / "events")
    terminal = Terminal(tmp_path, {"DATABASE_URL": database_url})
    bash = replace(terminal, program=Path(str(shutil.which("bash"))))
    with sandbox(terminal, "--no-function") as running:
        lines = commands.replace("http://127.0.0.1:5000", running.endpoint)
        done = bash.run("-c", lines.replace("curl ", "curl --fail --silent "))
        assert done.code == 0, done.err
        s3 = boto3.client(
            "s3",
            endpoint_url=running.endpoint,
            region_name=REGION,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",  # noqa: S106 -- moto takes any
        )
        stored = {
            each["Key"]: s3.get_object(Bucket=UPLOADS, Key=each["Key"])["Body"].read()
            for each in s3.list_objects_v2(Bucket=UPLOADS)["Contents"]
        }
        s3.close()

    assert stored == {
        key: (paths.EVENTS / name).read_bytes() for key, name in FILES.items()
    }


def test_generated_event_is_imported_without_its_invented_etag_and_size(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sam local generate-event s3 put` of SAM CLI 1.170 writes these values."""
    invented = {"eTag": "0123456789abcdef0123456789abcdef", "size": 1024}
    key = "SalesPro2025-06-18.csv"
    assert 'del(.Records[].s3.object["eTag", "size"])' in PAGE
    with open_cloud(database_url, monkeypatch) as cloud:
        cloud.put(key, paths.SAMPLE_EXPORT.read_bytes())

        [refused] = cloud.invoke_for(key, **invented)["imports"]  # type: ignore[arg-type]
        [imported] = cloud.invoke_for(key)["imports"]

    assert "was replaced before it was read" in refused["error"]
    assert imported["records_created"] == 2374

"""The sandbox prints what became of each upload, and a bad message does not end it."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from psycopg import Connection

from salespro_cli.sandbox.function import process_one_message
from salespro_core.sync_history.queries import recent_imports
from tests.support.builders import appointment, csv_bytes
from tests.support.function.cloud import Cloud, open_cloud
from tests.support.function.hostile_names import KEYS, is_safe

ENDPOINT = "http://127.0.0.1:5000"


@pytest.fixture
def cloud(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with open_cloud(database_url, monkeypatch) as cloud:
        yield cloud


def test_hostile_keys_are_imported_or_ignored_and_printed_without_controls(
    cloud: Cloud, conn: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    log = io.StringIO()
    rows = csv_bytes(appointment("A-1"), appointment("A-2", isSale="?"))
    for key in KEYS.values():
        cloud.put(key, rows)
        cloud.put(f"{key}.txt", rows)

    for _ in range(2 * len(KEYS)):
        process_one_message(cloud.s3, cloud.sqs, cloud.queue_url, ENDPOINT, log)

    printed = capsys.readouterr()
    assert is_safe(printed.out + printed.err + log.getvalue() + cloud.log_text())
    imported = recent_imports(conn, limit=1000)
    assert {i.status for i in imported} == {"completed"}
    assert len(imported) == len(KEYS)
    assert printed.out.count("is ignored: ") == len(KEYS)
    assert printed.out.count("/report.html\n") == len(KEYS)


@pytest.mark.parametrize("body", ["hello", "{}", '{"Records": [null]}', "[" * 9999])
def test_message_of_unknown_form_does_not_end_the_sandbox(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    cloud.sqs.send_message(QueueUrl=cloud.queue_url, MessageBody=body)

    process_one_message(cloud.s3, cloud.sqs, cloud.queue_url, ENDPOINT, io.StringIO())

    assert capsys.readouterr().out == (
        "An upload failed and is tried again: the log says why.\n"
    )

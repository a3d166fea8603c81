"""Acceptance: `salespro reconcile`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import Connection

from salespro_cli.sandbox.local_aws import REGION
from salespro_core.sync_history import claims, completion
from tests.support.function.upload_bucket import (
    ONE_ROW,
    UploadBucket,
    open_upload_bucket,
)
from tests.support.import_runs import run
from tests.support.servers.error_server import run_error_server
from tests.support.terminal import CommandResult, Terminal

ITSELF = "failed because of the file itself: correct and upload it again."


@pytest.fixture
def bucket(
    moto_endpoint: tuple[str, int],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[UploadBucket]:
    """A versioned upload bucket, and the function's queue."""
    with open_upload_bucket(moto_endpoint, database_url, monkeypatch) as bucket:
        yield bucket


@pytest.fixture
def terminal(bucket: UploadBucket, tmp_path: Path, database_url: str) -> Terminal:
    """A terminal whose commands use the database and moto's server."""
    return Terminal(
        tmp_path,
        {
            "DATABASE_URL": database_url,
            "AWS_ENDPOINT_URL": bucket.s3.meta.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "NO_PROXY": "127.0.0.1",
        },
    )


def test_bucket_and_queue_are_found_in_the_history_and_in_the_notifications(
    bucket: UploadBucket, terminal: Terminal, conn: Connection
) -> None:
    completed = bucket.put("a.csv")
    run(conn, ONE_ROW, bucket.upload_of("a.csv", completed))
    version = bucket.put("b\u202e[red].csv")
    bucket.notify_queue()

    listed = terminal.run("reconcile")
    messages = bucket.take_messages()
    sent = terminal.run("reconcile", "--redrive", "--since", "1h")
    acknowledged = bucket.deliver()
    clean = terminal.run("reconcile")

    line, summary = listed.out.splitlines()
    assert line.startswith("missed       ")
    assert line.endswith(f"s3://{bucket.name}/b [red].csv version {version}")
    assert summary == (
        f"2 uploads in s3://{bucket.name}: 1 missed. "
        "To import them: salespro reconcile --redrive"
    )
    assert messages == []
    assert sent.out.splitlines()[-1].endswith("1 missed. 1 sent to the queue.")
    assert acknowledged == 1
    assert clean == CommandResult(
        0, f"2 uploads in s3://{bucket.name}: none was missed.\n", ""
    )


def test_prefix_and_suffix_leave_out_the_objects_of_others(
    bucket: UploadBucket, terminal: Terminal
) -> None:
    for key in ("salespro/a_x.csv", "salespro/b.csv", "other/c_x.csv"):
        bucket.put(key)
    options = ("--bucket", bucket.name, "--prefix", "salespro/", "--suffix", "_x.csv")

    listed = terminal.run("reconcile", *options)

    line, summary = listed.out.splitlines()
    assert "/salespro/a_x.csv version " in line
    assert summary.startswith(f"1 upload in s3://{bucket.name}: 1 missed.")


def test_json_has_an_object_per_upload_and_the_totals_last(
    bucket: UploadBucket, terminal: Terminal
) -> None:
    version = bucket.put("a.csv")

    result = terminal.run(
        *("reconcile", "--json", "--bucket", bucket.name),
        *("--redrive", "--queue-url", bucket.queue_url),
    )

    upload, totals = map(json.loads, result.out.splitlines())
    assert len(bucket.take_messages()) == 1
    assert upload.pop("uploaded_at")
    assert upload == {
        "state": "missed",
        "bucket": bucket.name,
        "key": "a.csv",
        "version": version,
        "size_bytes": len(ONE_ROW),
        "import": None,
        "error": None,
        "is_refused": False,
        "sent": True,
    }
    assert (totals["bucket"], totals["uploads"], totals["sent"]) == (bucket.name, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(
            [], "The history has no bucket yet: name the bucket of", id="no-history"
        ),
        pytest.param(
            ["--bucket", "no-such"],
            "While listing s3://no-such: AWS",
            id="missing-bucket",
        ),
        pytest.param(
            ["--bucket", "{bucket}", "--redrive"],
            "s3://{bucket} notifies 0 queues of uploads: name the queue of",
            id="no-queue",
        ),
    ],
)
def test_unknown_bucket_or_queue_is_an_error_of_one_line(
    bucket: UploadBucket, terminal: Terminal, arguments: list[str], error: str
) -> None:
    result = terminal.run(
        "reconcile", *(argument.format(bucket=bucket.name) for argument in arguments)
    )

    assert result.error.startswith(error.format(bucket=bucket.name))


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (
            403,
            "AccessDenied",
            "AWS refuses (AccessDenied): allow the role or user s3:GetBucketNotification",
        ),
        (404, "NoSuchBucket", "AWS refuses (NoSuchBucket): the bucket does not exist"),
        (
            400,
            "ThrottlingException",
            "AWS answered ThrottlingException: try again later.",
        ),
        (503, "SlowDown", "AWS answered SlowDown: try again later."),
    ],
)
def test_error_of_reading_the_notifications_has_the_fix_of_its_code(
    terminal: Terminal, status: int, code: str, error: str
) -> None:
    with run_error_server() as server:
        server.answer(status, code, "")
        result = terminal.run(
            *("reconcile", "--bucket", "uploads", "--redrive"),
            AWS_ENDPOINT_URL=server.url,
        )

    assert result.error.startswith(
        f"While reading which queue s3://uploads notifies: {error}"
    )


@pytest.mark.parametrize(
    ("environ", "error"),
    [
        (
            {"AWS_PROFILE": "unknown"},
            "AWS is not configured: The config profile (unknown) could not be found",
        ),
        (
            {"AWS_ENDPOINT_URL": "elsewhere"},
            "AWS is not configured: Invalid endpoint: elsewhere",
        ),
    ],
)
@pytest.mark.parametrize("options", [[], ["--redrive", "--queue-url", "http://q"]])
def test_missing_configuration_of_aws_is_one_error_line(
    terminal: Terminal, environ: dict[str, str], error: str, options: list[str]
) -> None:
    result = terminal.run("reconcile", "--bucket", "uploads", *options, **environ)

    assert result.error == error


@pytest.mark.parametrize("since", ["2025-06-18", "2025-06-18T06:00:00Z", "7d", "90m"])
def test_since_is_a_time_or_a_duration(
    bucket: UploadBucket, terminal: Terminal, since: str
) -> None:
    bucket.put("a.csv")

    result = terminal.run("reconcile", "--bucket", bucket.name, "--since", since)

    assert "1 missed" in result.out


@pytest.mark.parametrize(
    "since", ["yesterday", "7", "99999999d", "999999d", "2025-13-01"]
)
def test_malformed_since_is_a_usage_error(terminal: Terminal, since: str) -> None:
    result = terminal.run("reconcile", "--since", since)

    assert (result.code, result.out) == (2, "")
    assert "is neither a time such as 2025-06-18 or 2025-06-18T06:00 nor" in result.err


@pytest.mark.parametrize(
    ("error_types", "missed", "advice"),
    [
        (
            ["UnreadableObject"],
            0,
            f" 1 {ITSELF}",
        ),
        (
            ["TooManyRejects", "HeaderMismatch"],
            1,
            f" 2 {ITSELF} To import the other 1: salespro reconcile --redrive --skip-failed",
        ),
        (
            ["UnknownExport", "StoreRefused"],
            0,
            f" 1 {ITSELF} To import the other 1: salespro reconcile --redrive",
        ),
        (["StoreRefused", None], 0, " To import them: salespro reconcile --redrive"),
    ],
)
def test_file_that_is_refused_for_its_own_fault_is_not_to_be_redriven(
    bucket: UploadBucket,
    terminal: Terminal,
    conn: Connection,
    error_types: list[str | None],
    missed: int,
    advice: str,
) -> None:
    """A retry would refuse it again, and tell the operators again."""
    for number, error_type in enumerate(error_types):
        key = f"{number}.csv"
        claim = claims.claim(conn, bucket.upload_of(key, bucket.put(key)))
        completion.fail(conn, claim, "No.", error_type=error_type)
    for number in range(missed):
        bucket.put(f"missed{number}.csv")

    printed = terminal.run("reconcile", "--bucket", bucket.name).out
    *uploads, totals = map(
        json.loads,
        terminal.run("reconcile", "--bucket", bucket.name, "--json").out.splitlines(),
    )

    assert printed.splitlines()[-1].endswith(f" {len(error_types)} failed.{advice}")
    refused = sum(upload["is_refused"] for upload in uploads)
    assert (totals["refused"], totals["failed"]) == (refused, len(error_types))

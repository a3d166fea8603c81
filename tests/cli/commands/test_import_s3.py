"""Acceptance: `salespro import s3://bucket/key`."""

from __future__ import annotations

import gzip
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from psycopg import Connection

from salespro_cli.sandbox.local_aws import REGION
from salespro_core.sync_history.queries import recent_imports
from tests.support.builders import appointment, csv_bytes, user
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    USERS_TABLE,
    contents,
    stored,
    wait_until,
)
from tests.support.terminal import CommandResult, Terminal, wait_for_exit

WAITING_FOR_A_LOCK = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND wait_event_type = 'Lock'
"""


class Bucket:
    """A new bucket, and a terminal whose environment leads to its server."""

    def __init__(self, terminal: Terminal, endpoint: str) -> None:
        self.name = f"bucket-{uuid4().hex}"
        aws = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        self.terminal = Terminal(terminal.folder, terminal.environ | aws)
        self._s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 -- moto takes any
        )
        self._s3.create_bucket(
            Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def put(self, key: str, data: bytes) -> str:
        """Upload an object and return its URI."""
        self._s3.put_object(Bucket=self.name, Key=key, Body=data)
        return f"s3://{self.name}/{key}"

    def close(self) -> None:
        """Close the connections to the server."""
        self._s3.close()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """URL of a moto server, which is S3 for every process on this machine."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(terminal: Terminal, endpoint: str) -> Iterator[Bucket]:
    with closing(Bucket(terminal, endpoint)) as bucket:
        yield bucket


def test_object_is_imported_once_and_skipped_afterwards(
    bucket: Bucket, conn: Connection
) -> None:
    uri = bucket.put("june/größe 1.csv", csv_bytes(appointment("A1")))

    predicted = bucket.terminal.run("import", uri, "--dry-run", "--json")
    first = bucket.terminal.run("import", uri, "--json")
    before = contents(conn)
    second = bucket.terminal.run("import", uri)
    third = bucket.terminal.run("import", uri, "--json")
    opened = bucket.terminal.run("import", uri, "--open")

    assert predicted.counts == first.counts == {"created": 1}
    assert (second.code, second.err) == (0, "")
    assert second.out.startswith(f"{uri} was already imported.")
    assert (third.counts, third.json()["already_imported"]) == ({}, True)
    assert opened.err.startswith("No report was written now. To open that of")
    assert contents(conn) == before


def test_object_under_dryrun_is_only_reported_on(
    bucket: Bucket, conn: Connection
) -> None:
    """As in the function."""
    uri = bucket.put("dryrun/a.csv", csv_bytes(appointment("A1")))

    done = bucket.terminal.run("import", uri, "--json")

    assert (done.counts, done.json()["dry_run"]) == ({"created": 1}, True)
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_object_under_a_mistyped_dryrun_is_refused_except_with_dry_run(
    bucket: Bucket, conn: Connection
) -> None:
    uri = bucket.put("Dryrun/a.csv", csv_bytes(appointment("A1")))

    refused = bucket.terminal.run("import", uri, "--json")
    tried = bucket.terminal.run("import", "--dry-run", uri, "--json")

    assert "a key that starts with dryrun/ in exactly this spelling" in refused.error
    [import_] = recent_imports(conn)
    assert import_.status == "failed"
    assert str(import_.error_message) in refused.error
    report = bucket.terminal.folder / refused.json()["report"]
    assert "was not imported: " in (report / "report.txt").read_text("utf-8")
    assert tried.counts == {"created": 1}
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_object_above_its_error_budget_is_refused_and_a_larger_budget_imports_it(
    bucket: Bucket, conn: Connection
) -> None:
    """The object is read from its start twice in both cases."""
    rows = [appointment(f"A{number}") for number in range(2_000)]
    uri = bucket.put("a.csv", csv_bytes(*rows, appointment("B", saleAmount="much")))

    refused = bucket.terminal.run("import", uri, MAX_REJECTED_ROWS="0")
    rows_after_refusal = stored(conn, APPOINTMENT_TABLE)
    done = bucket.terminal.run("import", "--json", uri, MAX_REJECTED_ROWS="1")

    assert refused.error.startswith("1 of 2,001 rows would be rejected, more than")
    assert rows_after_refusal == {}
    assert done.counts == {"created": 2_000, "rejected": 1}
    assert done.json()["attempts"] == 2


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_objects_of_a_prefix_are_imported_in_the_order_of_their_uploads(
    bucket: Bucket, conn: Connection, jobs: str
) -> None:
    """As the function imports them; so the times in their names do not count."""
    bucket.put("june/2025-06-02.csv", csv_bytes(user("U1", First_Name="First")))
    time.sleep(1.1)  # LastModified has whole seconds
    bucket.put("june/deep/2025-06-01.csv", csv_bytes(user("U1", First_Name="Second")))
    bucket.put("june/a.csv", csv_bytes(appointment("A1")))
    bucket.put("june/b.csv.gz", gzip.compress(csv_bytes(appointment("A2"))))
    bucket.put("june/notes.txt", b"notes")
    bucket.put("june/folder/", b"")
    bucket.put("july/c.csv", csv_bytes(appointment("A3")))

    done = bucket.terminal.run(
        "import", f"s3://{bucket.name}/june/", "--json", "-j", jobs
    )

    report = done.json()
    assert (done.code, done.err) == (0, "")
    assert report["files"][0]["key"] == "june/2025-06-02.csv"
    assert {file["key"] for file in report["files"][1:]} == {
        "june/deep/2025-06-01.csv",
        "june/a.csv",
        "june/b.csv.gz",
    }
    assert report["left_out"] == [
        f"Left out of s3://{bucket.name}/june/, not *.csv or *.csv.gz: notes.txt"
    ]
    assert stored(conn, APPOINTMENT_TABLE).keys() == {"A1", "A2"}
    assert stored(conn, USERS_TABLE)["U1"]["first_name"] == "Second"
    again = bucket.terminal.run("import", f"s3://{bucket.name}/june/")
    assert (again.code, again.out.count(" already imported ")) == (0, 4)


def test_pattern_for_objects_and_a_local_file_are_imported_in_one_call(
    bucket: Bucket, conn: Connection
) -> None:
    bucket.put("june/a.csv", csv_bytes(appointment("A1")))
    bucket.put("june/deep/b.csv", csv_bytes(appointment("A2")))
    bucket.put("june/c.txt", csv_bytes(appointment("A3")))
    exact = bucket.put("july/d.csv", csv_bytes(appointment("A4")))
    bucket.terminal.write("local.csv", csv_bytes(appointment("A5")))

    done = bucket.terminal.run(
        "import", f"s3://{bucket.name}/june/*.csv", exact, "local.csv"
    )

    assert (done.code, done.err) == (0, "")
    assert stored(conn, APPOINTMENT_TABLE).keys() == {"A1", "A4", "A5"}


def test_dry_run_folder_of_a_whole_bucket_is_only_reported_on(
    bucket: Bucket, conn: Connection
) -> None:
    bucket.put("dryrun/a.csv", csv_bytes(appointment("A1")))
    bucket.put("b.csv", csv_bytes(appointment("A2")))

    done = bucket.terminal.run("import", f"s3://{bucket.name}/", "--json")

    files = {file["key"]: file["dry_run"] for file in done.json()["files"]}
    assert files == {"dryrun/a.csv": True, "b.csv": False}
    assert stored(conn, APPOINTMENT_TABLE).keys() == {"A2"}


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("s3://{bucket}/empty/", "No *.csv or *.csv.gz object is in: s3://{bucket}/empty/"),
        ("s3://{bucket}/*.csv", "No object matches: s3://{bucket}/*.csv"),
        (
            "s3://no-such-bucket/june/",
            (
                "S3 does not list s3://no-such-bucket/june/ (NoSuchBucket): the bucket does "
                "not exist; correct its name."
            ),
        ),
        ("s3://*/june/", "Name a folder as s3://bucket/prefix/, not s3://*/june/"),
        ("s3:///june/", "Name a folder as s3://bucket/prefix/, not s3:///june/"),
    ],
)  # fmt: skip
def test_prefix_without_objects_is_an_error_and_other_files_are_imported(
    bucket: Bucket, conn: Connection, uri: str, error: str
) -> None:
    bucket.terminal.write("local.csv", csv_bytes(appointment("A1")))
    uri, error = uri.format(bucket=bucket.name), error.format(bucket=bucket.name)

    alone = bucket.terminal.run("import", uri)
    with_file = bucket.terminal.run("import", uri, "local.csv")

    assert alone.error == error
    assert with_file.code == 1
    assert with_file.err.startswith(f"Error: {error}\n")
    assert stored(conn, APPOINTMENT_TABLE).keys() == {"A1"}


def test_missing_object_is_named(bucket: Bucket) -> None:
    uri = f"s3://{bucket.name}/missing.csv"

    assert bucket.terminal.run("import", uri).error == f"Object not found: {uri}"


def test_missing_bucket_is_named(bucket: Bucket) -> None:
    error = bucket.terminal.run("import", "s3://no-such-bucket/a.csv").error

    assert error == (
        "S3 refuses s3://no-such-bucket/a.csv (NoSuchBucket): the bucket does not exist; "
        "correct its name."
    )


@pytest.mark.parametrize(
    ("environ", "error"),
    [
        pytest.param(
            {"AWS_DEFAULT_REGION": REGION},
            "S3 could not be reached for s3://bucket/a.csv: Unable to locate "
            "credentials",
            id="no-credentials",
        ),
        pytest.param(
            {"AWS_PROFILE": "unknown"},
            "AWS is not configured: The config profile (unknown) could not be found",
            id="no-profile",
        ),
        pytest.param(
            {"AWS_ENDPOINT_URL": "elsewhere"},
            "AWS is not configured: Invalid endpoint: elsewhere",
            id="no-endpoint",
        ),
    ],
)
def test_missing_aws_configuration_is_one_error_line(
    terminal: Terminal, environ: dict[str, str], error: str
) -> None:
    assert terminal.run("import", "s3://bucket/a.csv", **environ).error == error


def test_interrupted_import_of_an_object_is_continued_by_the_next_at_once(
    bucket: Bucket, conn: Connection, database_url: str
) -> None:
    """A lock on the table stops the import in a statement, where Ctrl-C finds it."""
    uri = bucket.put("a.csv", csv_bytes(appointment("A1")))

    with psycopg.connect(database_url) as locking:
        locking.execute("LOCK TABLE salespro_appointment")
        with bucket.terminal.start("import", uri) as process:
            wait_until(conn, WAITING_FOR_A_LOCK)
            process.send_signal(signal.SIGINT)
            interrupted = wait_for_exit(process)
    done = bucket.terminal.run("import", uri, "--json")

    assert interrupted == CommandResult(130, "", interrupted.err)
    assert interrupted.err.strip() == (
        f"Error: Interrupted before the first commit. To go on: salespro import {uri}"
    )
    assert done.counts == {"created": 1}
    assert done.json()["attempts"] == 2

"""The Lambda function with real servers around it: Postgres, S3 over HTTP, a queue.

Proxies inject faults. After each delivery `promises.py` checks docs/reliability.md.
"""

from __future__ import annotations

import csv
import io
import json
import time
import traceback
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from typing import Any

import boto3
import psycopg
import pytest
from mypy_boto3_s3 import S3Client
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from handler import app
from handler.aws import message_visibility
from salespro_cli.sandbox.function import Invocation
from salespro_cli.sandbox.local_aws import REGION
from tests.support.builders import CANARY, csv_bytes
from tests.support.databases import IMPORTER_GRANTS, temporary_role
from tests.support.servers.tcp_proxy import Proxy, http_proxy, postgres_proxy
from tests.support.world import promises
from tests.support.world.lambda_events import s3_event_for, sqs_event_for
from tests.support.world.model import Model
from tests.support.world.uploads import (
    BATCH_SIZE,
    CHECKPOINT_ROWS,
    Rows,
    TrackedUpload,
    cells,
    model_row,
)


class World:
    """The function, its buckets and its database, with a proxy before each server.

    Attributes:
        conninfo: direct conninfo of an administrator.
        url: DATABASE_URL of the function; it leads through the proxy.
        role: the database role of the function.
        conn: the test's own direct connection as administrator.
        postgres_proxy, s3_proxy: the proxies of the function.
        s3_client: a direct client of S3.
        upload_bucket, report_bucket: names of the two buckets.
        output: everything that the function has written: log, metrics, exceptions.
        deadline: of the last invocation, by `time.monotonic()`.
        refused_keys: keys of rows that a constraint of the test's database refuses.
    """

    def __init__(
        self,
        conninfo: str,
        url: str,
        postgres_proxy: Proxy,
        s3_proxy: Proxy,
        s3_client: S3Client,
    ) -> None:
        self.conninfo = conninfo
        self.url = url
        self.role = str(conninfo_to_dict(url)["user"])
        self.conn = self.connect()
        self.postgres_proxy = postgres_proxy
        self.s3_proxy = s3_proxy
        self.s3_client = s3_client
        self.model = Model()
        self.deadline = 0.0
        self.output = io.StringIO()
        self.uploads: list[TrackedUpload] = []
        self.refused_keys: frozenset[str] = frozenset()
        self.upload_bucket = f"up-{uuid.uuid4().hex}"
        self.report_bucket = f"rep-{uuid.uuid4().hex}"
        for bucket in (self.upload_bucket, self.report_bucket):
            s3_client.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            s3_client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )

    def connect(self) -> Connection:
        """Return a new direct connection as administrator."""
        # No prepared statements: the test may change the tables between two queries.
        return psycopg.connect(self.conninfo, autocommit=True, prepare_threshold=None)

    def close(self) -> None:
        """Close `conn`."""
        self.conn.close()

    def reconnect(self) -> None:
        """Replace `conn` after the server has ended it."""
        self.conn.close()
        self.conn = self.connect()

    def start_cold(self) -> None:
        """Discard the execution environment: the next invocation is a cold start."""
        discard_environment()

    def upload(
        self,
        file_rows: Rows,
        key: str = "SalesPro.csv",
        *,
        of_users: bool = False,
        bucket: str | None = None,
    ) -> TrackedUpload:
        """Upload a file of these rows."""
        data = csv_bytes(*(cells(row, of_users=of_users) for row in file_rows))
        return self.upload_bytes(data, file_rows, key, of_users=of_users, bucket=bucket)

    def upload_bytes(
        self,
        data: bytes,
        file_rows: Rows,
        key: str,
        *,
        of_users: bool = False,
        bucket: str | None = None,
    ) -> TrackedUpload:
        """Upload these bytes.

        Args:
            file_rows: the rows that the importer must read from them.
        """
        bucket = bucket or self.upload_bucket
        answer = self.s3_client.put_object(Bucket=bucket, Key=key, Body=data)
        is_versioned = "VersionId" in answer
        version = answer["VersionId"] if is_versioned else answer["ETag"].strip('"')
        upload = TrackedUpload(bucket, key, version, [], is_versioned=is_versioned)
        head = self.s3_client.head_object(Bucket=bucket, Key=key)
        uploaded_at = head["LastModified"].isoformat() if of_users else None
        upload.rows.extend(model_row(row, uploaded_at) for row in file_rows)
        self.uploads.append(upload)
        return upload

    def deliver(self, upload: TrackedUpload, *, seconds: float = 30) -> bool:
        """Deliver the message once and check the promises.

        Returns:
            Whether the function has acknowledged the message.
        """
        self.invoke(upload, seconds=seconds)
        self.update_model(upload)
        self.check_promises()
        return upload.is_acknowledged

    def invoke(self, upload: TrackedUpload, *, seconds: float = 30) -> None:
        """Deliver the message once and check only the deadline.

        For faults during which the test itself cannot reach the database.
        """
        event = self.next_event(upload)
        self.deadline = time.monotonic() + seconds
        context: Any = Invocation(deadline=self.deadline)
        # The dead-letter queue keeps this event after five deliveries.
        assert CANARY not in json.dumps(event), "I5: personal data in the message"
        with redirect_stdout(self.output):
            answer = app.lambda_handler(event, context)
        assert time.monotonic() < self.deadline, "I6: the attempt outlived its deadline"
        upload.is_acknowledged = not answer["batchItemFailures"]

    def invoke_directly(self, upload: TrackedUpload) -> None:
        """Invoke the function with the S3 event, and write an exception to `output`.

        The format is Lambda's own: message, type and traceback. Source:
        aws-lambda-python-runtime-interface-client, `bootstrap.py`.
        """
        upload.deliveries += 1
        context: Any = Invocation()
        try:
            with redirect_stdout(self.output):
                app.lambda_handler(s3_event_for(upload), context)
            upload.is_acknowledged = True
        except Exception as error:  # noqa: BLE001 -- as Lambda does
            printed = {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "stackTrace": traceback.format_tb(error.__traceback__),
            }
            self.output.write(json.dumps(printed) + "\n")

    def next_event(self, upload: TrackedUpload) -> dict[str, Any]:
        """Return the event of one more delivery."""
        upload.deliveries += 1
        return sqs_event_for(upload)

    def deliver_until_done(self, upload: TrackedUpload, *, most: int = 5) -> None:
        """Deliver the message until it is acknowledged, at most `most` times in all."""
        while not self.deliver(upload):
            assert upload.deliveries < most, f"not done after {most} deliveries"
            self.simulate_redelivery_delay()

    def simulate_redelivery_delay(self) -> None:
        """Change the database as the time between two deliveries would.

        The server has ended the transactions of lost clients, and leases have expired.
        """
        # The transactions first: they may hold locks on the history rows.
        self.conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state <> 'idle'"
            " AND application_name = 'salespro-importer'"
            " AND pid <> pg_backend_pid()"
        )
        self.conn.execute(
            "UPDATE salespro_sync_history"
            " SET lease_expires_at = clock_timestamp() - interval '1 second'"
            " WHERE lease_expires_at IS NOT NULL"
        )

    def update_model(self, upload: TrackedUpload) -> None:
        """Apply the rows to the model that were committed since the last call."""
        history_row = self.history_row(upload)
        done = upload.counts.processed
        committed = history_row["records_processed"] if history_row else 0
        while done < committed:
            chunk = upload.rows[done : min(done + CHECKPOINT_ROWS, committed)]
            assert chunk, "I2: more rows are counted than the file has"
            accepted = [
                row._replace(values=None) if row.key in self.refused_keys else row
                for row in chunk
            ]
            upload.counts += self.model.commit(accepted)
            done += len(chunk)

    def check_promises(self) -> None:
        """Check all promises that hold at any time."""
        promises.check_tables(self.conn, self.model)
        for upload in self.uploads:
            if upload.deliveries:
                promises.check_import(upload, self.history_row(upload))
        self.check_output()

    def check_output(self) -> None:
        """Check the promise on errors and personal data (I5)."""
        promises.check_output(self.conn, self.output.getvalue(), self.log_lines())

    def check_no_leftovers(self) -> None:
        """Check that no lease and no transaction is left (I6)."""
        promises.check_no_leftovers(self.conn)

    def check_all_done(self) -> None:
        """Check that each upload is imported or refused, with all rejects (I1, I6)."""
        for upload in self.uploads:
            history_row = self.history_row(upload)
            promises.check_done(upload, history_row)
            if history_row and not upload.is_gone and not upload.is_refused:
                location = str(history_row["report_location"])
                if location.startswith(f"s3://{self.report_bucket}/"):
                    kept = self._rows_in_rejects_file(upload)
                    assert kept == upload.counts.rejected, "I1: rejects are missing"
        self.check_no_leftovers()

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the log lines, metrics among them."""
        return [
            json.loads(line) for line in self.output.getvalue().splitlines() if line
        ]

    def logged_errors(self) -> list[str]:
        """Return the texts of all logged errors, oldest first."""
        return [line["error"] for line in self.log_lines() if line.get("error")]

    def history_row(self, upload: TrackedUpload) -> dict[str, Any] | None:
        """Return the history row of an upload; None before its first claim."""
        with self.conn.cursor(row_factory=dict_row) as cur:
            return cur.execute(
                "SELECT * FROM salespro_sync_history"
                " WHERE (bucket, object_key) = (%s, %s)"
                # In a bucket without versions: the ETag, then the time of the upload.
                " AND split_part(object_version, ' ', 1) = %s",
                [upload.bucket, upload.key, upload.version],
            ).fetchone()

    def _rows_in_rejects_file(self, upload: TrackedUpload) -> int:
        key = f"{upload.key}/{upload.version}/rejects.csv"
        try:
            answer = self.s3_client.get_object(Bucket=self.report_bucket, Key=key)
        except self.s3_client.exceptions.NoSuchKey:
            return 0
        text = answer["Body"].read().decode()
        return len(list(csv.reader(io.StringIO(text)))) - 1


@contextmanager
def open_world(
    conninfo: str, endpoint: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """Set up a world on one database, and tear it down.

    Args:
        conninfo: of an administrator, to a database with the tables.
        endpoint: host and port of moto's server.
    """
    with ExitStack() as stack:
        role_conninfo = stack.enter_context(temporary_role(conninfo, *IMPORTER_GRANTS))
        url, postgres = stack.enter_context(postgres_proxy(role_conninfo))
        s3_url, s3 = stack.enter_context(http_proxy(*endpoint))
        host, port = endpoint
        for name, value in {
            "DATABASE_URL": url,
            "BATCH_SIZE": str(BATCH_SIZE),
            "CHECKPOINT_ROWS": str(CHECKPOINT_ROWS),
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ENDPOINT_URL_S3": s3_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        s3_client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
        world = World(conninfo, url, postgres, s3, s3_client)
        stack.callback(world.close)
        monkeypatch.setenv("REPORT_BUCKET", world.report_bucket)
        log: Any = app.logger.registered_handler
        previous_stream = log.setStream(world.output)
        stack.callback(lambda: log.setStream(previous_stream))
        stack.callback(discard_environment)
        discard_environment()
        yield world


def discard_environment() -> None:
    """Drop everything that the function keeps between invocations."""
    if app.importer.cache_info().currsize:
        app.importer().close()
    app.importer.cache_clear()
    message_visibility.sqs_client.cache_clear()

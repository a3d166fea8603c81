"""The function with all that is around it, each part of which may fail; and the model.

A world checks the promises after each delivery, in the words of docs/reliability.md:

I1  Every accepted row of an upload is in the table, or its import is unfinished or failed
    in the history, with a message that comes again.
I2  The counts add up, and are those that the table shows; each row once.
I3  `completed` means that all rows are committed, and the reverse.
I4  Whatever the schedule, the tables end as after one clean run.
I5  The error names the object, the phase, the cause and what to do; no personal data.
I6  An attempt ends before its deadline, and leaves no transaction and no lease behind.
"""

from __future__ import annotations

import csv
import io
import json
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
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
from salespro_cli.sandbox import REGION, Invocation
from salespro_core.model.outcome import Counts
from salespro_core.sync_history import claims
from tests.support.builders import appointment, csv_bytes, user
from tests.support.servers.tcp_proxy import Wire, http_wire, postgres_wire
from tests.support.table_contents import number, role
from tests.support.world.model import Model, Row, Values

# In every personal column of every row; it may be in rejects.csv and nowhere else.
CANARY = "Quibble-77"
CHECKPOINT_ROWS = 20
BATCH_SIZE = 7
# What the README says that the function's role needs.
GRANT = (
    "SELECT, INSERT, UPDATE ON salespro_appointment, salespro_users,"
    " salespro_users_seen, salespro_sync_history"
)
DAYS = [f"2025-06-{day:02}T00:00:00Z" for day in range(1, 29)]


def rows(count: int, *, bad: int | None = None, day: int = 0, amount: int = 1) -> Rows:
    """(key, timestamp, amount) of so many appointments; one of them may be bad."""
    return [
        (f"A-{i:03}", DAYS[day], "a lot" if i == bad else f"{amount}.00")
        for i in range(count)
    ]


Rows = list[tuple[str, str, str]]


@dataclass(eq=False)
class Put:
    """An object in the bucket, and how far it has come.

    Attributes:
        version: the version id, or the ETag.
        rows: the whole file, for the model.
        counts: what the model says of the rows that are committed.
        is_acknowledged: its message is gone; until then it comes again.
        is_refused: the file is at fault, and the history says so.
        is_gone: it was deleted or replaced before anybody read it.
        deliveries: of its message, so far.
    """

    bucket: str
    key: str
    version: str
    rows: list[Row]
    counts: Counts = field(default_factory=Counts)
    is_acknowledged: bool = False
    is_refused: bool = False
    is_gone: bool = False
    is_versioned: bool = True
    deliveries: int = 0


class World:
    """The function, its buckets and its database, each behind a wire that may fail.

    Attributes:
        conninfo: of an administrator, straight; `role` is the function's.
        url: the function's, over the wire.
        conn: the test's own way to the database: of that administrator, and straight.
        postgres, s3: the wires of the function.
        told: all that the function has said: its log, its metrics, its exceptions.
        deadline: of the last invocation, by `time.monotonic()`.
        refused_keys: rows that Postgres refuses, for a reason of its own.
    """

    def __init__(
        self, conninfo: str, url: str, postgres: Wire, s3: Wire, cloud: S3Client
    ) -> None:
        self.conninfo = conninfo
        self.url = url
        self.role = str(conninfo_to_dict(url)["user"])
        self.conn = self.connect()
        self.postgres = postgres
        self.s3 = s3
        self.cloud = cloud
        self.model = Model()
        self.deadline = 0.0
        self.told = io.StringIO()
        self.puts: list[Put] = []
        self.refused_keys: frozenset[str] = frozenset()
        self.uploads, self.reports = (f"{w}-{uuid.uuid4().hex}" for w in ("up", "rep"))
        for bucket in (self.uploads, self.reports):
            cloud.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            cloud.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )

    def connect(self) -> Connection:
        """Another connection of the administrator, straight to the database."""
        # Nothing prepared: what it looks at may change under it.
        return psycopg.connect(self.conninfo, autocommit=True, prepare_threshold=None)

    def close(self) -> None:
        """Close the test's own connection, which may be another one by now."""
        self.conn.close()

    def reconnect(self) -> None:
        """Connect `conn` anew, when the server has ended it."""
        self.conn.close()
        self.conn = self.connect()

    def start_cold(self) -> None:
        """Make the execution environment a fresh one, which reads its settings anew."""
        _forget()

    def put(
        self,
        found: Rows,
        key: str = "SalesPro.csv",
        *,
        of_users: bool = False,
        bucket: str | None = None,
    ) -> Put:
        """Upload a file of these rows."""
        data = csv_bytes(*(cells(row, of_users=of_users) for row in found))
        return self.put_bytes(data, found, key, of_users=of_users, bucket=bucket)

    def put_bytes(
        self,
        data: bytes,
        found: Rows,
        key: str,
        *,
        of_users: bool = False,
        bucket: str | None = None,
    ) -> Put:
        """Upload a file that has these rows, in whatever form."""
        bucket = bucket or self.uploads
        answer = self.cloud.put_object(Bucket=bucket, Key=key, Body=data)
        is_versioned = "VersionId" in answer
        version = answer["VersionId"] if is_versioned else answer["ETag"].strip('"')
        put = Put(bucket, key, version, [], is_versioned=is_versioned)
        head = self.cloud.head_object(Bucket=bucket, Key=key)
        uploaded_at = head["LastModified"].isoformat() if of_users else None
        put.rows.extend(_row(row, uploaded_at) for row in found)
        self.puts.append(put)
        return put

    def deliver(self, put: Put, *, seconds: float = 30) -> bool:
        """Have the queue deliver its message, check the promises, say if it is done."""
        self.invoke(put, seconds=seconds)
        self.follow(put)
        self.check()
        return put.is_acknowledged

    def invoke(self, put: Put, *, seconds: float = 30) -> None:
        """Have the queue deliver its message, and check nothing but the clock.

        For a fault in which the check itself could not be made.
        """
        event = self.event(put)
        self.deadline = time.monotonic() + seconds
        context: Any = Invocation(deadline=self.deadline)
        # After five deliveries it is what ends in the dead-letter queue.
        assert CANARY not in json.dumps(event), "I5: personal data in the message"
        with redirect_stdout(self.told):
            answer = app.lambda_handler(event, context)
        assert time.monotonic() < self.deadline, "I6: the attempt outlived its deadline"
        put.is_acknowledged = not answer["batchItemFailures"]

    def invoke_without_queue(self, put: Put) -> None:
        """Have S3 invoke the function, and tell what Lambda tells of an exception.

        Source: aws-lambda-python-runtime-interface-client, `bootstrap.py`: its text, its
        type and its traceback, in the log and in the message of a failed invocation.
        """
        put.deliveries += 1
        event = json.loads(_event(put)["Records"][0]["body"])
        context: Any = Invocation()
        try:
            with redirect_stdout(self.told):
                app.lambda_handler(event, context)
            put.is_acknowledged = True
        except Exception as error:  # noqa: BLE001 -- as Lambda does
            told = {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "stackTrace": traceback.format_tb(error.__traceback__),
            }
            self.told.write(json.dumps(told) + "\n")

    def event(self, put: Put) -> dict[str, Any]:
        """What one more delivery of its message brings."""
        put.deliveries += 1
        return _event(put)

    def settle(self, put: Put, *, most: int = 5) -> None:
        """Deliver its message until it is done, as often as the queue would."""
        while not self.deliver(put):
            assert put.deliveries < most, f"not done after {most} deliveries"
            self.wait()

    def wait(self) -> None:
        """Let the time pass that lies between two deliveries.

        Leases run out in it, and the server ends transactions whose client is gone.
        """
        # The transactions first: they may hold locks on the leases.
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

    def follow(self, put: Put) -> None:
        """Give the model what was committed since."""
        stored = self.history(put)
        done = put.counts.processed
        committed = stored["records_processed"] if stored else 0
        while done < committed:
            chunk = put.rows[done : min(done + CHECKPOINT_ROWS, committed)]
            assert chunk, "I2: more rows than the file has"
            kept = [
                row._replace(values=None) if row.key in self.refused_keys else row
                for row in chunk
            ]
            put.counts += self.model.commit(kept)
            done += len(chunk)

    def check(self) -> None:
        """Hold the promises against what is there."""
        self._check_tables()
        for put in self.puts:
            if put.deliveries:
                self._check_import(put, self.history(put))
        self.check_telling()

    def check_nothing_is_left(self) -> None:
        """I6, when the database could be reached at the end of the attempt."""
        leases = "SELECT count(lease_expires_at) FROM salespro_sync_history"
        assert number(self.conn, leases) == 0, "I6: a lease is left"
        busy = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'salespro-importer' AND state <> 'idle'"
            " AND pid <> pg_backend_pid()"
        )
        give_up_at = time.monotonic() + 5
        while number(self.conn, busy):
            assert time.monotonic() < give_up_at, "I6: a transaction is left"
            time.sleep(0.01)

    def check_settled(self) -> None:
        """I1 at the end: all is in the table, or refused for a fault of the file."""
        for put in self.puts:
            stored = self.history(put)
            assert put.is_acknowledged, "I1: its message is still waiting"
            if put.is_gone:
                continue
            assert stored is not None, "I1: nothing is known of it"
            expected = "failed" if put.is_refused else "completed"
            assert stored["status"] == expected, "I1"
            if not put.is_refused:
                place = str(stored["report_location"])
                if place.startswith(f"s3://{self.reports}/"):
                    assert self._kept_rejects(put) == put.counts.rejected, "I1: rejects"
        self.check_nothing_is_left()

    def _check_tables(self) -> None:
        appointments = self.conn.execute(
            'SELECT id, to_char(updated_at, \'YYYY-MM-DD"T"HH24:MI:SS"Z"\'),'
            " sale_amount::text FROM salespro_appointment"
        ).fetchall()
        users = self.conn.execute(
            "SELECT user_object_id, additional_amount::text FROM salespro_users"
        ).fetchall()
        found = {row[0]: row[1:] for row in [*appointments, *users]}
        expected = {
            key: tuple((row.values or {}).values())
            for key, row in self.model.table.items()
        }
        assert found == expected, "I1, I4: the tables are not what the model says"
        created = number(
            self.conn,
            "SELECT coalesce(sum(records_created), 0) FROM salespro_sync_history",
        )
        assert created == len(found), "I2: rows created, and rows there"

    def _check_import(self, put: Put, stored: Mapping[str, Any] | None) -> None:
        if stored is None:
            is_known = put.is_gone or not put.is_acknowledged
            assert is_known, "I1: acknowledged, and nothing is known"
            return
        assert claims.read_counts(dict(stored)) == put.counts, "I2"
        is_whole = put.counts.processed == len(put.rows)
        if stored["status"] == "completed":
            assert is_whole, "I3: completed, and rows are missing"
            assert stored["lease_expires_at"] is None, "I6"
        elif not put.is_refused:
            assert not put.is_acknowledged, "I1, I3: acknowledged, and not completed"
        if stored["status"] == "failed":
            assert stored["error_message"], "I5"

    def _kept_rejects(self, put: Put) -> int:
        """Rows in the file of the rejects, which may be corrected and uploaded again."""
        key = f"{put.key}/{put.version}/rejects.csv"
        try:
            found = self.cloud.get_object(Bucket=self.reports, Key=key)["Body"].read()
        except self.cloud.exceptions.NoSuchKey:
            return 0
        return len(list(csv.reader(io.StringIO(found.decode())))) - 1

    def check_telling(self) -> None:
        """Hold I5 against all that was said and noted."""
        assert CANARY not in self.told.getvalue(), "I5: personal data was told"
        with self.conn.cursor(row_factory=dict_row) as cur:
            noted = cur.execute("SELECT * FROM salespro_sync_history").fetchall()
        assert CANARY not in json.dumps(noted, default=str), "I5: and noted"
        for line in self.lines():
            if line.get("message") in ("import interrupted", "import failed"):
                assert {"bucket", "key"} <= set(line), "I5: the object"
                assert len(line["error"]) > 40, "I5: the phase, the cause, what to do"

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log, metrics among them."""
        return [json.loads(line) for line in self.told.getvalue().splitlines() if line]

    def errors(self) -> list[str]:
        """What the log says went wrong, delivery by delivery."""
        return [line["error"] for line in self.lines() if line.get("error")]

    def history(self, put: Put) -> dict[str, Any] | None:
        """What the history has of it."""
        with self.conn.cursor(row_factory=dict_row) as cur:
            return cur.execute(
                "SELECT * FROM salespro_sync_history"
                " WHERE (bucket, object_key) = (%s, %s)"
                # Without versioning it is the ETag, and when it was uploaded.
                " AND split_part(object_version, ' ', 1) = %s",
                [put.bucket, put.key, put.version],
            ).fetchone()


@contextmanager
def a_world(
    conninfo: str, endpoint: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A world on a database of its own.

    Args:
        conninfo: of an administrator, to a database with the tables.
        endpoint: host and port of moto's server.
    """
    with ExitStack() as stack:
        own = stack.enter_context(role(conninfo, GRANT))
        url, postgres = stack.enter_context(postgres_wire(own))
        s3_url, s3 = stack.enter_context(http_wire(*endpoint))
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
        cloud = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
        world = World(conninfo, url, postgres, s3, cloud)
        stack.callback(world.close)
        monkeypatch.setenv("REPORT_BUCKET", world.reports)
        log: Any = app.logger.registered_handler
        before = log.setStream(world.told)
        stack.callback(lambda: log.setStream(before))
        stack.callback(_forget)
        _forget()
        yield world


def _forget() -> None:
    """Make the execution environment a fresh one."""
    if app.importer.cache_info().currsize:
        app.importer().close()
    app.importer.cache_clear()
    message_visibility.sqs_client.cache_clear()


def cells(row: tuple[str, str, str], *, of_users: bool) -> dict[str, str]:
    """The row as it stands in the file, by label; each text of a person in it is canary."""
    key, time_, amount = row
    if of_users:
        names = {"First_Name": CANARY, "Last_Name": CANARY, "Email": f"{CANARY}@x.org"}
        return user(key, Username=CANARY, Additional_Amount=amount, **names)
    return appointment(
        key,
        _updated_at=time_,
        saleAmount=amount,
        resultFullString=f"Called {CANARY}",
        customer_nameLast=CANARY,
        customer_nameFirst=CANARY,
        customer_estimateName=CANARY,
        salesrep_email=f"{CANARY}@example.com",
        salesrep_nameFirst=CANARY,
        salesrep_nameLast=CANARY,
    )


def _row(row: tuple[str, str, str], uploaded_at: str | None) -> Row:
    key, time_, amount = row
    # A bad amount is a bad row, and the only sort of them here.
    is_good = amount.replace(".", "").isdigit()
    values: Values = {"amount": amount}
    if not uploaded_at:
        values = {"time": time_ or None, "amount": amount}
    return Row(key, uploaded_at or time_, values if is_good else None)


def _event(put: Put) -> dict[str, Any]:
    """The event that the Lambda service makes of its message."""
    pin = {"versionId" if put.is_versioned else "eTag": put.version}
    notification = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2025-06-18T06:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": put.bucket, "arn": f"arn:aws:s3:::{put.bucket}"},
            "object": {"key": put.key, **pin},
        },
    }
    return {
        "Records": [
            {
                "messageId": str(uuid.uuid4()),
                "receiptHandle": "receipt",
                "body": json.dumps({"Records": [notification]}),
                "attributes": {"ApproximateReceiveCount": str(put.deliveries)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:uploads",
                "awsRegion": REGION,
            }
        ]
    }

"""Acceptance: notifications in, rows in Postgres out; S3, SQS and its clock are moto's."""

from __future__ import annotations

import io
import json
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, Literal

import boto3
import pytest
from moto import mock_aws
from psycopg import Connection

from handler import app
from handler.aws import message_visibility
from handler.events import MalformedNotification
from handler.upload_import import MARGIN_S
from salespro_cli.sandbox import REGION, REPORTS, UPLOADS, Invocation, set_up
from salespro_core.errors import ConfigError, ObjectRefused, StoreUnavailable
from salespro_core.model.outcome import Counts
from salespro_core.model.upload import Upload
from salespro_core.sync_history import claims
from salespro_core.sync_history.queries import latest_import, recent_imports
from tests.support import paths
from tests.support.builders import appointment, csv_bytes

EVENTS = paths.EVENTS
SPECIAL_KEY = "june exports/Müller + Söhne 2025-06-18.csv"
FILES = {
    "SalesPro2025-06-18.csv": "SalesPro2025-06-18.csv",
    "dryrun/SalesPro2025-06-18.csv": "SalesPro2025-06-18.csv",
    SPECIAL_KEY: "SalesPro2025-06-18.csv",
    "Combined_Active_Users.csv": "Combined_Active_Users.csv",
}

Rows = list[tuple[Any, ...]]


class Cloud:
    """The function with its buckets, its queue and what it has logged."""

    def __init__(self, log: io.StringIO) -> None:
        self.s3 = boto3.client("s3")
        self.sqs = boto3.client("sqs")
        self.queue_url = set_up(self.s3, self.sqs)
        self.sqs.purge_queue(QueueUrl=self.queue_url)
        self._log = log

    def invoke(self, event: dict[str, Any], seconds: float = 300) -> dict[str, Any]:
        """Call the handler as the Lambda runtime does."""
        context: Any = Invocation(deadline=time.monotonic() + seconds)
        return app.lambda_handler(event, context)

    def put(self, key: str, body: bytes) -> str:
        """Upload, and return the version id."""
        answer = self.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
        return str(answer["VersionId"])

    def receive(self) -> dict[str, Any]:
        """What is in the queue now, as the event that the Lambda service makes of it."""
        found = self.sqs.receive_message(
            QueueUrl=self.queue_url, AttributeNames=["All"], MaxNumberOfMessages=10
        )
        return sqs_event(
            *(
                message(
                    found["Body"],
                    receipt_handle=found["ReceiptHandle"],
                    receive_count=found["Attributes"]["ApproximateReceiveCount"],
                )
                for found in found.get("Messages", [])
            )
        )

    def reports(self) -> dict[str, bytes]:
        """Key -> content of what is in the report bucket."""
        listed = self.s3.list_objects_v2(Bucket=REPORTS).get("Contents", [])
        return {
            one["Key"]: self.s3.get_object(Bucket=REPORTS, Key=one["Key"])[
                "Body"
            ].read()
            for one in listed
        }

    def lines(self) -> list[dict[str, Any]]:
        """What the function has logged so far."""
        return [json.loads(line) for line in self._log.getvalue().splitlines()]


@pytest.fixture
def cloud(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cloud]:
    """The function in a fresh execution environment, with its settings."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REPORT_BUCKET", REPORTS)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    log = io.StringIO()
    handler: Any = app.logger.registered_handler
    before = handler.setStream(log)
    with mock_aws():
        app.importer.cache_clear()
        message_visibility.sqs_client.cache_clear()
        yield Cloud(log)
        if app.importer.cache_info().currsize:
            app.importer().close()
        app.importer.cache_clear()
        message_visibility.sqs_client.cache_clear()
    handler.setStream(before)


def event(name: str) -> dict[str, Any]:
    """One of the notifications that the README and `sam local invoke` use."""
    found: dict[str, Any] = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    return found


def s3_event(key: str, **details: str) -> dict[str, Any]:
    """A notification of one upload, straight from S3."""
    record = event("s3-put.json")["Records"][0]
    record["s3"]["object"] = {"key": urllib.parse.quote_plus(key), **details}
    return {"Records": [record]}


def message(
    body: str, receipt_handle: str = "receipt", receive_count: str = "1"
) -> dict[str, Any]:
    """A message as the Lambda service hands it on."""
    record: dict[str, Any] = event("sqs-s3-put.json")["Records"][0]
    record |= {"body": body, "receiptHandle": receipt_handle}
    record["attributes"] |= {"ApproximateReceiveCount": receive_count}
    return record


def sqs_event(*messages: dict[str, Any]) -> dict[str, Any]:
    """A batch of messages, each with an id of its own."""
    return {"Records": [one | {"messageId": f"m{i}"} for i, one in enumerate(messages)]}


def table(conn: Connection, name: str) -> Rows:
    """Every row with the transaction that wrote it: what is equal was not touched."""
    return conn.execute(
        f"SELECT xmin::text, t.* FROM {name} AS t ORDER BY t::text"  # noqa: S608 # type: ignore[arg-type]
    ).fetchall()


def everything(conn: Connection) -> list[Rows]:
    """All that the function writes to."""
    return [
        table(conn, name)
        for name in (
            "salespro_appointment",
            "salespro_users",
            "salespro_users_seen",
            "salespro_sync_history",
        )
    ]


SALES = ("csv_appointments", "completed", Counts(created=2374))
USERS = ("csv_users", "completed", Counts(created=254))


@pytest.mark.parametrize(
    ("name", "imported"),
    [
        ("s3-put.json", [SALES]),
        ("s3-put-special-key.json", [SALES]),
        ("s3-put-dryrun.json", []),
        ("s3-put-users.json", [USERS]),
        ("s3-put-two-records.json", [SALES, USERS]),
        ("sqs-s3-put.json", [SALES]),
        ("eventbridge-object-created.json", [SALES]),
        ("s3-removed.json", []),
        ("s3-test-event.json", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_sample_event_does_what_the_readme_says(
    cloud: Cloud,
    conn: Connection,
    name: str,
    imported: list[tuple[str, str, Counts]],
) -> None:
    for key, file in FILES.items():
        cloud.put(key, (EVENTS / file).read_bytes())

    answer = cloud.invoke(event(name))

    assert answer.get("batchItemFailures", []) == []
    found = [(i.sync_type, i.status, i.counts) for i in recent_imports(conn)]
    assert sorted(found, key=str) == sorted(imported, key=str)
    rows = sum(counts.created for _, _, counts in imported)
    stored = len(table(conn, "salespro_appointment")) + len(
        table(conn, "salespro_users")
    )
    assert stored == rows
    messages = [line["message"] for line in cloud.lines()]
    is_upload = "removed" not in name and "test-event" not in name
    expected = "import completed" if is_upload else "ignored"
    assert messages == [expected] * max(1, len(imported))
    reports = [key for key in cloud.reports() if key.endswith("report.json")]
    assert len(reports) == (max(1, len(imported)) if is_upload else 0)


def test_every_sample_event_is_in_the_table_above() -> None:
    marks: Any = test_each_sample_event_does_what_the_readme_says.pytestmark  # type: ignore[attr-defined]
    tested = {name for name, _ in marks[0].args[1]}

    assert tested == {path.name for path in EVENTS.glob("*.json")} - {"local.env.json"}


def test_the_reports_lie_under_the_key_and_the_version(
    cloud: Cloud, conn: Connection
) -> None:
    row = appointment("A-1", saleAmount="many")
    version = cloud.put(SPECIAL_KEY, csv_bytes(appointment("A-2"), row))

    cloud.invoke(s3_event(SPECIAL_KEY))

    folder = f"{SPECIAL_KEY}/{version}"
    reports = cloud.reports()
    assert sorted(reports) == [
        f"{folder}/rejects.csv",
        f"{folder}/report.html",
        f"{folder}/report.json",
        f"{folder}/report.txt",
    ]
    assert json.loads(reports[f"{folder}/report.json"])["rejected"] == 1
    assert b"A-1" in reports[f"{folder}/rejects.csv"]
    assert b"1 created, 1 rejected." in reports[f"{folder}/report.html"]
    latest = latest_import(conn)
    assert latest is not None
    assert latest.report_location == f"s3://{REPORTS}/{folder}/"


def test_one_line_tells_an_import_and_none_holds_a_cell(cloud: Cloud) -> None:
    """Dashboards and saved queries read these names; logs are no place for people."""
    canary = "Xaviera-Quibble"
    good = appointment("A-1", customer_nameLast=canary)
    bad = appointment("A-2", customer_nameLast=canary, saleAmount=canary)
    version = cloud.put("a.csv", csv_bytes(good, bad, bad | {"_id": ""}))

    cloud.invoke(s3_event("a.csv"))

    [line] = cloud.lines()
    assert line["records_created"] == 1
    assert line["records_rejected"] == 2
    assert line["records_processed"] == 3
    assert {
        "bucket": UPLOADS,
        "key": "a.csv",
        "version": version,
        "attempts": 1,
        "status": "completed",
        "sync_type": "csv_appointments",
        "dry_run": False,
    }.items() <= line.items()
    assert line["seconds"] > 0
    assert line["rows_per_second"] > 0
    assert canary not in json.dumps(line)


def test_metrics_count_rows_by_fate_and_files_by_status(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.put("a.csv", csv_bytes(appointment("A-1"), appointment("A-2", isSale="no!")))
    cloud.put("b.csv", b"nothing,known\n")

    cloud.invoke(s3_event("a.csv"))
    cloud.invoke(s3_event("b.csv"))

    imported, refused = [
        json.loads(line) for line in capsys.readouterr().out.splitlines()
    ]
    assert imported["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "SalesPro"
    assert (imported["FilesCompleted"], imported["RowsCreated"]) == ([1.0], [1.0])
    assert imported["RowsRejected"] == [1.0]
    assert imported["Duration"][0] >= 0
    assert refused["FilesFailed"] == [1.0]


def test_a_redelivery_changes_nothing_and_says_so(
    cloud: Cloud, conn: Connection
) -> None:
    """S3 and SQS deliver at least once."""
    cloud.put(
        "SalesPro2025-06-18.csv", (EVENTS / "SalesPro2025-06-18.csv").read_bytes()
    )
    cloud.invoke(event("sqs-s3-put.json"))
    before = everything(conn)

    answers = [
        cloud.invoke(event("sqs-s3-put.json")),
        cloud.invoke(event("s3-put.json")),
    ]

    assert everything(conn) == before
    assert answers[0] == {"batchItemFailures": []}
    assert answers[1]["imports"][0]["already_imported"] is True
    assert [line["message"] for line in cloud.lines()] == [
        "import completed",
        "imported before",
        "imported before",
    ]


@pytest.mark.parametrize("versioning", ["Enabled", "Suspended"])
def test_a_corrected_file_under_the_same_key_is_imported(
    cloud: Cloud, conn: Connection, versioning: Literal["Enabled", "Suspended"]
) -> None:
    cloud.s3.put_bucket_versioning(
        Bucket=UPLOADS, VersioningConfiguration={"Status": versioning}
    )
    for amount in ("10.00", "20.00"):
        row = appointment("A-1", saleAmount=amount)
        cloud.s3.put_object(Bucket=UPLOADS, Key="a.csv", Body=csv_bytes(row))
        cloud.invoke(s3_event("a.csv"))

    assert [i.counts for i in recent_imports(conn)] == [
        Counts(updated=1),
        Counts(created=1),
    ]


def test_the_version_that_was_announced_is_read_not_the_newest(
    cloud: Cloud, conn: Connection
) -> None:
    """Notifications arrive late: the bucket may hold a newer version by then."""
    versions = [
        cloud.put("a.csv", csv_bytes(appointment("A-1", saleAmount=amount)))
        for amount in ("10.00", "20.00")
    ]

    cloud.invoke(s3_event("a.csv", versionId=versions[0]))

    amounts = conn.execute("SELECT sale_amount::text FROM salespro_appointment")
    assert amounts.fetchall() == [("10.00",)]


def test_an_object_replaced_before_it_was_read_is_left_to_its_own_notification(
    cloud: Cloud, conn: Connection
) -> None:
    cloud.put("a.csv", csv_bytes(appointment("A-1")))

    answer = cloud.invoke(
        sqs_event(message(json.dumps(s3_event("a.csv", eTag="0" * 32))))
    )

    assert answer == {"batchItemFailures": []}
    [line] = cloud.lines()
    assert line["message"] == "import failed"
    assert "was replaced" in line["error"]
    assert recent_imports(conn) == []


def test_a_deleted_object_is_told_and_not_tried_again(cloud: Cloud) -> None:
    answer = cloud.invoke(sqs_event(message(json.dumps(s3_event("gone.csv")))))

    assert answer == {"batchItemFailures": []}
    [line] = cloud.lines()
    assert "deleted before it was read" in line["error"]


def test_a_dry_run_reports_and_writes_nothing(cloud: Cloud, conn: Connection) -> None:
    cloud.put("a.csv", csv_bytes(appointment("A-1", saleAmount="10.00")))
    cloud.invoke(s3_event("a.csv"))
    before = everything(conn)
    edited = appointment("A-1", saleAmount="20.00")
    version = cloud.put("dryrun/a.csv", csv_bytes(edited, appointment("A-2")))

    answer = cloud.invoke(s3_event("dryrun/a.csv"))

    assert everything(conn) == before
    assert answer["imports"][0]["records_updated"] == 1
    report = json.loads(cloud.reports()[f"dryrun/a.csv/{version}/report.json"])
    assert (report["dry_run"], report["created"], report["updated"]) == (True, 1, 1)
    assert report["changes"][0] == {
        "key": "A-1",
        "is_new": False,
        "fields": {"sale_amount": {"old": "10.00", "new": "20.00"}},
    }


def test_a_refused_file_is_noted_acknowledged_and_not_tried_again(
    cloud: Cloud, conn: Connection
) -> None:
    cloud.put("a.csv", b"PK\x03\x04 an Excel workbook")

    answer = cloud.invoke(sqs_event(message(json.dumps(s3_event("a.csv")))))

    assert answer == {"batchItemFailures": []}
    latest = latest_import(conn)
    assert latest is not None
    assert latest.status == "failed"
    assert "Excel" in str(latest.error_message)
    assert any(key.endswith("report.txt") for key in cloud.reports())


def test_one_poisoned_message_among_ten_does_not_hold_the_others_back(
    cloud: Cloud, conn: Connection
) -> None:
    bodies = []
    for i in range(10):
        cloud.put(f"{i}.csv", csv_bytes(appointment(f"A-{i}")))
        bodies.append(json.dumps(s3_event(f"{i}.csv")))
    bodies[4] = "{not json"

    answer = cloud.invoke(sqs_event(*(message(body) for body in bodies)))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m4"}]}
    assert len(table(conn, "salespro_appointment")) == 9
    [line] = [line for line in cloud.lines() if line["level"] == "ERROR"]
    assert line["message_id"] == "m4"
    assert "as JSON" in line["error"]


def test_without_a_queue_what_cannot_be_read_fails_the_invocation(cloud: Cloud) -> None:
    with pytest.raises(MalformedNotification):
        cloud.invoke({"hello": "world"})


def test_out_of_time_stops_at_a_commit_and_comes_again_at_once(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKPOINT_ROWS", "1000")
    key = "SalesPro2025-06-18.csv"
    cloud.put(key, (EVENTS / key).read_bytes())
    seen = []
    for _ in range(5):
        answer = cloud.invoke(cloud.receive(), seconds=0)
        latest = latest_import(conn)
        assert latest is not None
        assert bool(answer["batchItemFailures"]) == (latest.status == "in_progress")
        seen.append((latest.processed, latest.status, latest.attempts))
        if latest.status != "in_progress":
            break

    # Each attempt makes one commit however little time is left, and the message is there
    # again at once, or nothing would have been received.
    assert seen == [
        (500, "in_progress", 1),
        (1500, "in_progress", 2),
        (2374, "in_progress", 3),
        (2374, "completed", 4),
    ]
    assert latest is not None
    assert latest.counts == Counts(created=2374)


def test_a_delivery_that_meets_a_live_lease_waits_for_its_end(
    cloud: Cloud, conn: Connection
) -> None:
    """Somebody is at it; if they die, this delivery is the one that goes on."""
    cloud.put("a.csv", csv_bytes(appointment("A-1")))
    head = cloud.s3.head_object(Bucket=UPLOADS, Key="a.csv")
    claims.claim(
        conn,
        Upload(
            bucket=UPLOADS,
            object_key="a.csv",
            version=head["VersionId"],
            uploaded_at=head["LastModified"],
        ),
    )
    found = cloud.receive()

    answer = cloud.invoke(found)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert table(conn, "salespro_appointment") == []
    assert cloud.receive() == {"Records": []}
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")
    assert cloud.invoke(found) == {"batchItemFailures": []}
    assert len(table(conn, "salespro_appointment")) == 1


def test_a_database_that_is_away_brings_the_message_back(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "host=127.0.0.1 port=1 user=x dbname=x")
    cloud.put("a.csv", csv_bytes(appointment("A-1")))

    # It is tried again, as long as there is time.
    answer = cloud.invoke(cloud.receive(), seconds=8)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    [line] = cloud.lines()
    assert line["message"] == "import interrupted"
    assert "could not be reached" in line["error"]
    with pytest.raises(StoreUnavailable):
        cloud.invoke(s3_event("a.csv"), seconds=8)


def test_a_report_that_cannot_be_written_leaves_the_import_open(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rejected rows live in the report: without it the file is not accounted for."""
    monkeypatch.setenv("REPORT_BUCKET", "no-such-bucket")
    cloud.put("a.csv", csv_bytes(appointment("A-1"), appointment("A-2", isSale="?")))
    with pytest.raises(ObjectRefused, match="REPORT_BUCKET"):
        cloud.invoke(s3_event("a.csv"))
    latest = latest_import(conn)
    assert latest is not None
    assert latest.status == "failed"

    cloud.s3.create_bucket(
        Bucket="no-such-bucket",
        CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    cloud.invoke(s3_event("a.csv"))

    latest = latest_import(conn)
    assert latest is not None
    assert (latest.status, latest.attempts) == ("completed", 2)
    assert latest.counts == Counts(created=1, rejected=1)


def test_all_mistakes_in_the_settings_are_told_at_once(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("REPORT_BUCKET")
    monkeypatch.setenv("BATCH_SIZE", "many")
    found = sqs_event(message(json.dumps(s3_event("a.csv"))))

    answer = cloud.invoke(found)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    with pytest.raises(ConfigError) as caught:
        cloud.invoke(s3_event("a.csv"))
    for name in ("DATABASE_URL", "REPORT_BUCKET", "BATCH_SIZE"):
        assert name in str(caught.value)
        assert name in cloud.lines()[0]["error"]


def test_the_connection_is_kept_and_made_anew_when_it_has_died(
    cloud: Cloud, conn: Connection
) -> None:
    ours = "application_name = 'salespro-importer' AND pid <> pg_backend_pid()"
    find: Callable[[], Rows] = lambda: conn.execute(  # noqa: E731
        f"SELECT pid FROM pg_stat_activity WHERE {ours} "  # noqa: S608 # type: ignore[arg-type]
        "AND datname = current_database()"
    ).fetchall()
    pids = []
    for i in range(3):
        cloud.put(f"{i}.csv", csv_bytes(appointment(f"A-{i}")))
        cloud.invoke(s3_event(f"{i}.csv"))
        pids.append(find())
        if i == 1:
            conn.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours} "  # noqa: S608 # type: ignore[arg-type]
                "AND datname = current_database()"
            )

    assert len(pids[0]) == 1
    assert pids[0] == pids[1]
    assert len(pids[2]) == 1
    assert pids[2] != pids[0]
    assert len(table(conn, "salespro_appointment")) == 3


def test_a_file_above_its_error_budget_is_refused_until_it_is_corrected(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acknowledged like any refused file; its report has what is to be corrected."""
    monkeypatch.setenv("MAX_REJECTED_ROWS", "1000")
    monkeypatch.setenv("MAX_REJECTED_PERCENT", "0.02")
    canary = "Xaviera-Quibble"
    # More than the buffer holds: the object is asked for twice.
    rows = [appointment(f"A-{i}") for i in range(9_997)]
    rows += [appointment(f"B-{i}", saleAmount=canary) for i in range(3)]
    version = cloud.put("a.csv", csv_bytes(*rows))

    answer = cloud.invoke(cloud.receive())

    assert answer == {"batchItemFailures": []}
    told = (
        "3 of 10,000 rows would be rejected, more than MAX_REJECTED_PERCENT (0.02) "
        "allows. Nothing was imported."
    )
    assert table(conn, "salespro_appointment") == []
    refused = latest_import(conn)
    assert refused is not None
    assert (refused.status, refused.counts) == ("failed", Counts())
    assert str(refused.error_message).startswith(told)
    assert refused.report_location == f"s3://{REPORTS}/a.csv/{version}/"
    reports = cloud.reports()
    rejects = reports[f"a.csv/{version}/rejects.csv"].decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in rejects] == [
        "reject_line",
        *("9999", "10000", "10001"),
    ]
    report = json.loads(reports[f"a.csv/{version}/report.json"])
    assert (report["status"], len(report["rejects"])) == ("failed", 3)
    [line] = cloud.lines()
    assert (line["message"], line["error"]) == ("import failed", refused.error_message)
    assert (line["records_processed"], line["sync_type"]) == (0, "csv_appointments")
    assert canary not in json.dumps(line) + str(refused) + json.dumps(report)

    cloud.put("a.csv", csv_bytes(*rows[:-1], appointment("B-2")))
    cloud.invoke(cloud.receive())

    corrected = latest_import(conn)
    assert corrected is not None
    assert (corrected.status, corrected.counts) == (
        "completed",
        Counts(created=9_998, rejected=2),
    )


def test_a_dry_run_of_a_file_above_its_error_budget_says_so(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_REJECTED_ROWS", "0")
    row = appointment("A-1", saleAmount="many")
    version = cloud.put("dryrun/a.csv", csv_bytes(row))

    answer = cloud.invoke(s3_event("dryrun/a.csv"))

    [facts] = answer["imports"]
    assert (facts["status"], facts["dry_run"]) == ("failed", True)
    assert facts["error"].startswith("1 of 1 row would be rejected, more than MAX_REJ")
    assert recent_imports(conn) == []
    assert f"dryrun/a.csv/{version}/rejects.csv" in cloud.reports()


def test_a_validation_that_runs_out_of_time_comes_again(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_REJECTED_ROWS", "0")
    monkeypatch.setenv("CHECKPOINT_ROWS", "10")
    cloud.put("a.csv", csv_bytes(*(appointment(f"A-{i}") for i in range(50))))

    late = cloud.invoke(cloud.receive(), seconds=0)
    [line] = cloud.lines()
    done = cloud.invoke(cloud.receive())

    assert late == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert line["message"] == "import interrupted"
    assert "give the function more memory" in line["error"]
    assert done == {"batchItemFailures": []}
    assert [i.counts for i in recent_imports(conn)] == [Counts(created=50)]


def test_a_queue_that_does_not_answer_is_given_up_in_time(
    cloud: Cloud,  # noqa: ARG001 -- sets the region
) -> None:
    """In a VPC without a way to SQS: what is kept back at the end would not do."""
    config: Any = message_visibility.sqs_client().meta.config
    waits_s = config.connect_timeout + config.read_timeout

    assert config.retries["total_max_attempts"] * waits_s <= MARGIN_S

"""Failed imports: when their message returns, and how the next delivery continues."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import Connection

from handler import app
from handler.aws import message_visibility
from handler.aws.message_visibility import receive_count, set_retry_delay
from handler.upload_import import COMMIT_RESERVE_S
from salespro_cli.sandbox.local_aws import REGION, UPLOADS
from salespro_core.errors import (
    ClaimHeld,
    CommitsLost,
    ObjectRefused,
    ObjectUnavailable,
    OutOfTime,
    SalesProError,
    ScanPending,
    StoreUnavailable,
)
from salespro_core.model.counts import Counts
from salespro_core.model.upload import Upload
from salespro_core.sync_history import claims
from salespro_core.sync_history.queries import recent_imports
from tests.core.test_errors import subclasses
from tests.support import paths
from tests.support.builders import appointment, csv_bytes
from tests.support.function.cloud import Cloud
from tests.support.function.notifications import s3_event, sqs_message
from tests.support.import_runs import newest_import
from tests.support.table_contents import APPOINTMENT_TABLE, stored

FAILED = {"batchItemFailures": [{"itemIdentifier": "m0"}]}
DONE: dict[str, Any] = {"batchItemFailures": []}


def test_import_without_time_stops_at_a_commit_and_goes_on_with_a_new_message(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt makes one commit, however little time is left."""
    monkeypatch.setenv("CHECKPOINT_ROWS", "1000")
    cloud.put(paths.SAMPLE_EXPORT.name, paths.SAMPLE_EXPORT.read_bytes())

    states = []
    for _ in range(4):
        response = cloud.invoke(cloud.receive(), seconds=0)
        import_ = newest_import(conn)
        states.append((import_.processed, import_.status, import_.attempts))
        assert response == DONE

    assert states == [
        (500, "in_progress", 1),
        (1500, "in_progress", 2),
        (2374, "in_progress", 3),
        (2374, "completed", 4),
    ]
    assert newest_import(conn).counts == Counts(created=2374)


def test_delivery_during_another_attempt_returns_when_the_lease_expires(
    cloud: Cloud, conn: Connection
) -> None:
    """If the other attempt dies, this delivery continues the import."""
    cloud.put("a.csv", csv_bytes(appointment("A-1")))
    head = cloud.s3.head_object(Bucket=UPLOADS, Key="a.csv")
    upload = Upload(
        bucket=UPLOADS,
        object_key="a.csv",
        version=head["VersionId"],
        uploaded_at=head["LastModified"],
    )
    claims.claim(conn, upload)
    event = cloud.receive()

    assert cloud.invoke(event) == FAILED
    assert stored(conn, APPOINTMENT_TABLE) == {}
    assert cloud.receive() == {"Records": []}

    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")

    assert cloud.invoke(event) == DONE
    assert len(stored(conn, APPOINTMENT_TABLE)) == 1


def test_unreachable_database_fails_the_message_or_the_invocation(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "host=127.0.0.1 port=1 user=x dbname=x")
    cloud.put("a.csv", csv_bytes(appointment("A-1")))

    response = cloud.invoke(cloud.receive(), seconds=8)

    assert response == FAILED
    [line] = cloud.log_lines()
    assert line["message"] == "import interrupted"
    assert "could not be reached" in line["error"]
    with pytest.raises(StoreUnavailable):
        cloud.invoke(s3_event("a.csv"), seconds=8)


def test_import_whose_report_cannot_be_written_is_completed_by_a_later_delivery(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rejected rows exist only in the report: without it the import is not complete."""
    monkeypatch.setenv("REPORT_BUCKET", "no-such-bucket")
    cloud.put("a.csv", csv_bytes(appointment("A-1"), appointment("A-2", isSale="?")))
    with pytest.raises(ObjectRefused, match="REPORT_BUCKET"):
        cloud.invoke_for("a.csv")
    assert newest_import(conn).status == "failed"

    cloud.s3.create_bucket(
        Bucket="no-such-bucket",
        CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    cloud.invoke_for("a.csv")

    import_ = newest_import(conn)
    assert (import_.status, import_.attempts) == ("completed", 2)
    assert import_.counts == Counts(created=1, rejected=1)


def test_validation_without_time_is_repeated_by_the_next_delivery(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_REJECTED_ROWS", "0")
    monkeypatch.setenv("CHECKPOINT_ROWS", "10")
    cloud.put("a.csv", csv_bytes(*(appointment(f"A-{i}") for i in range(50))))

    first = cloud.invoke(cloud.receive(), seconds=0)
    [line] = cloud.log_lines()
    second = cloud.invoke(cloud.receive())

    assert (first, second) == (FAILED, DONE)
    assert line["message"] == "import interrupted"
    assert "give the function more memory" in line["error"]
    assert [i.counts for i in recent_imports(conn)] == [Counts(created=50)]


def test_unreachable_queue_takes_less_time_than_is_reserved(
    cloud: Cloud,  # noqa: ARG001 -- sets the region
) -> None:
    """In a VPC without a route to SQS: the new message, then the delay of the old one."""
    config: Any = message_visibility.sqs_client().meta.config
    attempt_s = config.connect_timeout + config.read_timeout
    attempts = 2 * config.retries["total_max_attempts"]

    assert attempts * attempt_s <= COMMIT_RESERVE_S


def delays_after(cloud: Cloud, *failures: tuple[Exception, int]) -> list[int]:
    """The delays that are set, in seconds, for each error and number of deliveries."""
    cloud.put("a.csv", csv_bytes(appointment("A-1")))
    handle = cloud.receive()["Records"][0]["receiptHandle"]
    delays_s: list[int] = []
    message_visibility.sqs_client().meta.events.register(
        "provide-client-params.sqs.ChangeMessageVisibility",
        lambda params, **_: delays_s.append(params["VisibilityTimeout"]),
    )
    for error, count in failures:
        message = sqs_message("", receipt_handle=handle, receive_count=str(count))
        set_retry_delay(message, error, app.logger)
    return delays_s


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ScanPending("No result."), [60, 120, 240, 480, 900, 900, 900]),
        (StoreUnavailable("No answer."), [15, 30, 60, 120, 240, 900, 900]),
        (ObjectUnavailable("No answer."), [15, 30, 60, 120, 240, 900, 900]),
        (OutOfTime("Stopped."), [0] * 7),
        (ObjectRefused("Not CSV."), []),
    ],
    ids=["scan", "database", "object", "time", "refused"],
)
def test_delay_doubles_up_to_a_quarter_of_an_hour(
    cloud: Cloud, error: Exception, expected: list[int]
) -> None:
    failures = [(error, count) for count in (1, 2, 3, 4, 5, 10, 999_999_999)]

    assert delays_after(cloud, *failures) == expected


def test_each_kind_of_error_has_a_delay_or_that_of_the_queue(cloud: Cloud) -> None:
    """People need time to correct the setup; the queue's visibility timeout gives it."""
    at_once = {OutOfTime, CommitsLost}
    later = {ClaimHeld, StoreUnavailable, ObjectUnavailable, ScanPending}
    for kind in subclasses(SalesProError):
        error = kind.__new__(kind)
        if isinstance(error, ClaimHeld):
            error.retry_after_s = 7

        delays_s = delays_after(cloud, (error, 1))

        assert len(delays_s) == (kind in at_once | later), kind
        assert [delay_s > 0 for delay_s in delays_s] == [kind in later] * len(delays_s)


def test_delivery_during_another_attempt_returns_later_each_time(cloud: Cloud) -> None:
    """A second message of a long file must not be delivered five times meanwhile."""
    held = [(1, 7), (2, 7), (2, 900), (3, 7), (4, 7), (5, 7)]
    failures = [(ClaimHeld("It is held.", lease_s), n) for n, lease_s in held]

    delays_s = delays_after(cloud, *failures)

    assert delays_s == [8, 480, 901, 1920, 7680, 7680]
    maximum_s = (
        12 * 60 * 60
    )  # source: Amazon SQS API reference, ChangeMessageVisibility
    assert max(delays_s) < maximum_s


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        ("1", 1),
        ("7", 7),
        ("123456789", 123456789),
        # The delay is a power of it.
        ("1234567890", 1),
        ("0", 1),
        ("-3", 1),
        ("", 1),
        ("٣", 1),
        (3, 1),
        (None, 1),
    ],
)
def test_receive_count_that_is_no_plain_number_counts_as_the_first(
    count: object, expected: int
) -> None:
    assert receive_count({"attributes": {"ApproximateReceiveCount": count}}) == expected
    assert receive_count({}) == 1

"""Every form of notification, each parsed into notifications or ignored with a reason."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from handler.events import (
    Ignored,
    MalformedNotification,
    Notification,
    read_message,
    read_notifications,
)
from tests.support import paths
from tests.support.function.notifications import (
    SAMPLE_EVENTS,
    SPECIAL_KEY,
    eventbridge_event,
    notification,
    read_as_delivered,
    s3_event,
    sample_event,
)

EXPECTED = r"^expected "  # how the message of MalformedNotification starts
NOT_CSV = "the object is neither .csv nor .csv.gz"
FOLDER = "the object is a folder marker"


APPOINTMENTS = notification(
    "SalesPro2025-06-18.csv", size_bytes=1024, sequencer="006852A3B81C4F2D07"
)
USERS = notification(
    "Combined_Active_Users.csv", size_bytes=1024, sequencer="006852A3BA07E1945C"
)

SAMPLE_RESULTS: dict[str, list[Notification | Ignored]] = {
    "s3-put.json": [APPOINTMENTS],
    "s3-put-special-key.json": [
        notification(SPECIAL_KEY, size_bytes=1024, sequencer="006852A4F33B9A6E10")
    ],
    "s3-put-dryrun.json": [
        notification(
            "dryrun/SalesPro2025-06-18.csv",
            size_bytes=1024,
            sequencer="006852A2119C03BD44",
        )
    ],
    "s3-put-users.json": [USERS],
    "s3-put-two-records.json": [APPOINTMENTS, USERS],
    "sqs-s3-put.json": [APPOINTMENTS],
    "eventbridge-object-created.json": [
        notification(
            SPECIAL_KEY,
            size_bytes=1024,
            sequencer="006852A3B81C4F2D07",
        )
    ],
    "s3-removed.json": [
        Ignored(
            "ObjectRemoved:DeleteMarkerCreated does not announce an upload",
            "SalesPro2025-06-18.csv",
        )
    ],
    "s3-test-event.json": [Ignored("S3 sent a test notification", None)],
}


@pytest.mark.parametrize("name", SAMPLE_EVENTS)
def test_sample_event_is_parsed_as_its_readme_says(name: str) -> None:
    """An event without an entry in `SAMPLE_RESULTS` is an error."""
    assert read_as_delivered(sample_event(name)) == SAMPLE_RESULTS[name]


def test_every_sample_event_has_a_line_in_the_readme() -> None:
    readme = (paths.EVENTS / "README.md").read_text(encoding="utf-8")

    assert [name for name in SAMPLE_EVENTS if f"| `{name}` |" not in readme] == []


def test_sample_event_of_sqs_contains_the_sample_event_of_s3() -> None:
    (message,) = sample_event("sqs-s3-put.json")["Records"]

    assert json.loads(message["body"]) == sample_event("s3-put.json")
    assert (
        message["md5OfBody"]
        == hashlib.md5(message["body"].encode(), usedforsecurity=False).hexdigest()
    )


@pytest.mark.parametrize(
    "name",
    [
        "ObjectRemoved:Delete",
        "s3:ObjectRemoved:DeleteMarkerCreated",
        "ObjectTagging:Put",
        "ObjectAcl:Put",
        "LifecycleExpiration:Delete",
        "ReducedRedundancyLostObject",
        "NameThatAwsAddsLater",
    ],
)
def test_event_other_than_object_created_is_ignored(name: str) -> None:
    result = read_notifications(s3_event(name=name))

    assert result == [Ignored(f"{name} does not announce an upload", "a.csv")]


@pytest.mark.parametrize(
    "name", ["ObjectCreated:Put", "s3:ObjectCreated:Post", "ObjectCreated:Copy"]
)
def test_every_kind_of_object_created_is_an_upload(name: str) -> None:
    assert read_notifications(s3_event(name=name)) == [notification("a.csv")]


@pytest.mark.parametrize("version", ["null", "", None])
def test_null_or_empty_version_id_is_none(version: str | None) -> None:
    """With versionId "null", GetObject fails after versioning was enabled."""
    details: dict[str, Any] = {"version-id": version}

    by_s3 = read_notifications(s3_event(versionId=version))
    by_eventbridge = read_notifications(eventbridge_event(**details))

    assert by_s3 == by_eventbridge == [notification("a.csv")]


def test_fields_of_s3_and_eventbridge_are_parsed_alike() -> None:
    by_s3 = s3_event(versionId="v", eTag="e", size=7, sequencer="00A")
    details: dict[str, Any] = {"version-id": "v", "etag": "e"}
    by_eventbridge = eventbridge_event(**details, size=7, sequencer="00A")

    expected = notification(
        "a.csv", version_id="v", etag="e", size_bytes=7, sequencer="00A"
    )
    assert read_notifications(by_s3) == [expected]
    assert read_notifications(by_eventbridge) == [expected]


@pytest.mark.parametrize("wrapped", [s3_event(), eventbridge_event()])
def test_event_wrapped_by_sns_is_parsed(wrapped: dict[str, Any]) -> None:
    """S3 -> SNS -> SQS with and without raw delivery, and SNS -> function."""
    raw = json.dumps(wrapped)
    envelope = {"Type": "Notification", "TopicArn": "arn", "Message": raw}
    direct = {"Records": [{"EventSource": "aws:sns", "Sns": envelope}]}

    assert read_message(raw) == [notification("a.csv")]
    assert read_message(json.dumps(envelope)) == [notification("a.csv")]
    assert read_notifications(direct) == [notification("a.csv")]


def test_event_with_uploads_and_a_folder_keeps_the_order() -> None:
    event = {
        "Records": [
            *s3_event("a.csv")["Records"],
            *s3_event("exports/")["Records"],
            *s3_event("b.csv")["Records"],
        ]
    }

    assert read_notifications(event) == [
        notification("a.csv"),
        Ignored(FOLDER, "exports/"),
        notification("b.csv"),
    ]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"Records": []}, id="no-records"),
        pytest.param({"Records": "none"}, id="records-are-text"),
        pytest.param({"Records": [None]}, id="record-is-null"),
        pytest.param({"Records": [{"eventSource": "aws:kinesis"}]}, id="kinesis"),
        pytest.param({"Records": [{"eventSource": "aws:sqs"}]}, id="sqs-not-unwrapped"),
        pytest.param(
            {"Records": [{"eventSource": "aws:s3"}]}, id="record-without-fields"
        ),
        pytest.param(s3_event(""), id="empty-key"),
        pytest.param(s3_event(size=True), id="size-as-bool"),
        pytest.param(s3_event(size=-1), id="size-negative"),
        pytest.param(s3_event(versionId="v\0"), id="version-with-nul"),
        pytest.param(s3_event(eTag="e\r\nX: y"), id="etag-with-line-end"),
        pytest.param(s3_event(eTag="\ud800"), id="etag-with-surrogate"),
        pytest.param(s3_event(size="1024"), id="size-as-text"),
        pytest.param(s3_event(versionId=1), id="version-as-number"),
        pytest.param(eventbridge_event(etag=["e"]), id="etag-as-list"),
        pytest.param(
            {"source": "aws.s3", "detail-type": "Object Created"},
            id="eventbridge-without-detail",
        ),
        pytest.param(
            {**eventbridge_event(), "source": "aws.ec2"}, id="eventbridge-of-ec2"
        ),
        pytest.param(
            {
                "source": "aws.s3",
                "detail-type": "AWS API Call via CloudTrail",
                "detail": {"requestParameters": {"bucketName": "b", "key": "a.csv"}},
            },
            id="cloudtrail",
        ),
        pytest.param({"Type": "Notification", "Message": "hello"}, id="sns-of-text"),
    ],
)
def test_event_of_unknown_form_is_malformed(event: dict[str, Any]) -> None:
    with pytest.raises(MalformedNotification, match=EXPECTED):
        read_notifications(event)
    with pytest.raises(MalformedNotification, match=EXPECTED):
        read_message(json.dumps(event))


@pytest.mark.parametrize("body", ["", "hello", "{", "[]", "null", "7", "[" * 100_000])
def test_body_that_is_not_a_notification_is_malformed(body: str) -> None:
    with pytest.raises(MalformedNotification, match=EXPECTED):
        read_message(body)


def test_event_with_one_malformed_record_is_malformed_as_a_whole() -> None:
    event = {"Records": [*s3_event()["Records"], {"eventSource": "aws:s3"}]}

    with pytest.raises(MalformedNotification):
        read_notifications(event)


def test_error_does_not_quote_the_body() -> None:
    """Bodies may contain personal data, and errors are logged."""
    with pytest.raises(MalformedNotification) as caught:
        read_message('{"customer": "Müller"')

    assert str(caught.value) == "expected a notification as JSON"
    assert caught.value.__suppress_context__

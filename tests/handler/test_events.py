"""Every form of notification, from our own events and from a public corpus of them."""

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.events import (
    Ignored,
    MalformedNotification,
    Notification,
    read_message,
    read_notifications,
)
from tests.support import paths

EVENTS = paths.EVENTS
# Notifications collected from other projects, used where they are checked out beside
# this repository; our own events are always here.
CORPUS = paths.CORPUS / "s3-events"

SPECIAL_KEY = "june exports/Müller + Söhne 2025-06-18.csv"
EXPECTED = r"^expected "  # how a refusal begins: with the rule, not with the body
NOT_CSV = "the object is neither .csv nor .csv.gz"


def notification(object_key: str, **details: Any) -> Notification:  # noqa: ANN401
    """A notification of our bucket with everything unknown but `details`."""
    unknown: dict[str, Any] = {
        "bucket": "salespro-uploads",
        "version_id": None,
        "etag": None,
        "size_bytes": None,
        "sequencer": None,
    }
    return Notification(object_key=object_key, **(unknown | details))


def s3_event(
    key: str = "a.csv",
    name: str = "ObjectCreated:Put",
    **details: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """An S3 event of one record, with just enough in it; `key` is encoded already."""
    record = {
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {
            "bucket": {"name": "salespro-uploads"},
            "object": {"key": key, **details},
        },
    }
    return {"Records": [record]}


def eventbridge_event(
    key: str = "a.csv",
    name: str = "Object Created",
    **details: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """The same from EventBridge, where keys are not encoded."""
    return {
        "source": "aws.s3",
        "detail-type": name,
        "detail": {
            "bucket": {"name": "salespro-uploads"},
            "object": {"key": key, **details},
        },
    }


def read_as_delivered(event: dict[str, Any]) -> list[Notification | Ignored]:
    """What the function makes of `event`: the messages of SQS are read one by one."""
    match event:
        case {"Records": [{"eventSource": "aws:sqs"}, *_]}:
            bodies = [message["body"] for message in event["Records"]]
            return [found for body in bodies for found in read_message(body)]
        case _:
            return read_notifications(event)


def load(path: Path) -> dict[str, Any]:
    event = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(event, dict)
    return event


APPOINTMENTS = notification(
    "SalesPro2025-06-18.csv", size_bytes=1024, sequencer="006852A3B81C4F2D07"
)
USERS = notification(
    "Combined_Active_Users.csv", size_bytes=1024, sequencer="006852A3BA07E1945C"
)

OURS: dict[str, list[Notification | Ignored]] = {
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
    "s3-test-event.json": [
        Ignored("S3 only tested that its notifications arrive", None)
    ],
}

RESTORED = Ignored(
    "s3:ObjectRestore:Completed does not announce an upload", "glacier-test.txt"
)
HAPPY_FACE = notification(
    "Happy Face.jpg.csv",
    bucket="sourcebucket",
    version_id="version",
    etag="d41d8cd98f00b204e9800998ecf8427e",
    size_bytes=1024,
    sequencer="Happy Sequencer",
)
# The files of the corpus as they are; not one of their objects is named like an export.
CORPUS_AS_IT_IS: dict[str, Ignored | type[MalformedNotification]] = {
    "aws-lambda-go/s3-batch-job-event-request-1.0.json": MalformedNotification,
    "aws-lambda-go/s3-batch-job-event-request-2.0.json": MalformedNotification,
    "aws-lambda-go/s3-batch-job-event-response.json": MalformedNotification,
    "aws-lambda-go/s3-event-with-decoded.json": Ignored(NOT_CSV, "Happy Face.jpg"),
    "aws-lambda-go/s3-event.json": Ignored(NOT_CSV, "Happy Face.jpg"),
    "aws-lambda-go/s3-glacier-event.json": RESTORED,
    "aws-lambda-go/s3-intelligenttier-event.json": Ignored(
        "s3:IntelligentTiering:TransitionAccess does not announce an upload",
        "intelligent-tier-test.dat",
    ),
    "aws-lambda-go/s3-lifecycle-event.json": Ignored(
        "s3:LifecycleTransition does not announce an upload", "lifecycle-test.dat"
    ),
    "aws-lambda-go/s3-object-lambda-event-get-object-assumed-role.json": MalformedNotification,
    "aws-lambda-go/s3-object-lambda-event-get-object-iam.json": MalformedNotification,
    "aws-lambda-go/s3-object-lambda-event-head-object-iam.json": MalformedNotification,
    "aws-lambda-go/s3-object-lambda-event-list-objects-iam.json": MalformedNotification,
    "aws-lambda-go/s3-object-lambda-event-list-objects-v2-iam.json": MalformedNotification,
    "aws-lambda-go/s3-replication-event.json": Ignored(
        "s3:Replication:OperationFailedReplication does not announce an upload",
        "replication-test.png",
    ),
    "aws-lambda-go/s3-restore-event.json": RESTORED,
    "powertools-python/s3Event.json": Ignored(
        NOT_CSV, "b21b84d653bb07b05b1e6b33684dc11b"
    ),
    "powertools-python/s3EventBridgeNotificationObjectCreatedEvent.json": Ignored(
        NOT_CSV, "IMG_m7fzo3.jpg"
    ),
    "powertools-python/s3EventBridgeNotificationObjectDeletedEvent.json": Ignored(
        "Object Deleted does not announce an upload", "IMG_m7fzo3.jpg"
    ),
    "powertools-python/s3EventBridgeNotificationObjectExpiredEvent.json": Ignored(
        "Object Deleted does not announce an upload", "IMG_m7fzo3.jpg"
    ),
    "powertools-python/s3EventBridgeNotificationObjectRestoreCompletedEvent.json": Ignored(
        "Object Restore Completed does not announce an upload", "IMG_m7fzo3.jpg"
    ),
    "powertools-python/s3EventDecodedKey.json": Ignored(NOT_CSV, "Happy Face.jpg"),
    "powertools-python/s3EventDeleteObject.json": Ignored(
        "ObjectRemoved:Delete does not announce an upload",
        "b21b84d653bb07b05b1e6b33684dc11b",
    ),
    # Restored from Glacier, but announced as created: the event's name decides.
    "powertools-python/s3EventGlacier.json": Ignored(
        NOT_CSV, "b21b84d653bb07b05b1e6b33684dc11b"
    ),
    "powertools-python/s3SqsEvent.json": Ignored(NOT_CSV, "test.pdf"),
}
# What the same files say once ".csv" is put after the key; the others stay as above.
CORPUS_AS_CSV: dict[str, Notification] = {
    "aws-lambda-go/s3-event-with-decoded.json": HAPPY_FACE,
    "aws-lambda-go/s3-event.json": HAPPY_FACE,
    "powertools-python/s3Event.json": notification(
        "b21b84d653bb07b05b1e6b33684dc11b.csv",
        bucket="lambda-artifacts-deafc19498e3f2df",
        etag="b21b84d653bb07b05b1e6b33684dc11b",
        size_bytes=1305107,
        sequencer="0C0F6F405D6ED209E1",
    ),
    "powertools-python/s3EventBridgeNotificationObjectCreatedEvent.json": notification(
        "IMG_m7fzo3.jpg.csv",
        bucket="example-bucket",
        etag="4e68adba0abe2dc8653dc3354e14c01d",
        size_bytes=184662,
        sequencer="006408CAD69598B05E",
    ),
    "powertools-python/s3EventDecodedKey.json": HAPPY_FACE,
    "powertools-python/s3EventGlacier.json": notification(
        "b21b84d653bb07b05b1e6b33684dc11b.csv",
        bucket="lambda-artifacts-deafc19498e3f2df",
        etag="b21b84d653bb07b05b1e6b33684dc11b",
        size_bytes=1305107,
        sequencer="0C0F6F405D6ED209E1",
    ),
    "powertools-python/s3SqsEvent.json": notification(
        "test.pdf.csv",
        bucket="xxx",
        version_id="yd3d4HaWOT2zguDLvIQLU6ptDTwKBnQV",
        etag="2e3ad1e983318bbd8e73b080e2997980",
        size_bytes=104681,
        sequencer="00643717F9F8B85354",
    ),
}
CORPUS_FILES = sorted(
    path.relative_to(CORPUS).as_posix() for path in CORPUS.glob("*/*.json")
)


@pytest.mark.parametrize(
    "name", sorted({path.name for path in EVENTS.glob("*.json")} - {"local.env.json"})
)
def test_our_events_say_what_their_readme_says(name: str) -> None:
    """The table has every file, so an event without a verdict is an error."""
    assert read_as_delivered(load(EVENTS / name)) == OURS[name]


def test_every_event_has_a_line_in_the_readme() -> None:
    readme = (EVENTS / "README.md").read_text(encoding="utf-8")

    assert [name for name in OURS if f"| `{name}` |" not in readme] == []


def test_the_sqs_event_wraps_the_direct_one() -> None:
    """Two files that say they show the same upload must not drift apart."""
    (message,) = load(EVENTS / "sqs-s3-put.json")["Records"]

    assert json.loads(message["body"]) == load(EVENTS / "s3-put.json")
    assert (
        message["md5OfBody"]
        == hashlib.md5(message["body"].encode(), usedforsecurity=False).hexdigest()
    )


@pytest.mark.parametrize("name", CORPUS_FILES)
def test_the_corpus_is_read_or_refused(name: str) -> None:
    verdict = CORPUS_AS_IT_IS[name]
    event = load(CORPUS / name)

    if isinstance(verdict, Ignored):
        assert read_as_delivered(event) == [verdict]
    else:
        with pytest.raises(verdict, match=EXPECTED):
            read_as_delivered(event)


@pytest.mark.parametrize(
    "name", [name for name in CORPUS_FILES if name in CORPUS_AS_CSV]
)
def test_the_corpus_is_read_in_full_when_its_objects_are_csv(name: str) -> None:
    event = load(CORPUS / name)
    match event:
        case {"detail": {"object": described}}:
            described["key"] += ".csv"
        case {"Records": [{"s3": {"object": described}}]}:
            described["key"] += ".csv"
        case {"Records": [{"body": str(body)} as message]}:
            message["body"] = body.replace("test.pdf", "test.pdf.csv")

    assert read_as_delivered(event) == [CORPUS_AS_CSV[name]]


@given(stem=st.text())
def test_any_key_survives_the_encoding_of_s3(stem: str) -> None:
    """Decoded once and no more: a key that looks encoded must keep its percent signs."""
    key = f"{stem}.csv"

    (found,) = read_message(json.dumps(s3_event(quote_plus(key))))

    assert found == notification(key)


@given(stem=st.text())
def test_any_key_is_taken_from_eventbridge_as_it_is(stem: str) -> None:
    key = f"{stem}.csv"

    assert read_notifications(eventbridge_event(key)) == [notification(key)]


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        pytest.param("a+b.csv", "a b.csv", id="plus-is-a-space"),
        pytest.param("a%2Bb.csv", "a+b.csv", id="encoded-plus-is-a-plus"),
        pytest.param("a%20b.csv", "a b.csv", id="percent-20-is-a-space-too"),
        pytest.param("50%2525.csv", "50%25.csv", id="only-one-layer-comes-off"),
        pytest.param("a/b%2Fc.csv", "a/b/c.csv", id="slashes-either-way"),
    ],
)
def test_keys_of_s3_are_decoded_once(encoded: str, key: str) -> None:
    assert read_notifications(s3_event(encoded)) == [notification(key)]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        pytest.param("exports/", "the object stands for a folder", id="folder"),
        pytest.param(
            "exports.csv/", "the object stands for a folder", id="named-like-a-file"
        ),
        pytest.param("sales.xlsx", NOT_CSV, id="spreadsheet"),
        pytest.param("sales.csv.bak", NOT_CSV, id="csv-not-last"),
        pytest.param("sales.gz", NOT_CSV, id="gz-of-something"),
        pytest.param("csv", NOT_CSV, id="no-dot"),
    ],
)
def test_what_is_no_export_is_ignored_with_a_reason(key: str, reason: str) -> None:
    assert read_notifications(s3_event(key)) == [Ignored(reason, key)]


@pytest.mark.parametrize("key", ["A.CSV", "a.Csv", "a.csv.gz", "a.CSV.GZ", "x/.csv"])
def test_suffixes_count_in_any_case(key: str) -> None:
    assert read_notifications(s3_event(key)) == [notification(key)]


@pytest.mark.parametrize(
    ("key", "is_dry_run"),
    [
        ("dryrun/a.csv", True),
        ("dryrun/june/a.csv", True),
        ("dryrun.csv", False),
        ("june/dryrun/a.csv", False),
    ],
)
def test_a_dry_run_is_told_by_the_start_of_its_key(
    key: str,
    is_dry_run: bool,  # noqa: FBT001
) -> None:
    assert notification(key).is_dry_run is is_dry_run


@pytest.mark.parametrize(
    "name",
    [
        "ObjectRemoved:Delete",
        "s3:ObjectRemoved:DeleteMarkerCreated",
        "ObjectTagging:Put",
        "ObjectAcl:Put",
        "LifecycleExpiration:Delete",
        "ReducedRedundancyLostObject",
        "SomethingThatAwsAddsTomorrow",
    ],
)
def test_only_created_objects_are_uploads(name: str) -> None:
    found = read_notifications(s3_event(name=name))

    assert found == [Ignored(f"{name} does not announce an upload", "a.csv")]


@pytest.mark.parametrize(
    "name", ["ObjectCreated:Put", "s3:ObjectCreated:Post", "ObjectCreated:Copy"]
)
def test_every_way_of_creating_an_object_is_an_upload(name: str) -> None:
    assert read_notifications(s3_event(name=name)) == [notification("a.csv")]


@pytest.mark.parametrize("version", ["null", "", None])
def test_a_version_that_s3_calls_null_is_none(version: str | None) -> None:
    """GetObject would look for it by that name where versioning came later."""
    details: dict[str, Any] = {"version-id": version}

    by_s3 = read_notifications(s3_event(versionId=version))
    by_eventbridge = read_notifications(eventbridge_event(**details))

    assert by_s3 == by_eventbridge == [notification("a.csv")]


def test_both_senders_mean_the_same_by_different_names() -> None:
    by_s3 = s3_event(versionId="v", eTag="e", size=7, sequencer="00A")
    details: dict[str, Any] = {"version-id": "v", "etag": "e"}
    by_eventbridge = eventbridge_event(**details, size=7, sequencer="00A")

    expected = notification(
        "a.csv", version_id="v", etag="e", size_bytes=7, sequencer="00A"
    )
    assert read_notifications(by_s3) == [expected]
    assert read_notifications(by_eventbridge) == [expected]


@pytest.mark.parametrize("wrapped", [s3_event(), eventbridge_event()])
def test_sns_may_stand_between(wrapped: dict[str, Any]) -> None:
    """S3 -> SNS -> SQS with and without raw delivery, and SNS straight to us."""
    raw = json.dumps(wrapped)
    envelope = {"Type": "Notification", "TopicArn": "arn", "Message": raw}
    straight = {"Records": [{"EventSource": "aws:sns", "Sns": envelope}]}

    assert read_message(raw) == [notification("a.csv")]
    assert read_message(json.dumps(envelope)) == [notification("a.csv")]
    assert read_notifications(straight) == [notification("a.csv")]


def test_one_event_may_mix_uploads_with_what_is_none() -> None:
    event = {
        "Records": [
            *s3_event("a.csv")["Records"],
            *s3_event("exports/")["Records"],
            *s3_event("b.csv")["Records"],
        ]
    }

    assert read_notifications(event) == [
        notification("a.csv"),
        Ignored("the object stands for a folder", "exports/"),
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
        pytest.param({"Records": [{"eventSource": "aws:s3"}]}, id="bare-record"),
        pytest.param(s3_event(""), id="empty-key"),
        pytest.param(s3_event("%FF.csv"), id="key-not-utf-8"),
        pytest.param(s3_event(size="1024"), id="size-as-text"),
        pytest.param(s3_event(versionId=1), id="version-as-number"),
        pytest.param(eventbridge_event(etag=["e"]), id="etag-as-list"),
        pytest.param({"source": "aws.s3", "detail-type": "Object Created"}, id="bare"),
        pytest.param(
            {**eventbridge_event(), "source": "aws.ec2"}, id="eventbridge-of-another"
        ),
        pytest.param(
            {
                "source": "aws.s3",
                "detail-type": "AWS API Call via CloudTrail",
                "detail": {"requestParameters": {"bucketName": "b", "key": "a.csv"}},
            },
            id="cloudtrail",
        ),
        pytest.param({"Type": "SubscriptionConfirmation", "Message": "m"}, id="sns"),
        pytest.param({"Type": "Notification", "Message": "hello"}, id="sns-of-text"),
    ],
)
def test_an_unknown_form_is_never_dropped(event: dict[str, Any]) -> None:
    with pytest.raises(MalformedNotification, match=EXPECTED):
        read_notifications(event)
    with pytest.raises(MalformedNotification, match=EXPECTED):
        read_message(json.dumps(event))


@pytest.mark.parametrize("body", ["", "hello", "{", "[]", "null", "7", "[" * 100_000])
def test_a_body_that_is_no_notification_is_refused(body: str) -> None:
    with pytest.raises(MalformedNotification, match=EXPECTED):
        read_message(body)


def test_one_malformed_record_keeps_its_neighbours_for_the_redelivery() -> None:
    event = {"Records": [*s3_event()["Records"], {"eventSource": "aws:s3"}]}

    with pytest.raises(MalformedNotification):
        read_notifications(event)


def test_the_message_says_nothing_of_the_body() -> None:
    """Keys and bodies may name customers, and errors are logged."""
    with pytest.raises(MalformedNotification) as caught:
        read_message('{"customer": "Müller"')

    assert str(caught.value) == "expected a notification as JSON"
    assert caught.value.__suppress_context__

"""Notifications from a public corpus of other projects' events."""

from __future__ import annotations

import pytest

from handler.events import Ignored, MalformedNotification, Notification
from tests.support import paths
from tests.support.function.notifications import (
    load_event,
    notification,
    read_as_delivered,
)

# It is next to this repository and may be missing; then these tests have no parameters.
CORPUS = paths.CORPUS / "s3-events"
NOT_CSV = "the object is neither .csv nor .csv.gz"
EXPECTED = r"^expected "  # how the message of MalformedNotification starts

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
# The files as they are: no object in them has the suffix of an export.
RESULTS: dict[str, Ignored | type[MalformedNotification]] = {
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
    # Restored from Glacier, but with the event name of a created object.
    "powertools-python/s3EventGlacier.json": Ignored(
        NOT_CSV, "b21b84d653bb07b05b1e6b33684dc11b"
    ),
    "powertools-python/s3SqsEvent.json": Ignored(NOT_CSV, "test.pdf"),
}
# The files whose result changes if ".csv" is appended to the object key.
RESULTS_AS_CSV: dict[str, Notification] = {
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


@pytest.mark.parametrize("name", CORPUS_FILES)
def test_event_of_the_corpus_is_ignored_or_malformed(name: str) -> None:
    expected = RESULTS[name]
    event = load_event(CORPUS / name)

    if isinstance(expected, Ignored):
        assert read_as_delivered(event) == [expected]
    else:
        with pytest.raises(expected, match=EXPECTED):
            read_as_delivered(event)


@pytest.mark.parametrize(
    "name", [name for name in CORPUS_FILES if name in RESULTS_AS_CSV]
)
def test_event_of_the_corpus_with_a_csv_key_is_a_notification(name: str) -> None:
    event = load_event(CORPUS / name)
    match event:
        case {"detail": {"object": object_}}:
            object_["key"] += ".csv"
        case {"Records": [{"s3": {"object": object_}}]}:
            object_["key"] += ".csv"
        case {"Records": [{"body": str(body)} as message]}:
            message["body"] = body.replace("test.pdf", "test.pdf.csv")

    assert read_as_delivered(event) == [RESULTS_AS_CSV[name]]

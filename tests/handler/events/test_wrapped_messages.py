"""SNS envelopes and events of EventBridge with a field missing, null or of another type."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from psycopg import Connection

from handler.events import MalformedNotification
from salespro_core.errors import SalesProError
from tests.support.builders import appointment, csv_bytes
from tests.support.function.cloud import Cloud
from tests.support.function.event_mutants import Path, mutants
from tests.support.function.notifications import (
    s3_event,
    sample_event,
    sqs_event,
    sqs_message,
)
from tests.support.table_contents import APPOINTMENT_TABLE, stored

Event = dict[str, Any]
KEY = "a.csv"
# Fields without which nobody could say which object was created.
NEEDED: set[Path] = {
    ("Type",),
    ("Message",),
    ("Records",),
    ("Records", "EventSource"),
    ("Records", "Sns"),
    ("Records", "Sns", "Message"),
    ("source",),
    ("detail-type",),
    ("detail",),
    ("detail", "bucket"),
    ("detail", "bucket", "name"),
    ("detail", "object"),
    ("detail", "object", "key"),
}
# They pin the version, and are refused if they are no text or no number.
CHECKED = {("detail", "object", name) for name in ("size", "etag", "version-id")} | {
    ("detail", "object", "sequencer")
}
IMPORTED = ("import completed", "imported before")
ENDED = ("ignored", "import failed")
KEPT = ("nothing imported", "import interrupted")


def sns(message: str) -> Event:
    """A message of SNS as a queue gets it."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:uploads",
        "Subject": "Amazon S3 Notification",
        "Message": message,
        "Timestamp": "2025-06-18T06:00:00.000Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
        "MessageAttributes": {"kind": {"Type": "String", "Value": "upload"}},
    }


def sns_of_lambda(message: str) -> Event:
    """A message of SNS that invokes the function."""
    record = {
        "EventVersion": "1.0",
        "EventSource": "aws:sns",
        "EventSubscriptionArn": "arn:aws:sns:eu-central-1:123456789012:uploads:1",
        "Sns": sns(message),
    }
    return {"Records": [record]}


def eventbridge() -> Event:
    """An event of EventBridge for the object."""
    event = sample_event("eventbridge-object-created.json")
    event["detail"]["object"] |= {"key": KEY}
    return event


S3 = json.dumps(s3_event(KEY))
FORMS: dict[str, Callable[[], Iterator[tuple[Path, Event]]]] = {
    "sns": lambda: mutants(sns(S3)),
    "sns-of-lambda": lambda: mutants(sns_of_lambda(S3)),
    "eventbridge": lambda: mutants(eventbridge()),
    "eventbridge-in-sns": lambda: (
        (path, sns(json.dumps(mutant))) for path, mutant in mutants(eventbridge())
    ),
    "sns-in-sns": lambda: (
        (path, sns(json.dumps(mutant))) for path, mutant in mutants(sns(S3))
    ),
}


def assert_fate(path: Path, line: Event, *, is_kept: bool) -> None:
    """The log line and the fate fit to the field that was changed."""
    text = line["message"]
    assert text in (KEPT if is_kept else (*IMPORTED, *ENDED)), (path, line)
    if path not in CHECKED:
        assert (text in IMPORTED) is (path not in NEEDED), (path, line)
    if text == "nothing imported":
        assert line["error"].startswith("expected "), line
        assert line["error_type"] == "MalformedNotification"
    elif text == "import interrupted":  # another bucket
        assert path == ("detail", "bucket", "name")
    elif text not in IMPORTED:
        assert line.get("reason") or line["error"], line


@pytest.mark.parametrize("form", FORMS)
def test_mutants_in_a_queue_have_one_line_each_and_block_no_other_message(
    cloud: Cloud, conn: Connection, form: str
) -> None:
    for key in (KEY, "good.csv"):
        cloud.put(key, csv_bytes(appointment(key)))
    good = sqs_message(json.dumps(s3_event("good.csv")))
    pairs = FORMS[form]()

    while batch := list(islice(pairs, 9)):
        before = len(cloud.log_lines())
        messages = [sqs_message(json.dumps(mutant)) for _, mutant in batch]
        response = cloud.invoke(sqs_event(*messages, good))

        *lines, last = cloud.log_lines()[before:]
        failed = {each["itemIdentifier"] for each in response["batchItemFailures"]}
        assert last["message"] in IMPORTED
        assert f"m{len(batch)}" not in failed
        assert len(lines) == len(batch)
        for index, ((path, _), line) in enumerate(zip(batch, lines, strict=True)):
            assert_fate(path, line, is_kept=f"m{index}" in failed)
    assert stored(conn, APPOINTMENT_TABLE).keys() == {KEY, "good.csv"}


@pytest.mark.parametrize("form", FORMS)
def test_mutants_that_invoke_the_function_have_one_line_and_the_right_fate(
    cloud: Cloud, form: str
) -> None:
    """Lambda retries what raises an error, and then keeps it in the dead-letter queue."""
    cloud.put(KEY, csv_bytes(appointment("A-1")))

    for path, mutant in FORMS[form]():
        before = len(cloud.log_lines())
        is_kept = False
        try:
            cloud.invoke(mutant)
        except (MalformedNotification, SalesProError):
            is_kept = True

        [line] = cloud.log_lines()[before:]
        assert_fate(path, line, is_kept=is_kept)

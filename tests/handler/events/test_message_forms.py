"""Messages of any form: one log line each, the right fate, and no crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from handler.events import Ignored, MalformedNotification, Notification
from salespro_core.sync_history.queries import recent_imports
from tests.handler.events.test_events_corpus import CORPUS
from tests.support import paths
from tests.support.builders import appointment, csv_bytes
from tests.support.function.cloud import Cloud
from tests.support.function.event_mutants import mutants
from tests.support.function.notifications import (
    SAMPLE_EVENTS,
    load_event,
    read_as_delivered,
    s3_event,
    sqs_event,
    sqs_message,
)
from tests.support.table_contents import APPOINTMENT_TABLE, stored

DONE: dict[str, Any] = {"batchItemFailures": []}
FAILED = {"batchItemFailures": [{"itemIdentifier": "m0"}]}
EVENT_FILES = [
    *(paths.EVENTS / name for name in SAMPLE_EVENTS),
    *sorted(CORPUS.glob("*/*.json")),
]
BODIES_THAT_FAIL = [
    "",
    " ",
    "hello",
    "{",
    "null",
    "7",
    '"text"',
    "[]",
    "[null]",
    "{}",
    "[" * 100_000,
    "9" * 5_000,
    '{"Records": null}',
    '{"Records": []}',
    '{"Records": [null]}',
    '{"Records": [{"eventSource": "aws:kinesis"}]}',
    '{"Type": "Notification", "Message": null}',
    '{"Type": "Notification", "Message": "hello"}',
    '{"source": "aws.s3", "detail-type": "Object Created", "detail": null}',
    '{"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}',
    json.dumps({"padding": "x" * 1_000_000}),
]


@pytest.mark.parametrize("body", BODIES_THAT_FAIL, ids=lambda body: body[:40])
def test_body_of_unknown_form_fails_its_message_with_one_line(
    cloud: Cloud, body: str
) -> None:
    assert cloud.invoke(sqs_event(sqs_message(body))) == FAILED

    [line] = cloud.log_lines()
    assert (line["message"], line["message_id"]) == ("nothing imported", "m0")
    assert line["error"].startswith("expected ")


@pytest.mark.parametrize(
    "name", ["SubscriptionConfirmation", "UnsubscribeConfirmation"]
)
def test_confirmation_of_sns_is_done_with_one_warning(cloud: Cloud, name: str) -> None:
    body = json.dumps(
        {"Type": name, "TopicArn": "arn:aws:sns:eu-west-1:123456789012:t"}
    )

    assert cloud.invoke(sqs_event(sqs_message(body))) == DONE

    [line] = cloud.log_lines()
    assert (line["level"], line["message"]) == ("WARNING", "ignored")
    assert "subscribe again" in line["reason"]


def _without(*names: str) -> dict[str, Any]:
    [record] = sqs_event(sqs_message(json.dumps(s3_event("a.csv"))))["Records"]
    return {name: value for name, value in record.items() if name not in names}


@pytest.mark.parametrize(
    "record",
    [
        *(pytest.param(_without(name), id=name) for name in _without()),
        pytest.param(_without("attributes", "messageAttributes"), id="both"),
        pytest.param(_without() | {"attributes": None}, id="attributes-null"),
        pytest.param(_without() | {"attributes": {}}, id="attributes-empty"),
        pytest.param(
            _without() | {"attributes": {"ApproximateReceiveCount": "many"}}, id="count"
        ),
        pytest.param(
            {"eventSource": "aws:sqs", "body": _without()["body"]}, id="body-only"
        ),
    ],
)
def test_record_of_sqs_without_a_field_is_imported(
    cloud: Cloud, conn: Connection, record: dict[str, Any]
) -> None:
    cloud.put("a.csv", csv_bytes(appointment("A-1")))

    response = cloud.invoke({"Records": [record]})

    [line] = cloud.log_lines()
    if "body" in record:
        assert (response, line["message"]) == (DONE, "import completed")
        assert len(stored(conn, APPOINTMENT_TABLE)) == 1
    else:
        assert (response, line["message"]) == (FAILED, "nothing imported")


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(_without(name), id=name)
        for name in _without()
        if name not in ("messageId", "body")
    ],
)
def test_record_of_sqs_without_a_field_fails_alone(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    record: dict[str, Any],
) -> None:
    """A retryable error asks for the receive count, the queue and the receipt handle."""
    monkeypatch.setenv("DATABASE_URL", "host=127.0.0.1 port=1 user=x dbname=x")
    cloud.put("a.csv", csv_bytes(appointment("A-1")))

    assert cloud.invoke({"Records": [record]}, seconds=2) == FAILED

    [line] = cloud.log_lines()
    assert line["message"] == "import interrupted"


def test_failed_message_without_an_id_fails_the_batch_after_the_others(
    cloud: Cloud, conn: Connection
) -> None:
    """Only the id could say which message failed; completed imports are not repeated."""
    cloud.put("a.csv", csv_bytes(appointment("A-1")))
    [good] = sqs_event(sqs_message(json.dumps(s3_event("a.csv"))))["Records"]
    bad = {"eventSource": "aws:sqs", "body": "hello"}

    with pytest.raises(MalformedNotification):
        cloud.invoke({"Records": [bad, good]})

    assert len(stored(conn, APPOINTMENT_TABLE)) == 1


def test_batch_with_a_record_that_is_no_message_is_imported_one_by_one(
    cloud: Cloud, conn: Connection
) -> None:
    for key in ("a.csv", "b.csv"):
        cloud.put(key, csv_bytes(appointment(key)))
    [message] = sqs_event(sqs_message(json.dumps(s3_event("a.csv"))))["Records"]
    [record] = s3_event("b.csv")["Records"]

    assert cloud.invoke({"Records": [record, message]}) == DONE

    assert len(stored(conn, APPOINTMENT_TABLE)) == 2


@pytest.mark.parametrize(
    "event", [None, 7, "action", [], ["action"], {}, {"Records": {}}]
)
def test_event_that_is_no_object_or_has_no_records_is_malformed(
    cloud: Cloud,
    event: Any,  # noqa: ANN401
) -> None:
    with pytest.raises(MalformedNotification):
        cloud.invoke(event)

    [line] = cloud.log_lines()
    assert line["message"] == "nothing imported"


@pytest.mark.parametrize("path", EVENT_FILES, ids=lambda path: path.name)
def test_event_with_a_field_missing_or_odd_is_read_or_malformed(path: Path) -> None:
    """Each field of the event, and of the body in it, at any depth."""
    event = load_event(path)

    for _, mutant in mutants(event):
        try:
            results = read_as_delivered(mutant)
        except MalformedNotification:
            continue
        except (KeyError, TypeError):
            # `read_as_delivered` itself does not read a damaged SQS record.
            assert "sqs" in path.name.lower()
            continue
        assert results
        for result in results:
            assert isinstance(result, Notification | Ignored)


def test_mutants_of_the_message_of_s3_never_crash_the_function(
    cloud: Cloud, conn: Connection
) -> None:
    cloud.put("SalesPro2025-06-18.csv", csv_bytes(appointment("A-1")))
    event = load_event(paths.EVENTS / "sqs-s3-put.json")
    record = event["Records"][0] | {"messageId": "m0"}
    body = json.loads(record["body"])
    messages = [
        *(mutant for _, mutant in mutants(record) if mutant.get("messageId") == "m0"),
        *(record | {"body": json.dumps(mutant)} for _, mutant in mutants(body)),
    ]

    for message in messages:
        before = len(cloud.log_lines())
        response = cloud.invoke({"Records": [message]})
        new = cloud.log_lines()[before:]
        if response == DONE:
            assert new[0]["level"] in ("INFO", "ERROR")
        elif "batchItemFailures" in response:
            assert response == FAILED
            assert new[0]["message"] in ("nothing imported", "import interrupted")
        assert [line["message"] for line in new].count("nothing imported") <= 1
        assert len(new) == 1, (message, new)
        assert "unexpected error, please report it" not in new[0]["message"]
    assert {import_.status for import_ in recent_imports(conn)} <= {
        "completed",
        "failed",
    }

"""Each error code of SQS, SNS and Secrets Manager, answered to the code that calls them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger
from botocore.retries.standard import ExponentialBackoff
from mypy_boto3_sqs import SQSClient

from handler.admin.reconcile import Unimported, send_uploads
from handler.aws import message_visibility
from handler.aws.continuation import continue_in_new_message
from handler.aws.db_connection import conninfo
from handler.aws.error_codes import Cause, cause_of
from handler.aws.message_visibility import set_retry_delay
from handler.aws.s3_object import CLIENT_CONFIG
from handler.observability.sns_notices import Notices
from salespro_core.errors import ConfigError, ObjectError, OutOfTime, StoreUnavailable
from tests.handler.aws.errors.test_error_codes import COMMON, codes_of
from tests.support.function.database_settings import settings_of
from tests.support.function.notifications import (
    notification,
    s3_event,
    sqs_message,
)
from tests.support.servers.error_server import (
    MAX_REQUESTS,
    ErrorServer,
    run_error_server,
)

CANARY = "Jane Roe, 12 Elm Street"
TOPIC_ARN = "arn:aws:sns:eu-central-1:123456789012:imports"
SECRET_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db"  # noqa: S105
QUEUE_ARN = "arn:aws:sqs:eu-central-1:123456789012:uploads"
LOG = io.StringIO()
LOGGER = Logger(service="error-sweep", stream=LOG)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ErrorServer]:
    """Where all clients lead; they retry as often as usual, and without pauses."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    message_visibility.sqs_client.cache_clear()
    with run_error_server() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server
    message_visibility.sqs_client.cache_clear()


def answers(service: str, server: ErrorServer) -> Iterator[tuple[str, Cause]]:
    """Each code of a service, of KMS behind it, and of all services, set as the answer."""
    kms = {f"KMS.{code}" for code in codes_of("kms")}
    for status in (400, 503):
        for code in sorted({*codes_of(service), *kms, *COMMON}):
            server.answer(status, code, CANARY)
            yield code, cause_of(code, status)
            assert 1 <= server.requests <= MAX_REQUESTS, code


def new_lines() -> list[dict[str, Any]]:
    """The lines of the log since the last call."""
    lines = [json.loads(line) for line in LOG.getvalue().splitlines()]
    LOG.seek(0)
    LOG.truncate()
    return lines


def test_each_error_of_the_secret_passes_or_names_the_setting(
    server: ErrorServer,
) -> None:
    settings = settings_of(DB_SECRET_ARN=SECRET_ARN)
    for code, cause in answers("secretsmanager", server):
        with pytest.raises((ConfigError, StoreUnavailable)) as caught:
            conninfo(settings)

        text = str(caught.value)
        assert caught.value.retryable is (cause is Cause.PASSING), code
        assert ("DB_SECRET_ARN" in text) is (cause is not Cause.PASSING), text
        assert code in text
        assert CANARY not in text


def test_each_error_of_the_topic_is_one_line_and_fails_nothing(
    server: ErrorServer,
) -> None:
    notices = Notices(TOPIC_ARN, LOGGER)
    for code, cause in answers("sns", server):
        notices.send("subject", "text", object_key="a.csv")

        [line] = new_lines()
        assert (line["message"], line["key"]) == ("notice not sent", "a.csv")
        assert f"({code})" in line["error"]
        assert ("NOTIFY_TOPIC_ARN" in line["error"]) is (cause is not Cause.PASSING)
        assert CANARY not in line["error"]


@pytest.fixture
def sqs(server: ErrorServer) -> SQSClient:
    client: SQSClient = boto3.client("sqs", config=CLIENT_CONFIG)
    assert client.meta.endpoint_url == server.url
    return client


def test_each_error_of_sending_to_the_queue_is_retryable_or_says_what_to_do(
    server: ErrorServer, sqs: SQSClient
) -> None:
    missed = Unimported(
        notification=notification("a.csv"),
        uploaded_at=datetime.now(UTC),
        state="missed",
    )
    for code, cause in answers("sqs", server):
        with pytest.raises(ObjectError) as caught:
            send_uploads(sqs, server.url, [missed])

        text = str(caught.value)
        assert caught.value.retryable is (cause is Cause.PASSING), code
        assert code in text
        assert ("sqs:SendMessage" in text) <= (cause is not Cause.PASSING), text
        assert CANARY not in text


def test_each_error_of_the_retry_delay_is_at_most_one_line(server: ErrorServer) -> None:
    """It fails nothing; a line if a person can mend it, since each retry is then late."""
    message = sqs_message("{}") | {"eventSourceARN": QUEUE_ARN, "messageId": "m0"}
    logged: set[str] = set()
    for code, cause in answers("sqs", server):
        set_retry_delay(message, OutOfTime("The time ran out."), LOGGER)

        lines = new_lines()
        for line in lines:
            assert (line["level"], line["message"]) == (
                "WARNING",
                "retry delay not set",
            )
            assert line["message_id"] == "m0"
            assert f"({code})" in line["error"]
            assert CANARY not in line["error"]
        assert len(lines) <= (cause is not Cause.PASSING), code
        logged |= {code for _ in lines}

    assert {"AccessDeniedException", "KMS.DisabledException", "OptInRequired"} <= logged
    # These say that the record is of no message.
    assert not {"ReceiptHandleIsInvalid", "QueueDoesNotExist"} & logged


def test_each_error_of_sending_a_message_again_is_at_most_one_line(
    server: ErrorServer,
) -> None:
    """Then the old message is delivered again, as before."""
    body = json.dumps(s3_event("a.csv"))
    message = sqs_message(body) | {"eventSourceARN": QUEUE_ARN, "messageId": "m0"}
    error = OutOfTime("The time ran out.")
    error.new_checkpoint = 10
    for code, cause in answers("sqs", server):
        assert not continue_in_new_message(message, error, LOGGER)

        lines = new_lines()
        for line in lines:
            assert (line["level"], line["message"], line["message_id"]) == (
                *("WARNING", "message not sent again"),
                "m0",
            )
            assert f"({code})" in line["error"]
            assert CANARY not in line["error"]
        assert len(lines) <= (cause is not Cause.PASSING), code

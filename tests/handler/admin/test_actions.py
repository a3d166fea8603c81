"""The actions migrate and reconcile, unknown actions, and scheduled ones."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from handler.admin.actions import ACTIONS, ScheduledActionFailed, UnknownAction
from salespro_cli.sandbox.local_aws import UPLOADS
from salespro_core.postgres import connection
from salespro_core.preflight.database import schema_problems
from tests.support.builders import CANARY_PASSWORD
from tests.support.databases import temporary_role
from tests.support.function.cloud import Cloud
from tests.support.function.iam import run_action_with_permissions
from tests.support.sam_template import as_list, properties, statements


def test_second_migrate_is_ok_and_logged(
    cloud: Cloud, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    answers = [cloud.run_action("migrate"), cloud.run_action("migrate")]

    assert [answer["ok"] for answer in answers] == [True, True]
    assert [answer["says"].partition(".")[0] for answer in answers] == [
        "The tables are created",
        "The tables were up to date",
    ]
    with connection.connect(empty_database_url) as conn:
        assert list(schema_problems(conn)) == []
    assert [(line["message"], line["action"]) for line in cloud.log_lines()] == [
        ("action done", "migrate")
    ] * 2


def test_migrate_by_a_role_that_may_not_create_tables_changes_nothing(
    cloud: Cloud, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with temporary_role(empty_database_url) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        answer = cloud.run_action("migrate")

    assert (answer["ok"], answer["says"][:20]) == (False, "Nothing was changed.")
    assert "SQLSTATE 42501" in answer["says"]
    assert "salespro migrate" in answer["remedy"]
    with connection.connect(empty_database_url) as conn:
        assert len(list(schema_problems(conn))) == 1


def test_role_that_may_create_tables_can_migrate_and_passes_the_checks(
    cloud: Cloud, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It owns the tables it creates, so docs/deploy.md lists no other grant."""
    with temporary_role(empty_database_url, "CREATE, USAGE ON SCHEMA public") as url:
        monkeypatch.setenv("DATABASE_URL", url)
        migrated = cloud.run_action("migrate")
        checked = cloud.run_action("check", bucket=UPLOADS)

    assert (migrated["ok"], checked["ok"]) == (True, True)


def test_migrate_with_invalid_settings_fails_without_quoting_the_password(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPORT_BUCKET")
    url = make_conninfo(password=CANARY_PASSWORD, port="many")
    monkeypatch.setenv("DATABASE_URL", url)

    answer = cloud.run_action("migrate")

    assert answer["ok"] is False
    assert "REPORT_BUCKET" in answer["says"]
    assert CANARY_PASSWORD not in json.dumps(answer)


@pytest.mark.parametrize("action", ["drop", "", "Check", None, 1, ["check"], {}])
def test_unknown_action_is_an_error_that_lists_the_actions(
    cloud: Cloud, action: object
) -> None:
    with pytest.raises(UnknownAction) as caught:
        cloud.run_action(action)

    for known in ACTIONS:
        assert f'{{"action": "{known}"}}' in str(caught.value)
    assert "drop" not in str(caught.value) + cloud.log_text()


@pytest.fixture
def queue_url(cloud: Cloud) -> str:
    """An empty queue that S3 does not notify."""
    return str(cloud.sqs.create_queue(QueueName="empty")["QueueUrl"])


@pytest.fixture
def missed_upload(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:
    """An upload that was never imported, and is old enough to be reconciled."""
    monkeypatch.setattr("handler.admin.actions.IN_FLIGHT_GRACE", timedelta(minutes=-1))
    cloud.put("missed.csv", b"_id\r\n")
    return "missed.csv"


def test_reconcile_sends_an_unimported_upload_to_the_queue(
    cloud: Cloud, queue_url: str, missed_upload: str
) -> None:
    answer = cloud.run_action("reconcile", bucket=UPLOADS, queue_url=queue_url)

    assert (answer["ok"], answer["missed"], answer["sent"]) == (True, 1, 1)
    [message] = cloud.sqs.receive_message(QueueUrl=queue_url)["Messages"]
    assert missed_upload in message["Body"]


@pytest.mark.usefixtures("missed_upload")
def test_permissions_of_the_template_suffice_for_check_and_reconcile(
    cloud: Cloud, queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator can run both in a stack that has no schedule."""
    policies = properties("ImporterRole")["Policies"]
    unconditional = [policy for policy in policies if "Fn::If" not in policy]
    allowed = [str(a) for s in statements(unconditional) for a in as_list(s["Action"])]
    # IAM has one permission for both ways to send; moto checks another for batches.
    assert "sqs:SendMessage" in allowed
    allowed.append("sqs:SendMessageBatch")

    checked = run_action_with_permissions(
        cloud, monkeypatch, allowed, "check", bucket=UPLOADS
    )
    reconciled = run_action_with_permissions(
        *(cloud, monkeypatch, allowed, "reconcile"),
        bucket=UPLOADS,
        queue_url=queue_url,
    )

    assert (checked["ok"], reconciled["ok"]) == (True, True)
    assert reconciled["sent"] == 1


def test_input_of_the_schedule_in_the_template_is_a_valid_action(
    cloud: Cloud, queue_url: str
) -> None:
    [target] = properties("ReconcileRule")["Targets"]
    text = target["Input"]["Fn::Sub"][0]
    text = text.replace("${Bucket}", UPLOADS).replace("${UploadQueue}", queue_url)

    assert cloud.run_action(**json.loads(text))["ok"] is True


def test_failed_scheduled_action_raises_an_error(cloud: Cloud, queue_url: str) -> None:
    """Nobody reads the answer; an error is retried by Lambda and raises an alarm."""
    with pytest.raises(ScheduledActionFailed, match="reconcile failed"):
        cloud.run_action(
            "reconcile", bucket="no-such-bucket", queue_url=queue_url, scheduled=True
        )

    [line] = cloud.log_lines()
    assert line["message"] == "action failed"
    assert "no-such-bucket" in line["says"]


def test_failed_action_of_an_operator_is_an_answer(
    cloud: Cloud, queue_url: str
) -> None:
    answer = cloud.run_action("reconcile", bucket="no-such-bucket", queue_url=queue_url)

    assert answer["ok"] is False
    assert "no-such-bucket" in answer["says"]


def test_reconcile_skips_an_upload_of_the_last_hour(
    cloud: Cloud, queue_url: str
) -> None:
    cloud.put("new.csv", b"_id\r\n")

    answer = cloud.run_action("reconcile", bucket=UPLOADS, queue_url=queue_url)

    assert (answer["ok"], answer["outside"], answer["sent"]) == (True, 1, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"bucket": UPLOADS},
        {"bucket": UPLOADS, "queue_url": 7},
        {"bucket": UPLOADS, "queue_url": "https://sqs.example", "hours": 0},
        {"bucket": UPLOADS, "queue_url": "https://sqs.example", "hours": True},
        {"bucket": UPLOADS, "queue_url": "https://sqs.example", "hours": "72"},
    ],
)
def test_reconcile_with_missing_or_invalid_fields_names_the_fields(
    cloud: Cloud, fields: dict[str, Any]
) -> None:
    answer = cloud.run_action("reconcile", **fields)

    assert answer["ok"] is False
    assert '"queue_url"' in answer["remedy"]


@pytest.mark.parametrize(
    ("hours", "is_valid"), [(1, True), (8760, True), (8761, False)]
)
def test_reconcile_compares_the_last_hour_up_to_the_last_year(
    cloud: Cloud, queue_url: str, hours: int, *, is_valid: bool
) -> None:
    answer = cloud.run_action(
        "reconcile", bucket=UPLOADS, queue_url=queue_url, hours=hours
    )

    assert answer["ok"] == is_valid

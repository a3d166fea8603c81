"""`make runtime`: the built function in Lambda's emulator, with each sample event.

The emulator runs the built folder with the handler, the settings and the timeout of the
built template; its Python has no other packages installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import boto3
import pytest
from psycopg.conninfo import conninfo_to_dict

from salespro_cli.sandbox.local_aws import UPLOADS
from salespro_core.model.counts import Counts
from salespro_core.sync_history.queries import recent_imports
from tests.runtime.environment import (
    Environment,
    log_lines,
    metric_names,
    sqs_delivery,
)
from tests.support.function.notifications import SAMPLE_EVENTS, sample_event
from tests.support.paths import EVENTS, SAMPLE_EXPORT
from tests.support.table_contents import number
from tools.emulator import ROOT
from tools.uploads import FILES

pytestmark = pytest.mark.runtime


@dataclass(frozen=True, slots=True)
class Expected:
    """The result of one event.

    Attributes:
        history: sync type and created rows of each import.
        messages: of the log lines.
        metrics: the name of the metric of each file.
    """

    history: list[tuple[str, int]] = field(default_factory=list)
    reports: set[str] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)


def report_keys(*keys: str) -> set[str]:
    """The keys of the reports of these uploads, without their versions."""
    return {f"{key}/report.{kind}" for key in keys for kind in ("html", "json", "txt")}


PLAIN, SPECIAL, DRY_RUN, USERS = FILES
SALES_ROW, USERS_ROW = ("csv_appointments", 2374), ("csv_users", 254)
DONE, COUNTED = ["import completed"], ["FilesCompleted"]
EXPECTED = {
    "s3-put.json": Expected([SALES_ROW], report_keys(PLAIN), DONE, COUNTED),
    "s3-put-special-key.json": Expected(
        [SALES_ROW], report_keys(SPECIAL), DONE, COUNTED
    ),
    "s3-put-dryrun.json": Expected([], report_keys(DRY_RUN), DONE, ["FilesTried"]),
    "s3-put-users.json": Expected([USERS_ROW], report_keys(USERS), DONE, COUNTED),
    "s3-put-two-records.json": Expected(
        [SALES_ROW, USERS_ROW], report_keys(PLAIN, USERS), DONE * 2, COUNTED * 2
    ),
    "sqs-s3-put.json": Expected([SALES_ROW], report_keys(PLAIN), DONE, COUNTED),
    "eventbridge-object-created.json": Expected(
        [SALES_ROW], report_keys(SPECIAL), DONE, COUNTED
    ),
    "s3-removed.json": Expected(messages=["ignored"]),
    "s3-test-event.json": Expected(messages=["ignored"]),
}


@pytest.mark.parametrize("name", SAMPLE_EVENTS)
def test_sample_event_writes_rows_history_reports_log_lines_and_metrics(
    environment: Environment, name: str
) -> None:
    for key, file in FILES.items():
        environment.put(key, (EVENTS / file).read_bytes())

    with environment.emulator() as running:
        response = running.invoke(sample_event(name))

    expected = EXPECTED[name]
    if name.startswith("sqs"):
        assert response == {"batchItemFailures": []}
    else:
        assert len(response["imports"]) == len(expected.metrics)
    imports = recent_imports(environment.conn)
    assert sorted((i.sync_type, i.counts.created) for i in imports) == expected.history
    assert all(i.status == "completed" for i in imports)
    rows = number(environment.conn, "SELECT count(*) FROM salespro_appointment")
    rows += number(environment.conn, "SELECT count(*) FROM salespro_users")
    assert rows == sum(created for _, created in expected.history)
    assert environment.reports() == expected.reports
    lines = log_lines(running)
    assert [line["message"] for line in lines] == expected.messages
    assert all(line["level"] == "INFO" for line in lines)
    assert all(line["function_request_id"] for line in lines)
    assert [
        names & {"FilesCompleted", "FilesTried"} for names in metric_names(running)
    ] == [{name} for name in expected.metrics]


def test_make_invoke_prints_the_log_the_response_and_the_report(
    environment: Environment,
) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tools.invoke", "events/s3-put.json"],
        cwd=ROOT,
        env=os.environ
        | {
            "PYTHONPATH": ".:src",
            "DATABASE_URL": environment.variables["DATABASE_URL"],
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert '"message":"import completed"' in result.stderr
    assert '"records_created": 2374' in result.stdout
    assert "2,374 rows: 2,374 created" in result.stdout


def test_second_invocation_uses_the_same_process_and_connection(
    environment: Environment,
) -> None:
    environment.put("one.csv", SAMPLE_EXPORT.read_bytes())
    environment.put("two.csv", SAMPLE_EXPORT.read_bytes())

    with environment.emulator() as running:
        first = running.invoke(sqs_delivery("one.csv"))
        process, session = running.function_pid(), _sessions(environment)
        second = running.invoke(sqs_delivery("two.csv"))

        assert (running.function_pid(), _sessions(environment)) == (process, session)
    assert first == second == {"batchItemFailures": []}
    assert [line["cold_start"] for line in log_lines(running)] == [True, False]
    assert [i.counts for i in recent_imports(environment.conn)] == [
        Counts(unchanged=2374),
        Counts(created=2374),
    ]


def _sessions(environment: Environment) -> list[int]:
    """The process ids of the function's sessions on the server."""
    return [
        row[0]
        for row in environment.conn.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = %s",
            [conninfo_to_dict(environment.variables["DATABASE_URL"])["user"]],
        )
    ]


def test_actions_are_answered(environment: Environment) -> None:
    with environment.emulator() as running:
        checked = running.invoke({"action": "check", "bucket": UPLOADS})
        migrated = running.invoke({"action": "migrate"})
        unknown = running.invoke({"action": "drop"})

    assert checked["ok"] is True, checked
    # The role of docs/deploy.md may import, but not alter tables that it does not own.
    assert migrated["ok"] is False
    assert unknown["errorType"] == "UnknownAction"
    for known in ("check", "migrate", "reconcile"):
        assert f'{{"action": "{known}"}}' in unknown["errorMessage"]


def test_build_has_the_service_models_of_secrets_manager_sns_and_sqs(
    environment: Environment,
) -> None:
    """The build leaves out the models of services that the function does not call."""
    conninfo = conninfo_to_dict(environment.variables.pop("DATABASE_URL"))
    secret = {
        "host": conninfo["host"],
        "port": conninfo.get("port", 5432),
        "dbname": conninfo["dbname"],
        "username": conninfo["user"],
        "password": conninfo["password"],
    }
    secrets, name = boto3.client("secretsmanager"), f"sales-{uuid4()}"
    arn = secrets.create_secret(Name=name, SecretString=json.dumps(secret))["ARN"]
    sns: Any = boto3.client("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    sqs = boto3.client("sqs")
    queue_url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue_arn = topic.replace(":sns:", ":sqs:")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    environment.variables |= {
        "DB_SECRET_ARN": arn,
        "DB_SSLMODE": "prefer",  # the test server has no TLS
        "NOTIFY_TOPIC_ARN": topic,
    }
    environment.put("refused.csv", b"nothing,known\n")

    with environment.emulator() as running:
        response = running.invoke(sqs_delivery("refused.csv"))
        action = {"action": "reconcile", "bucket": UPLOADS, "queue_url": queue_url}
        reconciled = running.invoke(action)

    assert response == {"batchItemFailures": []}
    messages = [line["message"] for line in log_lines(running)]
    assert messages == ["import failed", "action done"]
    [notice] = sqs.receive_message(QueueUrl=queue_url)["Messages"]
    assert "SalesPro import failed" in notice["Body"]
    assert (reconciled["ok"], reconciled["outside"]) == (True, 1)

"""Acceptance: events in, rows in Postgres and responses out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg import Connection

from handler.events import MalformedNotification
from salespro_core.errors import ConfigError
from salespro_core.model.counts import Counts
from salespro_core.sync_history.queries import recent_imports
from tests.support import paths
from tests.support.builders import CANARY, appointment, csv_bytes
from tests.support.function.cloud import Cloud
from tests.support.function.notifications import (
    SAMPLE_EVENTS,
    s3_event,
    sample_event,
    sqs_event,
    sqs_message,
)
from tests.support.table_contents import APPOINTMENT_TABLE, USERS_TABLE, stored
from tools.uploads import FILES

SALES = ("csv_appointments", "completed", Counts(created=2374))
USERS = ("csv_users", "completed", Counts(created=254))
IMPORTS: dict[str, list[tuple[str, str, Counts]]] = {
    "s3-put.json": [SALES],
    "s3-put-special-key.json": [SALES],
    "s3-put-dryrun.json": [],
    "s3-put-users.json": [USERS],
    "s3-put-two-records.json": [SALES, USERS],
    "sqs-s3-put.json": [SALES],
    "eventbridge-object-created.json": [SALES],
    "s3-removed.json": [],
    "s3-test-event.json": [],
}
NOT_UPLOADS = {"s3-removed.json", "s3-test-event.json"}


@pytest.mark.parametrize("name", SAMPLE_EVENTS)
def test_sample_event_is_imported_or_ignored_as_its_readme_says(
    cloud: Cloud, conn: Connection, name: str
) -> None:
    """An event without an entry in `IMPORTS` is an error."""
    expected = IMPORTS[name]
    for key, file in FILES.items():
        cloud.put(key, (paths.EVENTS / file).read_bytes())

    response = cloud.invoke(sample_event(name))

    assert response.get("batchItemFailures", []) == []
    imports = [(i.sync_type, i.status, i.counts) for i in recent_imports(conn)]
    assert sorted(imports, key=str) == sorted(expected, key=str)
    rows = len(stored(conn, APPOINTMENT_TABLE)) + len(stored(conn, USERS_TABLE))
    assert rows == sum(counts.created for _, _, counts in expected)
    # A dry run has a log line and a report, but no row in the history.
    files = 0 if name in NOT_UPLOADS else max(1, len(expected))
    messages = [line["message"] for line in cloud.log_lines()]
    assert messages == (["import completed"] * files or ["ignored"])
    reports = [key for key in cloud.reports() if key.endswith("report.json")]
    assert len(reports) == files


def test_poisoned_message_in_a_batch_fails_and_the_nine_others_are_imported(
    cloud: Cloud, conn: Connection
) -> None:
    bodies = []
    for i in range(10):
        cloud.put(f"{i}.csv", csv_bytes(appointment(f"A-{i}")))
        bodies.append(json.dumps(s3_event(f"{i}.csv")))
    bodies[4] = "{not json"

    response = cloud.invoke(sqs_event(*map(sqs_message, bodies)))

    assert response == {"batchItemFailures": [{"itemIdentifier": "m4"}]}
    assert len(stored(conn, APPOINTMENT_TABLE)) == 9
    [line] = [line for line in cloud.log_lines() if line["level"] == "ERROR"]
    assert line["message_id"] == "m4"
    assert "as JSON" in line["error"]


def test_unknown_event_outside_a_queue_fails_the_invocation(cloud: Cloud) -> None:
    event: dict[str, Any] = {"hello": "world"}

    with pytest.raises(MalformedNotification):
        cloud.invoke(event)

    [line] = cloud.log_lines()
    assert line["message"] == "nothing imported"


def test_all_invalid_settings_are_in_one_error(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("REPORT_BUCKET")
    monkeypatch.setenv("BATCH_SIZE", "many")

    response = cloud.invoke_by_queue("a.csv")

    assert response == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    with pytest.raises(ConfigError) as caught:
        cloud.invoke_for("a.csv")
    for name in ("DATABASE_URL", "REPORT_BUCKET", "BATCH_SIZE"):
        assert name in str(caught.value)
        assert name in cloud.log_lines()[0]["error"]
    # The alarm of a gradual release reads it.
    assert "FilesInterrupted" in capsys.readouterr().out


def test_bug_is_logged_with_its_type_and_place_but_without_its_text(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lambda would print the text, which may contain a cell; powertools too."""

    def fail(*_: object, **__: object) -> None:
        raise ArithmeticError(CANARY)

    monkeypatch.setattr("handler.upload_import.import_upload", fail)
    cloud.put("a.csv", csv_bytes(appointment()))

    response = cloud.invoke_by_queue("a.csv")

    assert response == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    [line] = [line for line in cloud.log_lines() if line["level"] == "CRITICAL"]
    assert (line["error_type"], line["key"]) == ("ArithmeticError", "a.csv")
    assert line["at"][-1].startswith("fail:")
    assert CANARY not in cloud.log_text()
    assert "FilesInterrupted" in capsys.readouterr().out


def test_log_lines_have_the_id_of_the_trace(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a line is found from the trace that Lambda makes with Tracing=Active."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3f;Sampled=1")

    cloud.invoke_for("notes.txt")

    [line] = cloud.log_lines()
    assert line["xray_trace_id"] == "1-5759e988-bd862e3f"

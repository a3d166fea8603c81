"""The action undo: it takes back an import, and no message can start it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from psycopg import Connection

from handler.events import MalformedNotification
from salespro_cli.sandbox.local_aws import UPLOADS
from tests.core.report.test_report_schema import schema_errors
from tests.support.builders import CANARY, appointment, csv_bytes
from tests.support.function.cloud import Cloud
from tests.support.function.notifications import (
    eventbridge_event,
    s3_event,
    sqs_event,
    sqs_message,
)
from tests.support.table_contents import APPOINTMENT_TABLE, HISTORY_TABLE, stored

OLD, NEW, NEWEST = (f"2025-06-0{day}T00:00:00Z" for day in (1, 2, 3))
KEY = "CANARY-KEY-"
NO_NUMBERS: list[object] = [
    None, "2", "", "two", True, False, 0, -1, 2.0, 2**63, 10**30, [2], {"id": 2}
]  # fmt: skip
NO_BOOLEANS: list[object] = [None, 1, 0, "true", "", []]


def import_rows(cloud: Cloud, key: str, *rows: Any) -> None:  # noqa: ANN401
    version = cloud.put(key, csv_bytes(*rows))
    cloud.invoke_for(key, versionId=version)


@pytest.fixture
def imported(cloud: Cloud, conn: Connection) -> Cloud:
    """Import 1 creates a row; import 2 updates it and creates two more."""
    import_rows(cloud, "a.csv", appointment(f"{KEY}A", _updated_at=OLD))
    import_rows(
        cloud,
        "b.csv",
        appointment(f"{KEY}A", customer_nameLast=CANARY, _updated_at=NEW),
        *(appointment(f"{KEY}{n}", customer_nameLast=CANARY) for n in range(2)),
    )
    assert len(stored(conn, APPOINTMENT_TABLE)) == 3
    return cloud


def state(conn: Connection) -> object:
    return stored(conn, APPOINTMENT_TABLE), stored(conn, HISTORY_TABLE)


def test_dry_run_foretells_and_undo_takes_back(
    imported: Cloud, conn: Connection
) -> None:
    before = state(conn)

    foretold = imported.run_action("undo", **{"import": 2, "dry_run": True})
    after = state(conn)
    undone = imported.run_action("undo", **{"import": 2})

    counts = {
        "restored": 1,
        "deleted": 2,
        "created_again": 0,
        "unchanged": 0,
        "left": 0,
    }
    assert foretold == {
        "action": "undo",
        "ok": True,
        "says": "Import 2 would be undone. 3 rows: 1 restored, 2 deleted. "
        "Nothing was changed.",
        "import": 2,
        "dry_run": True,
        **counts,
        "report": "s3://salespro-reports/dryrun/undo-of-import-2/1/",
    }
    assert after == before
    assert undone == foretold | {
        "says": "Import 2 is undone. 3 rows: 1 restored, 2 deleted. Nothing else to do. "
        "The undo is an import of its own, and can be undone, too.",
        "dry_run": False,
        "report": "s3://salespro-reports/undo-of-import-2/1/",
    }
    assert set(stored(conn, APPOINTMENT_TABLE)) == {f"{KEY}A"}


def test_reports_are_in_the_report_bucket(imported: Cloud) -> None:
    imported.run_action("undo", **{"import": 2, "dry_run": True})
    imported.run_action("undo", **{"import": 2})

    reports = imported.reports()
    for folder in ("undo-of-import-2/1/", "dryrun/undo-of-import-2/1/"):
        names = {key.removeprefix(folder) for key in reports if key.startswith(folder)}
        assert names == {"report.html", "report.json", "report.txt"}
        report = json.loads(reports[f"{folder}report.json"])
        assert schema_errors(report) == []
        assert report["undoes"] == 2
        assert report["dry_run"] is folder.startswith("dryrun/")


def test_log_line_has_neither_a_key_nor_a_cell(
    imported: Cloud, conn: Connection
) -> None:
    import_rows(imported, "c.csv", appointment(f"{KEY}A", _updated_at=NEWEST))
    conn.execute("CREATE TABLE uses (id varchar REFERENCES salespro_appointment)")
    conn.execute("INSERT INTO uses VALUES (%s)", [f"{KEY}1"])
    before = len(imported.log_lines())

    answers = [
        imported.run_action("undo", **{"import": 2, "dry_run": True}),
        imported.run_action("undo", **{"import": 2}),
    ]

    lines = imported.log_lines()[before:]
    assert [line["message"] for line in lines] == ["action done"] * 2
    assert [line["left"] for line in lines] == [1, 2]
    text = json.dumps([answers, lines])
    assert CANARY not in text
    assert KEY not in text
    assert "undo import 3; then import 2 again" in answers[1]["says"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        *({"import": value} for value in NO_NUMBERS),
        *({"import": 2, "dry_run": value} for value in NO_BOOLEANS),
        # A misspelt wish for a dry run is not an undo.
        *({"import": 2, name: True} for name in ("dryrun", "dry-run", "dryRun")),
    ],
    ids=json.dumps,
)
def test_wrong_event_undoes_nothing_and_the_answer_has_the_form(
    imported: Cloud, conn: Connection, fields: dict[str, object]
) -> None:
    before = state(conn)

    answer = imported.run_action("undo", **fields)

    assert answer == {
        "action": "undo",
        "ok": False,
        "says": "Nothing was undone: the event does not have the form of an undo.",
        "remedy": 'Invoke with {"action": "undo", "import": 7}, and optionally '
        '"dry_run": true.',
    }
    assert imported.log_lines()[-1]["message"] == "action failed"
    assert state(conn) == before


@pytest.mark.parametrize("is_dry_run", [False, True])
@pytest.mark.parametrize(
    ("import_id", "spoil", "reason"),
    [
        (99, "SELECT", "Import 99 does not exist"),
        (2**63 - 1, "SELECT", "does not exist"),
        (
            2,
            "UPDATE salespro_sync_history SET status = 'failed' WHERE id = 2",
            "Import 2 has failed, so it cannot be undone",
        ),
        (
            2,
            "UPDATE salespro_sync_history SET changes = NULL WHERE id = 2",
            "What import 2 changed is not kept",
        ),
    ],
)
def test_import_that_cannot_be_undone_is_an_answer_with_the_reason(
    imported: Cloud,
    conn: Connection,
    import_id: int,
    spoil: str,
    reason: str,
    is_dry_run: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    conn.execute(spoil.encode())
    before = state(conn)

    answer = imported.run_action("undo", **{"import": import_id, "dry_run": is_dry_run})

    assert answer["ok"] is False
    assert reason in answer["says"]
    assert state(conn) == before


def test_undo_that_runs_out_of_time_says_so_and_the_next_invocation_completes_it(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_rows(cloud, "a.csv", *(appointment(f"A{n}") for n in range(9)))
    monkeypatch.setenv("CHECKPOINT_ROWS", "2")
    event = {"action": "undo", "import": 1}

    answer = cloud.invoke(event, seconds=8)
    kept = len(stored(conn, APPOINTMENT_TABLE))
    again = cloud.invoke(event)

    assert (answer["ok"], kept) == (False, 7)
    assert answer["says"] == (
        "The undo is not complete. The time ran out after 2 rows; the same undo, started "
        "again, resumes there."
    )
    assert answer["remedy"] == "Invoke the function with it again."
    assert (again["ok"], again["deleted"]) == (True, 9)
    assert stored(conn, APPOINTMENT_TABLE) == {}
    assert len(stored(conn, HISTORY_TABLE)) == 2


def test_dry_run_that_runs_out_of_time_has_no_result_and_says_what_to_do(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_rows(cloud, "a.csv", *(appointment(f"A{n}") for n in range(9)))
    monkeypatch.setenv("CHECKPOINT_ROWS", "2")
    before = state(conn)

    answer = cloud.invoke({"action": "undo", "import": 1, "dry_run": True}, seconds=8)

    assert (answer["ok"], state(conn)) == (False, before)
    assert answer["says"] == (
        "There is no result. A dry run has to finish in one go, and the time ran out after "
        "2 rows. Run it from a terminal: salespro undo 1 --dry-run"
    )


ACTION = {"action": "undo", "import": 1}
TEXT = json.dumps(ACTION)
SNS = {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:t"}
SNS_RECORD = {"EventSource": "aws:sns", "Sns": SNS | {"Message": TEXT}}
BODIES = {
    "action": TEXT,
    "quoted": json.dumps(TEXT),
    "list": json.dumps([ACTION]),
    "in-sns": json.dumps(SNS | {"Message": TEXT}),
    "beside-sns": json.dumps(SNS | {"Message": json.dumps(s3_event())} | ACTION),
    "in-records": json.dumps({"Records": [ACTION]}),
    "beside-records": json.dumps(s3_event() | ACTION),
    "in-record": json.dumps({"Records": [s3_event()["Records"][0] | ACTION]}),
    "in-detail": json.dumps(eventbridge_event() | {"detail": ACTION}),
    "beside-detail": json.dumps(eventbridge_event() | ACTION),
}
EVENTS: dict[str, Any] = {
    **{f"sqs-{name}": sqs_event(sqs_message(body)) for name, body in BODIES.items()},
    "sqs-record": {
        "Records": [sqs_event(sqs_message("{}"))["Records"][0] | ACTION],
    },
    "sqs-attribute": sqs_event(
        sqs_message(
            TEXT,
            attributes={"action": {"DataType": "String", "StringValue": "undo"}},
        )
    ),
    "sns": {"Records": [SNS_RECORD]},
    "sns-record": {"Records": [SNS_RECORD | ACTION]},
    "s3-record": {"Records": [s3_event()["Records"][0] | ACTION]},
    "s3-only-action": {"Records": [ACTION]},
    "s3-key": s3_event("%7B%22action%22%3A%22undo%22%2C%22import%22%3A1%7D.csv"),
    "eventbridge": eventbridge_event() | {"detail": ACTION},
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_no_message_and_no_upload_can_start_an_undo(
    imported: Cloud, conn: Connection, event: dict[str, Any]
) -> None:
    """Who may only send messages or upload files decides what is in `Records`."""
    before = stored(conn, APPOINTMENT_TABLE)

    with suppress(MalformedNotification):
        imported.invoke(event)

    assert stored(conn, APPOINTMENT_TABLE) == before
    assert [row["undoes"] for row in stored(conn, HISTORY_TABLE).values()] == [
        None
    ] * len(stored(conn, HISTORY_TABLE))
    assert not any(key.startswith("undo") for key in imported.reports())
    assert '"action"' not in imported.log_text()


def test_uploaded_file_with_an_action_is_refused(
    imported: Cloud, conn: Connection
) -> None:
    before = stored(conn, APPOINTMENT_TABLE)
    version = imported.put("action.csv", TEXT.encode())

    imported.invoke_for("action.csv", versionId=version)

    assert stored(conn, APPOINTMENT_TABLE) == before
    assert imported.log_lines()[-1]["bucket"] == UPLOADS

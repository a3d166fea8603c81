"""Alarms, dashboard and saved queries: they read what the function really writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from handler import app, shutdown
from handler.admin.actions import UnknownAction
from handler.observability import import_log
from salespro_cli.sandbox import Invocation
from tests.support.log_insights import QueryError, Row, run
from tests.support.sam_template import ROOT, as_list, of_type, properties, template
from tests.support.world.world import CANARY, World, rows

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
# What Lambda and SQS count by themselves (AWS Lambda Developer Guide, "Types of metrics
# for Lambda functions"; Amazon SQS Developer Guide, "Available CloudWatch metrics").
OF_AWS = {
    "AWS/Lambda": {"Duration", "Errors", "Throttles", "Invocations"},
    "AWS/SQS": {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateAgeOfOldestMessage",
    },
}
KEY = "SalesPro2025-06-18.csv"


@pytest.fixture
def told(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of a day on which everything happened, metrics among them."""
    monkeypatch.setattr(import_log, "PROGRESS_S", 0.0)
    first = world.put(rows(30, bad=3), KEY)
    with monkeypatch.context() as patch:
        patch.setattr(shutdown, "is_asked_for", lambda: True)
        world.invoke(first)  # stops at its first commit
    world.invoke(first)
    world.invoke(first)
    world.invoke(world.put(rows(9, bad=2, day=1), "b.csv"))
    world.invoke(world.put_bytes(b"nothing,known\n", [], "refused.csv"))
    world.invoke(world.put(rows(3), "dryrun/a.csv"))
    _lose(world)
    _break(world, monkeypatch)
    _notify_nobody(world, monkeypatch)
    _misconfigure(world, monkeypatch)
    _ask(world)
    return [line for line in world.told.getvalue().splitlines() if line]


def _lose(world: World) -> None:
    """Delete an upload before it is read."""
    put = world.put(rows(1), "lost.csv")
    world.cloud.delete_object(Bucket=put.bucket, Key=put.key, VersionId=put.version)
    world.invoke(put)


def _break(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a mistake of ours."""
    with monkeypatch.context() as patch:
        patch.setattr("handler.upload_import.import_upload", lambda *_, **__: 1 / 0)
        world.invoke(world.put(rows(1), "mistake.csv"))


def _notify_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a topic that does not exist."""
    with monkeypatch.context() as patch:
        arn = "arn:aws:sns:eu-central-1:123456789012:nobody"
        patch.setenv("NOTIFY_TOPIC_ARN", arn)
        world.start_cold()
        world.invoke(world.put(rows(2, bad=1), "notified.csv"))


def _misconfigure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("BATCH_SIZE", "many")
        world.start_cold()
        world.invoke(world.put(rows(1), "unset.csv"))


def _ask(world: World) -> None:
    """Ask for what can be done, what cannot, and what nobody knows."""
    context: Any = Invocation()
    queue = boto3.client("sqs").create_queue(QueueName=world.uploads)
    known = {"action": "reconcile", "bucket": world.uploads}
    app.lambda_handler(known | {"queue_url": queue["QueueUrl"]}, context)
    app.lambda_handler(known, context)
    with pytest.raises(UnknownAction):
        app.lambda_handler({"action": "drop"}, context)


def queries() -> dict[str, str]:
    """Name without the stack -> text of the saved queries."""
    return {
        query["Name"]["Fn::Sub"].partition("/")[2]: query["QueryString"]
        for query in of_type("AWS::Logs::QueryDefinition").values()
    }


def messages(found: list[Row]) -> list[str]:
    return [row["message"] for row in found]


def test_the_saved_queries_find_what_the_function_wrote(told: list[str]) -> None:
    found = {name: run(query, told) for name, query in queries().items()}

    assert set(found) == {
        "recent imports",
        "failures",
        "rejects by reason",
        "slowest files",
        "the story of one file",
    }
    assert messages(found["recent imports"]) == [
        "import completed",  # notified.csv
        "import failed",  # lost.csv
        "import completed",  # the dry run
        "import failed",  # refused.csv
        "import completed",  # b.csv
        "imported before",
        "import completed",
        "import interrupted",
    ]
    assert found["recent imports"][4]["records_updated"] == 7
    assert set(messages(found["failures"])) == {
        "import failed",
        "import interrupted",
        "nothing imported",
        "unexpected error, please report it",
        "notice not sent",
        "action failed",
        "unknown action",
    }
    assert found["rejects by reason"] == [
        {
            "found.reason": "saleAmount is not an amount such as 23245.09",
            "rows": 3,
            "files": 3,
        }
    ]
    assert len(found["slowest files"]) == 4
    assert {row["key"] for row in found["slowest files"]} >= {KEY, "b.csv"}
    story = messages(found["the story of one file"])
    assert [m for m in story if m != "import goes on"] == [
        "import interrupted",
        "import completed",
        "imported before",
    ]
    assert "import goes on" in story


def test_they_read_the_log_of_the_function() -> None:
    for query in of_type("AWS::Logs::QueryDefinition").values():
        assert query["LogGroupNames"] == [{"Ref": "ImporterLogs"}]
        assert query["Name"]["Fn::Sub"].startswith("${AWS::StackName}/")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("fields created", "no line has a field 'created'"),
        ("filter status = completed", "filter status = completed"),
        ('filter message in ["import complete"]', "no line has {'import complete'}"),
        ("sort key desc", "key is no number"),
        ("dedup key", "no command 'dedup'"),
    ],
)
def test_a_query_that_reads_something_else_would_be_noticed(
    query: str, why: str
) -> None:
    """CloudWatch would find nothing, and say nothing."""
    line = json.dumps({"message": "import completed", "key": KEY, "status": None})

    with pytest.raises(QueryError, match=re.escape(why)):
        run(query, [line])


# --- the lines, as docs/operations.md shows them


def shown_lines() -> dict[str, dict[str, Any]]:
    """Message -> the line of docs/operations.md."""
    blocks = re.findall(r"^```json\n(.*?)^```", OPERATIONS, re.MULTILINE | re.DOTALL)
    found = [json.loads(block) for block in blocks]
    return {line["message"]: line for line in found if "message" in line}


def kind(value: object) -> str:
    """What Logs Insights can do with it; None says nothing."""
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
    return type(value).__name__


def test_operations_shows_each_line_as_it_is_written(told: list[str]) -> None:
    written: dict[str, dict[str, str]] = {}
    for line in map(json.loads, told):
        if "message" in line:
            kinds = {name: kind(value) for name, value in line.items()}
            written.setdefault(line["message"], {}).update(kinds)

    shown = {
        message: {name: kind(value) for name, value in line.items()}
        for message, line in shown_lines().items()
    }

    ignored = shown.pop("ignored")  # of which test_handler.py knows
    assert set(ignored) >= {"reason", "key"}
    assert set(shown) == set(written)
    for message, kinds in shown.items():
        assert kinds.items() <= written[message].items(), message
    # The fields that each line has are told once.
    common = set.intersection(*(set(fields) for fields in written.values()))
    everywhere = {n for n in common if all(n in line for line in shown.values())}
    for name in common - everywhere:
        assert f"`{name}`" in OPERATIONS


def test_no_line_holds_a_cell(told: list[str]) -> None:
    assert CANARY not in "".join(told)


def test_one_import_is_one_line(told: list[str]) -> None:
    """And those of its progress, which come every half a minute."""
    of_b = [line for line in map(json.loads, told) if line.get("key") == "b.csv"]

    ends = [line for line in of_b if line["message"] != "import goes on"]
    assert [line["message"] for line in ends] == ["import completed"]


def test_a_short_import_tells_no_progress(world: World) -> None:
    world.invoke(world.put(rows(60)))

    assert [line.get("message") for line in world.lines()] == ["import completed", None]


# --- the metrics


def written_metrics(told: list[str]) -> set[str]:
    """The metrics of ours that were counted."""
    return {
        metric["Name"]
        for line in map(json.loads, told)
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
        if directive["Namespace"] == "SalesPro"
        and directive["Dimensions"] == [["service"]]
        for metric in directive["Metrics"]
    }


def read_metrics() -> Iterator[tuple[str, str, str, object]]:
    """(namespace, name, dimension, of what) of what alarms and dashboard read."""
    for alarm in of_type("AWS::CloudWatch::Alarm").values():
        stats = [
            m["MetricStat"]["Metric"]
            for m in alarm.get("Metrics", [])
            if "MetricStat" in m
        ]
        for metric in stats or [alarm]:
            [dimension] = metric["Dimensions"]
            yield (
                metric["Namespace"],
                metric["MetricName"],
                dimension["Name"],
                dimension["Value"],
            )
    for widget in widgets():
        for metric in widget["properties"]["metrics"]:
            if isinstance(metric[0], str):
                yield metric[0], metric[1], metric[2], metric[3]


def widgets() -> list[dict[str, Any]]:
    """Those of the dashboard."""
    body = properties("Dashboard")["DashboardBody"]["Fn::Sub"].replace(
        "${MemorySize}", "512"
    )
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def test_alarms_and_dashboard_read_metrics_that_are_written(told: list[str]) -> None:
    """A name that is wrong is an alarm that is silent for ever."""
    known = {**OF_AWS, "SalesPro": written_metrics(told)}

    read = list(read_metrics())

    for namespace, name, _, _ in read:
        assert name in known[namespace], name
    ours = {name for namespace, name, _, _ in read if namespace == "SalesPro"}
    assert ours == known["SalesPro"]


def test_they_are_those_of_this_stack() -> None:
    """Two stacks of one account do not raise each other's alarms."""
    dimensions = {
        "SalesPro": ("service", {"${Importer}", "Importer"}),
        "AWS/Lambda": ("FunctionName", {"${Importer}", "Importer"}),
        "AWS/SQS": (
            "QueueName",
            {f"{q}.QueueName" for q in ("UploadQueue", "DeadLetterQueue")}
            | {f"${{{q}.QueueName}}" for q in ("UploadQueue", "DeadLetterQueue")},
        ),
    }

    for namespace, _, dimension, value in read_metrics():
        name, values = dimensions[namespace]
        of = next(iter(value.values())) if isinstance(value, dict) else value
        assert dimension == name
        assert of in values


def test_metrics_are_counted_by_the_name_of_the_function(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda sets it; the alarms ask for it."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "sales-importer")

    world.invoke(world.put(rows(1)))

    [counted] = [line for line in world.lines() if "_aws" in line]
    assert counted["service"] == "sales-importer"
    assert properties("Importer")["FunctionName"] == {
        "Fn::Sub": "${AWS::StackName}-importer"
    }


# --- the alarms


def alarm_names() -> set[str]:
    """Without the stack's."""
    return {
        alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
    }


def test_operations_says_what_to_do_about_each_alarm() -> None:
    headings = re.findall(r"^### Alarm `([\w-]+)`$", OPERATIONS, re.MULTILINE)

    assert len(headings) == len(set(headings))
    assert set(headings) == alarm_names()
    assert len(headings) == 8


def test_operations_names_each_saved_query() -> None:
    assert all(f"**{name}**" in OPERATIONS for name in queries())


def test_every_alarm_is_heard_where_somebody_listens() -> None:
    heard = {
        "Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
    }
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        assert (alarm["AlarmActions"], alarm["OKActions"]) == (heard, heard)
        # Silence is good news, but for the alarm that is about silence.
        missing = "breaching" if name == "NoImportAlarm" else "notBreaching"
        assert alarm["TreatMissingData"] == missing
        assert len(alarm["AlarmDescription"]) > 20


def test_an_alarm_looks_no_further_back_than_cloudwatch_does() -> None:
    """Seven days; one day where a period is shorter than an hour (PutMetricAlarm)."""
    most = template()["Parameters"]["AlarmNoImportHours"]["MaxValue"]
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        seconds = alarm.get("Period", 300)
        periods = most if name == "NoImportAlarm" else alarm["EvaluationPeriods"]
        assert seconds * periods <= (7 if seconds >= 3600 else 1) * 24 * 3600
    assert template()["Resources"]["NoImportAlarm"]["Condition"] == "ExpectsImports"


def test_the_alarm_of_the_duration_rings_before_the_timeout() -> None:
    timeout_ms = properties("Importer")["Timeout"] * 1000

    assert properties("DurationAlarm")["Threshold"] == timeout_ms * 4 / 5


def test_the_dashboard_fits_together() -> None:
    """No widget lies on another one, and each says what it shows."""
    taken: set[tuple[int, int]] = set()
    for widget in widgets():
        area = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not area & taken
        assert max(x for x, _ in area) < 24
        assert widget["properties"]["title"]
        taken |= area
    assert as_list(properties("Dashboard")["DashboardName"]) == [
        {"Ref": "AWS::StackName"}
    ]

"""Alarms and dashboard: they read metrics that the function, Lambda or SQS really write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.sam_template import of_type, properties, template
from tests.support.world.uploads import rows
from tests.support.world.world import World

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
# Written by Lambda and SQS.  Sources: AWS Lambda Developer Guide, "Types of metrics for
# Lambda functions"; Amazon SQS Developer Guide, "Available CloudWatch metrics".
AWS_METRICS = {
    "AWS/Lambda": {"Duration", "Errors", "Throttles", "Invocations"},
    "AWS/SQS": {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateAgeOfOldestMessage",
    },
}


def written_metrics(log_lines: list[dict[str, Any]]) -> set[str]:
    """The names of the function's own metrics in the log."""
    return {
        metric["Name"]
        for line in log_lines
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
        if directive["Namespace"] == "SalesPro"
        and directive["Dimensions"] == [["service"]]
        for metric in directive["Metrics"]
    }


def read_metrics() -> Iterator[tuple[str, str, str, object]]:
    """(namespace, name, dimension, value) of each metric of the alarms and dashboard."""
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
    """The widgets of the dashboard."""
    body = properties("Dashboard")["DashboardBody"]["Fn::Sub"].replace(
        "${MemorySize}", "512"
    )
    result: list[dict[str, Any]] = json.loads(body)["widgets"]
    return result


def test_alarms_and_dashboard_read_metrics_that_are_written(
    log_lines: list[dict[str, Any]],
) -> None:
    """An alarm on a metric that does not exist never rings."""
    known = {**AWS_METRICS, "SalesPro": written_metrics(log_lines)}

    read = list(read_metrics())

    for namespace, name, _, _ in read:
        assert name in known[namespace], name
    ours = {name for namespace, name, _, _ in read if namespace == "SalesPro"}
    assert ours == known["SalesPro"]


def test_metrics_have_the_dimensions_of_this_stack() -> None:
    """Otherwise two stacks in one account would raise each other's alarms."""
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
        resource = next(iter(value.values())) if isinstance(value, dict) else value
        assert dimension == name
        assert resource in values


def test_service_of_the_metrics_is_the_name_of_the_function(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda sets the variable; the alarms use the function's name as dimension."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "sales-importer")

    world.invoke(world.upload(rows(1)))

    [metrics] = [line for line in world.log_lines() if "_aws" in line]
    assert metrics["service"] == "sales-importer"
    assert properties("Importer")["FunctionName"] == {
        "Fn::Sub": "${AWS::StackName}-importer"
    }


def alarm_names() -> set[str]:
    """The names of the alarms, without the stack."""
    return {
        alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
    }


def test_operations_has_a_section_for_each_alarm() -> None:
    headings = re.findall(r"^### Alarm `([\w-]+)`$", OPERATIONS, re.MULTILINE)

    assert len(headings) == len(set(headings))
    assert set(headings) == alarm_names()
    assert len(headings) == 9


def test_every_alarm_notifies_the_alarm_topic() -> None:
    given = {
        "Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
    }
    topic = {"Fn::If": ["MakesAlarmTopic", [{"Ref": "AlarmTopic"}], given]}
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        # The alarm of a release is for CodeDeploy alone.
        actions = None if name == "ReleaseAlarm" else topic
        found = alarm.get("AlarmActions"), alarm.get("OKActions")
        assert found == (actions, actions)
        # Only for this alarm, missing data is the fault.
        missing = "breaching" if name == "NoImportAlarm" else "notBreaching"
        assert alarm["TreatMissingData"] == missing
        assert len(alarm["AlarmDescription"]) > 20


def test_alarm_period_is_within_the_limits_of_cloudwatch() -> None:
    """Seven days; one day if a period is shorter than an hour (PutMetricAlarm)."""
    most = template()["Parameters"]["AlarmNoImportHours"]["MaxValue"]
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        seconds = alarm.get("Period", 300)
        periods = most if name == "NoImportAlarm" else alarm["EvaluationPeriods"]
        assert seconds * periods <= (7 if seconds >= 3600 else 1) * 24 * 3600
    assert template()["Resources"]["NoImportAlarm"]["Condition"] == "ExpectsImports"


def test_duration_alarm_is_raised_at_four_fifths_of_the_timeout() -> None:
    timeout_ms = properties("Importer")["Timeout"] * 1000

    assert properties("DurationAlarm")["Threshold"] == timeout_ms * 4 / 5


def test_dashboard_widgets_do_not_overlap_and_have_titles() -> None:
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
    # All regions share the names of dashboards.
    assert properties("Dashboard")["DashboardName"]["Fn::If"] == [
        "NamesHaveRegion",
        {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"},
        {"Ref": "AWS::StackName"},
    ]

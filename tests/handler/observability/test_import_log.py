"""Log lines as docs/operations.md shows them and as the saved queries read them."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from handler.observability.import_log import ProgressLog, log_outcome
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from tests.support.builders import CANARY, upload
from tests.support.paths import ROOT
from tests.support.sam_template import of_type
from tests.support.world.uploads import rows
from tests.support.world.world import World

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
Line = dict[str, Any]

# The commands and functions of the saved queries.  Source: Amazon CloudWatch Logs User
# Guide, "CloudWatch Logs Insights query syntax".
QUERY_WORDS = {
    *("filter", "fields", "sort", "limit", "stats", "unnest", "sum", "count"),
    *("ispresent", "jsonParse", "in", "by", "as", "into", "asc", "desc"),
    *("@timestamp", "@message"),
}


def saved_queries() -> dict[str, str]:
    """Name without the stack -> text of each saved query."""
    return {
        query["Name"]["Fn::Sub"].partition("/")[2]: query["QueryString"]
        for query in of_type("AWS::Logs::QueryDefinition").values()
    }


def fields_of(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """The fields that Logs Insights discovers in a line, such as `list.0.name`."""
    match value:
        case None:
            return
        case dict():
            inner = list(value.items())
        case list():
            inner = [(str(index), item) for index, item in enumerate(value)]
        case _:
            inner = []
    if name:
        yield name, value
    for key, item in inner:
        yield from fields_of(item, f"{name}.{key}" if name else key)


def query_problems(query: str, lines: list[Line]) -> set[str]:
    """Values and fields of a query that the lines do not have.

    The filter's values must occur in the log; the other fields must occur in the lines
    that match the filter, and those that are sorted or summed must be numbers.
    """
    # Fields of the aliases `line` (the whole line) and `found` (an item of a list).
    query = query.replace("line.", "")
    for items, alias in re.findall(r"unnest ([\w.]+) into (\w+)", query):
        query = query.replace(f"{alias}.", f"{items}.0.")
    filter_, _, rest = query.partition("|")
    filter_field = re.findall(r"filter (?:ispresent\()?([\w.]+)", filter_)[0]
    wanted = set(re.findall(r'"([^"]*)"', filter_))
    logged = [dict(fields_of(line)) for line in lines]
    matching = [
        line
        for line in logged
        if filter_field in line and (not wanted or line[filter_field] in wanted)
    ]
    known = {name for line in matching for name in line}
    aliases = set(re.findall(r"(?:as|into) (\w+)", rest))
    names = set(re.findall(r"@?[A-Za-z_][\w.]*", rest)) - QUERY_WORDS - aliases
    numbers = set(re.findall(r"(?:sort |sum\()([a-z][\w.]*)", rest)) - aliases
    return (
        (wanted - {line[filter_field] for line in matching})
        | (names - known)
        | {
            name
            for name in numbers
            if not all(isinstance(line.get(name), int | float) for line in matching)
        }
    )


def test_saved_queries_read_values_and_fields_that_are_logged(
    log_lines: list[Line],
) -> None:
    problems = {
        name: query_problems(query, log_lines)
        for name, query in saved_queries().items()
    }

    assert set(problems) == {
        "recent imports",
        "failures",
        "rejects by reason",
        "slowest files",
        "the story of one file",
    }
    assert {name: names for name, names in problems.items() if names} == {}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ('filter key = "a.csv" | fields created', "created"),
        ('filter message in ["import complete"] | fields key', "import complete"),
        ('filter key = "a.csv" | sort message desc', "message"),
        ('filter key = "a.csv" | dedup key', "dedup"),
    ],
)
def test_query_of_a_missing_field_or_value_has_a_problem(
    query: str, problem: str
) -> None:
    """CloudWatch reports no error; it finds nothing."""
    line = {"message": "import completed", "key": "a.csv", "status": None}

    assert problem in query_problems(query, [line])


def test_saved_queries_read_the_log_group_of_the_function() -> None:
    for query in of_type("AWS::Logs::QueryDefinition").values():
        assert query["LogGroupNames"] == [{"Ref": "ImporterLogs"}]
        assert query["Name"]["Fn::Sub"].startswith("${AWS::StackName}/")


def test_operations_names_each_saved_query() -> None:
    assert all(f"**{name}**" in OPERATIONS for name in saved_queries())


def documented_lines() -> dict[str, Line]:
    """Message -> its line in docs/operations.md."""
    blocks = re.findall(r"^```json\n(.*?)^```", OPERATIONS, re.MULTILINE | re.DOTALL)
    lines = [json.loads(block) for block in blocks]
    return {line["message"]: line for line in lines if "message" in line}


def json_type(value: object) -> str:
    """The type of a field as Logs Insights distinguishes it."""
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
    return type(value).__name__


def test_operations_shows_every_kind_of_line_with_its_fields(
    log_lines: list[Line],
) -> None:
    written: dict[str, dict[str, str]] = {}
    for line in log_lines:
        if "message" in line:
            types = {name: json_type(value) for name, value in line.items()}
            written.setdefault(line["message"], {}).update(types)

    documented = {
        message: {name: json_type(value) for name, value in line.items()}
        for message, line in documented_lines().items()
    }

    # test_app.py shows that this line is written.
    ignored = documented.pop("ignored")
    assert set(ignored) >= {"reason", "key"}
    assert set(documented) == set(written)
    for message, types in documented.items():
        assert types.items() <= written[message].items(), message
    # Fields that every line has are documented once, in the text.
    common = set.intersection(*(set(types) for types in written.values()))
    repeated = {n for n in common if all(n in line for line in documented.values())}
    for name in common - repeated:
        assert f"`{name}`" in OPERATIONS


def test_no_log_line_contains_a_cell(log_lines: list[Line]) -> None:
    assert CANARY not in json.dumps(log_lines)


def test_import_has_one_line_besides_its_progress(log_lines: list[Line]) -> None:
    messages = [line["message"] for line in log_lines if line.get("key") == "b.csv"]

    assert [m for m in messages if m != "import goes on"] == ["import completed"]


def test_short_import_logs_no_progress(world: World) -> None:
    world.invoke(world.upload(rows(60)))

    messages = [line.get("message") for line in world.log_lines()]
    assert messages == ["import completed", None]  # None: the metrics


def test_progress_is_logged_every_30_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a million rows has hundreds of commits."""
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    output = io.StringIO()
    logger = Logger(service="progress", stream=output)
    progress = ProgressLog(logger, {"key": "a.csv"})
    outcome = Outcome(
        upload=upload(), status="completed", is_dry_run=False, seconds=0.0, attempts=1
    )

    for seconds in (0.0, 1.0, 29.9, 30.0, 31.0, 59.9, 75.0):
        clock[0] = 1000.0 + seconds
        progress.on_commit(outcome.with_counts(Counts(created=round(seconds))))

    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [(line["seconds"], line["records_processed"]) for line in lines] == [
        (30.0, 30),
        (75.0, 75),
    ]
    assert progress.latest is not None
    assert progress.latest.counts.created == 75


@pytest.mark.parametrize(
    ("seconds", "duration_ms"), [(0.0004, 0), (2.0, 2000), (75.4321, 75432)]
)
def test_metrics_have_the_duration_in_milliseconds(
    capsys: pytest.CaptureFixture[str], seconds: float, duration_ms: int
) -> None:
    outcome = Outcome(
        upload=upload(),
        status="completed",
        is_dry_run=False,
        seconds=seconds,
        attempts=1,
    )

    log_outcome(Logger(service="duration", stream=io.StringIO()), outcome, {})

    line = json.loads(capsys.readouterr().out)
    assert line["Duration"] == [duration_ms]
    [metrics] = line["_aws"]["CloudWatchMetrics"]
    assert {"Name": "Duration", "Unit": "Milliseconds"} in metrics["Metrics"]

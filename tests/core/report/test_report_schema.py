"""report.json matches report.schema.json and docs/report.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from salespro_core.model.outcome import (
    MOST_LEFT,
    SAMPLED_CHANGES,
    Change,
    Outcome,
)
from salespro_core.model.rejects import Problem, Reject
from salespro_core.records import reject_reasons, rejects_file, summary_builder
from salespro_core.report import json_report
from salespro_core.report.json_report import REPORT_VERSION, as_json
from salespro_core.report.text_report import as_text
from tests.core.report.sample_outcomes import full, outcome, undone
from tests.support import paths
from tests.support.reports import report_gallery

DOCUMENTATION = (paths.ROOT / "docs" / "report.md").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = json.loads(
    resources.files("salespro_core.report")
    .joinpath("report.schema.json")
    .read_text("utf-8")
)


def without_extra_fields(schema: Any) -> Any:  # noqa: ANN401 -- any JSON
    """A copy of the schema that allows only the fields that it names."""
    if isinstance(schema, list):
        return [without_extra_fields(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {name: without_extra_fields(part) for name, part in schema.items()}
    return {"additionalProperties": False, **copy} if "properties" in copy else copy


VALIDATOR = Draft202012Validator(
    without_extra_fields(SCHEMA), format_checker=Draft202012Validator.FORMAT_CHECKER
)


def schema_errors(report: object) -> list[str]:
    return [f"{e.json_path}: {e.message}" for e in VALIDATOR.iter_errors(report)]


def test_schema_is_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_report_of_every_kind_matches_the_schema(
    database_url: str, tmp_path: Path
) -> None:
    report_gallery.write_gallery(database_url, tmp_path)

    for kind in report_gallery.KINDS:
        report = json.loads((tmp_path / kind / "report.json").read_text("utf-8"))
        assert schema_errors(report) == [], kind


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(full(), id="full"),
        pytest.param(outcome(already_imported=True), id="already-imported"),
        pytest.param(undone(), id="undo"),
        pytest.param(undone(is_dry_run=True, attempts=0), id="dry-run-of-an-undo"),
        pytest.param(undone(already_imported=True, left=()), id="undone-already"),
        pytest.param(outcome(status="failed", sync_type=None, error="x"), id="refused"),
        pytest.param(
            replace(full(), sync_type="csv_users", file_summary=None), id="users"
        ),
    ],
)
def test_report_of_any_outcome_matches_the_schema(result: Outcome) -> None:
    assert schema_errors(as_json(result, "rejects.csv")) == []


def test_report_of_a_file_with_huge_cells_is_small() -> None:
    text = "x" * 1_000_000
    problems = tuple(
        Problem(text + str(n), "is not UTF-8 text")
        for n in range(2 * json_report.MAX_PROBLEMS)
    )
    result = replace(
        full(),
        rejects=tuple(
            Reject(line, problems, (text,)) for line in range(rejects_file.SAMPLE)
        ),
        changes=(Change(key="A", is_new=False, fields={"a": (text, text + "y")}),),
        ignored=(text,) * 1000,
    )

    report = as_json(result)

    assert schema_errors(report) == []
    assert len(json.dumps(report)) < 3_000_000
    assert report["changes"][0]["fields"]["a"]["new"].endswith("xy")
    assert (
        len(as_text(replace(result, rejects=result.rejects[:1], changes=()))) < 10_000
    )


def test_report_that_does_not_match_the_schema_is_detected() -> None:
    """The tests above rely on it."""
    report = as_json(full())

    assert schema_errors(report | {"processed": -1}) != []
    assert schema_errors(report | {"unknown": "field"}) != []
    assert schema_errors({k: v for k, v in report.items() if k != "verdict"}) != []
    report["contents"]["reps"][0]["revenue"] = 25.01
    assert schema_errors(report) != []


def schema_fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}{name}", part
        parts = [part, *part.get("oneOf", [])]
        for each in (*parts, *(p["items"] for p in parts if "items" in p)):
            yield from schema_fields(each, f"{path}{name}.")


def test_limits_and_version_of_the_schema_are_those_of_the_code() -> None:
    found = dict(schema_fields(SCHEMA))

    assert found["report_version"]["const"] == REPORT_VERSION
    assert {name: part["maxItems"] for name, part in found.items() if "maxItems" in part} == {
        "ignored_columns": json_report.MAX_IGNORED_COLUMNS,
        "reject_reasons": reject_reasons.MOST_REASONS + 1,
        "reject_reasons.lines": reject_reasons.MOST_EXAMPLES,
        "rejects": rejects_file.SAMPLE,
        "rejects.problems": json_report.MAX_PROBLEMS,
        "changes": 2 * SAMPLED_CHANGES,
        "stale_rows": SAMPLED_CHANGES,
        "deleted_rows": SAMPLED_CHANGES,
        "left_rows": MOST_LEFT,
        "contents.days": summary_builder.MOST_DAYS,
        "contents.reps": summary_builder.SHOWN_REPS,
    }  # fmt: skip


def test_documentation_names_every_field() -> None:
    named = set(re.findall(r"`([\w.]+)`", DOCUMENTATION))

    assert {name.split(".")[0] for name, _ in schema_fields(SCHEMA)} <= named

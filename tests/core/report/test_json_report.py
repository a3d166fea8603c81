"""report.json is what docs/report.md and the schema beside the code say."""

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

from salespro_core.importer import shadow_tables
from salespro_core.model.outcome import Change, Outcome
from salespro_core.records import reject_reasons, rejects_file, summary_builder
from salespro_core.records.parser import Problem, Reject
from salespro_core.report import json_report, text_report
from salespro_core.report.text_report import VERSION, as_json, as_text
from tests.core.report.test_text_report import full, outcome
from tests.support import paths, report_gallery

PAGE = (paths.ROOT / "docs" / "report.md").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = json.loads(
    resources.files("salespro_core.report")
    .joinpath("report.schema.json")
    .read_text("utf-8")
)


def closed(schema: Any) -> Any:  # noqa: ANN401 -- any JSON
    """The same without room for fields that it does not name."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    own = {name: closed(part) for name, part in schema.items()}
    return {"additionalProperties": False, **own} if "properties" in own else own


VALIDATOR = Draft202012Validator(
    closed(SCHEMA), format_checker=Draft202012Validator.FORMAT_CHECKER
)


def errors(report: object) -> list[str]:
    return [f"{e.json_path}: {e.message}" for e in VALIDATOR.iter_errors(report)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_a_report_of_every_kind_is_as_the_schema_says(
    database_url: str, tmp_path: Path
) -> None:
    report_gallery.gallery(database_url, tmp_path)

    for kind in report_gallery.KINDS:
        report = json.loads((tmp_path / kind / "report.json").read_text("utf-8"))
        assert errors(report) == [], kind


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(full(), id="full"),
        pytest.param(outcome(already_imported=True), id="imported-before"),
        pytest.param(outcome(status="failed", sync_type=None, error="x"), id="refused"),
        pytest.param(replace(full(), sync_type="csv_users", contents=None), id="users"),
    ],
)
def test_an_outcome_of_any_kind_is_as_the_schema_says(of: Outcome) -> None:
    assert errors(as_json(of, "rejects.csv")) == []


def test_a_report_is_small_whatever_the_file_held() -> None:
    text = "x" * 1_000_000
    bad = tuple(
        Problem(text + str(n), "is not UTF-8 text")
        for n in range(2 * json_report.PROBLEMS)
    )
    of = replace(
        full(),
        rejects=tuple(
            Reject(line, bad, (text,)) for line in range(rejects_file.SAMPLE)
        ),
        changes=(Change(key="A", is_new=False, fields={"a": (text, text + "y")}),),
        ignored=(text,) * 1000,
    )

    told = as_json(of)

    assert errors(told) == []
    assert len(json.dumps(told)) < 3_000_000
    assert told["changes"][0]["fields"]["a"]["new"].endswith("xy")
    assert len(as_text(replace(of, rejects=of.rejects[:1], changes=()))) < 10_000


def test_what_is_not_as_the_schema_says_is_found() -> None:
    """What the tests above rely on."""
    told = as_json(full())

    assert errors(told | {"processed": -1}) != []
    assert errors(told | {"unheard": "of"}) != []
    assert errors({k: v for k, v in told.items() if k != "verdict"}) != []
    told["contents"]["reps"][0]["revenue"] = 25.01
    assert errors(told) != []


def described(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}{name}", part
        parts = [part, *part.get("oneOf", [])]
        for each in (*parts, *(p["items"] for p in parts if "items" in p)):
            yield from described(each, f"{path}{name}.")


def test_the_bounds_and_the_version_are_those_of_the_code() -> None:
    found = dict(described(SCHEMA))

    assert found["report_version"]["const"] == VERSION
    assert {name: part["maxItems"] for name, part in found.items() if "maxItems" in part} == {
        "ignored_columns": text_report.IGNORED,
        "reject_reasons": reject_reasons.MOST_REASONS + 1,
        "reject_reasons.lines": reject_reasons.MOST_EXAMPLES,
        "rejects": rejects_file.SAMPLE,
        "rejects.problems": json_report.PROBLEMS,
        "changes": 2 * shadow_tables.SAMPLE,
        "stale_rows": shadow_tables.SAMPLE,
        "contents.days": summary_builder.MOST_DAYS,
        "contents.reps": summary_builder.SHOWN_REPS,
    }  # fmt: skip


def test_the_page_of_the_report_names_every_field() -> None:
    named = set(re.findall(r"`([\w.]+)`", PAGE))

    assert {name.split(".")[0] for name, _ in described(SCHEMA)} <= named

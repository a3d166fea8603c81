"""In each database of the catalogue, imports and dry runs are right or stop by name."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from psycopg import Connection, sql

from tests.chaos.settings import judging, tables
from tests.chaos.settings.databases.case import DatabaseCase, open_database
from tests.chaos.settings.databases.reliability_section import (
    CASES,
    recorded,
    result_of,
)
from tests.chaos.settings.judging import Reference
from tests.chaos.settings.scenario import ALL_STEPS, StepResult, run_steps

pytestmark = pytest.mark.settings

# For a late set-up: the rows exist before the database is changed.
_FIRST = tuple(step for step in ALL_STEPS if "of new rows" in step.name)
_FIRST_BEFORE_OTHERS = (*_FIRST, *(step for step in ALL_STEPS if step not in _FIRST))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_import_is_right_or_stops_by_name(
    case: DatabaseCase,
    full_reference: Reference,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    """After the repair, the redelivery gives the tables of an ordinary database."""
    prefix = "debian_" if case.needs_icu else ""
    server = request.getfixturevalue(f"{prefix}server")
    template = request.getfixturevalue(f"{prefix}template")
    with open_database(case, server, template) as database:
        if database.admin.info.server_version < case.since * 10_000:
            record_property("databases", recorded(case.name, "not in this version"))
            return
        database.execute(case.setup)
        since = tables.database_time(database.admin)
        done: list[StepResult] = []
        steps = ALL_STEPS
        if case.late_setup:
            done = run_steps(database.connect, _FIRST)
            assert {result.error for result in done} == {None}
            database.execute(case.late_setup)
            steps = _FIRST_BEFORE_OTHERS
        before = len(done)
        done += run_steps(database.connect, steps[before:])
        database.execute(case.undo)
        findings = [
            *judging.step_findings(done, full_reference),
            *judging.broken_predictions(done[before:]),
        ]
        if rest := judging.unfinished_steps(done, steps):
            findings += judging.finish(database.admin, database.connect, rest)
        findings += judging.table_findings(
            database.admin,
            since,
            full_reference,
            # A late set-up changes the order of the imports, and so their ids.
            has_other_attempts=bool(rest) or bool(case.late_setup),
            schema=database.fill(case.schema),
        )
        not_empty = [table for table in case.empty if has_rows(database.admin, table)]

    errors = [str(result.error) for result in done if result.error]
    assert not findings, "\n".join(findings)
    assert bool(errors) == bool(case.error), errors
    assert [e for e in errors if not re.search(case.error, e)] == []
    assert not_empty == []
    record_property("databases", recorded(case.name, result_of(done)))


def has_rows(conn: Connection, table: str) -> bool:
    query = sql.SQL("TABLE {} LIMIT 1").format(sql.Identifier(*table.split(".")))
    return bool(conn.execute(query).fetchall())

"""Rows that only some databases refuse: of another encoding, or skipped by a trigger."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from itertools import pairwise
from operator import attrgetter

import pytest

from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import Reject
from tests.chaos.settings import tables
from tests.chaos.settings.databases.case import DatabaseCase, open_database
from tests.chaos.settings.databases.reliability_section import (
    ENCODINGS,
    SKIPPED,
    encoding_name,
    recorded,
    skip_name,
)
from tests.chaos.settings.judging import Reference
from tests.chaos.settings.scenario import ALL_STEPS, Step, run_steps
from tests.support.table_contents import HISTORY_TABLE

pytestmark = pytest.mark.settings

RecordProperty = Callable[[str, object], None]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_row_that_the_encoding_cannot_hold_is_rejected_and_named(
    server: str,
    template: str,
    full_reference: Reference,
    encoding: str,
    record_property: RecordProperty,
) -> None:
    """Its neighbours are imported; a dry run predicts the same."""
    name = encoding_name(encoding)
    case = DatabaseCase(name=name, options=f"ENCODING '{encoding}' LOCALE 'C'")
    with open_database(case, server, template) as database:
        since = tables.database_time(database.admin)
        results = run_steps(database.connect, ALL_STEPS)
        found = tables.read_tables(database.admin, since)

    assert [result.error for result in results] == [None] * len(ALL_STEPS)
    unknown = set[str]()
    for step, outcome, _ in results:
        assert outcome
        expected = full_reference.outcomes[step.name]
        impossible = rows_outside(step, encoding)
        if outcome.already_imported:
            impossible = set()
        rejected = {reject.cells[0]: reject for reject in outcome.rejects}
        usual = {reject.cells[0]: reject for reject in expected.rejects}
        assert rejected.keys() == usual.keys() | impossible
        assert outcome.counts.processed == expected.counts.processed
        assert outcome.counts.rejected == len(rejected)
        for key in impossible:
            assert encoding in reason(rejected[key])
        unknown |= impossible
    assert unknown
    for result, following in pairwise(results):
        if result.step.is_dry_run:
            assert result.outcome
            assert following.outcome
            assert result.outcome.counts == following.outcome.counts
            assert by_line(result.outcome) == by_line(following.outcome)
    for table, rows in full_reference.tables.items():
        if table != HISTORY_TABLE:
            kept = [row for row in rows if key_of(row) not in unknown]
            assert by_key(found[table]) == by_key(kept)
    text = "a row that the encoding cannot hold is rejected; the reason names it"
    record_property("databases", recorded(name, text))


def rows_outside(step: Step, encoding: str) -> set[str]:
    """Return the keys of the rows of a file with a character outside the encoding."""
    lines = csv.reader(io.StringIO(step.data.decode(), newline=""))
    keys = set[str]()
    for cells in lines:
        try:
            "".join(cells).encode(ENCODINGS[encoding])
        except UnicodeEncodeError:
            keys.add(cells[0])
    return keys


def reason(reject: Reject) -> str:
    return " ".join(problem.reason for problem in reject.problems)


def by_line(outcome: Outcome) -> list[Reject]:
    """The rejects; an import reads on while Postgres refuses a row of an earlier chunk."""
    return sorted(outcome.rejects, key=attrgetter("line"))


def by_key(rows: list[dict[str, str | None]]) -> dict[object, object]:
    """The rows; a hash of values depends on the encoding, so only whether it is there."""
    return {
        (key_of(row), row.get("fields")): {
            **row,
            "created_hash": row.get("created_hash") is not None,
        }
        for row in rows
    }


def key_of(row: dict[str, str | None]) -> str | None:
    """The key of the row, or of the row that was changed."""
    return row["key"] if "key" in row else next(iter(row.values()))


SKIP = """
CREATE FUNCTION skip_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN NEW.id <> '{key}' THEN NEW END;
END $$;
CREATE TRIGGER skip_some BEFORE {event} ON salespro_appointment
   FOR EACH ROW EXECUTE FUNCTION skip_some();
"""


@pytest.mark.parametrize(("event", "key"), list(SKIPPED.items()))
def test_row_that_a_trigger_skips_is_not_counted_as_unchanged(
    server: str,
    template: str,
    full_reference: Reference,
    event: str,
    key: str,
    record_property: RecordProperty,
) -> None:
    """The trigger returns NULL: the row is rejected, or the import stops."""
    name = skip_name(event)
    case = DatabaseCase(
        name=name, setup=SKIP.replace("{event}", event).replace("{key}", key)
    )
    edited = "import of edited rows of appointments"
    with open_database(case, server, template) as database:
        database.execute(case.setup)
        results = {r.step.name: r for r in run_steps(database.connect)}
        outcome, error = results[edited].outcome, results[edited].error

    if error:
        assert "trigger" in str(error)
        record_property("databases", recorded(name, f"the import stops: {error}"))
        return
    assert outcome
    expected = full_reference.outcomes[edited].counts
    assert outcome.counts.unchanged == expected.unchanged
    [skipped] = [reject for reject in outcome.rejects if reject.cells[0] == key]
    assert "trigger" in reason(skipped)
    record_property("databases", recorded(name, "the row is rejected"))

"""Compares the results of a scenario with those of an ordinary database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from salespro_core.errors import SalesProError
from salespro_core.model.outcome import Outcome
from tests.chaos.settings import tables
from tests.chaos.settings.scenario import STEPS, Step, StepResult, run_steps
from tests.chaos.settings.tables import TableText, read_tables
from tests.chaos.settings.testbed import expire_leases
from tests.support.builders import CANARY

OpenConnection = Callable[[], Connection]


@dataclass(frozen=True, slots=True)
class Reference:
    """The results in an ordinary database: step name -> outcome, and the tables."""

    outcomes: dict[str, Outcome]
    tables: TableText


def run_reference(
    admin: Connection, open_connection: OpenConnection, steps: Sequence[Step] = STEPS
) -> Reference:
    """Run the steps, which must succeed, on empty tables.

    Args:
        admin: of a superuser, in the same database, with the server's defaults.
        open_connection: of the importing role.
        steps: in this order.
    """
    since = tables.database_time(admin)
    outcomes = {}
    for result in run_steps(open_connection, steps):
        if result.error:
            raise result.error
        assert result.outcome
        outcomes[result.step.name] = result.outcome
    return Reference(outcomes, read_tables(admin, since))


def step_findings(results: Sequence[StepResult], expected: Reference) -> Iterator[str]:
    """Yield what is wrong: another outcome, or an error that is not clear."""
    for step, outcome, error in results:
        if outcome and outcome != expected.outcomes[step.name]:
            yield f"{step.name}: {_differences(expected.outcomes[step.name], outcome)}"
        if error and not isinstance(error, SalesProError):
            yield f"{step.name}: not an error of ours: {error!r}"
        elif error and not is_clear(str(error)):
            yield f"{step.name}: not a clear error: {error}"


def broken_predictions(results: Sequence[StepResult]) -> Iterator[str]:
    """Yield the imports that failed although a dry run of the file did not."""
    predicted = {
        step.upload for step, outcome, _ in results if outcome and step.is_dry_run
    }
    for step, _, error in results:
        is_import = not (step.is_dry_run or step.is_undo)
        if error and step.upload in predicted and is_import:
            yield f"{step.name} failed although its dry run did not"


def unfinished_steps(
    results: Sequence[StepResult], steps: Sequence[Step] = STEPS
) -> list[Step]:
    """Return the imports from the one that failed on; empty if none failed."""
    last = results[-1]
    if not last.error or last.step.is_dry_run:
        return []
    return [step for step in steps[len(results) - 1 :] if not step.is_dry_run]


def finish(
    admin: Connection, open_connection: OpenConnection, steps: Sequence[Step]
) -> Iterator[str]:
    """Redeliver the files of these steps after a repair; yield what is wrong."""
    expire_leases(admin)
    for step, _, error in run_steps(open_connection, steps):
        if error:
            yield f"{step.name}, after the repair: {error!r}"


def table_findings(
    admin: Connection,
    since: datetime,
    expected: Reference,
    *,
    has_other_attempts: bool = False,
    schema: str = "public",
) -> list[str]:
    """Return what differs in the tables.

    Args:
        admin: of a superuser, with the server's defaults.
        since: before the first import.
        expected: the results in an ordinary database.
        has_other_attempts: the history may have other ids and more attempts.
        schema: of the tables.
    """
    found, wanted = read_tables(admin, since, schema=schema), expected.tables
    if has_other_attempts:
        found, wanted = tables.without_attempts(found), tables.without_attempts(wanted)
    return tables.differences(wanted, found)


def is_clear(error: str) -> bool:
    """Whether an error has a cause and a remedy, and repeats no cell."""
    return re.search(r"\w[:.] \w", error) is not None and CANARY not in error


def _differences(expected: Outcome, found: Outcome) -> str:
    names = [
        name
        for name in Outcome.__dataclass_fields__
        if getattr(expected, name) != getattr(found, name)
    ]
    return ", ".join(
        f"{name} is {getattr(found, name)} and not {getattr(expected, name)}"
        for name in names
    )

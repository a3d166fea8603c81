"""Repeats the scenario with one setting changed, and compares the results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_core.errors import StoreError
from salespro_core.postgres.connection import connect
from salespro_core.postgres.sqlstates import store_errors
from tests.chaos.settings import judging, tables
from tests.chaos.settings.judging import OpenConnection, Reference
from tests.chaos.settings.scenario import run_steps
from tests.chaos.settings.testbed import SettingsTestbed
from tests.chaos.settings.values import LISTS


class Scope(Enum):
    """Where a setting is changed."""

    ROLE = "role"
    DATABASE = "database"
    CONNECTION = "connection"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Trial:
    """One or several settings with a value each.

    Attributes:
        values: setting -> value, which may have placeholders for names of the testbed.
        scope: `CONNECTION` sends it with the start of the connection; `SESSION` sets it
            afterwards, as another client of a pooler may have done.
        by_superuser: a superuser imports.
    """

    values: tuple[tuple[str, str], ...]
    scope: Scope = Scope.ROLE
    by_superuser: bool = False

    def __str__(self) -> str:
        texts = ", ".join(f"{name} = '{value}'" for name, value in self.values)
        who = ", by a superuser" if self.by_superuser else ""
        return f"{texts} (of the {self.scope.value}{who})"


@dataclass(slots=True)
class TrialResult:
    """What became of a trial.

    Attributes:
        is_accepted: Postgres has accepted the value.
        errors: texts of the errors that ended an import, a dry run or the connection.
        findings: what is wrong; empty if the trial has passed.
    """

    trial: Trial
    is_accepted: bool = True
    errors: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def run_trial(
    testbed: SettingsTestbed, expected: Reference, trial: Trial
) -> TrialResult:
    """Run the scenario with the settings; after an error, finish it without them."""
    result = TrialResult(trial)
    testbed.clear()
    since = tables.database_time(testbed.admin)
    try:
        with _changed_settings(testbed, trial) as open_connection:
            done = run_steps(open_connection)
    except _NotAcceptedError:
        result.is_accepted = False
        return result
    result.findings += judging.step_findings(done, expected)
    result.errors = [str(step.error) for step in done if step.error]
    if rest := judging.unfinished_steps(done):
        without = partial(connect, testbed.conninfo)
        result.findings += judging.finish(testbed.admin, without, rest)
    result.findings += judging.table_findings(
        testbed.admin, since, expected, has_other_attempts=bool(result.errors)
    )
    return result


class _NotAcceptedError(Exception):
    """Postgres accepts none of the values."""


@contextmanager
def _changed_settings(
    testbed: SettingsTestbed, trial: Trial
) -> Iterator[OpenConnection]:
    """Change the settings; yield a function that connects under them; change them back.

    Raises:
        _NotAcceptedError: Postgres accepts none of the values.
    """
    conninfo = testbed.superuser_conninfo if trial.by_superuser else testbed.conninfo
    values = [(name, value.format(**testbed.names)) for name, value in trial.values]
    if trial.scope is Scope.CONNECTION:
        options = " ".join(f"-c {name}={_escaped(value)}" for name, value in values)
        yield partial(connect, make_conninfo(conninfo, options=options))
        return
    assignments = [_assignment(name, value) for name, value in values]
    if trial.scope is Scope.SESSION:
        with psycopg.connect(conninfo, autocommit=True) as conn:
            accepted = [item for item in assignments if _is_accepted(conn, item)]
        if not accepted:
            raise _NotAcceptedError
        yield partial(_connect_and_set, conninfo, accepted)
        return
    target = sql.SQL("DATABASE {}").format(sql.Identifier(testbed.database))
    if trial.scope is Scope.ROLE:
        role = str(conninfo_to_dict(conninfo)["user"])
        target = sql.SQL("ROLE {}").format(sql.Identifier(role))
    alter = sql.SQL("ALTER {} {}")
    try:
        if not sum(
            _is_accepted(testbed.admin, alter.format(target, item))
            for item in assignments
        ):
            raise _NotAcceptedError
        yield partial(connect, conninfo)
    finally:
        # Some settings that can be set cannot be reset by name.
        testbed.admin.execute(alter.format(target, sql.SQL("RESET ALL")))


def _assignment(name: str, value: str) -> sql.Composed:
    items = value.split(", ") if name in LISTS else [value]
    return sql.SQL("SET {} TO {}").format(
        sql.Identifier(*name.split(".")), sql.SQL(", ").join(map(sql.Literal, items))
    )


def _escaped(value: str) -> str:
    """The value as in the `options` of a conninfo."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _is_accepted(conn: Connection, statement: sql.Composed) -> bool:
    try:
        conn.execute(statement)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        return False
    return True


def _connect_and_set(conninfo: str, assignments: list[sql.Composed]) -> Connection:
    conn = connect(conninfo)
    try:
        with store_errors("changing a setting"):
            for assignment in assignments:
                conn.execute(assignment)
    except StoreError:
        conn.close()
        raise
    return conn

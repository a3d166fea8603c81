"""The points at which an attempt of a simulation can be paused."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

from tests.support.servers.tcp_proxy import Action

# Start of a statement of the importer, or else a part of it -> its name in the log.
STATEMENT_NAMES = {
    "BEGIN": "BEGIN",
    "COMMIT": "COMMIT",
    "ROLLBACK TO": "ROLLBACK TO SAVEPOINT",
    "ROLLBACK": "ROLLBACK",
    "SAVEPOINT": "SAVEPOINT",
    "RELEASE": "RELEASE SAVEPOINT",
    "SET CONSTRAINTS": "SET CONSTRAINTS",
    'INSERT INTO "public"."salespro_sync_history"': "the claim",
    "WITH incoming": "the upsert",
    "SELECT 1 / count": "the fence",
    "SET sync_type ": "the new checkpoint",
    "SET refused_rows": "the refused rows",
    "SET status = 'completed'": "the completion",
    "SET status = 'failed'": "the failure",
    "SET lease_expires_at = NULL": "the release",
    'FROM "public"."salespro_sync_history"\n WHERE id =': "the checkpoint",
    "pg_advisory_xact_lock": "the advisory lock",
    "SELECT nspname": "the tables",
    "ceil(": "the lease",
    "pg_catalog.set_config": "the settings",
}


# Breakpoints at which an attempt is paused on purpose.
BREAKPOINTS = (
    *("after the claim", "before the upsert", "after the upsert", "before COMMIT"),
    *("after COMMIT", "at a commit", "publishing", "before the completion"),
    *("after the completion", "after the failure", "pausing", "after the checkpoint"),
    *("after the refused rows", "reading", "after the release"),
)


class SimulatedCrash(BaseException):
    """The process has died: the attempt must not have any further effect."""


@dataclass(eq=False)
class Transaction:
    """An open transaction that writes rows.

    Attributes:
        conflicting_keys: keys of rows that others have committed since it began.
        is_committed: Postgres has executed its COMMIT, even if the reply was lost.
    """

    conflicting_keys: set[str] = field(default_factory=set)
    is_committed: bool = False


@dataclass(eq=False)
class Breakpoint:
    """A point where an attempt is paused, and what happens when it resumes.

    Attributes:
        name: `before COMMIT`, `reading`; for the log and to wait for it.
        is_in_transit: a statement or its reply is held by the proxy; otherwise the
            attempt is paused in a callback.
        transaction: the open transaction of the attempt.
        pid: process id of its session.
        is_abandoned: the attempt has continued without its connection.
        action: what the proxy does to the connection.
        error: what the callback raises.
        resumed: set when the attempt may continue.
    """

    name: str
    is_in_transit: bool
    transaction: Transaction | None
    pid: int
    is_abandoned: bool = False
    action: Action | None = None
    error: BaseException | None = None
    resumed: Event = field(default_factory=Event)


def statement_name(text: str) -> str:
    """Return the name of a statement in the log of a simulation."""
    text = text.strip()
    for start, name in STATEMENT_NAMES.items():
        if text.startswith(start):
            return name
    return next((n for part, n in STATEMENT_NAMES.items() if part in text), "another")

"""The functions of the caller: write reports, limit the time, reconnect."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from psycopg import Connection

from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects

# Writes the report and the rejects file; returns their location.
Publish = Callable[[Outcome, Rejects], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCallbacks:
    """The functions that an import calls.

    Attributes:
        publish: called when the counts are final, before the history says `completed` or
            `failed`; once more each time Postgres turns out to have lost commits.
        prepare_report: called after the last row was read, while Postgres writes the last
            chunk, so that `publish` need not load its modules then.
        on_commit: called with the outcome so far, after the export is recognised and
            after each commit.
        remaining_s: seconds that the attempt has left; called after each commit, before
            each wait, and from time to time during validation.
        reconnect: opens another connection after the first one broke; None if a broken
            connection ends the attempt.
    """

    publish: Publish = lambda _outcome, _rejects: None
    prepare_report: Callable[[], None] = lambda: None
    on_commit: Callable[[Outcome], None] = lambda _outcome: None
    remaining_s: Callable[[], float] = lambda: math.inf
    reconnect: Callable[[], Connection] | None = None


NO_CALLBACKS = ImportCallbacks()

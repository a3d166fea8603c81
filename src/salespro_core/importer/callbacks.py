"""What an edge gives to an import: where reports go, how long it may take, a new connection."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from psycopg import Connection

from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects

# Puts the report and the rejects where people look, and returns where that is.
Publish = Callable[[Outcome, Rejects], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCallbacks:
    """What the edge wants to know, or to have done.

    Attributes:
        publish: called when the counts are final and before the history says so; once
            more each time Postgres then turns out to have lost commits.
        get_ready: called while Postgres writes the last rows, so that `publish` need not
            load then what it takes.
        on_commit: called with the outcome so far, once the export is recognised and after each
            commit.
        remaining_s: seconds that the attempt may still take; asked after each commit,
            before anything is waited for, and in a validation now and then.
        reconnect: makes another connection where the first one broke; None if a break is
            the end of the attempt.
    """

    publish: Publish = lambda _outcome, _rejects: None
    get_ready: Callable[[], None] = lambda: None
    on_commit: Callable[[Outcome], None] = lambda _outcome: None
    remaining_s: Callable[[], float] = lambda: math.inf
    reconnect: Callable[[], Connection] | None = None


NO_CALLBACKS = ImportCallbacks()

"""The claim of an attempt: claimed again if Postgres has lost it, and ended on an error."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from salespro_core.errors import (
    ClaimHeld,
    ClaimLost,
    CommitsLost,
    OutOfTime,
    SalesProError,
)
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.claims import Claim


class ClaimRequest(NamedTuple):
    """What is claimed.

    Attributes:
        upload: identifies the import.
        tables: that the import may write to, beside the history.
        keeps_changes: what the import changes is recorded.
        undoes: for an undo, the import that it undoes.
    """

    upload: Upload
    tables: Sequence[str]
    keeps_changes: bool
    undoes: int | None = None


def claim_upload(connection: RetryingConnection, request: ClaimRequest) -> Claim:
    """Claim an import, see `claims.claim`.

    Raises:
        ClaimHeld: another attempt has the claim.
        StoreUnavailable, StoreRefused: as `RetryingConnection.run`.
    """
    return connection.run(
        "claiming the import",
        partial(claims.claim, **request._asdict()),
        is_transaction=True,
    )


def claim_after_lost_commits(
    connection: RetryingConnection,
    claim: Claim,
    outcome: Outcome,
    request: ClaimRequest,
) -> Claim:
    """The claim with the stored checkpoint, if Postgres lost commits of this attempt.

    Postgres can lose commits in a crash (see `upsert.transaction`) or in a failover to a
    standby that lagged.  If it lost the claim, too, this is another claim.

    Raises:
        ClaimLost: nothing is lost; another attempt took over.
        StoreUnavailable, StoreRefused: the checkpoint could not be read.
    """
    try:
        stored = connection.run(
            "reading the checkpoint", partial(claims.checkpoint, claim=claim)
        )
    except ClaimLost:
        is_undone = partial(claims.is_undone, claim=claim, upload=request.upload)
        if not connection.run("reading the claim", is_undone):
            raise
        try:
            stored = claim_upload(connection, request)
        except ClaimHeld:
            raise ClaimLost from None
        if not stored.is_completed:
            return stored
    if stored.counts.processed >= outcome.counts.processed:
        raise ClaimLost
    return stored


class ClaimEnd:
    """On any error, end the claim so that another attempt can resume.

    If the history cannot be reached, the lease ends by itself.

    Attributes:
        claim: the claim to end.
        sync_type: of the export; None until the file is recognised.
    """

    sync_type: str | None = None

    def __init__(self, connection: RetryingConnection, claim: Claim) -> None:
        self._connection = connection
        self.claim = claim

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, ClaimLost):
            return
        # Not an Exception: a signal.
        is_resumed = isinstance(error, OutOfTime | CommitsLost)
        if is_resumed or not isinstance(error, Exception):
            end = partial(claims.release_lease, claim=self.claim)
        elif isinstance(error, SalesProError):
            end = self._failed(error, str(error))
        else:
            # A bug in the importer.  The text of the error may contain a cell.
            name = type(error).__name__
            text = f"Unexpected {name} in the importer; please report it."
            end = self._failed(error, text)
        self._connection.try_once(end)

    def _failed(self, error: Exception, text: str) -> partial[None]:
        return partial(
            completion.fail,
            claim=self.claim,
            error=text,
            error_type=type(error).__name__,
            sync_type=self.sync_type,
        )

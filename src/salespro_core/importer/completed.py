"""The end of an import in the history; then old changes of other imports are deleted."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from salespro_core.postgres.retry import RetryingConnection
from salespro_core.sync_history import completion
from salespro_core.sync_history.claims import Claim
from salespro_core.sync_history.kept_changes import ROWS_PER_STEP, delete_expired


def complete_import(
    connection: RetryingConnection,
    claim: Claim,
    *,
    report: str | None,
    keep: timedelta,
) -> None:
    """Set an import, or an undo, to completed, and delete some changes that have expired.

    About as many are deleted as this import may have added, so that the table of the
    changes does not grow.  It is tried once: the next import does what is left.

    Args:
        connection: to the database.
        claim: with the counts of all rows.
        report: location of the report.
        keep: how long the changes of an import are kept.

    Raises:
        ClaimLost, StoreUnavailable, StoreRefused: the import is not completed.
    """
    has_expired = connection.run(
        "completing the import",
        partial(completion.complete, claim=claim, report=report, keep=keep),
        is_transaction=True,
    )
    if not has_expired:
        return
    delete = partial(delete_expired, schema=claim.schema, keep=keep)
    written = claim.counts.updated + claim.counts.deleted + claim.counts.created
    for _ in range(1 + written // ROWS_PER_STEP + 1):
        connection.try_once(delete)

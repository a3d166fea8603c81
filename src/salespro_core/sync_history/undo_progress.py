"""The checkpoint of an undo: the last key that is done, and the counts."""

from __future__ import annotations

from dataclasses import asdict, replace

from psycopg import Connection

from salespro_core.model.counts import Counts
from salespro_core.sync_history.claim_sql import CLAIMED
from salespro_core.sync_history.claims import Claim, update_claimed

_ADVANCE = f"""
UPDATE {{history}}
   SET sync_type         = %(sync_type)s,
       records_processed = records_processed + %(processed)s::int,
       records_created   = records_created + %(created)s::int,
       records_updated   = records_updated + %(updated)s::int,
       records_unchanged = records_unchanged + %(unchanged)s::int,
       records_deleted   = records_deleted + %(deleted)s::int,
       records_left      = records_left + %(left)s::int,
       undone_up_to      = %(up_to)s,
       lease_expires_at  = clock_timestamp() + %(lease)s::interval
 WHERE {CLAIMED} AND status = 'in_progress'
   AND undone_up_to IS NOT DISTINCT FROM %(after)s::text
"""  # noqa: S608 -- a constant


def advance_undo(
    conn: Connection, claim: Claim, counts: Counts, *, up_to: str
) -> Claim:
    """Add the counts of a chunk to the history, move the checkpoint, and renew the lease.

    Args:
        conn: in the transaction that has undone the chunk.
        claim: the attempt, with the checkpoint before the chunk.
        counts: of the chunk.
        up_to: its last key.

    Returns:
        The claim with the checkpoint after the chunk.

    Raises:
        ClaimLost: another attempt took over, or the checkpoint has moved.
    """
    update_claimed(
        conn,
        _ADVANCE,
        claim,
        sync_type=claim.sync_type,
        processed=counts.processed,
        up_to=up_to,
        after=claim.undone_up_to,
        **{
            name: count
            for name, count in asdict(counts).items()
            if name in ("created", "updated", "unchanged", "deleted", "left")
        },
    )
    return replace(claim, counts=claim.counts + counts, undone_up_to=up_to)

"""Find the import that is to be undone, and whether it can be."""

from __future__ import annotations

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.errors import UndoRefused
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.postgres.relations import find_schema
from salespro_core.postgres.session import on_history
from salespro_core.sync_history.claims import KEPT
from salespro_core.upsert.reversal import Target

_TARGET = """
SELECT sync_type, status, changes, undoes, uploaded_at, file_path,
       (SELECT count(*) FROM {history} AS undo
         WHERE undo.undoes = target.id AND undo.status = 'completed') AS undone
  FROM {history} AS target
 WHERE id = %(import_id)s
"""
# An import that ends meanwhile skips a locked row when it looks for expired changes.
_HOLD = "SELECT changes FROM {history} WHERE id = %(import_id)s FOR KEY SHARE"
_UNFINISHED = {"failed": "failed", "in_progress": "not ended"}


def find_target(conn: Connection, *, import_id: int) -> Target:
    """The import with this id, if it can be undone.

    Args:
        conn: in a transaction.
        import_id: of an import, or of an undo.

    Raises:
        UndoRefused: there is no such import, or it is not completed, or its changes are
            not kept.
        StoreRefused: as `find_schema`.
        psycopg.Error: as `Connection.execute`.
    """
    schema = find_schema(conn)
    with conn.cursor(row_factory=dict_row) as cur:
        query = on_history(_TARGET, schema)
        row = cur.execute(query, {"import_id": import_id}).fetchone()
    if row is None:
        raise UndoRefused(
            f"Import {import_id} does not exist. `salespro history` lists the imports."
        )
    if row["status"] != "completed":
        raise UndoRefused(
            f"Import {import_id} has {_UNFINISHED[row['status']]}, so it cannot be undone: "
            "the next attempt would go on with it."
        )
    _check_kept(import_id, row["changes"])
    [export] = [e for e in (APPOINTMENTS, USERS) if e.sync_type == row["sync_type"]]
    return Target(
        import_id=import_id,
        export=export,
        is_undo=row["undoes"] is not None,
        uploaded_at=row["uploaded_at"],
        schema=schema,
        number=row["undone"] + 1,
        location=row["file_path"] or "",
    )


def hold_changes(conn: Connection, target: Target) -> None:
    """Make sure that no change of the target expires before the transaction ends.

    Raises:
        UndoRefused: they have expired since `find_target`.
        psycopg.Error: as `Connection.execute`.
    """
    query = on_history(_HOLD, target.schema)
    row = conn.execute(query, {"import_id": target.import_id}).fetchone()
    _check_kept(target.import_id, row[0] if row else None)


def _check_kept(import_id: int, changes: str | None) -> None:
    if changes == KEPT:
        return
    reason = (
        "they have expired, see KEEP_CHANGES_DAYS"
        if changes
        else "KEEP_CHANGES_DAYS was 0, they have expired, or an older version imported it"
    )
    raise UndoRefused(
        f"What import {import_id} changed is not kept ({reason}), so it cannot be "
        "undone. Import the file with the right rows again, or restore a backup."
    )

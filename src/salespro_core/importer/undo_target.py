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
    if row["changes"] != KEPT:
        reason = (
            "they have expired, see KEEP_CHANGES_DAYS"
            if row["changes"]
            else "KEEP_CHANGES_DAYS was 0, they have expired, or an older version imported it"
        )
        raise UndoRefused(
            f"What import {import_id} changed is not kept ({reason}), so it cannot be "
            "undone. Import the file with the right rows again, or restore a backup."
        )
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

"""Take back what an import did to some rows, where nobody has changed them since.

An undo that is undone is an import like any other: what it restored is changed back, what
it deleted is created again with all of its columns.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import psycopg
from psycopg import Connection, sql

from salespro_core.postgres.sqlstates import is_row_error, row_error_text
from salespro_core.upsert import reversal_sql
from salespro_core.upsert.reversal import (
    Action,
    Reversal,
    SeenMove,
    Step,
    Target,
    plan_reversal,
    result_of,
)


def reverse(
    conn: Connection,
    target: Target,
    keys: Sequence[str],
    *,
    undo_id: int,
    keeps_changes: bool,
) -> Reversal:
    """Take back what the import did to these keys, where nobody has changed them since.

    Args:
        conn: in a transaction that has the claim of the undo.
        target: the import that is undone.
        keys: of one chunk, in the order of `next_keys`.
        undo_id: the import that the undo itself is.
        keeps_changes: record what the undo changes, so that it can be undone.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    writer = _Writer(conn, target, undo_id, keeps_changes)
    writer.lock(keys)
    steps = plan_reversal(conn, target, keys)
    return result_of(conn, target, writer.write(steps))


class _Writer:
    """Executes the steps of a chunk."""

    def __init__(
        self,
        conn: Connection,
        target: Target,
        undo_id: int,
        keeps_changes: bool,  # noqa: FBT001 -- called once
    ) -> None:
        self._conn = conn
        self._target = target
        self._names = reversal_sql.names_of(target.export, target.schema)
        self._values = {
            "undo_id": undo_id,
            "import_id": target.import_id,
            "keeps_changes": keeps_changes,
        }

    def lock(self, keys: Sequence[str]) -> None:
        """Lock the rows in the order in which imports lock them."""
        export = self._target.export
        for name in ("seen", "table") if export.seen_table else ("table",):
            self._run(reversal_sql.LOCK, keys, locked=self._names[name])

    def write(self, steps: Sequence[Step]) -> list[Step]:
        """Execute the steps; one that Postgres or a trigger refuses becomes `leave`."""
        done = self._try(steps)
        seen = [step for step in done if step.seen]
        for move in dict.fromkeys(step.seen for step in seen if step.seen):
            self._move_seen([step.key for step in seen if step.seen == move], move)
        return done

    def _try(self, steps: Sequence[Step]) -> list[Step]:
        try:
            with self._conn.transaction():  # a savepoint
                written = self._write(steps)
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
            if len(steps) == 1:
                encoding = self._conn.info.parameter_status("server_encoding")
                reason = row_error_text(error, encoding)
                return [Step(steps[0].key, "leave", reason)]
            middle = len(steps) // 2
            return self._try(steps[:middle]) + self._try(steps[middle:])
        return [
            step
            if step.key in written or step.action in ("nothing", "forget", "leave")
            else Step(step.key, "leave", "is kept by a trigger of the table")
            for step in steps
        ]

    def _write(self, steps: Sequence[Step]) -> set[str]:
        """Execute the steps; return the keys of the rows that were written."""
        by_action: dict[Action, list[Step]] = {}
        for step in steps:
            by_action.setdefault(step.action, []).append(step)
        done = self._restore(by_action.get("restore", []))
        if delete := by_action.get("delete"):
            done |= self._run(reversal_sql.DELETE, [step.key for step in delete])
        if create := by_action.get("create"):
            done |= self._create([step.key for step in create])
        self._conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return done

    def _restore(self, steps: Sequence[Step]) -> set[str]:
        if not steps:
            return set()
        done = self._run(
            reversal_sql.restore_statement(self._target.export, self._target.schema),
            [step.key for step in steps],
            old=[_as_json(step.old) for step in steps],
        )
        restored = [step for step in steps if step.key in done]
        fields = [
            _as_json({name: [step.new[name], step.old[name]] for name in step.old})
            for step in restored
        ]
        self._record([step.key for step in restored], "updated", fields)
        return done

    def _create(self, keys: Sequence[str]) -> set[str]:
        relation = self._names["table"].as_string(self._conn)
        groups = self._conn.execute(
            reversal_sql.COLUMNS.format(**self._names),
            {**self._values, "keys": keys, "relation": relation},
        ).fetchall()
        done: set[str] = set()
        for columns, same in groups:
            statement = reversal_sql.create_statement(
                self._target.export, self._target.schema, columns
            )
            done |= self._run(statement, same)
        names = [column.name for column in self._target.export.columns]
        self._run(reversal_sql.RECORD_CREATED, sorted(done), names=names)
        return done

    def _move_seen(self, keys: Sequence[str], move: SeenMove) -> None:
        values = {"forgotten": move.import_id, "uploaded_at": move.uploaded_at}
        if move.verb == "remember":
            moved = self._run(reversal_sql.REMEMBER_UPLOAD, keys, **values)
        else:
            moved = self._run(reversal_sql.FORGET_ONLY_UPLOAD, keys, **values)
            moved |= self._run(reversal_sql.FORGET_UPLOAD, keys, **values)
        kind = "created" if move.verb == "remember" else "deleted"
        fields = _as_json(
            {
                "uploaded_at": move.uploaded_at.isoformat(),
                "import_id": move.import_id,
            }
        )
        self._record(sorted(moved), kind, [fields] * len(moved), name="seen_name")

    def _record(
        self,
        keys: Sequence[str],
        kind: str,
        fields: Sequence[str],
        *,
        name: str = "table_name",
    ) -> None:
        values = {**self._values, "keys": keys, "kind": kind, "fields": fields}
        statement = reversal_sql.RECORD.format(
            changes=self._names["changes"], name=self._names[name]
        )
        self._conn.execute(statement, values)

    def _run(
        self, statement: sql.SQL | sql.Composed, keys: Sequence[str], **values: object
    ) -> set[str]:
        """Execute the statement for these keys; return the keys that it returns."""
        if isinstance(statement, sql.SQL):
            locked = values.pop("locked", self._names["table"])
            statement = statement.format(**self._names, locked=locked)
        cur = self._conn.execute(statement, {**self._values, "keys": keys, **values})
        return {row[0] for row in cur if row} if cur.description else set()


def _as_json(values: object) -> str:
    # Escapes of characters fail in a database that is not in UTF-8.
    return json.dumps(values, ensure_ascii=False)

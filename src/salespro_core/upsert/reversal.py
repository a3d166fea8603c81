"""Decide what an undo does with each row: compare it with what the import wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.exports.columns import Export
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Change, Left
from salespro_core.upsert import reversal_sql

Action = Literal["restore", "delete", "create", "nothing", "forget", "leave"]
SeenVerb = Literal["forget", "remember"]


_COUNTED: Mapping[Action, Counts] = {
    "restore": Counts(updated=1),
    "delete": Counts(deleted=1),
    "create": Counts(created=1),
    "nothing": Counts(unchanged=1),
    "leave": Counts(left=1),
    "forget": Counts(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The import that is undone.

    Attributes:
        is_undo: it is an undo itself.
        uploaded_at: of its upload.
        schema: of the tables.
        number: how many undos of it there are, with this one.
        location: of its file.
    """

    import_id: int
    export: Export
    is_undo: bool
    uploaded_at: datetime
    schema: str
    number: int
    location: str


class SeenMove(NamedTuple):
    """An upload that a user's memory forgets, or remembers again.

    Attributes:
        import_id: the import of the upload.
    """

    verb: SeenVerb
    import_id: int
    uploaded_at: datetime


class Step(NamedTuple):
    """What is to be done with one key.

    Attributes:
        old: column -> text that the row gets back; `new` is what the import wrote.
        seen: what becomes of the user's memory of the upload.
    """

    key: str
    action: Action
    reason: str = ""
    old: Mapping[str, str | None] = {}
    new: Mapping[str, str | None] = {}
    seen: SeenMove | None = None


@dataclass(slots=True)
class Reversal:
    """The result of undoing some keys.

    Attributes:
        last_key: the checkpoint.
        changes: what was restored or created again; a dry run shows them.
        deleted: keys.
    """

    last_key: str
    counts: Counts = field(default_factory=Counts)
    changes: list[Change] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def next_keys(
    conn: Connection, target: Target, *, after: str | None, limit: int
) -> list[str]:
    """The next keys that the import has changed; none at the end.

    Args:
        conn: in a transaction.
        target: the import.
        after: the last key that is done; None to start.
        limit: how many keys, at most.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    statement = reversal_sql.keys_statement(
        target.export, target.schema, is_of_undo=target.is_undo
    )
    values = {
        "import_id": target.import_id,
        "after": after or "",
        "limit": limit,
    }
    return [key for (key,) in conn.execute(statement, values)]


def plan_reversal(conn: Connection, target: Target, keys: Sequence[str]) -> list[Step]:
    """What an undo has to do with these keys now.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    statement = reversal_sql.state_statement(target.export, target.schema)
    values = {"import_id": target.import_id, "keys": keys}
    with conn.cursor(row_factory=dict_row) as cur:
        return [_step(target, row) for row in cur.execute(statement, values)]


def result_of(conn: Connection, target: Target, steps: Sequence[Step]) -> Reversal:
    """The counts of the steps, and what stands in the way of those that are left.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    result = Reversal(last_key=steps[-1].key)
    result.counts = sum((_COUNTED[step.action] for step in steps), Counts())
    result.changes = list(_changes(steps))
    result.deleted = [step.key for step in steps if step.action == "delete"]
    left = [step for step in steps if step.action == "leave"]
    if left:
        statement = reversal_sql.BLOCKERS.format(
            **reversal_sql.names_of(target.export, target.schema)
        )
        values = {"import_id": target.import_id, "keys": [step.key for step in left]}
        blockers: dict[str, int] = dict(conn.execute(statement, values).fetchall())
        result.left = [
            Left(key=step.key, reason=step.reason, import_id=blockers.get(step.key))
            for step in left
        ]
    return result


def _step(target: Target, row: Mapping[str, Any]) -> Step:
    action, reason = _decide(row)
    old, new = row["old"] or {}, row["new"] or {}
    # A column that the import changed twice may be as before.
    changed = [
        name
        for name in _in_table_order(target.export, old)
        if old[name] != new[name]
        # Another import may have written the row since, in other columns.
        and (name != target.export.written_at or row["written_at"] == new[name])
    ]
    return Step(
        row["key"],
        action,
        reason,
        old={name: old[name] for name in changed},
        new={name: new[name] for name in changed},
        seen=None if action == "leave" else _seen(target, row),
    )


def _in_table_order(export: Export, names: Iterable[str]) -> list[str]:
    """The names of columns as people know them; Postgres returns them in any order."""
    order = {column.name: n for n, column in enumerate(export.columns)}
    return sorted(names, key=lambda name: order.get(name, len(order)))


def _decide(row: Mapping[str, Any]) -> tuple[Action, str]:
    """The action for a row of `state_statement`, and the reason to leave a row."""
    if row["was_deleted"]:
        return ("leave", "was created again") if row["is_stored"] else ("create", "")
    if row["was_created"]:
        return _decide_created(row)
    if not row["old"]:
        # Only the memory of uploads knows that the file had this user.
        return "forget", ""
    if not row["is_stored"]:
        return "leave", "was deleted"
    if row["is_as_before"]:
        return "nothing", ""
    return ("restore", "") if row["is_as_written"] else ("leave", "was changed")


def _decide_created(row: Mapping[str, Any]) -> tuple[Action, str]:
    if not row["is_stored"]:
        return "nothing", ""
    if row["is_as_created"] and row["is_as_written"] is not False:
        return "delete", ""
    return "leave", "was changed"


def _seen(target: Target, row: Mapping[str, Any]) -> SeenMove | None:
    if target.export.seen_table is None:
        return None
    if not target.is_undo:
        return SeenMove("forget", target.import_id, target.uploaded_at)
    if row["seen_kind"] is None:
        return None
    verb: SeenVerb = "remember" if row["seen_kind"] == "deleted" else "forget"
    return SeenMove(verb, row["seen_import"], row["seen_at"])


def _changes(steps: Sequence[Step]) -> Iterator[Change]:
    for step in steps:
        if step.action == "restore":
            fields = {name: (step.new[name], step.old[name]) for name in step.old}
            yield Change(key=step.key, is_new=False, fields=fields)
        elif step.action == "create":
            yield Change(key=step.key, is_new=True, fields={})

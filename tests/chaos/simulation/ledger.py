"""What was committed in a simulation, and whether that is as promised.

The promises are those of world.py; the model is told of each commit, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from salespro_core.errors import (
    ClaimHeld,
    ClaimLost,
    ObjectUnavailable,
    OutOfTime,
    StoreUnavailable,
)
from salespro_core.model.outcome import Counts, Outcome
from salespro_core.sync_history import claims
from tests.chaos.simulation.attempts import Attempt, Transaction
from tests.chaos.simulation.files import APPOINTMENTS, REFUSED_AMOUNT, USERS, Put, Sort
from tests.support.table_contents import HISTORY_TABLE, SEEN_TABLE
from tests.support.world.model import Model, Row, Values

# A fault, and how an attempt may end that has met it, though it need not.
ENDS: Mapping[str, type[BaseException]] = {
    "the object cannot be read": ObjectUnavailable,
    "the report cannot be put": ObjectUnavailable,
    "signal": KeyboardInterrupt,
    "mistake": KeyError,
    "out of time": OutOfTime,
    "away": StoreUnavailable,
    "cancel": StoreUnavailable,
}
# A fault, and what Postgres says of it.
SAID: Mapping[str, str] = {
    "cancel": "57014",
    **dict.fromkeys(("terminate", "away", "away for a moment"), "57P01"),
}
BREAKS = {"cut", "reset", "silence", "terminate", "away", "away for a moment"}


@dataclass(frozen=True, slots=True)
class Found:
    """What the database holds, as everybody sees it.

    Attributes:
        history: version of the upload -> its row.
        tables: name -> key -> version if it is stored beside the table, and values.
    """

    history: dict[str, dict[str, Any]]
    tables: Mapping[str, Mapping[str, tuple[str | None, Values]]]


@dataclass
class Ledger:
    """The uploads, and the tables as they have to be.

    Attributes:
        races: commits of which only the tables say in which order their rows came.
        commits: all of them.
    """

    conn: Connection
    puts: list[Put]
    models: dict[str, Model] = field(default_factory=lambda: _models())  # noqa: PLW0108 -- made below
    races: int = 0
    commits: int = 0

    def look(self) -> Found:
        """What the database holds now."""
        with self.conn.cursor(row_factory=dict_row) as cur:
            rows = cur.execute(_HISTORY).fetchall()
            tables = {
                sort.name: {
                    str(row.pop("key")): (row.pop("version"), row)
                    for row in cur.execute(_QUERIES[sort.name]).fetchall()
                }
                for sort in (APPOINTMENTS, USERS)
            }
        return Found({row["object_version"]: row for row in rows}, tables)

    def follow(
        self, found: Found, by: Attempt | None, transaction: Transaction | None
    ) -> set[str]:
        """Give the model what was committed since; the keys that were in it.

        Args:
            by: whose doing it is; nobody else may have committed anything.
            transaction: in which it was when it went on.
        """
        keys: set[str] = set()
        for put in self.puts:
            row = found.history.get(str(put.upload.version))
            done, committed = (
                put.counts.processed,
                row["records_processed"] if row else 0,
            )
            assert committed >= done, f"{put}: I2: rows are no longer committed"
            if committed == done:
                continue
            assert by is not None, f"{put}: rows were committed, and nobody ran"
            assert put is by.put, f"{put}: rows were committed, and {by} ran"
            rivals = (
                transaction.rivals if transaction and transaction.is_done else set()
            )
            size = by.options.checkpoint_rows
            chunks = [put.rows[at : at + size] for at in range(done, committed, size)]
            assert sum(map(len, chunks)) == committed - done, f"{put}: half of a span"
            for chunk in chunks:
                self._take_in(put, chunk, rivals & {row.key for row in chunk}, found)
                keys |= {row.key for row in chunk}
        return keys

    def _take_in(
        self, put: Put, chunk: list[Row], raced: set[str], found: Found
    ) -> None:
        self.commits += 1
        model = self.models[put.sort.name]
        before = dict(model.table)
        model.refused.clear()
        counts = model.commit(chunk)
        put.refused_lines |= {row.line for row in model.refused}
        if put.sort is USERS:  # their order is decided under a lock, but for a refusal
            raced = {
                r.key for r in chunk if r.key in raced and model.refuses(r.values or {})
            }
        if not raced:
            put.counts += counts
            return
        # Records that equal the row which their statement saw, or that were beaten while
        # it ran, are counted as unchanged: see docs/decisions.md, "The stored row is
        # looked up before the insert".  Only the table tells.
        self.races += 1
        table = found.tables[put.sort.name]
        for key in sorted(raced & before.keys()):
            if table[key][1] == before[key].values:
                model.table[key] = before[key]
        row = found.history[str(put.upload.version)]
        told = claims.read_counts(row) - put.counts
        off = asdict(told - counts)
        assert off["created"] == off["duplicate"] == 0, f"{put}: I2: {off}"
        assert max(map(abs, off.values())) <= len(raced), f"{put}: I2: {off}"
        assert told.processed == counts.processed, f"{put}: I2: {off}"
        put.counts += told
        put.refused_lines = {each["line"] for each in row["refused_rows"] or ()}

    def check(self, found: Found) -> None:
        """Hold the promises against what is there."""
        for name, model in self.models.items():
            expected = {
                key: (row.version if name == USERS.name else None, row.values)
                for key, row in model.table.items()
            }
            assert found.tables[name] == expected, f"I1, I4: the table of {name}"
        created = sum(row["records_created"] for row in found.history.values())
        total = sum(len(rows) for rows in found.tables.values())
        assert created == total, "I2: rows created, and rows there"
        for put in self.puts:
            _check_import(put, found.history.get(str(put.upload.version)))

    def check_claims(self, before: Found, after: Found) -> None:
        """What was leased before somebody ran is still his who had it."""
        for version, row in before.history.items():
            if row["is_leased"]:
                same = after.history[version]["attempts"] == row["attempts"]
                assert same, f"{version}: a claim was taken whose lease was live"

    def check_leases(self, before: Found, after: Found) -> None:
        """Who has committed rows keeps the import, until it is done with it."""
        for version, row in after.history.items():
            was = before.history.get(version, {})
            until, old = row["lease_expires_at"], was.get("lease_expires_at")
            if row["records_processed"] == was.get("records_processed", 0) or not until:
                continue
            is_renewed = row["is_leased"] and (old is None or until > old)
            assert is_renewed, f"{version}: a commit did not renew the lease"

    def check_end(self, attempt: Attempt, found: Found) -> None:
        """What has come of an attempt, and whether it had a reason to end like that."""
        put, row = attempt.put, found.history.get(str(attempt.put.upload.version))
        conn = attempt.slot.conn
        if conn is not None and not conn.closed:
            status = conn.info.transaction_status
            assert status == TransactionStatus.IDLE, f"I6: {status.name}"
        # A row that is refused is no surprise; a deadlock would be one.
        told = attempt.errors - {"23514"} - {SAID.get(each) for each in attempt.struck}
        assert not told, f"Postgres refused something: {told}"
        # What is not acknowledged comes again, also a second message of what is done.
        put.is_acknowledged = attempt.result is not None
        if attempt.is_dead:
            assert attempt.result is None, "it was dead"
        elif attempt.result is not None:
            assert row is not None
            _check_result(attempt.result, attempt, row)
        elif isinstance(attempt.error, ClaimHeld):
            assert attempt.number is None, "its own claim kept it away"
        elif isinstance(attempt.error, ClaimLost):
            assert row is not None
            assert row["attempts"] > (attempt.number or 0), "nobody took its claim"
        else:
            is_explained = isinstance(attempt.error, tuple(_ends(attempt)))
            assert is_explained, "no fault explains its end"
        is_reached = not attempt.is_dead and not attempt.struck & BREAKS
        if row and row["attempts"] == attempt.number and is_reached:
            assert row["lease_expires_at"] is None, "I6: a lease is left"

    def foresee(self, put: Put, checkpoint_rows: int) -> tuple[Counts, set[str]]:
        """What an import of it would count now, and which keys it would write."""
        real = self.models[put.sort.name]
        model = replace(real, table=dict(real.table), refused=[])
        counts = Counts()
        for at in range(0, len(put.rows), checkpoint_rows):
            counts += model.commit(put.rows[at : at + checkpoint_rows])
        written = {
            key
            for key, row in model.table.items()
            if key not in real.table or row.values != real.table[key].values
        }
        return counts, written


def _models() -> dict[str, Model]:
    amounts = {"sale_amount", "additional_amount"}

    def refuses(values: Values) -> bool:
        return any(values.get(amount) == REFUSED_AMOUNT for amount in amounts)

    return {
        sort.name: Model(blank=sort.blank, refuses=refuses)
        for sort in (APPOINTMENTS, USERS)
    }


def _query(sort: Sort) -> bytes:
    """The rows of a table, in the model's words."""
    key = next(iter(sort.labels.values()))
    instant = 'to_char({}, \'YYYY-MM-DD"T"HH24:MI:SS"Z"\')'
    columns = [
        f"{instant.format(name) if name == 'updated_at' else f't.{name}::text'} AS {name}"
        for name in sort.blank
    ]
    seen = f"FULL JOIN {SEEN_TABLE} AS seen USING ({key})" if sort is USERS else ""
    version = instant.format("seen.uploaded_at") if sort is USERS else "NULL"
    columns = [f"{key} AS key", f"{version} AS version", *columns]
    return f"SELECT {', '.join(columns)} FROM {sort.table} AS t {seen}".encode()  # noqa: S608 -- names of ours


_HISTORY = f"""
SELECT *, coalesce(lease_expires_at > clock_timestamp(), false) AS is_leased
  FROM {HISTORY_TABLE}
 ORDER BY id
""".encode()  # noqa: S608 -- a name of ours
_QUERIES = {sort.name: _query(sort) for sort in (APPOINTMENTS, USERS)}


def _check_import(put: Put, row: Mapping[str, Any] | None) -> None:
    """A row of the history says what the model says, and nothing that is not so."""
    if row is None:
        assert not put.is_acknowledged, f"{put}: I1: acknowledged, and nothing is known"
        return
    assert claims.read_counts(dict(row)) == put.counts, f"{put}: I2"
    refused = [each["line"] for each in row["refused_rows"] or ()]
    assert sorted(refused) == sorted(put.refused_lines), f"{put}: I2: what was refused"
    assert row["attempts"] <= put.claims, f"{put}: more attempts than claims"
    status = row["status"]
    if status == "completed":
        assert put.counts.processed == len(put.rows), f"{put}: I3: rows are missing"
        assert row["report_location"] == f"{put.upload.version}/{row['attempts']}"
    if status == "failed":
        assert row["error_message"], f"{put}: I5"
    if status in ("completed", "failed"):
        assert row["lease_expires_at"] is None, f"{put}: I6"
        assert row["completed_at"] is not None, f"{put}: I5"
    elif put.is_acknowledged:
        assert put.is_unknown or put.is_gone, (
            f"{put}: I1, I3: acknowledged, and not done"
        )


def _check_result(result: Outcome, attempt: Attempt, row: Mapping[str, Any]) -> None:
    put = attempt.put
    if result.status == "failed":
        assert put.is_unknown or put.is_gone, f"{put} was refused: {result.error}"
        return
    assert row["status"] == "completed", f"{put}: I3"
    if result.already_imported:
        assert attempt.number is None, "it did something to what was done"
        return
    assert result.counts == put.counts, f"{put}: I2: what it says, and what it did"
    assert attempt.reported == put.rejected_lines, f"{put}: I2: the rejects"


def _ends(attempt: Attempt) -> Iterable[type[BaseException]]:
    """The errors that the faults which it has met may come to."""
    ends = {ENDS[fault] for fault in attempt.struck if fault in ENDS}
    if attempt.struck & BREAKS and not attempt.reconnects:
        ends.add(StoreUnavailable)
    if "out of time" in attempt.struck:  # then it does not wait for Postgres
        ends.add(StoreUnavailable)
    return ends

"""Checks the database of a simulation against a model that applies the same commits.

The numbers I1 to I6 are those of docs/reliability.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus

from salespro_core.errors import (
    ClaimHeld,
    ClaimLost,
    ObjectUnavailable,
    OutOfTime,
    StoreUnavailable,
)
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.sync_history import claims
from tests.chaos.simulation.attempts import Attempt
from tests.chaos.simulation.breakpoints import Transaction
from tests.chaos.simulation.database_state import DatabaseState, read_state
from tests.chaos.simulation.files import (
    APPOINTMENTS,
    REFUSED_AMOUNT,
    USERS,
    SimulatedFile,
)
from tests.chaos.simulation.undo_steps import UndoModel
from tests.support.world.model import Model, Row, Values

# Fault -> the error with which it may end an attempt.
POSSIBLE_ERRORS: Mapping[str, type[BaseException]] = {
    "object unreadable": ObjectUnavailable,
    "report not stored": ObjectUnavailable,
    "interrupt": KeyboardInterrupt,
    "bug": KeyError,
    "deadline": OutOfTime,
    "Postgres unreachable": StoreUnavailable,
    "cancel": StoreUnavailable,
}
# Fault -> the SQLSTATE that Postgres returns for it.
SQLSTATES: Mapping[str, str] = {
    "cancel": "57014",
    **dict.fromkeys(
        ("terminate", "Postgres unreachable", "Postgres briefly unreachable"), "57P01"
    ),
}
CONNECTION_FAULTS = {
    "cut",
    "reset",
    "silence",
    "terminate",
    "Postgres unreachable",
    "Postgres briefly unreachable",
}


@dataclass
class Oracle:
    """The files and the expected contents of the tables.

    Attributes:
        models: name of the export -> model of its table.
        commits_in_race: commits whose row order only the tables show.
        commits: all commits of rows.
    """

    conn: Connection
    files: list[SimulatedFile]
    models: dict[str, Model] = field(default_factory=lambda: _models())  # noqa: PLW0108 -- made below
    undos: UndoModel = field(default_factory=UndoModel)
    commits_in_race: int = 0
    commits: int = 0

    def read_state(self) -> DatabaseState:
        """Return the current contents of the database."""
        return read_state(self.conn)

    def apply_commits(
        self, state: DatabaseState, by: Attempt | None, transaction: Transaction | None
    ) -> set[str]:
        """Apply the new commits to the models; return the keys of their rows.

        Args:
            by: the only attempt that may have committed something.
            transaction: its open transaction before the step.
        """
        keys: set[str] = set()
        for file in self.files:
            row = state.history.get(str(file.upload.version))
            done, committed = (
                file.counts.processed,
                row["records_processed"] if row else 0,
            )
            assert committed >= done, f"{file}: I2: committed rows have disappeared"
            if committed == done:
                continue
            assert by is not None, f"{file}: rows were committed, but no attempt ran"
            assert file is by.file, f"{file}: rows were committed, but {by} ran"
            conflicting_keys = (
                transaction.conflicting_keys
                if transaction and transaction.is_committed
                else set()
            )
            size = by.options.checkpoint_rows
            chunks = [file.rows[at : at + size] for at in range(done, committed, size)]
            assert sum(map(len, chunks)) == committed - done, f"{file}: a partial chunk"
            for chunk in chunks:
                self._commit_chunk(
                    file, chunk, conflicting_keys & {row.key for row in chunk}, state
                )
                keys |= {row.key for row in chunk}
        return keys

    def _commit_chunk(
        self,
        file: SimulatedFile,
        chunk: list[Row],
        raced: set[str],
        state: DatabaseState,
    ) -> None:
        self.commits += 1
        model = self.models[file.export.name]
        before = dict(model.table)
        model.refused.clear()
        counts = model.commit(chunk)
        file.refused_lines |= {row.line for row in model.refused}
        if (
            file.export is USERS
        ):  # an advisory lock orders them, unless they are refused
            raced = {
                r.key for r in chunk if r.key in raced and model.refuses(r.values or {})
            }
        row = state.history[str(file.upload.version)]
        if not raced:
            file.counts += counts
            self._record(file, chunk, row["id"], before)
            return
        self.undos.raced.add(row["id"])
        # A record is counted as unchanged if it equals the row that its statement read,
        # or if a concurrent commit wrote a newer row: see decision 11 in docs/decisions.md.
        # Only the table shows which case it was.
        self.commits_in_race += 1
        table = state.tables[file.export.name]
        for key in sorted(raced & before.keys()):
            version = before[key].version if file.export is USERS else None
            if table[key] == (version, before[key].values):
                model.table[key] = before[key]
        self._record(file, chunk, row["id"], before)
        actual = claims.read_counts(row) - file.counts
        difference = asdict(actual - counts)
        assert difference["created"] == difference["duplicate"] == 0, (
            f"{file}: I2: {difference}"
        )
        assert max(map(abs, difference.values())) <= len(raced), (
            f"{file}: I2: {difference}"
        )
        assert actual.processed == counts.processed, f"{file}: I2: {difference}"
        file.counts += actual
        file.refused_lines = {each["line"] for each in row["refused_rows"] or ()}

    def _record(
        self, file: SimulatedFile, chunk: list[Row], number: int, before: dict[str, Row]
    ) -> None:
        uploaded_at = f"{file.upload.uploaded_at:%Y-%m-%dT%H:%M:%SZ}"
        name = file.export.name
        keys = dict.fromkeys(row.key for row in chunk if row.values is not None)
        after = self.models[name].table
        self.undos.record(number, name, keys, before, after, uploaded_at)

    def check(self, state: DatabaseState) -> None:
        """Check the promises that hold at any time."""
        for name, model in self.models.items():
            expected = {
                key: (row.version if name == USERS.name else None, row.values)
                for key, row in model.table.items()
            }
            assert state.tables[name] == expected, (
                f"I1, I4: the table of {name}: {state.tables[name]}, not {expected}"
            )
        created = sum(
            row["records_created"] - row["records_deleted"]
            for row in state.history.values()
        )
        total = sum(len(rows) for rows in state.tables.values())
        assert created == total, "I2: `created` differs from the rows in the tables"
        for file in self.files:
            _check_import(file, state.history.get(str(file.upload.version)))

    def check_live_leases(self, before: DatabaseState, after: DatabaseState) -> None:
        """Check that no step has taken over a claim with a live lease."""
        for version, row in before.history.items():
            if row["is_leased"]:
                same = after.history[version]["attempts"] == row["attempts"]
                assert same, f"{version}: a claim with a live lease was taken over"

    def check_renewals(self, before: DatabaseState, after: DatabaseState) -> None:
        """Check that each commit of rows has renewed the lease."""
        for version, row in after.history.items():
            was = before.history.get(version, {})
            until, old = row["lease_expires_at"], was.get("lease_expires_at")
            if row["records_processed"] == was.get("records_processed", 0) or not until:
                continue
            is_renewed = row["is_leased"] and (old is None or until > old)
            assert is_renewed, f"{version}: a commit did not renew the lease"

    def check_attempt(self, attempt: Attempt, state: DatabaseState) -> None:
        """Check the end of an attempt, and that a fault explains its error."""
        file, row = attempt.file, state.history.get(str(attempt.file.upload.version))
        conn = attempt.environment.conn
        if conn is not None and not conn.closed:
            status = conn.info.transaction_status
            assert status == TransactionStatus.IDLE, f"I6: {status.name}"
        # 23514 is the constraint that refuses rows, 22012 the fence of a chunk, 22P02 a row
        # that another session has changed meanwhile.
        unexpected = (
            attempt.sqlstates
            - {"22012", "22P02", "23514"}
            - {SQLSTATES.get(each) for each in attempt.faults}
        )
        assert not unexpected, f"unexpected SQLSTATE: {unexpected}"
        # An unacknowledged message is redelivered, also if the file is finished.
        file.is_acknowledged = attempt.result is not None
        if attempt.is_dead:
            assert attempt.result is None, "a dead attempt has returned a result"
        elif attempt.result is not None:
            assert row is not None
            _check_result(attempt.result, attempt, row)
        elif isinstance(attempt.error, ClaimHeld):
            assert attempt.number is None, "its own claim refused it"
        elif isinstance(attempt.error, ClaimLost):
            assert row is not None
            assert row["attempts"] > (attempt.number or 0), (
                "no other attempt has taken its claim"
            )
        else:
            is_explained = isinstance(attempt.error, tuple(_possible_errors(attempt)))
            assert is_explained, "no fault explains its error"
        is_reached = not (
            attempt.is_dead
            or attempt.is_release_cancelled
            or attempt.faults & CONNECTION_FAULTS
        )
        if row and row["attempts"] == attempt.number and is_reached:
            assert row["lease_expires_at"] is None, "I6: a lease is left"

    def predict(
        self, file: SimulatedFile, checkpoint_rows: int
    ) -> tuple[Counts, set[str]]:
        """Return the counts of an import of the file now, and the keys it would write."""
        real = self.models[file.export.name]
        model = replace(real, table=dict(real.table), refused=[])
        counts = Counts()
        for start in range(0, len(file.rows), checkpoint_rows):
            counts += model.commit(file.rows[start : start + checkpoint_rows])
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
        export.name: Model(defaults=export.defaults, refuses=refuses)
        for export in (APPOINTMENTS, USERS)
    }


def _check_import(file: SimulatedFile, row: Mapping[str, Any] | None) -> None:
    """Check a history row against the model."""
    if row is None:
        assert not file.is_acknowledged, (
            f"{file}: I1: acknowledged without a history row"
        )
        return
    assert claims.read_counts(dict(row)) == file.counts, f"{file}: I2"
    refused = [each["line"] for each in row["refused_rows"] or ()]
    assert sorted(refused) == sorted(file.refused_lines), f"{file}: I2: refused rows"
    assert row["attempts"] <= file.claims, f"{file}: more attempts than claims"
    status = row["status"]
    if status == "completed":
        assert file.counts.processed == len(file.rows), f"{file}: I3: rows are missing"
        assert row["report_location"] == f"{file.upload.version}/{row['attempts']}"
    if status == "failed":
        assert row["error_message"], f"{file}: I5"
    if status in ("completed", "failed"):
        assert row["lease_expires_at"] is None, f"{file}: I6"
        assert row["completed_at"] is not None, f"{file}: I5"
    elif file.is_acknowledged:
        assert file.is_unknown or file.is_gone, (
            f"{file}: I1, I3: acknowledged, but not done"
        )


def _check_result(result: Outcome, attempt: Attempt, row: Mapping[str, Any]) -> None:
    file = attempt.file
    if result.status == "failed":
        assert file.is_unknown or file.is_gone, f"{file} was refused: {result.error}"
        return
    assert row["status"] == "completed", f"{file}: I3"
    if result.already_imported:
        assert attempt.number is None, "it has claimed a finished import"
        return
    assert result.counts == file.counts, f"{file}: I2: the counts of the outcome"
    assert attempt.reported_lines == file.rejected_lines, f"{file}: I2: the rejects"


def _possible_errors(attempt: Attempt) -> Iterable[type[BaseException]]:
    """Return the errors that the injected faults explain."""
    errors = {POSSIBLE_ERRORS[f] for f in attempt.faults if f in POSSIBLE_ERRORS}
    if attempt.faults & CONNECTION_FAULTS and not attempt.reconnects:
        errors.add(StoreUnavailable)
    if "deadline" in attempt.faults:  # it does not retry any more
        errors.add(StoreUnavailable)
    return errors

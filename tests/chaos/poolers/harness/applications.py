"""Clients of one pool that import, dry-run and migrate at random, each with its own keys.

Their rows do not overlap, so that each result is exact although all of them run at once:
whatever a client reads, counts or loses wrongly comes from a server session that it shares
with the others.
"""

from __future__ import annotations

import copy
import io
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.errors import ClaimHeld, StoreUnavailable
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from tests.support.builders import MORNING, csv_bytes, upload
from tests.support.world import promises
from tests.support.world.model import Model, Row
from tests.support.world.uploads import BAD_AMOUNT, DAYS, TrackedUpload, cells

T = TypeVar("T")

STRICT = Options(checkpoint_rows=5, batch_size=2)
LENIENT = replace(STRICT, is_lenient=True)
# With a pause after each failure, longer than any disturbance lasts.
MOST_TRIES = 200
PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class RandomFile:
    """A file of random rows.

    Attributes:
        state: its rows, as the model reads them, and how far they are imported.
    """

    of_users: bool
    options: Options
    upload: Upload
    data: bytes
    state: TrackedUpload


@dataclass
class Application:
    """A client of the pool.

    Attributes:
        name: all its keys begin with it.
        conninfo: of the pool.
        admin_conninfo: of an administrator; does not lead through the pool.
        files: those that it has imported.
        runs: how many imports and dry runs it has made.
        failures: SQLSTATE of each failure, or None for a broken connection.
        appointments, users: the expected rows of its keys.
    """

    name: str
    conninfo: str
    admin_conninfo: str
    random: Random
    files: list[RandomFile] = field(default_factory=list)
    runs: int = 0
    failures: list[str | None] = field(default_factory=list)
    appointments: Model = field(
        default_factory=lambda: Model(defaults={"time": None, "amount": None})
    )
    users: Model = field(default_factory=lambda: Model(defaults={"amount": "0.00"}))
    _conn: Connection | None = None

    def work(self, runs: int) -> None:
        """Make this many more imports and dry runs, and now and then a migration.

        Raises:
            AssertionError: a result differs from the model.
        """
        actions = (self._import, self._dry_run, self._redeliver, self._migrate)
        until = self.runs + runs
        try:
            while self.runs < until:
                [action] = self.random.choices(actions, [10, 9, 1, 0.3])
                action()
                if self.random.random() < 0.1:
                    self._disconnect()
        finally:
            self._disconnect()

    def _import(self) -> None:
        file = draw_file(self.random, self.name, len(self.files))
        self.files.append(file)
        self._deliver(file)
        self.runs += 1

    def _redeliver(self) -> None:
        """Deliver an imported file again: nothing happens."""
        if self.files:
            assert self._deliver(self.random.choice(self.files)).already_imported
            self.runs += 1

    def _dry_run(self) -> None:
        file = draw_file(self.random, self.name, len(self.files))
        outcome = self._retry(
            lambda conn: dry_run_upload(
                conn, file.upload, io.BytesIO(file.data), options=file.options
            )
        )
        assert outcome.error is None, outcome.error
        model = copy.deepcopy(self._model(file))
        predicted = sum(map(model.commit, _chunks(file.state.rows)), Counts())
        assert outcome.counts == predicted, "the dry run differs from the model"
        self.runs += 1

    def _migrate(self) -> None:
        self._retry(connection.migrate)

    def _deliver(self, file: RandomFile) -> Outcome:
        """Deliver a file until it is imported; the model follows the history."""
        for _ in range(MOST_TRIES):
            file.state.deliveries += 1
            try:
                outcome = import_upload(
                    self._connect(),
                    file.upload,
                    io.BytesIO(file.data),
                    options=file.options,
                    callbacks=ImportCallbacks(reconnect=self._reconnect),
                )
            except (StoreUnavailable, ClaimHeld) as error:
                self._note_failure(error)
                self._follow_history(file, ends_lease=True)
                continue
            assert outcome.error is None, outcome.error
            file.state.is_acknowledged = True
            self._follow_history(file)
            assert outcome.already_imported or outcome.counts == file.state.counts
            return outcome
        raise AssertionError(f"not imported after {MOST_TRIES} deliveries")

    def _follow_history(self, file: RandomFile, *, ends_lease: bool = False) -> None:
        """Apply the rows to the model that were committed since the last call.

        Args:
            ends_lease: the next delivery comes when the lease has expired.
        """
        state = file.state
        where = [state.key, state.version]
        with (
            psycopg.connect(self.admin_conninfo, autocommit=True) as admin,
            admin.cursor(row_factory=dict_row) as cur,
        ):
            if ends_lease:
                cur.execute(_END_LEASE, where)
            row = cur.execute(_HISTORY, where).fetchone()
        committed = row["records_processed"] if row else 0
        for chunk in _chunks(state.rows[state.counts.processed : committed]):
            state.counts += self._model(file).commit(chunk)
        promises.check_import(state, row)

    def _retry(self, action: Callable[[Connection], T]) -> T:
        for _ in range(MOST_TRIES):
            try:
                return action(self._connect())
            except StoreUnavailable as error:
                self._note_failure(error)
        raise AssertionError(f"failed {MOST_TRIES} times")

    def _model(self, file: RandomFile) -> Model:
        return self.users if file.of_users else self.appointments

    def _connect(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = connection.connect(self.conninfo)
        return self._conn

    def _reconnect(self) -> Connection:
        self.failures.append(None)
        self._disconnect()
        return self._connect()

    def _note_failure(self, error: StoreUnavailable | ClaimHeld) -> None:
        self.failures.append(getattr(error, "sqlstate", None))
        self._disconnect()
        time.sleep(PAUSE_S)

    def _disconnect(self) -> None:
        if self._conn is not None:
            with suppress(psycopg.Error):
                self._conn.close()
            self._conn = None


_HISTORY = """
SELECT * FROM public.salespro_sync_history WHERE (object_key, object_version) = (%s, %s)
"""
# In another transaction than the attempt: it waits for what the pool has left running.
_END_LEASE = """
UPDATE public.salespro_sync_history SET lease_expires_at = clock_timestamp() - interval '1 s'
 WHERE (object_key, object_version) = (%s, %s) AND lease_expires_at IS NOT NULL
"""


def draw_file(random: Random, name: str, number: int) -> RandomFile:
    """Return a random file.

    Args:
        random: determines it.
        name: of the application; the keys of the rows and of the object begin with it.
        number: of the file, which orders the users files.
    """
    of_users = random.random() < 0.4
    options = random.choice((STRICT, LENIENT))
    uploaded_at = MORNING + timedelta(hours=number // 2)
    of = upload(
        object_key=f"{name}.csv",
        # Dry runs draw files too, and need no version of their own.
        version=f"v{number}",
        uploaded_at=uploaded_at,
    )
    drawn = [
        (
            f"{name}-{'U' if of_users else 'A'}-{random.randint(1, 14)}",
            random.choice(["", *DAYS[:4]]),
            random.choice(["1.00", "2.00", "3.00", BAD_AMOUNT]),
        )
        for _ in range(random.randint(1, 12))
    ]
    data = csv_bytes(*(cells(row, of_users=of_users) for row in drawn))
    version = f"{uploaded_at:%Y-%m-%dT%H:%M:%SZ}" if of_users else None
    state = TrackedUpload("salespro-uploads", f"{name}.csv", f"v{number}", [])
    for key, time_, amount in drawn:
        values = {} if of_users else {"time": time_ or None}
        if amount != BAD_AMOUNT:
            values["amount"] = amount
        is_rejected = amount == BAD_AMOUNT and not options.is_lenient
        state.rows.append(Row(key, version or time_, None if is_rejected else values))
    return RandomFile(of_users, options, of, data, state)


def _chunks(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), STRICT.checkpoint_rows):
        yield rows[start : start + STRICT.checkpoint_rows]

"""A seeded world of uploads, deliveries and faults, against a real Postgres and a model.

Each seed is a scenario: the same decisions, the same history.  A scenario is a handful of
overlapping uploads, whose messages are delivered again, late and at once; attempts stop
in the middle of statements and others overtake them; connections, processes and S3 fail.
After each step the ledger holds what is there against the promises.
"""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from random import Random

import psycopg
import pytest
from psycopg import Connection

from salespro_core.csv_reader import decoding
from salespro_core.errors import ClaimLost
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import Options
from salespro_core.postgres import connection, retry, watchdog
from tests.chaos.simulation.attempts import (
    Attempt,
    Clock,
    Jitter,
    Slot,
    Stop,
    Transaction,
    slots,
)
from tests.chaos.simulation.faults import EVER, WAREHOUSE, possible, strike
from tests.chaos.simulation.files import APPOINTMENTS, USERS, Put, draw_put
from tests.chaos.simulation.ledger import Found, Ledger
from tests.chaos.simulation.sessions import Sessions
from tests.support.table_contents import TABLES, everything

AT_ONCE = 3
# Where it is worth to stop an attempt on purpose.
POINTS = (
    *("after the claim", "before the upsert", "after the upsert", "before COMMIT"),
    *("after COMMIT", "at a commit", "publishing", "before the completion"),
    *("after the completion", "after the failure", "pausing", "after the checkpoint"),
    *("after the note of what is refused", "reading", "after the release"),
)
# Of a batch and of a span.
SIZES = ([1, 2, 3, 7, 50], [1, 2, 5, 5, 10, 100])
# One seed in so many is about races: its attempts stand in the middle of their spans.
RACES = 5


@dataclass(frozen=True)
class Ground:
    """What all scenarios of a process share.

    Attributes:
        conninfo: of an administrator, straight to the database.
        conn: that way.
        slots: execution environments, whose connections may fail.
    """

    conninfo: str
    conn: Connection
    slots: list[Slot]


@contextmanager
def a_ground(conninfo: str) -> Iterator[Ground]:
    """Prepare a database with the tables, and a world of a bearable size."""
    with (
        pytest.MonkeyPatch.context() as patch,
        psycopg.connect(conninfo, autocommit=True) as conn,
        slots(conninfo, AT_ONCE) as made,
    ):
        conn.execute(WAREHOUSE.encode())
        # Who waits last finds the deadlock, and before anybody else goes on.
        name = conn.info.dbname
        conn.execute(f'ALTER DATABASE "{name}" SET deadlock_timeout = 1'.encode())
        patch.setattr(retry, "time", Clock())
        patch.setattr(retry, "random", Jitter())
        # One statement at a time: the same schedule each time.  The faults and the crashes
        # meet the others.
        patch.setattr(Connection, "pipeline", lambda _: nullcontext())
        patch.setattr(watchdog, "LEAST_S", 3600.0)
        patch.setattr(decoding, "HEAD_BYTES", 512)
        yield Ground(conninfo, conn, made)


class Scenario:
    """One seed.

    Attributes:
        log: what has happened, a line each.
        counted: the same in numbers.
    """

    def __init__(self, seed: int, ground: Ground) -> None:
        self.log: list[str] = []
        self.counted: Counter[str] = Counter()
        self._random = random = Random(seed)
        self._ground = ground
        self._is_lenient = random.random() < 0.25
        self._fault_weight = random.choice([0, 1, 2, 4])
        self._is_race = seed % RACES == 2
        self._stops = random.choice([(1, 1, 2, 3, 5), (1, 2, 5, 10, 20, 50)])
        self._crowd = random.choice([3, 30])
        sorts = random.choice([[APPOINTMENTS], [USERS], [APPOINTMENTS, USERS]])
        count = random.choice([1, 2, 2, 3, 4, 6])
        self._puts = [
            draw_put(random, number, sorts, is_lenient=self._is_lenient)
            for number in range(1, 1 + count)
        ]
        self._ledger = Ledger(ground.conn, self._puts)
        self._attempts: list[Attempt] = []
        self._late: list[tuple[Attempt, Stop]] = []
        self._sessions = Sessions(ground.conn, self._attempts, self._late, ground.slots)
        self._last: dict[str, str] = {}
        self._found = self._ledger.look()

    def run(self) -> None:
        """All of it, the end included: then everything is done, and nothing is left."""
        for put in self._puts:
            self._say(f"{put} is uploaded: {len(put.rows)} rows")
        for _ in range(self._random.randint(10, 70)):
            is_done = all(put.is_acknowledged for put in self._puts)
            if is_done and not self._attempts and self._random.random() < 0.3:
                break
            actions = self._actions()
            [action] = self._random.choices(list(actions), list(actions.values()))
            action()
        self._say("from here on nothing fails")
        self._finish()
        self.counted["scenarios"] += 1
        self.counted["commits"] += self._ledger.commits
        self.counted["commits in a race"] += self._ledger.races

    def end(self) -> None:
        """Whatever has happened, leave no thread, no session and no row behind."""
        for _, stop in self._late:
            stop.go.set()
        for attempt in self._attempts:
            attempt.is_dead = True
            if attempt.now is not None:
                attempt.go(EVER)
            else:
                attempt.hang_up()
        for attempt in self._attempts:
            attempt.join()
        for slot in self._ground.slots:
            slot.close()
        self._sessions.end()
        for table in TABLES:
            self._ground.conn.execute(f"DELETE FROM {table}".encode())  # noqa: S608

    def _say(self, line: str) -> None:
        self.log.append(line)

    def _actions(self) -> dict[Callable[[], None], float]:
        """What may happen next, and how likely it is."""
        alive = len(self._attempts)
        crowd = 1 if all(put.is_acknowledged for put in self._puts) else self._crowd
        return {
            self._deliver: 0 if alive == AT_ONCE else crowd if alive else 10,
            self._go_on: 10 if self._standing() else 0,
            self._strike: self._fault_weight if alive else 0,
            self._let_time_pass: 1,
            self._let_arrive: 3 if self._late else 0,
            self._dry_run: 0.3,
        }

    def _standing(self) -> list[Attempt]:
        return [attempt for attempt in self._attempts if attempt.now is not None]

    def _options(self) -> Options:
        sizes = ([1, 1, 2], [10, 100]) if self._is_race else SIZES
        return Options(
            batch_size=self._random.choice(sizes[0]),
            checkpoint_rows=self._random.choice(sizes[1]),
            is_lenient=self._is_lenient,
        )

    def _deliver(
        self, put: Put | None = None, *, reconnects: bool | None = None
    ) -> None:
        if put is None:
            # A second delivery at once, or of what is done, is not the common case.
            busy = {attempt.put for attempt in self._attempts}
            weights = [
                (1 if each.is_acknowledged else 5) * (1 if each in busy else 4)
                for each in self._puts
            ]
            [put] = self._random.choices(self._puts, weights)
        if reconnects is None:
            reconnects = self._random.random() < 0.7
        self.counted["deliveries"] += 1
        self.counted["redeliveries of what was done"] += put.is_acknowledged
        slot = next(slot for slot in self._ground.slots if slot.attempt is None)
        options = self._options()
        name = f"A{self.counted['deliveries']}"
        attempt = Attempt(name, put, slot, options, reconnects=reconnects)
        self._attempts.append(attempt)
        self._say(
            f"{attempt} gets {put}: {options.checkpoint_rows} rows a commit, "
            f"{options.batch_size} a statement{'' if reconnects else ', one connection'}"
        )
        self._observe()

    def _go_on(self) -> None:
        attempt = self._random.choice(self._standing())
        until = self._random.choice(
            ["", "after the upsert"] if self._is_race else ["", "", *POINTS]
        )
        stops = self._random.choice(self._stops)
        self._let_go(attempt, 50 if until else stops, until)
        chance = self._fault_weight * (0.1 if until else 0.03)
        if self._random.random() < chance and attempt in self._attempts:
            self._strike(attempt)

    def _let_go(self, attempt: Attempt, stops: int, until: str = "") -> None:
        # Who is let free by what this one does is not to run beside it.
        is_alone = not self._sessions.waiting
        transaction = attempt.transaction
        attempt.go(stops if is_alone else 1, until)
        self._observe(attempt, transaction)

    def _strike(self, attempt: Attempt | None = None) -> None:
        attempt = attempt or self._random.choice(self._attempts)
        fault = self._random.choice(list(possible(attempt)))
        self.counted[f"fault: {fault}"] += 1
        at = attempt.now.at if attempt.now else "waiting for a lock"
        self._say(f"{attempt}, {at}: {fault}")
        stop = strike(attempt, fault, self._random, self._ground.conn)
        if stop is not None:
            self._late.append((attempt, stop))
        self._observe(attempt)

    def _let_time_pass(self) -> None:
        """Leases run out; not where a statement is about to renew one."""
        gone = self._ground.conn.execute("""
            UPDATE salespro_sync_history
               SET lease_expires_at = clock_timestamp() - interval '1 second'
             WHERE id IN (SELECT id FROM salespro_sync_history
                           WHERE lease_expires_at > clock_timestamp()
                             FOR UPDATE SKIP LOCKED)""").rowcount
        self.counted["leases that ran out"] += gone
        self._say(f"time passes: {gone} leases run out")
        self._observe()

    def _let_arrive(self) -> None:
        """What was under way when its sender gave up gets there after all."""
        attempt, stop = self._late.pop(self._random.randrange(len(self._late)))
        self.counted["late arrivals"] += 1
        self._say(f"what {attempt} left {stop.at} arrives")
        if stop.transaction is not None:
            stop.transaction.is_done = stop.at == "before COMMIT"
        # Its own message has not been acknowledged, even if another of its file has.
        attempt.put.is_acknowledged &= attempt.result is not None
        stop.go.set()
        self._observe(attempt, stop.transaction)

    def _dry_run(self) -> None:
        """It foresees what the model foresees, and leaves everything as it was."""
        put = self._random.choice(self._puts)
        options = self._options()
        of = put.upload
        if put.is_acknowledged:
            of = replace(of, version="tried")
        before = everything(self._ground.conn)
        with connection.connect(self._ground.conninfo) as own:
            outcome = dry_run_upload(own, of, io.BytesIO(put.data), options=options)
        assert everything(self._ground.conn) == before, "a dry run wrote something"
        counts, keys = self._ledger.foresee(put, options.checkpoint_rows)
        self.counted["dry runs"] += 1
        self._say(f"dry run of {put}: {outcome.counts}")
        assert (outcome.status == "failed") == put.is_unknown, outcome.error
        if not outcome.already_imported:
            assert outcome.counts == counts, f"the model foresees {counts}"
            shown = {change.key for change in outcome.changes}
            assert shown == keys or len(keys) > 20, f"the model foresees {keys}"

    def _observe(
        self, by: Attempt | None = None, transaction: Transaction | None = None
    ) -> None:
        """Look at what has come of a step, and hold it against the promises."""
        self.counted["steps"] += 1
        is_anybody_held = bool(self._sessions.waiting)
        self._settle()
        before, found = self._found, self._ledger.look()
        self._found = found
        if not is_anybody_held:
            self._ledger.check_claims(before, found)
        self._ledger.check_leases(before, found)
        keys = self._ledger.follow(found, by, transaction)
        for attempt in self._attempts:
            if attempt is not by and attempt.transaction is not None:
                attempt.transaction.rivals |= keys
        for _, stop in self._late:
            if stop.transaction is not None:
                stop.transaction.rivals |= keys
        self._tell(found)
        for attempt in [each for each in self._attempts if each.is_over]:
            self._attempts.remove(attempt)
            attempt.join()
            self._ledger.check_end(attempt, found)
            self.counted["zombies"] += isinstance(attempt.error, ClaimLost)
            self.counted["crashes"] += attempt.is_dead
        self._ledger.check(found)

    def _settle(self) -> None:
        """Have everybody come to rest, and at most one session wait for a lock.

        Postgres wakes all who wait for a transaction together: which of them is first
        would be another thing in each run.  That of an attempt which has gone counts.
        """
        while fresh := self._sessions.settle():
            self.counted["waits for a lock"] += len(fresh)
            if len(self._sessions.waiting) < 2:
                return
            [pid] = fresh
            by = next((each for each in self._attempts if each.pid == pid), None)
            self._say(f"{by or 'what was left'} has waited too long for a lock")
            if by is not None:
                strike(by, "cancel", self._random, self._ground.conn)
            else:
                self._ground.conn.execute("SELECT pg_cancel_backend(%s)", [pid])

    def _tell(self, found: Found) -> None:
        """The log: where everybody stands, and what the history says."""
        for attempt in self._attempts:
            where = "waits for a lock"
            if attempt.now is not None:
                where = f"stands {attempt.now.at}"
            elif attempt.is_over:
                end = type(attempt.error).__name__
                where = f"ends: {attempt.result.status if attempt.result else end}"
            self._tell_if_new(str(attempt), where)
        for put in self._puts:
            row = found.history.get(str(put.upload.version))
            if row is not None:
                lease = ", leased" if row["lease_expires_at"] else ""
                self._tell_if_new(
                    f"    history: {put}",
                    f"{row['status']}, {row['records_processed']}/{len(put.rows)}, "
                    f"attempt {row['attempts']}{lease}",
                )

    def _tell_if_new(self, who: str, what: str) -> None:
        if self._last.get(who) != what:
            self._last[who] = what
            self._say(f"{who} {what}")

    def _finish(self) -> None:
        """The faults stop, and what is still waiting is delivered."""
        self._ground.conn.execute("SELECT setval('busy', -1)")
        while self._late:
            self._let_arrive()
        while self._attempts:
            self._let_go(self._random.choice(self._standing()), EVER)
        self._let_time_pass()
        for put in [put for put in self._puts if not put.is_acknowledged]:
            self._deliver(put)
            while self._attempts:
                self._let_go(self._attempts[0], EVER)
            assert put.is_acknowledged, f"I1: {put} is not done when nothing fails"
        self._sessions.check_idle()
        for row in self._ledger.look().history.values():
            assert row["status"] != "in_progress", "I1"
            assert row["lease_expires_at"] is None, "I6"


def run(seed: int, ground: Ground) -> Scenario:
    """Run one scenario, to its end.

    Raises:
        AssertionError: a promise was broken; with the log, and how to see it again.
    """
    scenario = Scenario(seed, ground)
    started = time.monotonic()
    try:
        scenario.run()
    except BaseException as error:
        steps = "\n".join(f"{n:4} {line}" for n, line in enumerate(scenario.log))
        again = f"SIMULATION_SEED={seed} make simulation"
        raise AssertionError(
            f"Scenario {seed}\n{steps}\n{error}\nSee it again: {again}"
        ) from error
    finally:
        scenario.end()
    scenario.counted["milliseconds"] = round(1000 * (time.monotonic() - started))
    return scenario

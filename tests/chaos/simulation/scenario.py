"""Random schedules of uploads, deliveries, undos and faults on a real Postgres.

A seed determines all decisions of a scenario, so that a failure can be replayed.  A
scenario has up to six overlapping uploads.  Their messages are delivered repeatedly, late
and at the same time; attempts pause in the middle of statements while others continue;
connections, processes and S3 fail.  After each step the oracle checks the database.
"""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random

from salespro_core.errors import ClaimLost
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import Options
from salespro_core.postgres import connection
from tests.chaos.simulation.attempts import Attempt
from tests.chaos.simulation.breakpoints import BREAKPOINTS, Breakpoint, Transaction
from tests.chaos.simulation.database_state import ScenarioLog
from tests.chaos.simulation.faults import UNTIL_END, inject, possible_faults
from tests.chaos.simulation.files import APPOINTMENTS, USERS, SimulatedFile, draw_file
from tests.chaos.simulation.oracle import Oracle
from tests.chaos.simulation.sessions import Sessions
from tests.chaos.simulation.testbed import MOST_ATTEMPTS, SimulationTestbed
from tests.chaos.simulation.undo_steps import undo_step
from tests.support.table_contents import TABLES, contents_and_versions

# Rows of a batch and of a chunk.
SIZES = ([1, 2, 3, 7, 50], [1, 2, 5, 5, 10, 100])
# Every fifth seed is about races: its attempts pause in the middle of their chunks.
RACE_SEED_INTERVAL = 5


class Scenario:
    """The schedule of one seed.

    Attributes:
        log: its events, one line each.
        statistics: how often each kind of event happened.
    """

    def __init__(self, seed: int, testbed: SimulationTestbed) -> None:
        self.log = ScenarioLog()
        self.statistics: Counter[str] = Counter()
        self._random = random = Random(seed)
        self._testbed = testbed
        self._is_lenient = random.random() < 0.25
        self._fault_weight = random.choice([0, 1, 2, 4])
        self._is_race = seed % RACE_SEED_INTERVAL == 2
        self._step_counts = random.choice([(1, 1, 2, 3, 5), (1, 2, 5, 10, 20, 50)])
        self._delivery_weight = random.choice([3, 30])
        exports = random.choice([[APPOINTMENTS], [USERS], [APPOINTMENTS, USERS]])
        count = random.choice([1, 2, 2, 3, 4, 6])
        self._files = [
            draw_file(random, number, exports, is_lenient=self._is_lenient)
            for number in range(1, 1 + count)
        ]
        self._oracle = Oracle(testbed.conn, self._files)
        self._attempts: list[Attempt] = []
        self._delayed: list[tuple[Attempt, Breakpoint]] = []
        self._sessions = Sessions(
            testbed.conn, self._attempts, self._delayed, testbed.environments
        )
        self._state = self._oracle.read_state()

    def run(self) -> None:
        """Run random steps, then finish all imports without faults.

        Raises:
            AssertionError: a promise was broken.
        """
        for file in self._files:
            self.log.add(f"{file} is uploaded: {len(file.rows)} rows")
        for _ in range(self._random.randint(10, 70)):
            is_done = all(file.is_acknowledged for file in self._files)
            if is_done and not self._attempts and self._random.random() < 0.3:
                break
            actions = self._actions()
            [action] = self._random.choices(list(actions), list(actions.values()))
            action()
        self.log.add("no more faults")
        self._finish_all()
        self.statistics["scenarios"] += 1
        self.statistics["commits"] += self._oracle.commits
        self.statistics["commits in a race"] += self._oracle.commits_in_race

    def end(self) -> None:
        """Remove all threads, sessions and rows, also after a failure."""
        for _, point in self._delayed:
            point.resumed.set()
        for attempt in self._attempts:
            attempt.is_dead = True
            if attempt.paused_at is not None:
                attempt.resume(UNTIL_END)
            else:
                attempt.close_socket()
        for attempt in self._attempts:
            attempt.join()
        for environment in self._testbed.environments:
            environment.close()
        self._sessions.end()
        for table in TABLES:
            self._testbed.conn.execute(f"DELETE FROM {table}".encode())  # noqa: S608

    def _actions(self) -> dict[Callable[[], None], float]:
        """Return the possible next steps with their weights."""
        alive = len(self._attempts)
        are_done = all(file.is_acknowledged for file in self._files)
        weight = 1 if are_done else self._delivery_weight
        return {
            self._deliver: 0 if alive == MOST_ATTEMPTS else weight if alive else 10,
            self._resume_random: 10 if self._paused_attempts() else 0,
            self._strike: self._fault_weight if alive else 0,
            self._expire_leases: 1,
            self._deliver_delayed: 3 if self._delayed else 0,
            self._dry_run: 0.3,
            self._undo: 0.0 if alive or self._delayed else 1.0,
        }

    def _paused_attempts(self) -> list[Attempt]:
        return [attempt for attempt in self._attempts if attempt.paused_at is not None]

    def _options(self) -> Options:
        sizes = ([1, 1, 2], [10, 100]) if self._is_race else SIZES
        return Options(
            batch_size=self._random.choice(sizes[0]),
            checkpoint_rows=self._random.choice(sizes[1]),
            is_lenient=self._is_lenient,
        )

    def _deliver(
        self, file: SimulatedFile | None = None, *, reconnects: bool | None = None
    ) -> None:
        if file is None:
            # Simultaneous deliveries and redeliveries of finished files are rarer.
            busy = {attempt.file for attempt in self._attempts}
            weights = [
                (1 if each.is_acknowledged else 5) * (1 if each in busy else 4)
                for each in self._files
            ]
            [file] = self._random.choices(self._files, weights)
        if reconnects is None:
            reconnects = self._random.random() < 0.7
        self.statistics["deliveries"] += 1
        self.statistics["redeliveries of finished files"] += file.is_acknowledged
        environment = next(e for e in self._testbed.environments if not e.is_busy)
        options = self._options()
        name = f"A{self.statistics['deliveries']}"
        attempt = Attempt(name, file, environment, options, reconnects=reconnects)
        self._attempts.append(attempt)
        self.log.add(
            f"{attempt} imports {file}: {options.checkpoint_rows} rows per commit, "
            f"{options.batch_size} per batch{'' if reconnects else ', no reconnect'}"
        )
        self._check_step()

    def _resume_random(self) -> None:
        attempt = self._random.choice(self._paused_attempts())
        until = self._random.choice(
            ["", "after the upsert"] if self._is_race else ["", "", *BREAKPOINTS]
        )
        steps = self._random.choice(self._step_counts)
        self._resume(attempt, 50 if until else steps, until)
        chance = self._fault_weight * (0.1 if until else 0.03)
        if self._random.random() < chance and attempt in self._attempts:
            self._strike(attempt)

    def _resume(self, attempt: Attempt, steps: int, until: str = "") -> None:
        # One step only if its commit could wake another attempt: only one may run.
        is_alone = not self._sessions.waiting
        transaction = attempt.transaction
        attempt.resume(steps if is_alone else 1, until)
        self._check_step(attempt, transaction)

    def _strike(self, attempt: Attempt | None = None) -> None:
        attempt = attempt or self._random.choice(self._attempts)
        fault = self._random.choice(list(possible_faults(attempt)))
        self.statistics[f"fault: {fault}"] += 1
        where = attempt.paused_at.name if attempt.paused_at else "waiting for a lock"
        self.log.add(f"{attempt}, {where}: {fault}")
        point = inject(attempt, fault, self._random, self._testbed.conn)
        if point is not None:
            self._delayed.append((attempt, point))
        self._check_step(attempt)

    def _expire_leases(self) -> None:
        """Expire all leases that no running statement is renewing."""
        expired = self._testbed.conn.execute("""
            UPDATE salespro_sync_history
               SET lease_expires_at = clock_timestamp() - interval '1 second'
             WHERE id IN (SELECT id FROM salespro_sync_history
                           WHERE lease_expires_at > clock_timestamp()
                             FOR UPDATE SKIP LOCKED)""").rowcount
        self.statistics["expired leases"] += expired
        self.log.add(f"{expired} leases expire")
        self._check_step()

    def _deliver_delayed(self) -> None:
        """Let a statement arrive whose sender has already abandoned its connection."""
        attempt, point = self._delayed.pop(self._random.randrange(len(self._delayed)))
        self.statistics["delayed statements"] += 1
        self.log.add(f"the statement that {attempt} abandoned {point.name} arrives")
        if point.transaction is not None:
            point.transaction.is_committed = point.name == "before COMMIT"
        # This message was not acknowledged, even if another one of the file was.
        attempt.file.is_acknowledged &= attempt.result is not None
        point.resumed.set()
        self._check_step(attempt, point.transaction)

    def _dry_run(self) -> None:
        """Make a dry run: it must predict the model's counts and write nothing."""
        file = self._random.choice(self._files)
        options = self._options()
        of = file.upload
        if file.is_acknowledged:
            of = replace(of, version="tried")
        before = contents_and_versions(self._testbed.conn)
        with connection.connect(self._testbed.conninfo) as conn:
            outcome = dry_run_upload(conn, of, io.BytesIO(file.data), options=options)
        after = contents_and_versions(self._testbed.conn)
        assert after == before, "a dry run has written or locked a row"
        counts, keys = self._oracle.predict(file, options.checkpoint_rows)
        self.statistics["dry runs"] += 1
        self.log.add(f"dry run of {file}: {outcome.counts}")
        assert (outcome.status == "failed") == file.is_unknown, outcome.error
        if not outcome.already_imported:
            assert outcome.counts == counts, f"the model predicts {counts}"
            shown = {change.key for change in outcome.changes}
            assert shown == keys or len(keys) > 20, f"the model predicts {keys}"

    def _undo(self) -> None:
        line = undo_step(self._oracle, self._testbed, self._random)
        if line is not None:
            self.statistics["undos"] += 1
            self.log.add(line)
            self._state = self._oracle.read_state()
            self._oracle.check(self._state)

    def _check_step(
        self, by: Attempt | None = None, transaction: Transaction | None = None
    ) -> None:
        """Wait until all sessions are at rest, then check all promises.

        Args:
            by: the only attempt that may have committed something in this step.
            transaction: its open transaction before the step.
        """
        self.statistics["steps"] += 1
        was_blocked = bool(self._sessions.waiting)
        self._wait_until_at_rest()
        before, state = self._state, self._oracle.read_state()
        self._state = state
        if not was_blocked:
            self._oracle.check_live_leases(before, state)
        self._oracle.check_renewals(before, state)
        keys = self._oracle.apply_commits(state, by, transaction)
        for attempt in self._attempts:
            if attempt is not by and attempt.transaction is not None:
                attempt.transaction.conflicting_keys |= keys
        for _, point in self._delayed:
            if point.transaction is not None:
                point.transaction.conflicting_keys |= keys
        self.log.add_states(self._attempts, self._files, state)
        for attempt in [each for each in self._attempts if each.is_over]:
            self._attempts.remove(attempt)
            attempt.join()
            self._oracle.check_attempt(attempt, state)
            self.statistics["lost claims"] += isinstance(attempt.error, ClaimLost)
            self.statistics["crashes"] += attempt.is_dead
        self._oracle.check(state)

    def _wait_until_at_rest(self) -> None:
        """Wait until no session moves and at most one waits for a lock.

        Postgres wakes all sessions that wait for a transaction at the same time, and
        their order would differ from run to run.  Abandoned sessions count as well.
        """
        while fresh := self._sessions.wait_until_at_rest():
            self.statistics["waits for a lock"] += len(fresh)
            if len(self._sessions.waiting) < 2:
                return
            [pid] = fresh
            by = next((each for each in self._attempts if each.pid == pid), None)
            self.log.add(
                f"{by or 'an abandoned session'} has waited too long for a lock"
            )
            if by is not None:
                by.is_release_cancelled |= by.statement in (
                    "the release",
                    "the failure",
                )
                inject(by, "cancel", self._random, self._testbed.conn)
            else:
                self._testbed.conn.execute("SELECT pg_cancel_backend(%s)", [pid])

    def _finish_all(self) -> None:
        """Finish all imports without faults, and check the end state."""
        self._testbed.conn.execute("SELECT setval('busy', -1)")
        while self._delayed:
            self._deliver_delayed()
        while self._attempts:
            self._resume(self._random.choice(self._paused_attempts()), UNTIL_END)
        self._expire_leases()
        for file in [file for file in self._files if not file.is_acknowledged]:
            self._deliver(file)
            while self._attempts:
                self._resume(self._attempts[0], UNTIL_END)
            assert file.is_acknowledged, f"I1: {file} is not done without faults"
        self._sessions.check_idle()
        for row in self._oracle.read_state().history.values():
            assert row["status"] != "in_progress", "I1"
            assert row["lease_expires_at"] is None, "I6"


def run(seed: int, testbed: SimulationTestbed) -> Scenario:
    """Run the scenario of a seed.

    Raises:
        AssertionError: a promise was broken; its text has the log and how to replay it.
    """
    scenario = Scenario(seed, testbed)
    started = time.monotonic()
    try:
        scenario.run()
    except BaseException as error:
        steps = "\n".join(f"{n:4} {line}" for n, line in enumerate(scenario.log.lines))
        command = f"SIMULATION_SEED={seed} make simulation"
        raise AssertionError(
            f"Scenario {seed}\n{steps}\n{error}\nReplay: {command}"
        ) from error
    finally:
        scenario.end()
    scenario.statistics["milliseconds"] = round(1000 * (time.monotonic() - started))
    return scenario

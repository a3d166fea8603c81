"""Eight processes import files that overlap: one state in the end, and no deadlock."""

from __future__ import annotations

import json
import random
import time
from typing import Literal

import pytest

from salespro_core.sync_history import claims
from tests.support.builders import appointment, csv_bytes, user
from tests.support.table_contents import number
from tests.support.world.children import Child, Children, barrier
from tests.support.world.moments import noted
from tests.support.world.world import DAYS, Put, World

pytestmark = pytest.mark.crashes

FILES = 8
KEYS = 300
ROWS = 600
ColumnType = Literal["appointments", "users", "lenient"]

_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@pytest.mark.parametrize("kind", ["appointments", "users"])
@pytest.mark.parametrize("seed", range(8))
def test_eight_overlapping_files_end_in_one_state_without_a_deadlock(
    world: World,
    children: Children,
    straight: str,
    seed: int,
    kind: ColumnType,
) -> None:
    """Their rows are shuffled, repeated and of many ages; each commit locks in order."""
    dice = random.Random(seed)
    files = [_a_file(dice, place, kind) for place in range(FILES)]
    puts = _uploaded(world, files, kind)

    ended = _all_at_once(world, children, puts, straight)

    _is_accounted_for(world, puts, ended)
    assert number(world.conn, _DEADLOCKS) == 0
    assert _stored(world, kind) == _expected(files)


@pytest.mark.parametrize("seed", range(6))
def test_in_lenient_mode_there_is_no_deadlock_either(
    world: World,
    children: Children,
    straight: str,
    seed: int,
) -> None:
    """Rows without the same columns are in no order together; then one writes alone."""
    dice = random.Random(seed)
    basis = [(f"A-{i:03}", 0, False) for i in range(KEYS)]
    _all_at_once(world, children, _uploaded(world, [basis], "lenient"), straight)
    # Two of them without a bad cell: these write together, where the others are alone.
    files = [
        _a_file(dice, place, "lenient" if place < 6 else "appointments")
        for place in range(FILES)
    ]
    puts = _uploaded(world, files, "lenient")

    ended = _all_at_once(world, children, puts, straight, invalid_values="null")

    _is_accounted_for(world, puts, ended)
    assert number(world.conn, _DEADLOCKS) == 0
    assert _stored(world, "lenient") == _expected([basis, *files])


# (key, age, whether its optional value is bad)
Rows = list[tuple[str, int, bool]]


def _a_file(dice: random.Random, place: int, kind: ColumnType) -> Rows:
    return [
        (
            f"A-{dice.randrange(KEYS):03}",
            # A file of users is of one age.
            1 + place // 4 if kind == "users" else dice.randrange(1, 9),
            kind == "lenient" and dice.random() < 0.5,
        )
        for _ in range(ROWS)
    ]


def _uploaded(world: World, files: list[Rows], kind: ColumnType) -> list[Put]:
    puts = []
    for place, rows in enumerate(files):
        if kind == "users" and place == FILES // 2:
            time.sleep(1.02 - time.time() % 1)  # S3's clock knows whole seconds
        body = csv_bytes(*(_cells(row, kind) for row in rows))
        key = f"{len(world.puts)}.csv"
        answer = world.cloud.put_object(Bucket=world.uploads, Key=key, Body=body)
        put = Put(world.uploads, key, answer["VersionId"], [])
        world.puts.append(put)
        puts.append(put)
    return puts


def _cells(row: tuple[str, int, bool], kind: ColumnType) -> dict[str, str]:
    key, age, is_bad = row
    amount = f"{age}.00"
    if kind == "users":
        return user(key, Additional_Amount=amount)
    created = "some day" if is_bad else DAYS[0]
    return appointment(
        key, _created_at=created, _updated_at=DAYS[age], saleAmount=amount
    )


def _all_at_once(
    world: World,
    children: Children,
    puts: list[Put],
    straight: str,
    invalid_values: str = "reject",
) -> list[Child]:
    together = barrier(len(puts))
    started = [
        children.invoke(
            world,
            put,
            at_once=together,
            # More rows in a transaction than elsewhere: so they meet more often.
            CHECKPOINT_ROWS="150",
            DATABASE_URL=straight,
            INVALID_VALUES=invalid_values,
        )
        for put in puts
    ]
    for child in started:
        assert child.answer() == {"batchItemFailures": []}
    return started


def _is_accounted_for(world: World, puts: list[Put], ended: list[Child]) -> None:
    """Each row of each file once, at the first attempt, and nobody had to complain."""
    for child in ended:
        world.told.write(child.log())
        levels = [
            json.loads(it).get("level", "INFO") for it in child.log().splitlines()
        ]
        assert set(levels) == {"INFO"}
    for put in puts:
        row = noted(world, put)
        assert row is not None
        assert (row["status"], row["attempts"]) == ("completed", 1)
        counts = claims.read_counts(row)
        assert counts.processed == row["records_processed"] == ROWS
        assert counts.rejected == 0
    created = "SELECT sum(records_created) FROM salespro_sync_history"
    there = (
        "SELECT (SELECT count(*) FROM salespro_appointment)"
        " + (SELECT count(*) FROM salespro_users)"
    )
    assert number(world.conn, created) == number(world.conn, there)
    world.check_nothing_is_left()


def _stored(world: World, kind: ColumnType) -> dict[str, str]:
    """Key -> its amount, which tells the age of the row."""
    query = (
        "SELECT user_object_id, additional_amount::text FROM salespro_users"
        if kind == "users"
        else "SELECT id, sale_amount::text FROM salespro_appointment"
    )
    return dict(world.conn.execute(query.encode()).fetchall())


def _expected(files: list[Rows]) -> dict[str, str]:
    """The newest row of each key; in which order they came does not matter."""
    newest: dict[str, int] = {}
    for key, age, _ in (row for rows in files for row in rows):
        newest[key] = max(age, newest.get(key, 0))
    return {key: f"{age}.00" for key, age in newest.items()}

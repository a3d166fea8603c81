"""Eight processes import overlapping files at once: one final state, no deadlock."""

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
from tests.support.world.uploads import DAYS, TrackedUpload
from tests.support.world.world import World

pytestmark = pytest.mark.crashes

FILES = 8
KEYS = 300
ROWS = 600
FileType = Literal["appointments", "users", "lenient"]

_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@pytest.mark.parametrize("kind", ["appointments", "users"])
@pytest.mark.parametrize("seed", range(8))
def test_eight_overlapping_imports_end_in_one_state_without_deadlock(
    world: World,
    children: Children,
    direct_url: str,
    seed: int,
    kind: FileType,
) -> None:
    """The rows are shuffled and repeated; each commit locks its rows in key order."""
    dice = random.Random(seed)
    files = [_a_file(dice, file_index, kind) for file_index in range(FILES)]
    uploads = _uploaded(world, files, kind)

    ended = _import_at_once(world, children, uploads, direct_url)

    _check_counts(world, uploads, ended)
    assert number(world.conn, _DEADLOCKS) == 0
    assert _stored(world, kind) == _expected(files)


@pytest.mark.parametrize("seed", range(6))
def test_overlapping_lenient_imports_end_without_deadlock(
    world: World,
    children: Children,
    direct_url: str,
    seed: int,
) -> None:
    """A chunk whose rows differ in columns has no lock order, so it is written alone."""
    dice = random.Random(seed)
    basis = [(f"A-{i:03}", 0, False) for i in range(KEYS)]
    _import_at_once(world, children, _uploaded(world, [basis], "lenient"), direct_url)
    # Two files have no bad cell: their chunks may be written at the same time.
    files = [
        _a_file(dice, file_index, "lenient" if file_index < 6 else "appointments")
        for file_index in range(FILES)
    ]
    uploads = _uploaded(world, files, "lenient")

    ended = _import_at_once(world, children, uploads, direct_url, invalid_values="null")

    _check_counts(world, uploads, ended)
    assert number(world.conn, _DEADLOCKS) == 0
    assert _stored(world, "lenient") == _expected([basis, *files])


# (key, age, whether its optional value is bad)
Rows = list[tuple[str, int, bool]]


def _a_file(dice: random.Random, file_index: int, kind: FileType) -> Rows:
    return [
        (
            f"A-{dice.randrange(KEYS):03}",
            # All rows of a users file have the age of the upload.
            1 + file_index // 4 if kind == "users" else dice.randrange(1, 9),
            kind == "lenient" and dice.random() < 0.5,
        )
        for _ in range(ROWS)
    ]


def _uploaded(world: World, files: list[Rows], kind: FileType) -> list[TrackedUpload]:
    uploads = []
    for file_index, rows in enumerate(files):
        if kind == "users" and file_index == FILES // 2:
            time.sleep(1.02 - time.time() % 1)  # S3's clock knows whole seconds
        body = csv_bytes(*(_cells(row, kind) for row in rows))
        key = f"{len(world.uploads)}.csv"
        response = world.s3_client.put_object(
            Bucket=world.upload_bucket, Key=key, Body=body
        )
        upload = TrackedUpload(world.upload_bucket, key, response["VersionId"], [])
        world.uploads.append(upload)
        uploads.append(upload)
    return uploads


def _cells(row: tuple[str, int, bool], kind: FileType) -> dict[str, str]:
    key, age, is_bad = row
    amount = f"{age}.00"
    if kind == "users":
        return user(key, Additional_Amount=amount)
    created = "some day" if is_bad else DAYS[0]
    return appointment(
        key, _created_at=created, _updated_at=DAYS[age], saleAmount=amount
    )


def _import_at_once(
    world: World,
    children: Children,
    uploads: list[TrackedUpload],
    direct_url: str,
    invalid_values: str = "reject",
) -> list[Child]:
    together = barrier(len(uploads))
    started = [
        children.invoke(
            world,
            upload,
            start_barrier=together,
            # Larger transactions than in other tests, so that they overlap more often.
            CHECKPOINT_ROWS="150",
            DATABASE_URL=direct_url,
            INVALID_VALUES=invalid_values,
        )
        for upload in uploads
    ]
    for child in started:
        assert child.response() == {"batchItemFailures": []}
    return started


def _check_counts(
    world: World, uploads: list[TrackedUpload], ended: list[Child]
) -> None:
    """Check that each row is counted once, at the first attempt, without a warning."""
    for child in ended:
        world.output.write(child.log())
        levels = [
            json.loads(it).get("level", "INFO") for it in child.log().splitlines()
        ]
        assert set(levels) == {"INFO"}
    for upload in uploads:
        row = world.history_row(upload)
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
    world.check_no_leftovers()


def _stored(world: World, kind: FileType) -> dict[str, str]:
    """Return key -> amount; the amount is the age of the row."""
    query = (
        "SELECT user_object_id, additional_amount::text FROM salespro_users"
        if kind == "users"
        else "SELECT id, sale_amount::text FROM salespro_appointment"
    )
    return dict(world.conn.execute(query.encode()).fetchall())


def _expected(files: list[Rows]) -> dict[str, str]:
    """Return the amount of the newest row of each key."""
    newest: dict[str, int] = {}
    for key, age, _ in (row for rows in files for row in rows):
        newest[key] = max(age, newest.get(key, 0))
    return {key: f"{age}.00" for key, age in newest.items()}

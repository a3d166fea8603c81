"""Two versions of one key, imported at once: which commit comes next, the dice say."""

from __future__ import annotations

import io
import random
from datetime import timedelta
from queue import SimpleQueue
from threading import Semaphore, Thread

import pytest

from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from tests.support.builders import MORNING, upload
from tests.support.world.uploads import (
    BATCH_SIZE,
    CHECKPOINT_ROWS,
    DAYS,
    Rows,
    TrackedUpload,
)
from tests.support.world.world import World

pytestmark = pytest.mark.crashes

OPTIONS = Options(batch_size=BATCH_SIZE, checkpoint_rows=CHECKPOINT_ROWS)


class Turns:
    """An import in a thread of its own, which goes on to its next commit when told to."""

    def __init__(self, conninfo: str, of: Upload, data: bytes) -> None:
        self._conninfo = conninfo
        self._of = of
        self._data = data
        self._may_go_on = Semaphore(0)
        self._is_going_on: SimpleQueue[bool] = SimpleQueue()
        Thread(target=self._run, daemon=True).start()

    def take(self) -> bool:
        """Have it go on to its next commit; false if it has come to its end."""
        self._may_go_on.release()
        return self._is_going_on.get(timeout=30)

    def _run(self) -> None:
        self._may_go_on.acquire()
        try:
            with connection.connect(self._conninfo) as conn:
                import_upload(
                    conn,
                    self._of,
                    io.BytesIO(self._data),
                    options=OPTIONS,
                    callbacks=ImportCallbacks(on_commit=self._pause),
                )
        finally:
            self._is_going_on.put(False)  # noqa: FBT003 -- the queue's only sort of item

    def _pause(self, _: Outcome) -> None:
        self._is_going_on.put(True)  # noqa: FBT003
        self._may_go_on.acquire()


@pytest.mark.parametrize("of_users", [False, True], ids=["appointments", "users"])
@pytest.mark.parametrize("seed", range(12))
def test_two_interleaved_imports_match_the_model_after_each_commit(
    world: World, database_url: str, seed: int, *, of_users: bool
) -> None:
    """Newer, older and equal rows of either file; of users also equal uploads."""
    dice = random.Random(seed)
    puts = [world.upload(_some(dice), of_users=of_users) for _ in range(2)]
    going = {put.version: (put, _begin(world, database_url, put, dice)) for put in puts}

    while going:
        put, turns = going[dice.choice(list(going))]
        if not turns.take():
            put.is_acknowledged = True
            del going[put.version]
        world.update_model(put)
        world.check_promises()

    world.check_all_done()


def _some(dice: random.Random) -> Rows:
    return [
        (
            f"A-{dice.randrange(60):03}",
            dice.choice(DAYS[:4]),
            dice.choice(["1.00", "2.00", "3.00", "a lot"]),
        )
        for _ in range(dice.randint(30, 130))
    ]


def _begin(
    world: World, conninfo: str, put: TrackedUpload, dice: random.Random
) -> Turns:
    """Make ready to import it as if it had been uploaded at some hour."""
    put.deliveries += 1
    of = upload(
        bucket=world.upload_bucket,
        object_key=put.key,
        version=put.version,
        uploaded_at=MORNING + timedelta(hours=dice.randrange(3)),
    )
    if put.rows[0].version not in DAYS:  # a file of users
        put.rows = [
            row._replace(version=of.uploaded_at.isoformat()) for row in put.rows
        ]
    found = world.s3_client.get_object(
        Bucket=world.upload_bucket, Key=put.key, VersionId=put.version
    )
    return Turns(conninfo, of, found["Body"].read())

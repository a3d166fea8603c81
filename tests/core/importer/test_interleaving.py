"""Two versions of one key, imported concurrently in a random order of commits."""

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


class SteppedImport:
    """An import in a thread, which runs one step up to its next commit at a time."""

    def __init__(self, conninfo: str, upload_: Upload, data: bytes) -> None:
        self._conninfo = conninfo
        self._upload = upload_
        self._data = data
        self._may_continue = Semaphore(0)
        self._is_paused: SimpleQueue[bool] = SimpleQueue()
        Thread(target=self._run, daemon=True).start()

    def step(self) -> bool:
        """Run up to the next commit; return False if the import has ended."""
        self._may_continue.release()
        return self._is_paused.get(timeout=30)

    def _run(self) -> None:
        self._may_continue.acquire()
        try:
            with connection.connect(self._conninfo) as conn:
                import_upload(
                    conn,
                    self._upload,
                    io.BytesIO(self._data),
                    options=OPTIONS,
                    callbacks=ImportCallbacks(on_commit=self._pause),
                )
        finally:
            self._is_paused.put(False)  # noqa: FBT003 -- an item of the queue

    def _pause(self, _: Outcome) -> None:
        self._is_paused.put(True)  # noqa: FBT003 -- the same
        self._may_continue.acquire()


@pytest.mark.parametrize("of_users", [False, True], ids=["appointments", "users"])
@pytest.mark.parametrize("seed", range(12))
def test_two_interleaved_imports_match_the_model_after_each_commit(
    world: World, database_url: str, seed: int, *, of_users: bool
) -> None:
    """Newer, older and equal rows in either file; for users also equal upload times."""
    rng = random.Random(seed)
    uploads = [world.upload(_random_rows(rng), of_users=of_users) for _ in range(2)]
    running = {
        tracked.version: (tracked, _start_import(world, database_url, tracked, rng))
        for tracked in uploads
    }

    while running:
        tracked, import_ = running[rng.choice(list(running))]
        if not import_.step():
            tracked.is_acknowledged = True
            del running[tracked.version]
        world.update_model(tracked)
        world.check_promises()

    world.check_all_done()


def _random_rows(rng: random.Random) -> Rows:
    return [
        (
            f"A-{rng.randrange(60):03}",
            rng.choice(DAYS[:4]),
            rng.choice(["1.00", "2.00", "3.00", "a lot"]),
        )
        for _ in range(rng.randint(30, 130))
    ]


def _start_import(
    world: World, conninfo: str, tracked: TrackedUpload, rng: random.Random
) -> SteppedImport:
    """Prepare the import of the upload, with a random upload time."""
    tracked.deliveries += 1
    upload_ = upload(
        bucket=world.upload_bucket,
        object_key=tracked.key,
        version=tracked.version,
        uploaded_at=MORNING + timedelta(hours=rng.randrange(3)),
    )
    if tracked.rows[0].version not in DAYS:  # a file of users
        tracked.rows = [
            row._replace(version=upload_.uploaded_at.isoformat())
            for row in tracked.rows
        ]
    object_ = world.s3_client.get_object(
        Bucket=world.upload_bucket, Key=tracked.key, VersionId=tracked.version
    )
    return SteppedImport(conninfo, upload_, object_["Body"].read())

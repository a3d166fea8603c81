"""Nothing lost, nothing counted twice, whatever breaks: each fault at its moments.

docs/reliability.md says what is promised, and has the matrix of these runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.chaos.faults.catalogue.every_fault import FAULTS
from tests.chaos.faults.fault import End, Fault, Run, Scene
from tests.chaos.faults.scenes import set_scene
from tests.support.world.model import Model
from tests.support.world.world import CHECKPOINT_ROWS

pytestmark = pytest.mark.faults

RUNS = [
    pytest.param(fault, run, id=f"{fault.name}, {run.name}")
    for fault in FAULTS
    for run in fault.runs
]


@pytest.mark.parametrize(("fault", "run"), RUNS)
def test_nothing_is_lost_and_nothing_counted_twice(
    fault: Fault,
    run: Run,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    server = request.getfixturevalue("own_server") if fault.needs_server else None
    world = request.getfixturevalue("own_world" if fault.needs_server else "world")
    scene = set_scene(world, fault, run, monkeypatch, server)
    request.addfinalizer(scene.until_over.close)
    put = scene.put
    record_property("faults", fault.name)
    record_property("postgres", str(world.conn.info.server_version // 10_000))

    with run.inject(scene):
        for _ in range(2 if fault.end is End.ONCE_MENDED else 1):
            world.invoke(put, seconds=run.seconds)
            if fault.is_reachable:
                come_back(scene)
                world.check_nothing_is_left()
    come_back(scene)
    world.follow(put)
    world.check()
    CHECKS[fault.end](scene, fault)

    if not put.is_acknowledged:
        if not fault.is_reachable:
            world.wait()
        world.settle(put)
        assert put.deliveries == (fault.deliveries or put.deliveries)
    world.check_settled()
    assert world.model.table == after_a_clean_run(scene)


def recovers_in_the_attempt(scene: Scene, _: Fault) -> None:
    assert scene.strikes, "the fault never struck"
    assert scene.world.errors() == []
    assert scene.put.is_acknowledged
    assert attempts(scene) == 1


def recovers_with_the_next_delivery(scene: Scene, fault: Fault) -> None:
    assert not scene.put.is_acknowledged
    told = interruptions(scene)
    assert told
    for line in told:
        says(fault, line)
    is_noted(scene, fault)


def stops_until_it_is_mended(scene: Scene, fault: Fault) -> None:
    """The second delivery under the same fault says the same as the first."""
    assert not scene.put.is_acknowledged
    first, second = interruptions(scene)
    says(fault, first)
    says(fault, second)
    is_noted(scene, fault)


def rejects_the_row(scene: Scene, _: Fault) -> None:
    """And only that row: the counts are compared with the model's already."""
    assert scene.world.errors() == []
    assert scene.put.is_acknowledged
    assert scene.put.counts.rejected > 1, "the fault never struck"
    assert attempts(scene) == 1


def refuses_the_file(scene: Scene, fault: Fault) -> None:
    """Or what is left of it; one that was never read is in the log only."""
    assert scene.put.is_acknowledged
    error = scene.world.errors()[-1]
    assert re.search(fault.says[0], error)
    if not scene.put.is_gone:
        stored = scene.world.history(scene.put)
        assert stored
        assert (stored["status"], stored["error_message"]) == ("failed", error)


def come_back(scene: Scene) -> None:
    """Connect to the server of one's own anew, when it is up."""
    if scene.server:
        scene.server.ensure_up()
        scene.world.reconnect()


CHECKS: dict[End, Callable[[Scene, Fault], None]] = {
    End.IN_THE_ATTEMPT: recovers_in_the_attempt,
    End.NEXT_DELIVERY: recovers_with_the_next_delivery,
    End.ONCE_MENDED: stops_until_it_is_mended,
    End.ROW_REJECTED: rejects_the_row,
    End.FILE_REFUSED: refuses_the_file,
}


def attempts(scene: Scene) -> int:
    stored = scene.world.history(scene.put)
    return stored["attempts"] if stored else 0


def interruptions(scene: Scene) -> list[dict[str, object]]:
    told = ("import interrupted", "nothing imported")
    return [line for line in scene.world.lines() if line.get("message") in told]


def says(fault: Fault, line: dict[str, object]) -> None:
    """The log names the error, the phase, the cause and what to do."""
    assert line["error_type"] == fault.error
    for words in fault.says:
        assert re.search(words, str(line["error"]))


def is_noted(scene: Scene, fault: Fault) -> None:
    """The history says it too, of what was claimed and could be noted."""
    stored = scene.world.history(scene.put)
    if stored is None or not fault.is_reachable:
        return
    if fault.error == "OutOfTime":
        assert (stored["status"], stored["error_message"]) == ("in_progress", None)
    else:
        assert stored["status"] == "failed"
        assert stored["error_message"] == scene.world.errors()[-1]


def after_a_clean_run(scene: Scene) -> dict[str, object]:
    """The table that the files make one after the other, with nothing in between."""
    model = Model()
    for put in scene.world.puts:
        if put.is_gone:
            continue
        rows = [
            row._replace(values=None)
            if row.key in scene.world.refused_keys and put is scene.put
            else row
            for row in put.rows
        ]
        if put.is_refused:
            rows = rows[: put.counts.processed]
        for start in range(0, len(rows), CHECKPOINT_ROWS):
            model.commit(rows[start : start + CHECKPOINT_ROWS])
    return dict(model.table)

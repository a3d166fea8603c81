"""Imports, edits by others, and undos in any order end in the state of the model."""

from __future__ import annotations

import pytest
from psycopg import Connection

from tests.core.importer.undo.histories import History

SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_history_ends_in_the_state_of_the_model(
    conn: Connection, seed: int
) -> None:
    history = History(conn, seed, exports=("appointments", "users"))
    history.import_file()
    for _ in range(14):
        step = history.random.choice(["import", "import", "edit", "undo", "undo"])
        if step == "import":
            history.import_file()
        elif step == "edit":
            history.edit()
        else:
            history.undo(history.random.randint(1, history.number))
        history.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_undoing_everything_in_reverse_order_gives_the_first_state(
    conn: Connection, seed: int
) -> None:
    history = History(conn, seed, exports=("appointments", "users"))
    for _ in range(history.random.randrange(4)):
        history.import_file()
    first, number = history.dump(), history.number
    for _ in range(8):
        if history.number > number and history.random.random() < 0.4:
            history.undo(history.random.randint(number + 1, history.number))
        else:
            history.import_file()
    for undone in range(history.number, number, -1):
        assert history.undo(undone).counts.left == 0

    assert history.dump() == first

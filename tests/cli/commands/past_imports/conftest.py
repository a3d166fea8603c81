"""The imports that the tests of this folder look back at."""

from __future__ import annotations

import pytest

from tests.cli.commands.past_imports.undo_imports import AFTER, BEFORE, import_rows
from tests.support.terminal import Terminal


@pytest.fixture
def two_imports(terminal: Terminal) -> Terminal:
    """Import 1 creates A and B; import 2 updates A and creates C0, C1 and C2."""
    import_rows(terminal, "before.csv", *BEFORE)
    import_rows(terminal, "after.csv", *AFTER)
    return terminal

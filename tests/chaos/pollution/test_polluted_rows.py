"""Each kind of pollution of a row, at each cell and several places of the file."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import pytest

from tests.chaos.pollution.row_pollution import POLLUTIONS, row_files
from tests.chaos.pollution.sheets import SHEETS, Sheet
from tests.chaos.pollution.sweep import sweep

pytestmark = pytest.mark.pollution


@pytest.mark.parametrize("sheet", SHEETS, ids=attrgetter("name"))
@pytest.mark.parametrize("pollution", POLLUTIONS)
def test_polluted_row_stores_no_wrong_value_and_its_neighbours_are_imported(
    pollution: str, sheet: Sheet, record_property: Callable[[str, object], None]
) -> None:
    sweep(row_files(sheet, pollution), "rows", record_property)

"""Files polluted as a whole, in their header, or by lines that are no rows."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import pytest

from tests.chaos.pollution import (
    dialect_pollution,
    file_pollution,
    header_pollution,
)
from tests.chaos.pollution.sheets import SHEETS, Sheet
from tests.chaos.pollution.sweep import sweep

pytestmark = pytest.mark.pollution
FILE_KINDS = {**dialect_pollution.KINDS, **file_pollution.KINDS}


@pytest.mark.parametrize("sheet", SHEETS, ids=attrgetter("name"))
@pytest.mark.parametrize("kind", FILE_KINDS)
def test_polluted_file_stores_what_it_means_or_is_refused(
    kind: str, sheet: Sheet, record_property: Callable[[str, object], None]
) -> None:
    sweep(FILE_KINDS[kind](sheet), kind, record_property)


@pytest.mark.parametrize("sheet", SHEETS, ids=attrgetter("name"))
@pytest.mark.parametrize("kind", header_pollution.KINDS)
def test_polluted_header_loses_no_column_and_no_row_or_the_file_is_refused(
    kind: str, sheet: Sheet, record_property: Callable[[str, object], None]
) -> None:
    sweep(header_pollution.KINDS[kind](sheet), kind, record_property)

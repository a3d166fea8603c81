"""Typed cells, ids and emails that are nearly right."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import pytest

from tests.chaos.pollution.cell_pollution import TYPED, emails, ids, typed_cells
from tests.chaos.pollution.sheets import SHEETS, WHOLE, Sheet
from tests.chaos.pollution.sweep import sweep

pytestmark = pytest.mark.pollution
Record = Callable[[str, object], None]


@pytest.mark.parametrize("label", TYPED)
def test_nearly_right_cell_is_read_as_what_it_means_or_its_row_is_rejected(
    label: str, record_property: Record
) -> None:
    sweep(typed_cells(TYPED[label]), "typed-cells", record_property)


@pytest.mark.parametrize("sheet", SHEETS, ids=attrgetter("name"))
def test_id_that_was_changed_is_rejected_or_read_as_the_id(
    sheet: Sheet, record_property: Record
) -> None:
    sweep(ids(sheet), "ids", record_property)


@pytest.mark.parametrize("sheet", WHOLE, ids=attrgetter("name"))
def test_email_with_invisible_characters_is_stored_without_them_or_rejected(
    sheet: Sheet, record_property: Record
) -> None:
    sweep(emails(sheet), "emails", record_property)

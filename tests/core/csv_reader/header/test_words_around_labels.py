"""Labels with other words before or after them: refused, or ignored with a warning."""

from __future__ import annotations

import io
import re
from collections import Counter

import pytest

from salespro_core.csv_reader.header import read_header
from salespro_core.csv_reader.header_damage import MAX_SIMILAR
from salespro_core.errors import HeaderMismatch
from salespro_core.exports.columns import Export
from salespro_core.model.rejects import ignored_warning
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.csv_reader.header.labels import EXPORTS, labels, layout, with_label

BEFORE = ["appointment", "user", "data", "Sum of", "total", "public.salespro_appointment", "t", "t1", "Old", "my", "record"]  # fmt: skip
AFTER = ["total", "value", "(new)", "left", "USD", "field", "in USD", "text", "old"]


@labels
def test_label_with_the_name_of_the_table_or_of_a_calculation_is_refused(
    export: Export, label: str
) -> None:
    """They name no other column."""
    written = [
        *(f"{word}{mark}{label}" for word in BEFORE for mark in (".", " ", "_", "/", ": ")),
        *(f"{label}{mark}{word}" for word in AFTER for mark in (" ", "_", ".", " - ")),
        *(f"{word.upper()}({label})" for word in ("sum", "max", "avg")),
        *(f"{word}.{label.upper()}" for word in ("APPOINTMENT", "USERS")),
        f"appointment.{label} total",
    ]  # fmt: skip
    for each in written:
        with pytest.raises(HeaderMismatch, match="The header in line 1 is damaged"):
            read_header(with_label(export, each), EXPORTS)


@labels
def test_label_with_another_word_is_ignored_with_a_warning(
    export: Export, label: str
) -> None:
    """It may be another column, and be the missing one."""
    key = export.columns[0].label
    for written in (f"manager.{label}", f"{label} Tax", f"Tax {label}"):
        found = warnings(f"{key},{written}\na1,\n")

        assert found == {ignored_warning(written, mentioned(found)): 1}, written
        assert mentioned(found) in export.labels


@pytest.mark.parametrize(
    ("key", "written", "known"),
    [
        ("_id", "amount", "saleAmount"),
        ("_id", "Amount", "saleAmount"),
        ("_id", "email", "salesrep.email"),
        ("User Object ID", "Active", "Active/Inactive"),
        ("User Object ID", "Active?", "Active/Inactive"),
        ("User Object ID", "is_active", "Active/Inactive"),
        ("User Object ID", "Inactive", "Active/Inactive"),
        ("User Object ID", "Office", "Assigned Office"),
        ("User Object ID", "Login", "Last Login"),
        ("User Object ID", "Name", "First Name"),
    ],
)
def test_label_with_a_part_of_a_missing_label_is_ignored_with_a_warning(
    key: str, written: str, known: str
) -> None:
    """It may be the missing column, whose values would be lost without a word."""
    assert warnings(f"{key},{written}\na1,\n") == {ignored_warning(written, known): 1}


@labels
def test_last_words_of_each_label_are_refused_or_ignored_with_a_warning(
    export: Export, label: str
) -> None:
    key = export.columns[0].label
    words = re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+", label)
    for start in range(1, len(words)):
        written = " ".join(words[start:])
        if len(written) < 4:  # in many labels: id, at
            assert warnings(f"{key},{written}\na1,\n") == {}
            continue
        try:
            said = " ".join(warnings(f"{key},{written}\na1,\n"))
        except HeaderMismatch as refused:
            said = str(refused)
        assert repr(written) in said
        assert any(repr(known) in said for known in export.labels)


def test_label_of_another_column_has_no_warning() -> None:
    for written in ("Notes", "id", "customer", "created", "Date", "status", "#"):
        assert warnings(f"_id,{written}\na1,\n") == {}, written
        assert warnings(f"User Object ID,{written}\na1,\n") == {}, written
    assert warnings("_id,saleAmount,amount\na1,,\n") == {}


def test_few_labels_are_in_warnings_and_none_if_the_file_has_the_column() -> None:
    many = ",".join(f"saleAmount tax {n}" for n in range(1000))

    assert len(warnings(f"_id,{many}\na1{',' * 1000}\n")) == MAX_SIMILAR
    assert warnings(f"_id,saleAmount,{many}\na1{',' * 1001}\n") == {}


def test_header_whose_labels_all_have_a_prefix_is_refused() -> None:
    """The point is no delimiter."""
    for header in (
        "appointment._id,appointment.saleAmount",
        "appointment._id,appointment.isSale,appointment.Notes,appointment.saleAmount",
        "user.User Object ID,user.Email",
    ):
        with pytest.raises(HeaderMismatch, match="is not a known label, but nearly"):
            layout(f"{header}\n")


def warnings(text: str) -> Counter[str]:
    """The warnings of a file."""
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(text.encode()), EXPORTS, rejects, is_lenient=False
        )
        return reader.warnings


def mentioned(found: Counter[str]) -> str:
    """The missing label of the only warning."""
    [text] = found
    return text.split("'")[1]

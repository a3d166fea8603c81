"""The header: which export it is, and the position of each column."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.header import Layout, read_header
from salespro_core.csv_reader.labels import REJECT_LABELS
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from tests.support.builders import APPOINTMENT, USER, read_rows

EXPORTS = (APPOINTMENTS, USERS)
PURE = settings(deadline=None, max_examples=150)


exports = pytest.mark.parametrize(
    ("export", "labels"),
    [
        pytest.param(APPOINTMENTS, tuple(APPOINTMENT), id="appointments"),
        pytest.param(USERS, tuple(USER), id="users"),
    ],
)


def layout(line: str) -> Layout:
    """The layout of a file with this header."""
    first = next(read_rows(io.BytesIO(line.encode(errors="surrogateescape"))))
    return read_header(first.cells, EXPORTS)


@exports
def test_export_is_recognised_by_its_labels(
    export: Export, labels: tuple[str, ...]
) -> None:
    found = layout(",".join(labels))

    assert found == Layout(
        export=export,
        labels=labels,
        columns=export.columns,
        column_indexes=tuple(labels.index(column.label.split(" | ")[0]) for column in export.columns),
        ignored=(),
    )  # fmt: skip


def test_key_label_alone_is_enough() -> None:
    """Every other column may be missing; its stored values are kept."""
    assert layout("_id") == Layout(
        export=APPOINTMENTS,
        labels=("_id",),
        columns=APPOINTMENTS.columns[:1],
        column_indexes=(0,),
        ignored=(),
    )


def test_columns_keep_the_exports_order_in_any_header_order() -> None:
    """Arrays and SQL use this order, so all files share one prepared statement."""
    found = layout("saleAmount,Notes,_updated_at,_id")

    assert found == Layout(
        export=APPOINTMENTS,
        labels=("saleAmount", "Notes", "_updated_at", "_id"),
        columns=tuple(c for c in APPOINTMENTS.columns if c.label in ("_id", "_updated_at", "saleAmount")),
        column_indexes=(3, 2, 0),
        ignored=("Notes",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        pytest.param("customerLastName", "customer_last_name", id="customer-last"),
        pytest.param("customerFirstName", "customer_first_name", id="customer-first"),
        pytest.param("estimateName", "customer_estimate_name", id="estimate"),
        pytest.param("salesRepEmail", "salesrep_email", id="rep-email"),
        pytest.param("salesRepFirstName", "salesrep_first_name", id="rep-first"),
        pytest.param("salesRepLastName", "salesrep_last_name", id="rep-last"),
    ],
)
def test_column_is_found_by_its_alias(alias: str, name: str) -> None:
    found = layout(f"{alias},_id")

    assert [column.name for column in found.columns] == ["id", name]
    assert found.column_indexes == (1, 0)


@pytest.mark.parametrize(
    "label",
    [
        pytest.param("_ID", id="upper-case"),
        pytest.param(" _id ", id="space-around"),
        pytest.param("\t_Id\n", id="line-break"),
        pytest.param("\ufeff_id", id="byte-order-mark"),
        pytest.param(" \ufeff _id", id="byte-order-mark-in-space"),
        pytest.param("\N{NO-BREAK SPACE}_id", id="no-break-space"),
    ],
)
def test_label_is_matched_without_case_space_and_byte_order_mark(
    label: str,
) -> None:
    found = read_header(["saleAmount", label], EXPORTS)

    assert found.export == APPOINTMENTS
    assert found.labels == ("saleAmount", label)
    assert found.column_indexes == (1, 0)


@pytest.mark.parametrize(
    "label",
    [
        pytest.param("id", id="without-the-underscore"),
        pytest.param("_ id", id="space-inside"),
        pytest.param("_id2", id="longer"),
        pytest.param("_\N{LATIN SMALL LETTER DOTLESS I}d", id="dotless-i"),
    ],
)
def test_similar_label_is_ignored(label: str) -> None:
    assert layout(f"_id,{label}").ignored == (label,)


def test_exact_label_is_preferred_to_a_label_in_other_case() -> None:
    """A file may have an unknown column whose label differs in case only."""
    found = layout("_ID,_id,SALEAMOUNT,saleAmount")

    assert found.column_indexes == (1, 3)
    assert found.ignored == ("_ID", "SALEAMOUNT")


def test_exact_alias_is_preferred_to_a_label_in_other_case() -> None:
    found = layout("_id,CUSTOMER.NAMELAST,customerLastName")

    assert found.column_indexes == (0, 2)
    assert found.ignored == ("CUSTOMER.NAMELAST",)


def test_unknown_labels_are_listed_once() -> None:
    found = layout("Notes,_id, Notes ,,  ,Région")

    assert found.ignored == ("Notes", "Région")


@pytest.mark.parametrize(
    "ours",
    [
        pytest.param(",".join(REJECT_LABELS), id="as-written"),
        pytest.param("Reject_Line, REJECT_COLUMN ,reject_reason", id="random_change"),
    ],
)
def test_labels_of_a_rejects_file_are_not_listed_as_ignored(ours: str) -> None:
    """A corrected rejects file is uploaded with these labels."""
    found = layout(f"{ours},_id,Notes")

    assert found.column_indexes == (3,)
    assert found.ignored == ("Notes",)


@pytest.mark.parametrize(
    ("line", "export"),
    [
        pytest.param("_id,User Object ID,Email,Username", USERS, id="more-of-users"),
        pytest.param("User Object ID,_id,saleAmount", APPOINTMENTS, id="more-of-appointments"),
        pytest.param("User Object ID,_id", APPOINTMENTS, id="as-many"),
        pytest.param("_id,Email,Username,First Name", APPOINTMENTS, id="only-one-key"),
    ],
)  # fmt: skip
def test_header_with_two_keys_is_the_export_with_more_columns(
    line: str, export: Export
) -> None:
    assert layout(line).export == export


@st.composite
def headers(draw: st.DrawFn) -> tuple[Export, list[str], dict[str, int]]:
    """Draw an export, a header of it, and the index of each of its columns."""
    export = draw(st.sampled_from(EXPORTS))
    key, *optional = dict.fromkeys(column.labels for column in export.columns)
    chosen = [key, *draw(st.lists(st.sampled_from(optional), unique=True, max_size=4))]
    known: dict[str, tuple[str, ...]] = {}
    for names in chosen:
        label = draw(st.sampled_from(names))
        forms = [label, label.upper(), label.lower(), f" {label} ", f"\ufeff{label}"]
        known[draw(st.sampled_from(forms))] = names
    unknown = draw(st.lists(st.text("xyz ", max_size=3), max_size=3, unique=True))
    labels = draw(st.permutations([*known, *unknown]))
    indexes = {
        column.name: labels.index(label)
        for label, names in known.items()
        for column in export.columns
        if column.labels == names
    }
    return export, labels, indexes


@PURE
@given(headers())
def test_header_is_recognised_in_any_order_form_and_with_unknown_labels(
    header: tuple[Export, list[str], dict[str, int]],
) -> None:
    export, labels, indexes = header
    found = read_header(labels, EXPORTS)

    names = [column.name for column in found.columns]
    assert found.export == export
    assert dict(zip(names, found.column_indexes, strict=True)) == indexes
    assert names == [column.name for column in export.columns if column.name in indexes]
    assert list(found.ignored) == list(
        dict.fromkeys(
            label.strip()
            for index, label in enumerate(labels)
            if index not in indexes.values() and label.strip()
        )
    )

"""Line 1 says which export a file is and where its columns are, or why it is none."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.header import REJECT_LABELS, Layout, read_header
from salespro_core.errors import HeaderMismatch, UnknownExport, UnreadableObject
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from tests.support.builders import APPOINTMENT, USER, read_rows

EXPORTS = (APPOINTMENTS, USERS)

pure = settings(deadline=None, max_examples=150)
exports = pytest.mark.parametrize(
    ("export", "labels"),
    [
        pytest.param(APPOINTMENTS, tuple(APPOINTMENT), id="appointments"),
        pytest.param(USERS, tuple(USER), id="users"),
    ],
)


def layout(line: str) -> Layout:
    """Read this header as a file's first line, through the reader of files."""
    first = next(read_rows(io.BytesIO(line.encode(errors="surrogateescape"))))
    return read_header(first.cells, EXPORTS)


def refusal(labels: list[str]) -> UnknownExport:
    with pytest.raises(UnknownExport) as refused:
        read_header(labels, EXPORTS)
    return refused.value


@exports
def test_an_export_is_known_by_its_labels(
    export: Export, labels: tuple[str, ...]
) -> None:
    found = layout(",".join(labels))

    assert found == Layout(
        export=export,
        labels=labels,
        columns=export.columns,
        positions=tuple(labels.index(column.label.split(" | ")[0]) for column in export.columns),
        ignored=(),
    )  # fmt: skip


def test_the_key_alone_is_enough() -> None:
    """Every other column may be missing, and what is stored there is left alone."""
    assert layout("_id") == Layout(
        export=APPOINTMENTS,
        labels=("_id",),
        columns=APPOINTMENTS.columns[:1],
        positions=(0,),
        ignored=(),
    )


def test_columns_keep_the_exports_order_wherever_they_stand() -> None:
    """Arrays and SQL are made from it; two files that differ in order share a plan."""
    found = layout("saleAmount,Notes,_updated_at,_id")

    assert found == Layout(
        export=APPOINTMENTS,
        labels=("saleAmount", "Notes", "_updated_at", "_id"),
        columns=tuple(c for c in APPOINTMENTS.columns if c.label in ("_id", "_updated_at", "saleAmount")),
        positions=(3, 2, 0),
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
def test_a_column_is_found_under_its_other_label(alias: str, name: str) -> None:
    found = layout(f"{alias},_id")

    assert [column.name for column in found.columns] == ["id", name]
    assert found.positions == (1, 0)


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
def test_a_label_is_matched_without_regard_to_case_and_what_is_around_it(
    label: str,
) -> None:
    found = read_header(["saleAmount", label], EXPORTS)

    assert found.export == APPOINTMENTS
    assert found.labels == ("saleAmount", label)
    assert found.positions == (1, 0)


@pytest.mark.parametrize(
    "label",
    [
        pytest.param("id", id="without-the-underscore"),
        pytest.param("_ id", id="space-inside"),
        pytest.param("_id2", id="longer"),
        pytest.param("'_id'", id="quoted"),
        pytest.param("_\N{LATIN SMALL LETTER DOTLESS I}d", id="dotless-i"),
    ],
)
def test_a_label_that_is_merely_similar_is_no_match(label: str) -> None:
    assert layout(f"_id,{label}").ignored == (label,)


def test_an_exact_label_comes_before_a_similar_one() -> None:
    """A file may carry a column of its own that differs in case only."""
    found = layout("_ID,_id,SALEAMOUNT,saleAmount")

    assert found.positions == (1, 3)
    assert found.ignored == ("_ID", "SALEAMOUNT")


def test_an_exact_alias_comes_before_a_similar_label() -> None:
    found = layout("_id,CUSTOMER.NAMELAST,customerLastName")

    assert found.positions == (0, 2)
    assert found.ignored == ("CUSTOMER.NAMELAST",)


@pytest.mark.parametrize(
    ("line", "sync_type", "repeated"),
    [
        pytest.param("_id,_id", "csv_appointments", ("_id", "_id"), id="key"),
        pytest.param("_ID, _Id", "csv_appointments", ("_ID", "_Id"), id="similar"),
        pytest.param("_id,saleAmount,a,saleAmount", "csv_appointments", ("saleAmount", "saleAmount"), id="optional"),
        pytest.param("_id,customerLastName,customer.nameLast", "csv_appointments", ("customer.nameLast", "customerLastName"), id="label-and-alias"),
        pytest.param("_id,CUSTOMERLASTNAME,CUSTOMER.NAMELAST", "csv_appointments", ("CUSTOMER.NAMELAST", "CUSTOMERLASTNAME"), id="similar-label-and-alias"),
        pytest.param("User Object ID,Assigned Office,Assigned Office", "csv_users", ("Assigned Office", "Assigned Office"), id="feeds-two-columns"),
    ],
)  # fmt: skip
def test_two_labels_of_one_column_are_refused(
    line: str, sync_type: str, repeated: tuple[str, str]
) -> None:
    """Either could be meant, and a wrong guess would overwrite good values."""
    with pytest.raises(HeaderMismatch) as refused:
        layout(line)

    assert str(refused.value) == (
        f"The header names one column twice: {repeated[0]} and {repeated[1]}. "
        "Remove one of the two and upload the file again."
    )
    assert refused.value.sync_type == sync_type
    assert refused.value.repeated == repeated


def test_a_label_that_stands_there_twice_refuses_the_file_also_if_nobody_knows_it() -> (
    None
):
    """Nothing would be lost, but something has gone wrong with the file."""
    with pytest.raises(HeaderMismatch, match="Notes and Notes"):
        layout("Notes,_id,Notes")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("_id;saleAmount", "semicolons", id="semicolons"),
        pytest.param(
            '_id;"customer, last";isSale', "semicolons", id="comma-in-a-label"
        ),
        pytest.param("_id^isSale", "carets", id="carets"),
        pytest.param("sep=;", "sep=", id="excels-own-line"),
    ],
)
def test_other_delimiters_are_named(line: str, said: str) -> None:
    with pytest.raises(UnreadableObject, match=said):
        layout(line)


def test_labels_that_the_table_does_not_know_are_named_once() -> None:
    found = layout("Notes,_id, Notes ,,  ,Région")

    assert found.ignored == ("Notes", "Région")


@pytest.mark.parametrize(
    "ours",
    [
        pytest.param(",".join(REJECT_LABELS), id="as-written"),
        pytest.param("Reject_Line, REJECT_COLUMN ,reject_reason", id="changed"),
    ],
)
def test_the_labels_of_a_rejects_file_are_ignored_in_silence(ours: str) -> None:
    """A corrected rejects file is uploaded as it is; nothing about it is odd."""
    found = layout(f"{ours},_id,Notes")

    assert found.positions == (3,)
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
def test_of_two_exports_the_one_with_more_labels_is_meant(
    line: str, export: Export
) -> None:
    assert layout(line).export == export


def test_a_header_without_the_key_is_told_what_is_missing_and_what_was_seen() -> None:
    labels = [label for label in APPOINTMENT if label not in ("_id", "saleAmount")]

    refused = refusal([*labels, "Notes"])

    assert str(refused) == (
        "Line 1 looks like a header of csv_appointments but lacks '_id', which is needed. "
        "Missing: _id, saleAmount. Seen: _created_at, _updated_at, isSale, "
        "resultFullString, customer.nameLast, customer.nameFirst, customer.estimateName, "
        "salesrep.email, salesrep.nameFirst, salesrep.nameLast, Notes."
    )
    assert refused.sync_type == "csv_appointments"
    assert refused.missing == ("_id", "saleAmount")


def test_the_nearest_export_is_the_one_that_most_labels_belong_to() -> None:
    """A column that two labels of ours share is missing once."""
    refused = refusal(["saleAmount", "Email", "Username"])

    assert refused.sync_type == "csv_users"
    assert refused.missing == tuple(
        label for label in USER if label not in ("Email", "Username")
    )


def test_a_long_header_is_not_repeated_in_full() -> None:
    refused = refusal(["Email", "Username", *(f"Custom Field {n}" for n in range(500))])

    assert len(str(refused)) < 800
    assert "Email, Username, Custom Field 0," in str(refused)


@pytest.mark.parametrize(
    ("row", "known"),
    [
        pytest.param(APPOINTMENT, "none", id="appointment"),
        pytest.param(USER, "none", id="user"),
        pytest.param(APPOINTMENT | {"resultFullString": "Email"}, "1", id="a-cell-reads-like-a-label"),
    ],
)  # fmt: skip
def test_the_cells_of_a_file_without_a_header_are_not_repeated(
    row: dict[str, str], known: str
) -> None:
    """They are personal data, and the message goes to logs and dashboards."""
    refused = refusal(list(row.values()))

    said, wanted = str(refused).split(" Export the file with its header: ")
    assert said == (
        f"Line 1 is no header of a known export: {known} of its {len(row)} cells is a "
        "known label."
    )
    assert wanted == (
        f"csv_appointments needs '_id', and may have {', '.join([*APPOINTMENT][1:])}; "
        f"csv_users needs 'User Object ID', and may have {', '.join([*USER][1:])}."
    )
    assert refused.sync_type is None
    assert refused.missing == ()


# Every label of ours has an a, an e or an i.
no_labels = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0aeiAEI")
)


@pure
@given(st.lists(no_labels, min_size=1))
def test_what_is_said_of_unknown_cells_depends_on_their_number_only(
    cells: list[str],
) -> None:
    assert str(refusal(cells)) == str(refusal(["x"] * len(cells)))


@pytest.mark.parametrize(
    ("delimiter", "name"),
    [
        pytest.param(";", "semicolons", id="semicolons"),
        pytest.param("\t", "tabs", id="tabs"),
        pytest.param("|", "bars", id="bars"),
    ],
)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL], ids=["plain", "quoted"])  # fmt: skip
@exports
def test_another_delimiter_than_commas_is_named(
    export: Export, labels: tuple[str, ...], quoting: int, delimiter: str, name: str
) -> None:
    """Spreadsheets write semicolons where a comma parts decimals."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerow(labels)  # type: ignore[arg-type]

    with pytest.raises(UnreadableObject) as refused:
        layout(text.getvalue())

    assert str(refused.value) == (
        f"The cells are parted by {name}; export the file with commas."
    )
    assert export.columns[0].label in text.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Garcia;Maria;12.50", id="semicolons"),
        pytest.param("Garcia\tMaria\t12.50", id="tabs"),
        pytest.param("Garcia", id="one-cell"),
    ],
)
def test_one_cell_that_holds_no_label_is_not_repeated(line: str) -> None:
    assert "none of its 1 cells is a known label" in str(refusal([line]))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("_id,R\udce9gion", id="latin-1"),
        pytest.param("_id,Notes\0", id="nul"),
        pytest.param("\udcff\udcfe_\0i\0d\0", id="binary"),
    ],
)
def test_a_header_that_is_not_utf_8_is_refused(line: str) -> None:
    """Labels go into the history and the reports, which cannot hold such bytes."""
    with pytest.raises(UnreadableObject) as refused:
        read_header(line.split(","), EXPORTS)

    assert str(refused.value) == (
        "The header is not UTF-8 text; save the file as CSV UTF-8 and upload it again."
    )


@st.composite
def headers(draw: st.DrawFn) -> tuple[Export, list[str], dict[str, int]]:
    """Draw an export, a header of it, and where each of its columns stands in it."""
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
    places = {
        column.name: labels.index(label)
        for label, names in known.items()
        for column in export.columns
        if column.labels == names
    }
    return export, labels, places


@pure
@given(headers())
def test_a_header_is_known_in_any_order_form_and_company(
    header: tuple[Export, list[str], dict[str, int]],
) -> None:
    export, labels, places = header
    found = read_header(labels, EXPORTS)

    names = [column.name for column in found.columns]
    assert found.export == export
    assert dict(zip(names, found.positions, strict=True)) == places
    assert names == [column.name for column in export.columns if column.name in places]
    assert list(found.ignored) == list(
        dict.fromkeys(
            label.strip()
            for place, label in enumerate(labels)
            if place not in places.values() and label.strip()
        )
    )

"""A rejects file that was edited in a spreadsheet: recognised, or refused."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.labels import REJECT_LABELS
from salespro_core.errors import HeaderMismatch, InputError, UnreadableObject
from salespro_core.model.rejects import Record, Reject
from tests.core.records.readers import (
    REJECT_CELLS,
    REJECTED_ROWS,
    assert_recognised,
    delimited,
    read_rejects_file,
    rejects_table,
)

PURE = settings(deadline=None, max_examples=150)
FORMS = {
    "space-before": " {}",
    "space-after": "{} ",
    "second-byte-order-mark": "\ufeff{}",
    "mark-and-space": "\ufeff \ufeff{}",
    "misread-byte-order-mark": "ï»¿{}",
    "no-break-space": "\u00a0{}",
    "zero-width-space": "\u200b{}",
    "soft-hyphen": "reject\u00ad_{}",
    "quotes": '"{}"',
    "apostrophe": "'{}",
    "text-formula": '="{}"',
    "plural": "{}s",
    "tab": "\t{}",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1, 2)])
def test_changed_label_is_recognised(form: str, which: tuple[int, ...]) -> None:
    """Otherwise the apostrophes of the escape would be stored."""
    header, *rows = rejects_table()
    for index in which:
        header[index] = form.format(header[index].removeprefix("reject_") if "reject" in form else header[index])  # fmt: skip

    assert_recognised([header, *rows])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(str.upper, id="upper-case"),
        pytest.param(str.title, id="title-case"),
        pytest.param(lambda label: label.replace("_", " "), id="space"),
        pytest.param(lambda label: label.replace("_", "-"), id="hyphen"),
        pytest.param(lambda label: label.replace("_", ""), id="no-underscore"),
    ],
)
def test_labels_in_another_style_are_recognised(change: type[str]) -> None:
    header, *rows = rejects_table()

    assert_recognised([[*map(change, header[:3]), *header[3:]], *rows])


@pytest.mark.parametrize("places", [*permutations(range(3)), (4, 5, 6), (0, 5, 6), (0, 2, 4), (6, 1, 3)])  # fmt: skip
def test_moved_columns_are_recognised(places: tuple[int, ...]) -> None:
    assert_recognised(rejects_table(ours_at=places))


@pytest.mark.parametrize(
    "kept",
    [*combinations(range(3), 1), *combinations(range(3), 2)],
    ids=lambda kept: "-".join(REJECT_LABELS[index] for index in kept),
)
@pytest.mark.parametrize("at_end", [False, True], ids=["at-start", "at-end"])
def test_file_with_some_of_our_columns_is_recognised(
    kept: tuple[int, ...],
    at_end: bool,  # noqa: FBT001 -- a parameter of a test
) -> None:
    places = tuple(range(4, 7)) if at_end else tuple(range(3))

    assert_recognised(rejects_table(ours_at=places, kept=kept))


@PURE
@given(
    st.lists(st.sampled_from(range(3)), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(0, 4), min_size=3, max_size=3),
    st.sampled_from([*FORMS.values()][:4]),
)
def test_columns_moved_removed_and_renamed_at_once_are_recognised(
    kept: list[int], places: list[int], form: str
) -> None:
    header, *rows = rejects_table(ours_at=tuple(places), kept=tuple(kept))
    header = [form.format(it) if it in REJECT_LABELS else it for it in header]

    assert_recognised([header, *rows])


@pytest.mark.parametrize("places", [(0, 1, 2), (4, 5, 6), (0, 2, 4)])
def test_rejects_of_an_edited_file_have_our_columns_first_and_once(
    places: tuple[int, ...],
) -> None:
    rows = rejects_table(ours_at=places)
    rows[2] = [cell.replace("6", "six") for cell in rows[2]]

    _, _, out = read_rejects_file(delimited(rows))

    assert out == (
        "\ufeffreject_line,reject_column,reject_reason,_id,customer.nameLast,Notes,saleAmount\r\n"
        "3,saleAmount,saleAmount is not an amount such as 23245.09,a2,''@x,'+1 555,six\r\n"
    )


def test_row_with_a_cell_too_many_keeps_all_its_cells() -> None:
    """Behind the surplus comma it is unknown which cells are ours."""
    rows = rejects_table(ours_at=(4, 5, 6))
    rows[1].insert(1, "=surplus")

    _, _, out = read_rejects_file(delimited(rows))

    assert out.splitlines()[1] == (
        "2,,has 8 cells where the header has 7,"
        "a1,'=surplus,'=1+1,'-,'-5,2,saleAmount,saleAmount is not an amount"
    )


@pytest.mark.parametrize(
    ("delimiter", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")]
)
@pytest.mark.parametrize("places", [(0, 1, 2), (4, 5, 6)], ids=["first", "last"])
def test_file_saved_with_another_delimiter_is_refused_with_the_fix(
    delimiter: str, name: str, places: tuple[int, ...]
) -> None:
    """European spreadsheets save semicolons."""
    with pytest.raises(UnreadableObject) as refused:
        read_rejects_file(delimited(rejects_table(ours_at=places), delimiter))

    assert f"The cells are separated by {name}" in str(refused.value)
    assert "with commas" in str(refused.value)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_our_columns_joined_by_another_delimiter_are_recognised(delimiter: str) -> None:
    rows = [
        [delimiter.join(ours), *original]
        for ours, original in zip(REJECT_CELLS, REJECTED_ROWS, strict=True)
    ]

    assert_recognised(rows)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("reject_line;reject_column;reject_reason;_id,customer.nameLast", "'reject_reason' and '_id' are in one cell"),
        ("reject_line,reject_column,reject_reason;saleAmount,_id", "'reject_reason;saleAmount' contains 'saleAmount'"),
        ("reject_line,reject_column,reject_reasonsaleAmount,_id", None),
    ],
)  # fmt: skip
def test_our_label_joined_with_a_label_of_the_export_refuses_the_file(
    header: str, said: str | None
) -> None:
    rows = b"\n2,,x,a1,'=x\n3,,x,a2,'=y\n"

    with pytest.raises(InputError) as refused:
        read_rejects_file(header.encode() + rows)

    assert (said or "but the rows have 5 cells") in str(refused.value)


@pytest.mark.parametrize(
    "header",
    [
        "_id,Notes,isSale,saleAmount,customer.nameLast",
        "Notes,_id,isSale,saleAmount,customer.nameLast",
        "_id,customer.nameLast",
    ],
)
def test_rows_of_an_export_below_a_rejects_file_are_not_imported(header: str) -> None:
    body = (
        "reject_line,reject_column,reject_reason,_id,customer.nameLast\n"
        "2,_id,_id is empty,a1,x\n"
        f"{header}\n"
    )
    row = ",".join(f"cell{n}" for n in range(len(header.split(","))))

    try:
        items, _, _ = read_rejects_file(f"{body}{row}\n".encode())
    except HeaderMismatch as refused:
        assert "Line 3 is another header" in str(refused)  # noqa: PT017 -- either is right
    else:
        assert [type(item) for item in items] == [Record, Reject, Reject]


def test_rejects_that_name_labels_are_no_headers() -> None:
    rows = rejects_table()
    rows[1][1], rows[2][1] = "_id", "customer.nameLast"

    assert_recognised(rows)


@pytest.mark.parametrize("label", ["reject_date", "rejection_reason_code", "project_line", "reasonable", "online"])  # fmt: skip
def test_label_that_is_not_ours_makes_no_rejects_file(label: str) -> None:
    """An apostrophe in an export is part of the cell."""
    items, ignored, _ = read_rejects_file(
        f"_id,customer.nameLast,{label}\na1,'=x,y\n".encode()
    )

    assert [item.values for item in items if isinstance(item, Record)] == [
        ("a1", "'=x")
    ]
    assert ignored == (label,)


@pytest.mark.parametrize("quotes", ["<>", "''", "“”", "[]", "||"])
@pytest.mark.parametrize("corrected", [0, 1, 3])
def test_ids_in_other_quotes_do_not_refuse_a_rejects_file(
    quotes: str, corrected: int
) -> None:
    """It holds the rows whose ids are in quotes, and a person may have corrected some."""
    opening, closing = quotes[0], quotes[1]
    bad = [[str(n), "_id", "x", f"{opening}b{n}{closing}", "x"] for n in range(5)]
    good = [[str(n), "_id", "x", f"a{n}", "x"] for n in range(5, 5 + corrected)]
    rows = [[*REJECT_LABELS, "_id", "customer.nameLast"], *bad, *good]

    items, _, _ = read_rejects_file(delimited(rows))

    assert [isinstance(item, Record) for item in items] == [
        *[False] * 5,
        *[True] * corrected,
    ]

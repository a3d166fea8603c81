"""A rejects file whose labels were renamed: recognised, or refused."""

from __future__ import annotations

import pytest

from salespro_core.csv_reader.labels import REJECT_LABELS
from salespro_core.csv_reader.recovery import problems
from salespro_core.csv_reader.screening.header_rows import (
    JOINED_HEADER,
    LABEL_AS_ID,
    REPEATED_HEADER,
)
from salespro_core.errors import HeaderMismatch
from salespro_core.model.rejects import Record
from tests.core.exports import parsing
from tests.core.records.readers import (
    REJECTED_VALUES,
    assert_recognised,
    delimited,
    read_rejects_file,
    rejects_table,
)

RENAMED = {
    "plain": ("Line", "Column", "Reason"),
    "lower-case": ("line", "column", "reason"),
    "upper-case": ("ROW", "COL", "ERROR"),
    "rejected": ("Rejected line", "Rejected column", "Rejected because of this error"),
    "rejection": ("Rejection Row", "Rejection Field", "Rejection Reason"),
    "numbers": ("Line No.", "Column name", "Error message"),
    "camel-case": ("lineNumber", "fieldName", "rejectReason"),
    "other-order": ("Reject Nr", "Why", "Rows"),
}
REASON = "saleAmount is not an amount such as 23245.09"
REASONS = {
    *parsing.DATE_REASONS, *parsing.KEY_REASONS, *parsing.ADDRESS_REASONS, parsing.NOT_A_TIMESTAMP, parsing.NOT_A_DAY,
    parsing.OUTSIDE_YEARS, parsing.NOT_AN_AMOUNT, parsing.TOO_MANY_DIGITS, parsing.NOT_A_BOOLEAN, parsing.OFFICE_ID_CHANGED,
    parsing.OFFICE_ID_INVISIBLE, parsing.OFFICE_ID_TOO_LONG, "has 2 cells where the header has 3", "is not UTF-8 text",
    JOINED_HEADER, REPEATED_HEADER, LABEL_AS_ID.format("_id"),
    *(text for name, text in vars(problems).items() if name.isupper() and isinstance(text, str)),
}  # fmt: skip


@pytest.mark.parametrize("names", RENAMED.values(), ids=RENAMED.keys())
@pytest.mark.parametrize("kept", [(0, 1, 2), (0, 1), (0, 2), (1, 2)], ids=str)
@pytest.mark.parametrize("places", [(0, 1, 2), (4, 5, 6), (0, 2, 4)], ids=str)
def test_renamed_labels_are_recognised_or_refused(
    names: tuple[str, ...], kept: tuple[int, ...], places: tuple[int, ...]
) -> None:
    """Otherwise the apostrophes of the escape would be stored."""
    header, *rows = rejects_table(ours_at=places, kept=kept)
    renamed = dict(zip(REJECT_LABELS, names, strict=True))

    try:
        items, _, _ = read_rejects_file(
            delimited([[renamed.get(it, it) for it in header], *rows])
        )
    except HeaderMismatch as refused:
        assert "seems to be a rejects file" in str(refused)  # noqa: PT017 -- either is right
    else:
        assert [
            item.values for item in items if isinstance(item, Record)
        ] == REJECTED_VALUES


@pytest.mark.parametrize("names", [*RENAMED.values()][:3], ids=[*RENAMED][:3])
def test_three_renamed_labels_are_recognised(names: tuple[str, ...]) -> None:
    header, *rows = rejects_table()
    renamed = dict(zip(REJECT_LABELS, names, strict=True))

    assert_recognised([[renamed.get(it, it) for it in header], *rows])


@pytest.mark.parametrize("label", ["reject", "Rejected", "line", "Row", "column", "Reason", "error"])  # fmt: skip
@pytest.mark.parametrize("rows_before", [0, 150, 3000])
def test_single_renamed_label_refuses_a_file_with_escapes(
    label: str, rows_before: int
) -> None:
    rows = "".join(f"a{n},x,y\n" for n in range(rows_before))
    body = f"_id,customer.nameLast,{label}\n{rows}b1,{{}},y\n"

    with pytest.raises(HeaderMismatch) as refused:
        read_rejects_file(body.format("'=x").encode())

    assert f"{label!r} may have been 'reject_" in str(refused.value)
    items, ignored, _ = read_rejects_file(body.format("'x").encode())
    assert (len(items), ignored) == (rows_before + 1, (label,))


@pytest.mark.parametrize("labels", ["Zeile,Spalte,Grund", "x,y,z", ",,", "a,Notes,b"])
def test_rejects_file_with_other_labels_is_refused_by_its_reasons(labels: str) -> None:
    """Also without escapes in the first rows: others may follow."""
    row = f'7,saleAmount,"{REASON}",a1,x\n'
    body = f"{labels},_id,saleAmount\n{row * 5}"

    with pytest.raises(HeaderMismatch) as refused:
        read_rejects_file(body.encode())

    assert "Restore that label" in str(refused.value)


@pytest.mark.parametrize("reason", sorted(REASONS))
@pytest.mark.parametrize("prefix", ["", "_id ", "customer.nameLast "])
def test_every_reason_is_known(reason: str, prefix: str) -> None:
    rows = [["Grund", "_id", "customer.nameLast"], [prefix + reason, "a1", "x"]]

    with pytest.raises(HeaderMismatch, match="seems to be a rejects file"):
        read_rejects_file(delimited(rows))


@pytest.mark.parametrize("note", ["is away", "has a dog", "_id", "contains asbestos", "Email is wrong", "saleAmount has changed", "not an amount"])  # fmt: skip
def test_notes_are_no_reasons(note: str) -> None:
    items, _, _ = read_rejects_file(f"Grund,_id,Email\n{note},a1,x\n".encode())

    assert len(items) == 1


def test_renamed_column_may_name_labels() -> None:
    rows = rejects_table()
    rows[0][:3] = ["Line", "Column", "Reason"]
    rows[1][1], rows[2][1] = "_id", "customer.nameLast"

    assert_recognised(rows)

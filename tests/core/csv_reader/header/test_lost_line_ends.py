"""Headers and rows in one line, headers in two lines, and headers that fit few rows."""

from __future__ import annotations

from itertools import product

import pytest

from salespro_core.errors import HeaderMismatch, InputError
from tests.core.csv_reader.damage import LABELS, QUOTINGS, TABLES, imported

EXPORTS = ("appointments", "users")


def refusal(text: str) -> str:
    with pytest.raises(InputError) as refused:
        imported(text.encode())
    return str(refused.value)


@pytest.mark.parametrize(
    ("export", "quoting", "joint"),
    list(product(EXPORTS, QUOTINGS, ("", ",", " ", "\t"))),
)
def test_file_without_its_line_ends_is_refused(
    export: str, quoting: str, joint: str
) -> None:
    """Every cell would be a label that is ignored, and so in the report."""
    rows = [LABELS[export], *TABLES[export][:5]]
    lines = [",".join(map(QUOTINGS[quoting], cells)) for cells in rows]

    said = refusal(joint.join(lines))

    assert not any(cells[0] in said for cells in TABLES[export][:5])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param('"_id","resultFullString""a1","Sold""b1","Sold"', " in line 1", id="quoted"),
        pytest.param('"_id","Notes""a1","Sold""b1","Lost"', "", id="quoted-unknown-label"),
        pytest.param("_id,resultFullStringa1,Soldb1,Lost", "", id="unquoted"),
        pytest.param("_id,Notes,resultFullStringa1,x,Soldb1,y,Lost\n", "", id="three-columns"),
        pytest.param("_id,isSale,Notes,a1,TRUE,Sold,b1,FALSE,Sold", " in line 1", id="commas"),
        pytest.param("_id,Notes,ann@example.com,x", " in line 1", id="email"),
        pytest.param("_id,Notes,2025-06-06T00:16:45.538Z", " in line 1", id="timestamp"),
        pytest.param("_id,Notes,10.50", " in line 1", id="amount"),
    ],
)  # fmt: skip
def test_rows_in_the_line_of_the_header_refuse_a_narrow_file(
    text: str, place: str
) -> None:
    """Where only the end of the file shows it, the line is not known any more."""
    assert refusal(text) == (
        f"The header{place} goes on with the cells of rows: line ends are lost. Export "
        "the file again."
    )


def test_error_about_lost_line_ends_has_no_wrong_line() -> None:
    assert refusal("\n\n_id,Notes,resultFullStringa1,x,Sold\n").startswith(
        "The header goes on with"
    )
    assert "in line 3 goes on with" in refusal("\n\n_id,Notes,ann@example.com,x\n")


@pytest.mark.parametrize(
    "text",
    ["_id,saleAmount;Ann Lee\n", "_id,resultFullString|Ann Lee\n", "_id,saleAmount\tAnn Lee\n"],
)  # fmt: skip
def test_other_text_beside_a_label_is_not_in_the_message(text: str) -> None:
    assert "Ann" not in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "_id\n",
        "_id,Notes\n",
        "_id,A,B,C,D\n",
        "_id,saleAmount,x,y",
        "_id,isSaleDate,saleAmount\n",
        "_id,isSaleDate,saleAmount\n\n,,\n",
        "\n\n_id,isSaleDate,saleAmount\n",
        "_id,A,saleAmountTax,B,isSale\n",
        "saleAmountTax,isSaleDate,_id",
        "User Object ID,Email Opt-In,Username\n",
    ],
)
def test_header_without_rows_is_still_an_empty_file(text: str) -> None:
    rows, rejects, messages = imported(text.encode())

    assert (rows, rejects) == ([], [])
    # Labels that resemble a missing one, such as isSaleDate, are still pointed out.
    assert all(message.startswith("The file has no column") for message in messages)


@pytest.mark.parametrize(
    ("label", "meant"),
    [
        ("Job Representative", "Job Representative ID"),
        ("License", "License Number"),
        ("Assigned", "Assigned Office"),
        ("Send Credit", "Send Credit Apps"),
        ("Additional", "Additional Amount"),
        ("Search Other Users", "Search Other Users Estimates"),
    ],
)
def test_label_that_is_cut_off_after_a_word_refuses_the_file(
    label: str, meant: str
) -> None:
    assert f"{label!r} is not a known label, but nearly {meant!r}" in refusal(
        f"User Object ID,{label}\nu1,x\n"
    )


@pytest.mark.parametrize("label", ["customer.name", "salesrep.name", "Last", "Job"])
def test_beginning_of_several_labels_or_short_word_is_another_column(
    label: str,
) -> None:
    assert imported(f"_id,{label}\na1,x\n".encode())[0] == ["a1"]


@pytest.mark.parametrize(
    "text",
    [
        "_id\nresultFullString\na1,Sold\n",
        "_id\nresultFullString\na1,Sold\nb1,Sold\nc1,Sold\n",
        "_id,isSale\nresultFullString\na1,TRUE,Sold\n",
        "_id\nisSale,resultFullString\na1,TRUE,Sold\n",
        '"_id"\n"resultFullString"\n"a1","Sold"\n',
    ],
)
def test_header_in_two_lines_is_refused(text: str) -> None:
    assert "line break between its labels" in refusal(text)


@pytest.mark.parametrize("rows", [1, 5, 30])
@pytest.mark.parametrize(
    ("header", "row", "text"),
    [
        ("_id", "a{},Sold", 'b{},"Said ""no, not now""\ncall again\n, in June"'),
        ("_id", "a{},Sold", 'b{},"Sold\ncallagain"'),
        ("_id,saleAmount", "a{},5,x", 'b{},5,"Said\ncall,5\nno"'),
    ],
)
def test_line_of_a_cell_that_fits_the_header_by_chance_is_no_row(
    header: str, row: str, text: str, rows: int
) -> None:
    plain = [row.format(n) for n in range(2 * rows)]
    several = [text.format(n) for n in range(rows // 2 + 1)]

    with pytest.raises(HeaderMismatch, match="rows have"):
        imported("\n".join([header, *plain, *several, ""]).encode())


def test_corrected_row_of_a_rejects_file_is_imported_beside_rows_with_surplus_cells() -> (
    None
):
    rows = ["2,,x,a1,5,", "3,,x,a2,5,", "4,,x,a3,5", "5,,x,a4,5,"]
    header = "reject_line,reject_column,reject_reason,_id,saleAmount"

    found, rejects, _ = imported("\n".join([header, *rows, ""]).encode())

    assert (found, len(rejects)) == (["a3"], 3)


def test_most_of_the_first_rows_decide_wherever_a_row_fits() -> None:
    """A header without one of its commas fits the row that lost one, too."""
    for place in range(5):
        rows = [f"a{n},x,5" for n in range(5)]
        rows[place] = "b1,5"

        with pytest.raises(HeaderMismatch, match="most rows have 3 cells each"):
            imported("\n".join(["_id,NotessaleAmount", *rows, ""]).encode())

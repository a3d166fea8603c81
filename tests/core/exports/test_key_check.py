"""Text in the place of an id is rejected; ids of letters, digits, -, _ and . are kept."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_core.csv_reader.recovery.problems import STRAY_QUOTE
from salespro_core.exports.column_types import identifier, key
from salespro_core.exports.key_check import (
    BOOLEAN_VALUE,
    DOS_END,
    MARKS,
    NO_ID,
    OTHER_MARK,
    REPLACED,
    SPACE_INSIDE,
    TIME_VALUE,
    TOTAL,
    WORD,
    check_key,
)
from salespro_core.model.rejects import Problem
from tests.core.csv_reader.damage import LABELS, TABLES, file_with, imported, keys
from tests.core.exports.parsing import PURE, is_accepted, parse_error

KEY = key(50)
TOTALS = (
    "Total", "TOTAL", "total:", "Totals", "Grand Total", "grand total: 254", "Subtotal",
    "Sub-Total", "sub total", "GRANDTOTAL", "Report Total", "Total rows: 254", "Total=254",
    "Baltimore Total",
)  # fmt: skip


@pytest.mark.parametrize("cell", TOTALS)
def test_label_of_a_total_is_rejected_also_among_ordinary_ids(cell: str) -> None:
    assert parse_error(KEY, cell) == TOTAL
    assert KEY.all_canonical is not None
    assert not KEY.all_canonical(["xWMyZ4YEGZ", cell])


@pytest.mark.parametrize("cell", ["xTotalYEGZ", "totalYEGZa", "aTotal", "sTOTALs9"])
def test_id_that_contains_the_word_is_kept(cell: str) -> None:
    assert KEY.parse(cell) == cell


@pytest.mark.parametrize("cell", ["-", "---", "=" * 9, "***", "...", "?", "\u2014", "()", "/", "_"])  # fmt: skip
def test_text_without_letter_and_digit_is_not_an_id(cell: str) -> None:
    assert not is_accepted(KEY, cell)
    assert cell.startswith("=") or parse_error(KEY, cell) == NO_ID


@pytest.mark.parametrize(
    "marks",
    ['""', "``", "\u201c\u201d", "\u201e\u201c", "\u2018\u2019", "\xab\xbb", "\xb4\xb4",
     "\u2033\u2033", "\uff02\uff02", "||", "~~", "$$", "%%", "//", "()", "[]", "<>", "{}", "**"],
)  # fmt: skip
def test_id_within_marks_is_rejected(marks: str) -> None:
    assert parse_error(KEY, f"{marks[0]}xWMyZ4YEGZ{marks[1]}") == MARKS


@pytest.mark.parametrize("cell", ['"xWMyZ4YEGZ', 'xWMyZ4YEGZ"', "xWMyZ4YEGZ'", "xWMyZ4YEGZ\u201d"])  # fmt: skip
def test_id_with_a_quote_at_one_end_is_rejected(cell: str) -> None:
    assert parse_error(KEY, cell) == MARKS


@pytest.mark.parametrize("cell", ["-xWMyZ4YEG", "_xWMyZ_", "-x-", "A-1", "a.b:c/d", "#12", "12%", "ключ"])  # fmt: skip
def test_id_of_other_systems_is_kept(cell: str) -> None:
    assert KEY.parse(cell) == cell


def test_id_with_a_replaced_character_is_rejected() -> None:
    assert parse_error(KEY, "xWM\N{REPLACEMENT CHARACTER}4YEGZ") == REPLACED


@pytest.mark.parametrize("export", ["appointments", "users"])
@pytest.mark.parametrize("mark", ["\x1a", "\x1a\x1a", " \x1a", "\x1a\ufeff"])
def test_0x1a_between_two_files_is_named(export: str, mark: str) -> None:
    """COPY of DOS leaves it at the end of each file."""
    row = ",".join([f"{mark}zz1", *("" for _ in LABELS[export][1:])])

    found, [reject], _ = imported(file_with(export, row, 17))

    assert found == keys(export)
    assert reject.problems == (Problem(LABELS[export][0], DOS_END),)


TEXTS = {
    WORD: ["NULL", "null", "None", "NaN", "nan", "N/A", "undefined", "EOF", "sep="],
    TOTAL: [
        "Sum", "SUM", "Count:", "Average", "Gesamt", "Summe:", "Итого", "合計", "Summary", "SUMMARY", "summary",
        "Summary:", "Summary: 254", "Sum=254", "Gesamt: 254", "Résumé", "Podsumowanie", "TOPLAM", "Celkem", "합계",
    ],
    BOOLEAN_VALUE: [
        "TRUE", "true", "False", "WAHR", "FALSCH", "Wahr", "wahr", "VRAI", "FAUX", "VERDADERO", "FALSO", "Verdadero",
        "VERO", "WAAR", "ONWAAR", "SANT", "PRAWDA", "FAŁSZ", "ИСТИНА", "ЛОЖЬ", "DOĞRU", "真", "거짓",
    ],
    TIME_VALUE: [
        "12:30", "0:16", "00:16", "1:30 PM", "01:30 a.m.", "12:30:00", "25:30:00", "16:45.5", "0:16:45,538",
        "8766:00:00", "12:30:00 AM",
    ],
    SPACE_INSIDE: [
        "254 rows", "# by SalesPro", "-- end --", "Page 1 of 3", "Call back", "a1 a1", "Confidential, do not distribute",
        "Generated on 2025-06-18", "Row count: 254", "End of report", "(1) a",
    ],
    OTHER_MARK: [
        "a'1", "+a1", "@a1", "//note", "/*note", "a1,a1", "a1;a1", "a1|b1", "Note:", "Sold!x", "*a1", "\\N",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "cell"),
    [(reason, cell) for reason, cells in TEXTS.items() for cell in cells],
)
def test_text_in_the_place_of_an_id_is_rejected(reason: str, cell: str) -> None:
    assert parse_error(KEY, cell) == parse_error(KEY, f" {cell}\t") == reason


@pytest.mark.parametrize(
    "cell",
    [
        "xWMyZ4YEGZ", "a1", "-a1", "_a1", ".a1", "a-1", "a_1", "a.1", "a1.", ".0.", "12E34567", "0012", "Ünal1", "Total1", "totalX9aB",
        "Summer", "550e8400-e29b-41d4-a716-446655440000", "a:1", "a/1", "YWI+Yw==", "nULl", "NA", "a1@office", "東京1", "wAHR", "WAHR1", "a12:30", "12:3",
        "12:75", "2025:12", "1:2:3", "sum.1", "sum-1", "Ja", "NEIN",
    ],
)  # fmt: skip
def test_other_id_is_kept(cell: str) -> None:
    assert KEY.parse(cell) == cell


@PURE
@given(st.from_regex(r"\A[0-9A-Za-z._-]{1,50}\Z"))
def test_ids_of_letters_digits_and_three_marks_are_kept(cell: str) -> None:
    """Those without a digit may be words."""
    if any(map(str.isdigit, cell)):
        check_key(cell)


@pytest.mark.parametrize("cell", ["Total", "GRANDTOTAL", "GrandTotal", "null"])
def test_fast_path_leaves_a_word_to_the_parser(cell: str) -> None:
    assert KEY.all_canonical is not None
    assert KEY.all_canonical(["a1", "b1"])
    assert not KEY.all_canonical(["a1", cell, "b1"])


@pytest.mark.parametrize("cell", ["4000.0", "Total", "N/A", "EMP 1", "#12", "---"])
def test_identifier_of_another_system_is_kept_as_text(cell: str) -> None:
    """`4000.0` is what pandas makes of 4000: nobody knows which of the two was meant."""
    assert identifier(50).parse(cell) == cell


@pytest.mark.parametrize("export", ["appointments", "users"])
@pytest.mark.parametrize("place", [0, 17, 40])
def test_footer_or_comment_is_rejected_and_its_neighbours_are_imported(
    export: str, place: int
) -> None:
    """Blank cells or text after it: each would be a valid record."""
    cells = [
        *TOTALS,
        "---",
        "“a1”",
        *(cell for cells in TEXTS.values() for cell in cells),
    ]
    others = (["" for _ in LABELS[export][1:]], TABLES[export][3][1:])
    for cell, other in product(cells, others):
        quoted = '"' + cell.replace('"', '""') + '"'
        body = file_with(export, ",".join([quoted, *other]), place)

        found, rejects, warnings = imported(body)

        assert found == keys(export), cell
        assert [len(reject.problems) for reject in rejects] == [1], cell
        assert not warnings


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"_id,resultFullString\na1,Sold\nGrand Total:,254\n", id="last"),
        pytest.param(b"_id,resultFullString\nTotal,1\na1,Sold\n", id="first"),
        pytest.param(b"_id,resultFullString\n---,---\na1,Sold\n", id="ruled-line"),
        pytest.param(b"_id,resultFullString\n# by SalesPro,x\na1,Sold\n", id="comment"),
        pytest.param(
            b"resultFullString,_id\nSold,a1\n# by, Sales Pro\n", id="key-last"
        ),
        pytest.param(b"_id,resultFullString\na1,Sold\nsep=,\n", id="sep"),
    ],
)
def test_footer_of_a_narrow_file_is_rejected(body: bytes) -> None:
    found, rejects, _ = imported(body)

    assert (found, len(rejects)) == (["a1"], 1)


@pytest.mark.parametrize("export", ["appointments", "users"])
def test_text_formula_without_quotes_around_it_is_rejected(export: str) -> None:
    """A spreadsheet doubles the quotes of ="0012"; a script may not."""
    rest = ",".join("" for _ in LABELS[export][1:])

    found, [reject], _ = imported(file_with(export, f'="0012",{rest}', 17))

    assert found == keys(export)
    assert reject.problems == (Problem(None, STRAY_QUOTE),)
    assert reject.cells[0] == '="0012"'

"""Formulas are escaped for spreadsheets, and unescaped without loss."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_core.csv_reader.csv_injection import escape_formula, unescape_formula

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@pytest.mark.parametrize(
    "cell",
    [
        *(
            pytest.param(f"{first}1+1", id=f"begins-with-{first!r}")
            for first in FORMULA_STARTS
        ),
        pytest.param("\n=1", id="line-feed"),
        pytest.param("  =1", id="after-space"),
        pytest.param("\N{NO-BREAK SPACE}=1", id="after-a-no-break-space"),
        pytest.param("\N{FULLWIDTH EQUALS SIGN}1", id="full-width-equals-sign"),
        pytest.param("-12.505", id="amount"),
        pytest.param("+1 555 0100", id="telephone"),
        pytest.param("'=1", id="escaped-already"),
        pytest.param("''''@x", id="many-apostrophes"),
    ],
)
def test_formula_gets_an_apostrophe_and_loses_it_again(cell: str) -> None:
    assert escape_formula(cell) == f"'{cell}"
    assert unescape_formula(escape_formula(cell)) == cell


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "12.50",
        "Sold",
        "O'Brien",
        "'quoted'",
        "'",
        "a=b",
        "2025-06-06",
        "Ünal",
        "(=1)",
    ],
)
def test_text_that_is_not_a_formula_is_unchanged(cell: str) -> None:
    assert escape_formula(cell) == cell
    assert unescape_formula(cell) == cell


@given(st.text(st.sampled_from("'=+-@\t\r\n x\udce9") | st.characters()))
def test_any_cell_is_restored_and_never_a_formula(cell: str) -> None:
    assert unescape_formula(escape_formula(cell)) == cell
    assert not escape_formula(cell).startswith(FORMULA_STARTS)


def test_payloads_of_the_corpus_are_escaped_and_restored(corpus: Path | None) -> None:
    if corpus is None:
        pytest.skip("the corpus is not next to this checkout")
    file = corpus / "csv-injection-payloads" / "csv-payload.txt"
    payloads = file.read_text(encoding="utf-8").splitlines()

    assert len(payloads) >= 6
    for payload in payloads:
        assert not escape_formula(payload).startswith(FORMULA_STARTS)
        assert unescape_formula(escape_formula(payload)) == payload

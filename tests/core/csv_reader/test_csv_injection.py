"""A spreadsheet runs nothing of ours, and nothing is lost on the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_core.csv_reader.csv_injection import neutral, original

RUN = ("=", "+", "-", "@", "\t", "\r")


@pytest.mark.parametrize(
    "cell",
    [
        *(pytest.param(f"{first}1+1", id=f"begins-with-{first!r}") for first in RUN),
        pytest.param("\n=1", id="line-feed"),
        pytest.param("  =1", id="behind-space"),
        pytest.param("\N{NO-BREAK SPACE}=1", id="behind-a-space-that-does-not-break"),
        pytest.param("\N{FULLWIDTH EQUALS SIGN}1", id="as-wide-as-a-letter-of-kanji"),
        pytest.param("-12.505", id="amount"),
        pytest.param("+1 555 0100", id="telephone"),
        pytest.param("'=1", id="neutral-already"),
        pytest.param("''''@x", id="many-apostrophes"),
    ],
)
def test_what_would_be_run_has_an_apostrophe_before_it(cell: str) -> None:
    assert neutral(cell) == f"'{cell}"
    assert original(neutral(cell)) == cell


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
def test_what_is_text_anyway_stays_as_it_is(cell: str) -> None:
    assert neutral(cell) == cell
    assert original(cell) == cell


@given(st.text(st.sampled_from("'=+-@\t\r\n x\udce9") | st.characters()))
def test_any_cell_comes_back(cell: str) -> None:
    assert original(neutral(cell)) == cell
    assert not neutral(cell).startswith(RUN)


def test_payloads_of_the_corpus_are_text(corpus: Path | None) -> None:
    if corpus is None:
        pytest.skip("the corpus is not beside this checkout")
    file = corpus / "csv-injection-payloads" / "csv-payload.txt"
    payloads = file.read_text(encoding="utf-8").splitlines()

    assert len(payloads) >= 6
    for payload in payloads:
        assert not neutral(payload).startswith(RUN)
        assert original(neutral(payload)) == payload

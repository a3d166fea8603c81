"""Numbers and texts are formatted for people."""

from __future__ import annotations

import pytest

from salespro_core.report.html_report.format import (
    format_percent,
    format_row_count,
    format_size,
    replace_invisible,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Núñez, 東京\n\tzwei", "Núñez, 東京\n\tzwei", id="letters"),
        pytest.param("a\0b\x1b[31m\x9b", "a�b�[31m�", id="controls"),
        pytest.param(
            "\ud800\udce9 \u202egnp.exe", "�� �gnp.exe", id="surrogates-and-direction"
        ),
        pytest.param("\r", "�", id="carriage-return"),
    ],
)
def test_invisible_characters_become_replacement_characters(
    text: str, expected: str
) -> None:
    assert replace_invisible(text) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "0.0"), (1e-6, "0.1"), (0.2233, "22.3"), (0.99999, "99.9"), (1, "100.0")],
)
def test_percent_is_zero_or_hundred_only_if_exact(share: float, expected: str) -> None:
    assert format_percent(share) == f"{expected}\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB (1,000 bytes)"),
        (37_000_000, "37.0 MB (37,000,000 bytes)"),
        (5_000_000_000_000, "5,000.0 GB (5,000,000,000,000 bytes)"),
    ],
)
def test_size_has_a_unit_and_the_exact_bytes(size_bytes: int, expected: str) -> None:
    assert format_size(size_bytes) == expected


def test_row_count_is_singular_for_one_row() -> None:
    assert [format_row_count(n) for n in (0, 1, 2374)] == ["0 rows", "1 row", "2,374 rows"]  # fmt: skip

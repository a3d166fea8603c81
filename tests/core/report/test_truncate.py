"""Long texts are truncated to a maximum length."""

from __future__ import annotations

import pytest

from salespro_core.report.truncate import truncate, truncate_pair


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), ("abcde", "abcde"), ("abcdef", "abcd…")],
)
def test_truncated_text_has_the_maximum_length(text: str, expected: str) -> None:
    assert truncate(text, 5) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("a", "b", ("a", "b"), id="short"),
        pytest.param(None, "abcdefghij", (None, "abcdefg…"), id="new-row"),
        pytest.param("abcdefghij", None, ("abcdefg…", None), id="value-removed"),
        pytest.param("x" * 20 + "y", "x" * 20, ("…xxy", "…xx"), id="end-differs"),
        pytest.param("y" + "x" * 20, "x" * 20, ("yxxxxxx…", "xxxxxxx…"), id="start-differs"),
    ],
)  # fmt: skip
def test_first_difference_of_a_truncated_pair_is_visible(
    old: str | None, new: str | None, expected: tuple[str | None, str | None]
) -> None:
    assert truncate_pair(old, new, 8) == expected

"""Log lines can be shown by a terminal and keep their values."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from handler.observability.json_lines import to_json_line


def test_each_character_is_kept_and_none_is_a_control() -> None:
    text = "".join(map(chr, range(sys.maxunicode + 1)))

    line = to_json_line({"key": text})

    assert line.isprintable()
    # JSON has pairs of surrogates for the characters above U+FFFF.
    assert json.loads(to_json_line({"key": text[:0xD800]})) == {"key": text[:0xD800]}


@given(text=st.text())
def test_text_is_read_back(text: str) -> None:
    line = to_json_line({"key": text, text: 1})

    assert line.encode().decode() == line
    assert json.loads(line) == {"key": text} | {text: 1}


def test_umlauts_are_readable_and_other_values_are_text() -> None:
    fields: dict[str, object] = {
        "key": "Müller 売上.csv",
        "at": datetime(2025, 6, 1, tzinfo=UTC),
    }

    assert (
        to_json_line(fields)
        == '{"key":"Müller 売上.csv","at":"2025-06-01 00:00:00+00:00"}'
    )

"""Columns of values as Postgres array literals.

psycopg's adaptation, element by element, takes longer than parsing the CSV.  A property
test compares these literals with those of psycopg.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

# Placeholders for the separator and for NULL while values are escaped.  They contain NUL,
# which no text value of Postgres can contain.
_SEPARATOR = "\0,\0"
_NULL = "\0N\0"


def array_literal(values: Sequence[str | None], *, is_text: bool) -> str:
    """The array literal of these values; None is NULL.

    Source: PostgreSQL documentation, section 8.15.6, "Array Input and Output Syntax".

    Args:
        values: text that Postgres reads as the element's type.
        is_text: values may contain any character but NUL, so each is quoted.

    Raises:
        ValueError: a value contains a NUL that would be read as a placeholder.  Postgres
            refuses any other NUL.
    """
    return join_pieces([elements(values, is_text=is_text)])


def join_pieces(pieces: Iterable[str]) -> str:
    """The array literal of the elements in these pieces."""
    return "{" + ",".join(filter(None, pieces)) + "}"


def elements(values: Sequence[str | None], *, is_text: bool) -> str:
    """The part of the literal between the braces; see `array_literal`."""
    texts = cast("Sequence[str]", values)
    has_null = False
    try:
        text = ("" if is_text else ",").join(texts)
    except TypeError:
        has_null, null = True, "" if is_text else "NULL"
        texts = [null if value is None else value for value in values]
        text = ("" if is_text else ",").join(texts)
    if not is_text or not values:
        return text
    if '"' in text or "\\" in text or (has_null and "" in values):
        return _escaped(values)
    text = '","'.join(texts)
    return f'"{text}"'.replace('""', "NULL") if has_null else f'"{text}"'


def _escaped(values: Sequence[str | None]) -> str:
    text = _SEPARATOR.join([_NULL if value is None else value for value in values])
    if text.count("\0") != 2 * (len(values) - 1 + values.count(None)):
        raise ValueError("a value contains a NUL")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace(_SEPARATOR, '","')
    return f'"{text}"'.replace(f'"{_NULL}"', "NULL")

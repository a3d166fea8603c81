"""Columns of values as the literals of Postgres arrays.

psycopg's own adaptation costs more than parsing the CSV; a property test holds this one to
what psycopg would send.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

# What stands between values, and for none, until they are escaped: Postgres has no NUL in
# a text.
_BETWEEN = "\0,\0"
_NONE = "\0N\0"


def array_text(values: Sequence[str | None], *, is_text: bool) -> str:
    """Return the literal of an array of these values; None is NULL.

    Source: PostgreSQL documentation, section 8.15.6, "Array Input and Output Syntax".

    Args:
        values: text that Postgres reads as the element's type.
        is_text: a value may hold anything but a NUL, so that each has to be quoted.

    Raises:
        ValueError: a NUL that would be misread.  Any other one goes through, and is
            refused when it is sent.
    """
    return joined([elements(values, is_text=is_text)])


def joined(pieces: Iterable[str]) -> str:
    """The literal of an array of which these are the elements, piece by piece."""
    return "{" + ",".join(filter(None, pieces)) + "}"


def elements(values: Sequence[str | None], *, is_text: bool) -> str:
    """What stands between the braces; arguments and errors are those of `array_text`."""
    texts = cast("Sequence[str]", values)
    has_none = False
    try:
        text = ("" if is_text else ",").join(texts)
    except TypeError:
        has_none, none = True, "" if is_text else "NULL"
        texts = [none if value is None else value for value in values]
        text = ("" if is_text else ",").join(texts)
    if not is_text or not values:
        return text
    if '"' in text or "\\" in text or (has_none and "" in values):
        return _escaped(values)
    text = '","'.join(texts)
    return f'"{text}"'.replace('""', "NULL") if has_none else f'"{text}"'


def _escaped(values: Sequence[str | None]) -> str:
    text = _BETWEEN.join([_NONE if value is None else value for value in values])
    if text.count("\0") != 2 * (len(values) - 1 + values.count(None)):
        raise ValueError("a value holds a NUL")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace(_BETWEEN, '","')
    return f'"{text}"'.replace(f'"{_NONE}"', "NULL")

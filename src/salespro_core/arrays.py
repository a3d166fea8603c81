"""Columns of values as the literals of Postgres arrays.

psycopg's own adaptation costs more than parsing the CSV; a property test holds this one to
what psycopg would send.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast


def array_text(values: Sequence[str | None], *, is_text: bool) -> str:
    """Return the literal of an array of these values; None is NULL.

    Source: PostgreSQL documentation, section 8.15.6, "Array Input and Output Syntax".

    Args:
        values: text that Postgres reads as the element's type.
        is_text: a value may hold anything but a NUL, so that each has to be quoted.

    Raises:
        ValueError: a NUL that would make two of a value.  Any other one goes through, and
            is refused when it is sent.
    """
    return joined([elements(values, is_text=is_text)])


def joined(pieces: Iterable[str]) -> str:
    """The literal of an array of which these are the elements, piece by piece."""
    return "{" + ",".join(filter(None, pieces)) + "}"


def elements(values: Sequence[str | None], *, is_text: bool) -> str:
    """What stands between the braces; arguments and errors are those of `array_text`."""
    between = '","' if is_text else ","
    try:
        text = between.join(cast("Sequence[str]", values))
    except TypeError:  # there is a None
        return ",".join(
            "NULL" if v is None else _quoted(v) if is_text else v for v in values
        )
    if not is_text or not values:
        return text
    if "\\" in text or text.count('"') > 2 * (len(values) - 1):
        # Postgres has no NUL in a text, so that one can stand between two for a while.
        text = "\0".join(cast("Sequence[str]", values))
        if text.count("\0") >= len(values):
            raise ValueError("a value holds a NUL")
        text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\0", between)
    return f'"{text}"'


def _quoted(value: str) -> str:
    if '"' in value or "\\" in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'

"""Texts truncated to a maximum length."""

from __future__ import annotations

from os.path import commonprefix

_ELLIPSIS = "…"


def truncate(text: str, max_length: int) -> str:
    """The text, or its start and an ellipsis."""
    return text if len(text) <= max_length else text[: max_length - 1] + _ELLIPSIS


def truncate_pair(
    old: str | None, new: str | None, max_length: int
) -> tuple[str | None, str | None]:
    """An old and a new value, both truncated so that their first difference is visible."""
    if old is None or new is None or max(len(old), len(new)) <= max_length:
        return old and truncate(old, max_length), new and truncate(new, max_length)
    same = len(commonprefix([old, new]))  # noqa: RUF071 -- texts, not paths
    start = max(0, same - max_length // 4)
    prefix = _ELLIPSIS if start else ""
    return (
        prefix + truncate(old[start:], max_length - len(prefix)),
        prefix + truncate(new[start:], max_length - len(prefix)),
    )

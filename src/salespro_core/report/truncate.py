"""Texts cut to what a report has room for."""

from __future__ import annotations

from os.path import commonprefix

_CUT = "…"


def cut(text: str, most: int) -> str:
    """The text, or its start and an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + _CUT


def cut_pair(
    old: str | None, new: str | None, most: int
) -> tuple[str | None, str | None]:
    """What stood somewhere and what will, cut so that the first difference is seen."""
    if old is None or new is None or max(len(old), len(new)) <= most:
        return old and cut(old, most), new and cut(new, most)
    same = len(commonprefix([old, new]))  # noqa: RUF071 -- texts, not paths
    start = max(0, same - most // 4)
    before = _CUT if start else ""
    return (
        before + cut(old[start:], most - len(before)),
        before + cut(new[start:], most - len(before)),
    )

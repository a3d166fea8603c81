"""A warning as text; only that of an incomplete file ends with a period."""

from __future__ import annotations

from salespro_core.model.rejects import FUTURE_VERSIONS, is_file_warning


def warning_text(problem: str, cells: int) -> str:
    """The warning, with the number of cells or rows where it counts them."""
    if problem == FUTURE_VERSIONS:
        return f"{problem} ({'1 row' if cells == 1 else f'{cells:,} rows'})"
    if is_file_warning(problem):
        return problem
    times = "once" if cells == 1 else f"{cells:,} times"
    return f"{problem}; the cell was ignored ({times})"

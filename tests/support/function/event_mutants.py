"""Events with one field left out, or replaced by another type or by odd text."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

# Text among them may not reach S3, Postgres or the log.
ODD_VALUES: list[Any] = [
    None,
    7,
    -1,
    True,
    1.5,
    [],
    {},
    "",
    "x",
    "\ud800",
    "\0",
    "%FF",
    "a" * 3000,
]
Path = tuple[str, ...]


def mutants(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401
    """The path of the field, and the value with it left out or replaced, at any depth."""
    if isinstance(value, dict):
        for name, field in value.items():
            here = (*path, name)
            yield here, {key: item for key, item in value.items() if key != name}
            for odd in ODD_VALUES:
                yield here, value | {name: copy.deepcopy(odd)}
            for below, mutant in mutants(field, here):
                yield below, value | {name: mutant}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for below, mutant in mutants(item, path):
                yield below, [*value[:index], mutant, *value[index + 1 :]]

"""CloudWatch Logs Insights, as much of it as the saved queries use.

Stricter than CloudWatch, where a field that no line has is an empty column: here it is an
error, and so is a number that is text.
Source: Amazon CloudWatch Logs User Guide, "CloudWatch Logs Insights query syntax" and
"Supported logs and discovered fields".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]

_NAME = r"@?[A-Za-z_][\w.]*"
_TEXT = r'"[^"]*"'
_IN = re.compile(rf"({_NAME}) in \[({_TEXT}(?:, ?{_TEXT})*)\]")
_IS = re.compile(rf"({_NAME}) = ({_TEXT})")
_IS_PRESENT = re.compile(rf"ispresent\(({_NAME})\)")
_PARSED = re.compile(rf"jsonParse\(@message\) as ({_NAME})")
_UNNEST = re.compile(rf"({_NAME}) into ({_NAME})")
_STATS = re.compile(rf"(.+) by ({_NAME})")
_SUM = re.compile(rf"sum\(({_NAME})\) as ({_NAME})")
_COUNT = re.compile(rf"count\(\*\) as ({_NAME})")
_SORT = re.compile(rf"({_NAME}) (asc|desc)")


class QueryError(AssertionError):
    """CloudWatch would refuse the query, or find nothing where it should."""


def run(query: str, lines: Sequence[str]) -> list[Row]:
    """What a query finds.

    Args:
        query: as it stands in the template.
        lines: of the log, in the order in which they were written.
    """
    rows = [_discovered(line, at) for at, line in enumerate(lines)]
    for command in re.split(r"\s*\|\s*", " ".join(query.split())):
        name, _, rest = command.partition(" ")
        if name not in _COMMANDS:
            raise QueryError(f"no command {name!r} is known")
        rows = _COMMANDS[name](rest, rows)
    return rows


def _discovered(line: str, at: int) -> Row:
    """The fields that CloudWatch finds in a line of JSON; null is no value."""
    fields = {name: v for name, v in _flat(json.loads(line)) if v is not None}
    # It takes no more than these from one line.
    assert len(fields) <= 200, "more fields than are discovered"
    return {"@timestamp": at, "@message": line, **fields}


def _flat(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _flat(inner, f"{name}.{key}" if name else key)
        case list():
            for at, inner in enumerate(value):
                yield from _flat(inner, f"{name}.{at}")
        case _:
            yield name, value


def _known(name: str, rows: Sequence[Row]) -> str:
    if not any(name in row for row in rows):
        raise QueryError(f"no line has a field {name!r}")
    return name


def _filter(rest: str, rows: list[Row]) -> list[Row]:
    if found := _IN.fullmatch(rest):
        name, wanted = _known(found[1], rows), set(json.loads(f"[{found[2]}]"))
        written = {row.get(name) for row in rows}
        if missing := wanted - written:
            raise QueryError(f"no line has {missing} as its {name}")
        return [row for row in rows if row.get(name) in wanted]
    if found := _IS.fullmatch(rest):
        name = _known(found[1], rows)
        return [row for row in rows if row.get(name) == json.loads(found[2])]
    if found := _IS_PRESENT.fullmatch(rest):
        return [row for row in rows if _known(found[1], rows) in row]
    raise QueryError(f"filter {rest}")


def _fields(rest: str, rows: list[Row]) -> list[Row]:
    if found := _PARSED.fullmatch(rest):
        return [row | {found[1]: json.loads(row["@message"])} for row in rows]
    names = [_known(name, rows) for name in rest.split(", ")]
    return [{name: row.get(name) for name in names} for row in rows]


def _unnest(rest: str, rows: list[Row]) -> list[Row]:
    found = _UNNEST.fullmatch(rest)
    if found is None:
        raise QueryError(f"unnest {rest}")
    name, *path = found[1].split(".")
    unnested = []
    for row in rows:
        value = row[name]
        for key in path:
            value = value[key]
        for item in value:
            flat = dict(_flat(item, found[2]))
            unnested.append(row | flat)
    return unnested


def _stats(rest: str, rows: list[Row]) -> list[Row]:
    found = _STATS.fullmatch(rest)
    if found is None:
        raise QueryError(f"stats {rest}")
    by = _known(found[2], rows)
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[by], []).append(row)
    return [
        {
            by: value,
            **dict(_aggregate(each, group) for each in found[1].split(", ")),
        }
        for value, group in groups.items()
    ]


def _aggregate(expression: str, group: list[Row]) -> tuple[str, int | float]:
    if found := _SUM.fullmatch(expression):
        return found[2], sum(_number(row, found[1]) for row in group)
    if found := _COUNT.fullmatch(expression):
        return found[1], len(group)
    raise QueryError(expression)


def _number(row: Mapping[str, Any], name: str) -> int | float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise QueryError(f"{name} is no number: {value!r}")
    return value


def _sort(rest: str, rows: list[Row]) -> list[Row]:
    found = _SORT.fullmatch(rest)
    if found is None:
        raise QueryError(f"sort {rest}")
    name = _known(found[1], rows)
    return sorted(rows, key=lambda row: _number(row, name), reverse=found[2] == "desc")


def _limit(rest: str, rows: list[Row]) -> list[Row]:
    return rows[: int(rest)]


_COMMANDS: dict[str, Callable[[str, list[Row]], list[Row]]] = {
    "filter": _filter,
    "fields": _fields,
    "unnest": _unnest,
    "stats": _stats,
    "sort": _sort,
    "limit": _limit,
}

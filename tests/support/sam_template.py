"""Reads template.yaml into plain dictionaries, with CloudFormation's long forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from tests.support import paths
from tools.templates.resolve import parameter_values, resolve

ROOT = paths.ROOT


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, `!GetAtt x` read as `Fn::GetAtt: x`."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


@cache
def template(name: str = "template.yaml") -> dict[str, Any]:
    """Return the whole template; callers must not change it."""
    loader = _Loader((ROOT / name).read_text(encoding="utf-8"))
    loaded = loader.get_single_data()
    assert isinstance(loaded, dict)
    return loaded


def deployed(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the template as deployed with these parameters and the defaults of the others."""
    return resolve(template(), parameter_values(template(), given))


def properties(name: str) -> dict[str, Any]:
    """Return the properties of a resource."""
    found = template()["Resources"][name]["Properties"]
    assert isinstance(found, dict)
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return name -> properties of all resources of one type."""
    return {
        name: resource["Properties"]
        for name, resource in template()["Resources"].items()
        if resource["Type"] == kind
    }


def variables() -> dict[str, Any]:
    """Return the environment variables of the function."""
    found = properties("Importer")["Environment"]["Variables"]
    assert isinstance(found, dict)
    return found


def statements(node: object) -> Iterator[dict[str, Any]]:
    """Yield every policy statement under `node`, conditional ones included."""
    match node:
        case dict() if "Effect" in node:
            yield node
        case dict():
            for value in node.values():
                yield from statements(value)
        case list():
            for value in node:
                yield from statements(value)


def as_list(value: object) -> list[object]:
    """Return a list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]

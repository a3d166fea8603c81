"""Replace the conditions and parameters of a template by what they are in one deployment.

Pure functions on the long forms of CloudFormation's functions (`Fn::If`, not `!If`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

Template = Mapping[str, Any]
NO_VALUE = {"Ref": "AWS::NoValue"}
_PLACEHOLDER = re.compile(r"\$\{(?!!)([^}]+)\}")


def parameter_values(template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """Parameter name -> value as text: the given values, and defaults for all others.

    Raises:
        KeyError: a given parameter does not exist.
        ValueError: a value is not among the allowed ones, or a parameter has no value.
    """
    declared = template["Parameters"]
    values = {}
    for name in given:
        declared[name]  # KeyError
    for name, parameter in declared.items():
        value = str(given.get(name, parameter.get("Default", "")))
        pattern = parameter.get("AllowedPattern")
        allowed = parameter.get("AllowedValues")
        if (pattern and not re.fullmatch(pattern, value)) or (
            allowed and value not in map(str, allowed)
        ):
            raise ValueError(f"{name} does not accept {value!r}")
        if name not in given and "Default" not in parameter:
            raise ValueError(f"{name} has no value")
        values[name] = value
    return values


def evaluate(  # noqa: PLR0911 -- one return per function
    condition: object, values: Mapping[str, str], conditions: Template | None = None
) -> object:
    """Evaluate a condition.

    Args:
        condition: or a part of one.
        values: of the parameters.
        conditions: of the template, for conditions that name others.

    Raises:
        NotImplementedError: the template uses another function.
    """

    def inner(part: object) -> object:
        return evaluate(part, values, conditions)

    match condition:
        case {"Ref": str(name)}:
            return values[name]
        case {"Condition": str(name)} if conditions is not None:
            return inner(conditions[name])
        case {"Fn::Equals": [left, right]}:
            return str(inner(left)) == str(inner(right))
        case {"Fn::Not": [part]}:
            return not inner(part)
        case {"Fn::And": list(parts)}:
            return all(map(inner, parts))
        case {"Fn::Or": list(parts)}:
            return any(map(inner, parts))
        case {"Fn::Join": [str(separator), {"Ref": str(name)}]}:
            return separator.join(values[name].split(","))
        case str() | int():
            return condition
    raise NotImplementedError(str(condition))


def rules_are_met(template: Template, values: Mapping[str, str]) -> bool:
    """Whether CloudFormation accepts the values together."""
    conditions = template["Conditions"]
    return all(
        bool(evaluate(assertion["Assert"], values, conditions))
        for rule in template.get("Rules", {}).values()
        if evaluate(rule.get("RuleCondition", {"Fn::And": []}), values, conditions)
        for assertion in rule["Assertions"]
    )


def resolve(template: Template, values: Mapping[str, str]) -> dict[str, Any]:
    """Return the template without parameters, rules and conditions.

    Args:
        template: with the long forms.
        values: of all parameters; see `parameter_values`.
    """
    conditions = template.get("Conditions", {})
    deployment = _Deployment(
        values=values,
        holds={
            name: bool(evaluate(condition, values, conditions))
            for name, condition in conditions.items()
        },
        lists={
            name
            for name, parameter in template["Parameters"].items()
            if parameter["Type"].startswith(("CommaDelimitedList", "List<"))
        },
    )
    left_out = {"Parameters", "Conditions", "Rules"}
    kept = {name: part for name, part in template.items() if name not in left_out}
    for section in ("Resources", "Outputs"):
        kept[section] = deployment.entries(template.get(section, {}))
    return kept


@dataclass(frozen=True, slots=True)
class _Deployment:
    """One deployment of a template.

    Attributes:
        values: parameter -> value.
        holds: condition -> whether it is true.
        lists: the parameters that are lists.
    """

    values: Mapping[str, str]
    holds: Mapping[str, bool]
    lists: AbstractSet[str]

    def entries(self, section: Template) -> dict[str, Any]:
        """The resources or outputs whose condition is true."""
        return {
            name: self.resolved({k: v for k, v in entry.items() if k != "Condition"})
            for name, entry in section.items()
            if self.holds.get(entry.get("Condition"), True)
        }

    def resolved(self, node: Any) -> Any:  # noqa: ANN401, PLR0911 -- any YAML, one return per form
        """Resolve what is known before the deployment."""
        match node:
            case {"Fn::If": [str(name), then, otherwise]}:
                return self.resolved(then if self.holds[name] else otherwise)
            case {"Ref": str(name)} if name in self.lists:
                return self.values[name].split(",")
            case {"Ref": str(name)} if name in self.values:
                return self.values[name]
            case {"Fn::Sub": str(text)}:
                return self._substituted(text, {})
            case {"Fn::Sub": [str(text), {**variables}]}:
                return self._substituted(text, variables)
            case dict():
                parts = {key: self.resolved(value) for key, value in node.items()}
                return {key: part for key, part in parts.items() if part != NO_VALUE}
            case list():
                parts_ = map(self.resolved, node)
                return [part for part in parts_ if part != NO_VALUE]
        return node

    def _substituted(self, text: str, variables: Mapping[Any, Any]) -> Any:  # noqa: ANN401
        """Texts go into the text; what CloudFormation resolves later stays a variable."""
        parts = {name: self.resolved(value) for name, value in variables.items()}
        texts = {name: part for name, part in parts.items() if isinstance(part, str)}
        known = {**self.values, **texts}
        text = _PLACEHOLDER.sub(lambda m: known.get(m[1], m[0]), text)
        if later := {name: part for name, part in parts.items() if name not in texts}:
            return {"Fn::Sub": [text, later]}
        return {"Fn::Sub": text} if _PLACEHOLDER.search(text) else text


def references(node: object) -> Iterator[str]:
    """Yield the name of each resource, parameter and pseudo parameter that a node refers to."""
    match node:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": str(text)}:
            yield text.partition(".")[0]
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from (name.partition(".")[0] for name in _PLACEHOLDER.findall(text))
        case {"Fn::Sub": [str(text), {**variables}]}:
            names = (name.partition(".")[0] for name in _PLACEHOLDER.findall(text))
            yield from (name for name in names if name not in variables)
            yield from references(variables)
        case dict():
            for value in node.values():
                yield from references(value)
        case list():
            for value in node:
                yield from references(value)

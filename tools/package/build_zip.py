"""`make package`: the zip of the function, and its contract for other tools than SAM.

The contract is deploy/contract.json: what the function needs around it, read from
template.yaml.  The Terraform module and the CDK construct read their settings there.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
CONTRACT: Final = ROOT / "deploy" / "contract.json"
# Service, or action -> what it is allowed on.
TARGETS: Final = {
    "s3:GetObject": "upload_objects",
    "s3:GetObjectTagging": "upload_objects",
    "s3:GetObjectVersion": "upload_objects",
    "s3:GetObjectVersionTagging": "upload_objects",
    "s3:ListBucket": "upload_bucket",
    "s3:ListBucketVersions": "upload_bucket",
    "s3:PutObject": "report_objects",
    "sqs": "queue",
    "logs": "log",
    "secretsmanager": "secret",
    "kms": "key",
    "sns": "topic",
    "rds-db": "database_user",
    "ec2": "network",
    "xray": "trace",
}
# Equal bytes give an equal zip: `sam deploy` and Terraform then change nothing.
ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)  # noqa: S101 -- YAML has no other
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


def contract(template: dict[str, Any]) -> dict[str, Any]:
    """What the function needs, from the parsed template."""
    parameters, resources = template["Parameters"], template["Resources"]

    def value(node: Any) -> Any:  # noqa: ANN401 -- any JSON value
        match node:
            case {"Ref": str(name)}:
                return parameters[name]["Default"]
            case list():
                return [value(each) for each in node]
        return node

    function = resources["Importer"]["Properties"]
    queue = resources["UploadQueue"]["Properties"]
    dead = resources["DeadLetterQueue"]["Properties"]
    [source] = [
        each
        for each in _mappings(template["Resources"])
        if "FunctionResponseTypes" in each
    ]
    return {
        "handler": function["Handler"],
        "runtime": function["Runtime"],
        "architectures": value(function["Architectures"]),
        "timeout": function["Timeout"],
        "memory_size": value(function["MemorySize"]),
        "environment": sorted(function["Environment"]["Variables"]),
        "queue": {
            "visibility_timeout": queue["VisibilityTimeout"],
            "retention": queue["MessageRetentionPeriod"],
            "max_receive_count": queue["RedrivePolicy"]["maxReceiveCount"],
            "dead_letter_retention": dead["MessageRetentionPeriod"],
        },
        "event_source": {
            "batch_size": source["BatchSize"],
            "function_response_types": source["FunctionResponseTypes"],
            "maximum_concurrency": value(source["ScalingConfig"]["MaximumConcurrency"]),
        },
        "suffixes": [".csv", ".CSV", ".gz", ".GZ"],
        "permissions": _permissions(
            resources["ImporterRole"]["Properties"]["Policies"]
        ),
    }


def _permissions(policies: object) -> dict[str, list[str]]:
    """Target -> actions.

    Raises:
        KeyError: an action has no target in TARGETS.
    """
    found = defaultdict(set)
    for node in _mappings(policies):
        if node.get("Effect") == "Allow":
            actions = node["Action"]
            for action in actions if isinstance(actions, list) else [actions]:
                service = action.partition(":")[0]
                target = TARGETS[action] if service == "s3" else TARGETS[service]
                found[target].add(action)
    return {target: sorted(found[target]) for target in sorted(found)}


def _mappings(node: object) -> Iterator[dict[str, Any]]:
    match node:
        case dict():
            yield node
            for each in node.values():
                yield from _mappings(each)
        case list():
            for each in node:
                yield from _mappings(each)


def contract_text() -> str:
    """The content of deploy/contract.json."""
    loader = _Loader((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return json.dumps(contract(loader.get_single_data()), indent=2) + "\n"


def pack(folder: Path, out: Path) -> None:
    """Zip the built function; the same files give the same bytes."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                info = zipfile.ZipInfo(name, ZIP_TIME)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16  # readable by Lambda's user
                archive.writestr(info, path.read_bytes())


def main(*paths: Path) -> None:
    """Write the contract; with the folder of the build and a path, also the zip."""
    CONTRACT.write_text(contract_text(), encoding="utf-8")
    if paths:
        build, out = paths
        pack(build, out)
        size_mb = out.stat().st_size / 1024**2
        sys.stdout.write(
            f"{out}: {size_mb:.1f} MB; deploy/contract.json describes it\n"
        )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

"""`make modules`: check the Terraform module and the CDK construct, as far as PyPI reaches.

The Terraform module is parsed: each name that it uses exists, and each target of the contract
has resources.  Terraform and its provider, which know the arguments of each resource, are in no
package registry.  The CDK construct is synthesised, compared with the contract, and checked by
cfn-lint; that needs Node.js.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CONTRACT: dict[str, Any] = json.loads((DEPLOY / "contract.json").read_text("utf-8"))


def check(condition: object, message: str) -> None:
    """Exit with the message if the condition is false."""
    if not condition:
        sys.exit(f"modules: {message}")


def check_terraform() -> None:
    """Parse the module, and look up each name that it uses."""
    texts = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted((DEPLOY / "terraform").glob("*.tf"))
    }
    blocks: dict[str, list[Any]] = {}
    for text in texts.values():
        for kind, found in hcl2.loads(text).items():
            blocks.setdefault(kind, []).extend(found)
    declared = set(_declared(blocks))
    source = re.sub(r"#.*|//.*", "", "\n".join(texts.values()))
    used = set(re.findall(r"\b(?:var|local)\.\w+", source))
    used |= set(re.findall(r"\bdata\.aws_\w+\.\w+", source))
    used |= set(re.findall(r"(?<![.\w\"])aws_\w+\.\w+", source))
    check(used <= declared, f"not declared: {sorted(used - declared)}")
    unused = {n for n in declared if n.startswith(("var.", "local."))} - used
    check(not unused, f"declared and not used: {sorted(unused)}")
    [targets] = re.findall(r"targets = \{\n(.*?)\n  \}", source, re.DOTALL)
    names = set(re.findall(r"^\s+(\w+)\s+=", targets, re.MULTILINE))
    missing = CONTRACT["permissions"].keys() - names
    check(not missing, f"targets without resources in main.tf: {sorted(missing)}")
    keys = re.findall(r"local\.contract\.(\w+(?:\.\w+)?)(?!\w|\.\w)", source)
    for key in keys:
        node: Any = CONTRACT
        for part in key.split("."):
            check(part in node, f"contract.json has no {key}")
            node = node[part]
    sys.stdout.write(f"terraform: parsed, {len(used)} names, {len(keys)} settings\n")


def _declared(blocks: dict[str, list[Any]]) -> Iterator[str]:
    def plain(name: str) -> str:
        return name.strip('"')

    for variable in blocks["variable"]:
        yield from (f"var.{plain(name)}" for name in variable)
    for values in blocks["locals"]:
        yield from (f"local.{name}" for name in values if not name.startswith("__"))
    for kind, prefix in (("resource", ""), ("data", "data.")):
        for block in blocks[kind]:
            for type_, named in block.items():
                yield from (f"{prefix}{plain(type_)}.{plain(n)}" for n in named)


def check_cdk(folder: Path) -> None:
    """Synthesise the example, and compare its function, queues and role."""
    package = folder / "importer.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler/app.py", "")
    subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "app.py", package],
        cwd=DEPLOY / "cdk",
        env=os.environ
        | {"CDK_OUTDIR": str(folder / "out"), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    path = folder / "out" / "SalesPro.template.json"
    resources = json.loads(path.read_text("utf-8"))["Resources"].values()

    def properties(kind: str) -> list[dict[str, Any]]:
        return [each["Properties"] for each in resources if each["Type"] == kind]

    [function] = [
        each
        for each in properties("AWS::Lambda::Function")
        if each.get("Handler") == CONTRACT["handler"]
    ]
    for name, key in {
        "Runtime": "runtime",
        "Architectures": "architectures",
        "Timeout": "timeout",
        "MemorySize": "memory_size",
    }.items():
        check(function[name] == CONTRACT[key], f"cdk: {name} is {function[name]}")
    check(function["RecursiveLoop"] == "Allow", "cdk: RecursiveLoop")
    used = set(function["Environment"]["Variables"])
    check(used <= set(CONTRACT["environment"]), f"cdk: settings {sorted(used)}")
    [source] = properties("AWS::Lambda::EventSourceMapping")
    expected = CONTRACT["event_source"]
    check(
        (
            source["BatchSize"],
            source["FunctionResponseTypes"],
            source["ScalingConfig"]["MaximumConcurrency"],
        )
        == tuple(expected.values()),
        "cdk: the event source",
    )
    queue = CONTRACT["queue"]
    retentions = {q["MessageRetentionPeriod"] for q in properties("AWS::SQS::Queue")}
    check(
        retentions == {queue["retention"], queue["dead_letter_retention"]},
        "cdk: retention of the queues",
    )
    [uploads] = [q for q in properties("AWS::SQS::Queue") if "RedrivePolicy" in q]
    check(
        uploads["VisibilityTimeout"] == queue["visibility_timeout"]
        and uploads["RedrivePolicy"]["maxReceiveCount"] == queue["max_receive_count"],
        "cdk: the queue",
    )
    allowed = set(_actions(properties("AWS::IAM::Policy")))
    for target in ("upload_objects", "upload_bucket", "report_objects", "queue"):
        missing = set(CONTRACT["permissions"][target]) - allowed
        check(not missing, f"cdk: the role lacks {sorted(missing)}")
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    # CDK writes dependencies that a reference already has (W3005).
    options = ("--ignore-checks", "W3005", "--regions", "eu-central-1")
    subprocess.run(  # noqa: S603 -- installed in this environment
        [cfn_lint, *options, "--", path], check=True
    )
    sys.stdout.write("cdk: synthesised, fits the contract, cfn-lint has no finding\n")


def _actions(policies: list[dict[str, Any]]) -> Iterator[str]:
    for policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            yield from actions if isinstance(actions, list) else [actions]


def main() -> None:
    """Check both."""
    check_terraform()
    if shutil.which("node") is None:
        sys.stdout.write("NOT RUN: the CDK construct needs Node.js (node) on PATH\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        check_cdk(Path(folder))


if __name__ == "__main__":
    main()

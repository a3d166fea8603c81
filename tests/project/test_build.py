"""What src/Makefile leaves out is not needed, as far as the source can tell."""

from __future__ import annotations

import ast
import json
import re

import yaml

from salespro_cli.local_postgres import container_access, embedded
from salespro_cli.sandbox import REPORTS
from tests.support import paths
from tools.uploads import FILES

ROOT = paths.ROOT


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, whatever they mean."""


Loader.add_multi_constructor("!", lambda *_: None)
MAKEFILE = (ROOT / "src" / "Makefile").read_text(encoding="utf-8")


def test_the_services_that_are_shipped_are_those_that_are_called() -> None:
    """A client of another one would fail in the built function only."""
    called = {
        argument.value
        for path in (ROOT / "src" / "handler").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("client")
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant)
    }
    [shipped] = re.findall(r"^SERVICES := (.*)$", MAKEFILE, re.MULTILINE)

    assert set(shipped.split()) == called


def test_each_function_of_the_template_is_built_by_the_makefile() -> None:
    """SAM's own way would ship no bytecode and check fewer hashes."""
    template = Loader((ROOT / "template.yaml").read_text(encoding="utf-8"))
    resources = template.get_single_data()["Resources"]

    methods = {
        name: resource.get("Metadata", {}).get("BuildMethod")
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }

    assert set(methods.values()) == {"makefile"}, methods


def test_the_versions_of_python_are_one() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"Runtime: (\S+)", template)) == {"python3.13"}
    assert "PYTHON_3_13 ?= python3.13" in MAKEFILE
    assert "--python-version 3.13" in MAKEFILE


def test_the_environment_for_containers_is_that_of_the_sandbox() -> None:
    environment = json.loads((ROOT / "events" / "local.env.json").read_text("utf-8"))

    assert environment["Importer"] == {
        "AWS_ENDPOINT_URL": "http://host.docker.internal:5000",
        "DATABASE_URL": f"postgresql://{container_access.ROLE}:{container_access.PASSWORD}"
        f"@host.docker.internal:{embedded.PORT}/postgres",
        "REPORT_BUCKET": REPORTS,
    }


def test_the_local_function_is_the_one_of_the_template() -> None:
    """Only its variables are others."""
    real, local = (
        Loader((ROOT / name).read_text(encoding="utf-8")).get_single_data()
        for name in ("template.yaml", "events/local.yaml")
    )

    for name in ("Handler", "Runtime", "Architectures", "Timeout"):
        assert (
            real["Resources"]["Importer"]["Properties"][name]
            == local["Resources"]["Importer"]["Properties"][name]
        )


def test_the_uploads_of_the_tools_are_there() -> None:
    assert all((ROOT / "events" / file).is_file() for file in FILES.values())

"""src/Makefile, template.yaml and events/ agree on what is built and run."""

from __future__ import annotations

import ast
import json
import re

import yaml

from salespro_cli.local_postgres import container_access, embedded
from salespro_cli.sandbox.local_aws import REPORTS, UPLOADS
from tests.support import paths
from tests.support.sam_template import of_type, properties, template
from tools.sbom import MACHINES
from tools.uploads import FILES

ROOT = paths.ROOT
MAKEFILE = (ROOT / "src" / "Makefile").read_text(encoding="utf-8")


def test_shipped_service_data_is_that_of_the_clients_in_the_source() -> None:
    """A client without its data would fail only in the built function."""
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
    """SAM's built-in build ships no bytecode and checks fewer hashes."""
    methods = {
        name: resource.get("Metadata", {}).get("BuildMethod")
        for name, resource in template()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }

    assert set(methods.values()) == {"makefile"}, methods


def test_template_and_makefile_use_the_same_python_version() -> None:
    functions = of_type("AWS::Serverless::Function").values()

    assert {function["Runtime"] for function in functions} == {"python3.13"}
    assert "PYTHON_3_13 ?= python3.13" in MAKEFILE
    assert "--python-version 3.13" in MAKEFILE


def test_template_and_makefile_know_the_same_processors() -> None:
    parameter = template()["Parameters"]["Architecture"]

    assert set(parameter["AllowedValues"]) == set(MACHINES)
    assert f"ARCHITECTURE ?= {parameter['Default']}\n" in MAKEFILE
    assert "$(patsubst arm64,aarch64,$(ARCHITECTURE))" in MAKEFILE


def test_environment_of_the_container_points_to_the_sandbox() -> None:
    environment = json.loads((ROOT / "events" / "local.env.json").read_text("utf-8"))

    assert environment["Importer"] == {
        "AWS_ENDPOINT_URL": "http://host.docker.internal:5000",
        "DATABASE_URL": f"postgresql://{container_access.ROLE}:{container_access.PASSWORD}"
        f"@host.docker.internal:{embedded.PORT}/postgres",
        "REPORT_BUCKET": REPORTS,
        "UPLOAD_BUCKETS": UPLOADS,
    }


def test_local_template_has_the_function_of_the_real_template() -> None:
    """Only the environment variables differ."""
    local = yaml.safe_load((paths.EVENTS / "local.yaml").read_text(encoding="utf-8"))

    function = local["Resources"]["Importer"]["Properties"]
    for name in ("Handler", "Runtime", "Timeout"):
        assert function[name] == properties("Importer")[name]
    default = template()["Parameters"]["Architecture"]["Default"]
    assert function["Architectures"] == [default]


def test_uploads_of_the_tools_exist() -> None:
    assert all((ROOT / "events" / file).is_file() for file in FILES.values())

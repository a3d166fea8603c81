"""The deployment package that `make build` creates."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from salespro_cli.sandbox.local_aws import REGION
from tests.runtime.environment import Environment
from tools.emulator import PYTHON, ROOT, built_function
from tools.sbom import foreign_wheels

pytestmark = pytest.mark.runtime


def test_build_can_sign_an_iam_token_and_has_the_certificates_of_rds_proxy() -> None:
    """template.yaml names the path of the certificates."""
    script = (
        "import os; from handler.aws.db_connection import _iam_token;"
        "print(_iam_token({'host': 'db.example', 'username': 'importer'}));"
        "print(os.path.getsize('botocore/cacert.pem'))"
    )

    result = subprocess.run(  # noqa: S603 -- our own build
        [PYTHON, "-c", script],
        cwd=built_function().folder,
        env={
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    token, size = result.stdout.split()
    assert token.startswith("db.example:5432/?Action=connect&DBUser=importer")
    assert int(size) > 100_000
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert "/var/task/botocore/cacert.pem" in text


def test_build_for_the_other_processor_has_only_its_machine_code(
    tmp_path: Path,
) -> None:
    """The same pinned hashes fit both; a wheel of the wrong one fails at the first import."""
    source, artifacts = tmp_path / "src", tmp_path / "artifacts"
    shutil.copytree(ROOT / "src", source)
    artifacts.mkdir()

    subprocess.run(  # noqa: S603 -- our own build
        [
            *(shutil.which("make") or "make", "-C", str(source), "build-Importer"),
            *(f"ARTIFACTS_DIR={artifacts}", f"PYTHON_3_13={PYTHON}"),
            "ARCHITECTURE=arm64",
        ],
        check=True,
    )

    machines = {
        # The field e_machine of ELF; 183 is AArch64.
        int.from_bytes(library.read_bytes()[18:20], "little")
        for library in artifacts.rglob("*.so*")
    }
    assert machines == {183}
    assert list(foreign_wheels(artifacts, "arm64")) == []
    assert "psycopg_binary-" in " ".join(foreign_wheels(artifacts, "x86_64"))


def built_files(wanted: Callable[[Path], bool] = lambda _: True) -> set[str]:
    folder = built_function().folder
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and wanted(path)
    }


def test_build_has_the_bytecode_of_all_modules(environment: Environment) -> None:
    """Lambda's folder is read-only: a cold start would compile a missing module."""
    before = built_files()
    with environment.emulator() as running:
        running.invoke({"action": "check"})

    assert built_files() == before
    sources = built_files(lambda path: path.suffix == ".py")
    compiled = {name for name in before if name.endswith(".cpython-313.pyc")}
    assert len(sources) == len(compiled) > 400
    # And the compiled template of the report.
    assert len([name for name in before if name.endswith(".jinja")]) == 1


def test_build_has_only_what_the_function_needs() -> None:
    tops = {name.split("/")[0] for name in built_files()}

    assert {"handler", "salespro_core"} <= tops
    assert (
        tops & {"salespro_cli", "moto", "bin", "Makefile", "requirements.txt"} == set()
    )


def test_build_has_no_path_of_the_building_machine() -> None:
    """Tracebacks name /var/task, and builds of two machines are equal."""
    here = str(ROOT).encode()
    bytecode = built_files(lambda path: path.suffix == ".pyc")
    folder = built_function().folder

    assert [name for name in bytecode if here in (folder / name).read_bytes()] == []


def test_package_with_a_wrong_hash_is_not_installed(tmp_path: Path) -> None:
    """Only the locked packages ship, whatever the registry returns."""
    source = tmp_path / "src"
    shutil.copytree(ROOT / "src", source)
    pins = source / "requirements.txt"
    text = pins.read_text(encoding="utf-8")
    others = text.replace("sha256:0", "sha256:1")
    others = re.sub("sha256:[2-9a-f]", "sha256:0", others)
    pins.write_text(others, encoding="utf-8")

    result = subprocess.run(
        ["make", "build-Importer"],  # noqa: S607
        cwd=source,
        env=os.environ
        | {"ARTIFACTS_DIR": str(tmp_path / "built"), "PYTHON_3_13": str(PYTHON)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode != 0
    assert "DO NOT MATCH THE HASHES" in result.stderr
    assert not (tmp_path / "built" / "handler").exists()


def test_built_template_has_the_handler_timeout_and_log_level() -> None:
    function = built_function()

    assert function.handler == "handler.app.lambda_handler"
    assert function.timeout_s == 300
    assert function.environment["LOG_LEVEL"] == "INFO"

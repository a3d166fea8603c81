"""`pip install .` gives a command that works, and the function ships few packages."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.support import paths

PYPROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMMAND = set(PYPROJECT["project"]["dependencies"])
FUNCTION = set(PYPROJECT["dependency-groups"]["function"])
# Parts of boto3 and of flask, which choose their versions.
OF_BOTO3 = {"botocore", "urllib3"}
OF_FLASK = {"werkzeug"}
OURS = {"handler", "salespro_core", "salespro_cli"}


def names(requirements: set[str]) -> set[str]:
    return {re.split(r"[^\w.-]", text)[0] for text in requirements}


def imported(*packages: str) -> set[str]:
    """The distributions that these packages of ours import, without the standard library."""
    modules = set()
    for package in packages:
        for path in (paths.SRC / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    modules |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    modules.add(str(node.module).partition(".")[0])
    found = metadata.packages_distributions()
    return {
        found[module][0].lower().replace("_", "-")
        for module in modules - OURS - sys.stdlib_module_names
        if not module.startswith(("mypy_boto3_", "_typeshed"))  # for the type checker
    }


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, as pip would put it into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(  # noqa: S603 -- our own build
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=paths.ROOT,
        check=True,
        capture_output=True,
    )
    [archive] = folder.glob("*.whl")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder / "site-packages")
    return folder / "site-packages"


def python(*args: str, path: Path, folder: Path) -> str:
    """Run Python in a folder with these packages of ours, and return what it prints."""
    done = subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, *args],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(path)},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_command_needs_what_the_function_needs_in_the_same_versions() -> None:
    assert FUNCTION < COMMAND


def test_requirements_of_the_function_are_those_of_its_group() -> None:
    pinned = (paths.SRC / "requirements.txt").read_text(encoding="utf-8")
    direct = re.findall(
        r"^([\w-]+)==(?:(?!^\S).)*?salespro-importer \(pyproject.toml:function\)$",
        pinned,
        re.MULTILINE | re.DOTALL,
    )

    assert set(direct) >= names(FUNCTION)
    # psycopg-binary comes with psycopg[binary].
    assert set(direct) - names(FUNCTION) <= {"psycopg-binary"}


def test_every_package_that_the_code_imports_is_installed_with_it() -> None:
    assert imported(*OURS) - names(COMMAND) == OF_BOTO3 | OF_FLASK


def test_function_imports_only_packages_of_its_group() -> None:
    assert imported("handler", "salespro_core") - names(FUNCTION) == OF_BOTO3


def test_wheel_installs_no_name_that_other_packages_may_have(wheel: Path) -> None:
    assert {path.name.partition("-")[0] for path in wheel.iterdir()} == {
        *("salespro_cli", "salespro_core", "salespro_handler", "salespro_importer")
    }


@pytest.mark.parametrize("module", ["handler.py", "handler/__init__.py"])
def test_installed_command_finds_its_own_handler_and_not_that_of_the_folder(
    wheel: Path, tmp_path: Path, module: str
) -> None:
    (tmp_path / module).parent.mkdir(exist_ok=True)
    (tmp_path / module).write_text("raise SystemExit(3)", encoding="utf-8")

    printed = python(
        "-c",
        "import salespro_cli.main, salespro_cli.sandbox, handler.app as app;"
        "print(app.__file__)",
        path=wheel,
        folder=tmp_path,
    )

    assert printed == f"{wheel / 'salespro_handler' / 'app.py'}\n"


@pytest.mark.parametrize("is_installed", [True, False])
def test_python_m_salespro_cli_is_the_command(
    wheel: Path, tmp_path: Path, *, is_installed: bool
) -> None:
    (tmp_path / "handler.py").write_text("raise SystemExit(3)", encoding="utf-8")
    path = wheel if is_installed else paths.SRC

    printed = python("-m", "salespro_cli", "--version", path=path, folder=tmp_path)

    assert printed == f"salespro, version {PYPROJECT['project']['version']}\n"


def test_wheel_has_the_files_that_the_code_reads(wheel: Path) -> None:
    def files(folder: Path) -> set[str]:
        return {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    for package in OURS:
        installed = wheel / package.replace("handler", "salespro_handler")
        assert files(installed) == files(paths.SRC / package)

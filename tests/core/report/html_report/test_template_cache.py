"""The compiled template is kept next to the module, if its folder can be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from jinja2 import Environment
from jinja2.bccache import Bucket

from salespro_core.report.html_report import render
from tests.support.paths import SRC

CODE = """
import jinja2
compiled = []
generate = jinja2.Environment._generate
jinja2.Environment._generate = lambda *a, **k: compiled.append(1) or generate(*a, **k)
from salespro_core.report.html_report.render import template
template()
print(len(compiled))
"""


def compilations() -> int:
    """How often a fresh process compiles the template."""
    done = subprocess.run(  # noqa: S603 -- this interpreter
        [sys.executable, "-c", CODE],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_second_process_does_not_compile_the_template() -> None:
    compilations()

    assert compilations() == 0


def test_folder_that_cannot_be_written_or_is_missing_is_no_error(
    tmp_path: Path,
) -> None:
    """As in Lambda, where the template is compiled instead."""
    (tmp_path / "file").touch()
    cache = render._BytecodeCache(str(tmp_path / "file" / "missing"))  # noqa: SLF001
    bucket = Bucket(Environment(autoescape=True), "key", "checksum")

    cache.load_bytecode(bucket)
    cache.dump_bytecode(bucket)

    assert bucket.code is None

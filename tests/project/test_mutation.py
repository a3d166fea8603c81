"""`make mutation` runs mutants that could be mistakes, and the same ones for a seed."""

from __future__ import annotations

import shutil
import subprocess
import tomllib

import pytest

from tests.support.paths import ROOT
from tools.changed_tests import ALWAYS, package_tests, select_tests
from tools.mutation.runner import lines_of_statement
from tools.mutation.sample import Mutant, draw_sample, is_plausible

SOURCE = """\
from datetime import timedelta

LEASE = timedelta(minutes=2)
LIMITS = (20, 30)
LONGER = LEASE + 15.0

@dataclass(frozen=True)
class Row:
    cells: str | None = None

@cache
def total(rows: int, *, more: int = 1) -> int | None:
    if (rows
            == 0):
        return None
    return rows + more
"""


def position(text: str) -> tuple[int, int]:
    """Line and column of the first occurrence of the text."""
    before = SOURCE[: SOURCE.index(text)]
    return before.count("\n") + 1, len(before) - before.rfind("\n") - 1


@pytest.mark.parametrize(
    ("operator", "text", "expected"),
    [
        pytest.param("core/NumberReplacer", "2)", False, id="timeout"),
        pytest.param("core/NumberReplacer", "15.0", False, id="constant-of-constant"),
        pytest.param("core/RemoveDecorator", "@dataclass", True, id="decorator"),
        pytest.param("core/RemoveDecorator", "@cache", False, id="cache"),
        pytest.param("core/NumberReplacer", "20, 30", True, id="other-constant"),
        pytest.param("core/ReplaceTrueWithFalse", "True", False, id="dataclass"),
        pytest.param(
            "core/ReplaceBinaryOperator_BitOr_BitAnd", "| None", False, id="type"
        ),
        pytest.param("core/ReplaceBinaryOperator_Mul_Add", "*,", False, id="signature"),
        pytest.param("core/NumberReplacer", "1) ->", True, id="default"),
        pytest.param("core/ReplaceComparisonOperator_Eq_NotEq", "==", True, id="equal"),
        pytest.param(
            "core/ReplaceComparisonOperator_Eq_Is", "==", False, id="identical"
        ),
        pytest.param("core/ReplaceBinaryOperator_Add_Sub", "+ more", True, id="sum"),
        pytest.param("core/ReplaceBinaryOperator_Add_Pow", "+ more", False, id="power"),
    ],
)
def test_mutant_is_run_if_it_could_be_a_mistake(
    operator: str, text: str, *, expected: bool
) -> None:
    assert is_plausible(SOURCE, operator, position(text)) == expected


def mutants(module: str, lines: int) -> list[Mutant]:
    """Two mutants per line."""
    return [
        Mutant(
            module=module,
            operator=operator,
            occurrence=line,
            line=line,
            name=f"{module} {operator} {line}",
        )
        for line in range(lines)
        for operator in ("AddNot", "NumberReplacer")
    ]


def test_sample_has_one_mutant_per_line_and_depends_on_the_seed() -> None:
    all_mutants = mutants("a.py", 50)

    sample = draw_sample(all_mutants, seed=1, size=20)

    assert len({mutant.line for mutant in sample}) == 20
    assert draw_sample(reversed(all_mutants), seed=1, size=20) == sample
    assert draw_sample(all_mutants, seed=2, size=20) != sample
    assert len(draw_sample(all_mutants, seed=1, size=1000)) == 50


def test_change_of_one_module_leaves_the_sample_of_the_others() -> None:
    before = draw_sample(mutants("a.py", 50) + mutants("b.py", 50), seed=1, size=1000)
    after = draw_sample(mutants("a.py", 50) + mutants("b.py", 60), seed=1, size=1000)

    assert [each for each in before if each.module == "a.py"] == [
        each for each in after if each.module == "a.py"
    ]


@pytest.mark.parametrize(
    ("line", "lines"),
    [(14, [13, 14]), (15, [15]), (12, [12]), (16, [16]), (4, [4])],
)
def test_lines_of_a_statement_are_all_its_lines_or_those_of_its_head(
    line: int, lines: list[int]
) -> None:
    assert list(lines_of_statement(SOURCE, line)) == lines


def test_survivor_of_its_own_tests_is_tried_with_those_of_its_package() -> None:
    module = "src/salespro_core/csv_reader/recovery/next_row.py"

    own = set(select_tests([module])) - set(ALWAYS)
    package = package_tests(module)

    assert own == {"tests/core/csv_reader/recovery/test_next_row.py"}
    assert own < set(package)
    assert all(path.startswith("tests/core/csv_reader/recovery/") for path in package)


def test_short_tests_and_mutants_leave_out_every_marker_of_pyproject() -> None:
    """The Makefile has the one list, and passes it to `make mutation`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    markers = [
        marker.partition(":")[0]
        for marker in project["tool"]["pytest"]["ini_options"]["markers"]
    ]
    done = subprocess.run(  # noqa: S603 -- our own Makefile
        [shutil.which("make") or "make", "--dry-run", "test", "quick", "mutation"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    for command in ("pytest -n 2 --dist worksteal -m", "-q -m", "tools.mutation"):
        [line] = [line for line in done.stdout.splitlines() if command in line]
        quoted = line.split('"')[1]
        assert sorted(quoted.split(" and ")) == sorted(f"not {m}" for m in markers)

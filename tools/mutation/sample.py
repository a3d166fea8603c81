"""Which mutants there are, and which of them are run.

The sample depends on the seed and on the text of each mutated line only, so a change in one
module does not choose other mutants in the others.
"""

from __future__ import annotations

import ast
import hashlib
import sqlite3
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tools.emulator import ROOT

COSMIC_RAY: Final = ROOT / ".venv-mutation" / "bin" / "cosmic-ray"
# Of cosmic-ray's 110 pairs of binary operators; most others only cause a TypeError.
_BINARY: Final = "BinaryOperator"
_BINARY_PAIRS: Final = (
    *("Add_Sub", "Sub_Add", "Mul_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul"),
    *("Pow_Mul", "BitOr_BitAnd", "BitAnd_BitOr", "LShift_RShift", "RShift_LShift"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one place.

    Attributes:
        module: its path in the repository.
        operator: cosmic-ray's name of the change.
        occurrence: which of the operator's places in the module.
        line: in the module.
        name: the same as long as its line is the same.
    """

    module: str
    operator: str
    occurrence: int
    line: int
    name: str


def draw_sample(mutants: Iterable[Mutant], seed: int, size: int) -> list[Mutant]:
    """Mutants of different places, chosen by the seed."""

    def rank(mutant: Mutant) -> str:
        return hashlib.sha256(f"{seed} {mutant.name}".encode()).hexdigest()

    places: dict[tuple[str, int], Mutant] = {}
    for mutant in sorted(mutants, key=rank):
        places.setdefault((mutant.module, mutant.line), mutant)
    return list(places.values())[:size]


def list_mutants() -> Iterator[Mutant]:
    """All mutants of the core and the handler that could change what the code does."""
    with tempfile.TemporaryDirectory() as folder:
        config, session = Path(folder, "config.toml"), Path(folder, "session.sqlite")
        config.write_text(
            '[cosmic-ray]\nmodule-path = ["src/salespro_core", "src/handler"]\n'
            'timeout = 60.0\nexcluded-modules = []\ntest-command = ""\n'
            '[cosmic-ray.distributor]\nname = "local"\n',
            encoding="utf-8",
        )
        command: list[str | Path] = [COSMIC_RAY, "init", config, session]
        subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 -- our own arguments
        with closing(sqlite3.connect(session)) as connection:
            rows = connection.execute(
                "SELECT module_path, operator_name, occurrence, start_pos_row, start_pos_col"
                "  FROM mutation_specs ORDER BY 1, 2, 3"
            ).fetchall()
    repeated: Counter[str] = Counter()
    for module, operator, occurrence, line, column in rows:
        source = (ROOT / module).read_text("utf-8")
        if not is_plausible(source, operator, (line, column)):
            continue
        text = source.splitlines()[line - 1].strip()
        name = f"{module} {operator} {text}"
        repeated[name] += 1
        yield Mutant(
            module=module,
            operator=operator,
            occurrence=occurrence,
            line=line,
            name=f"{name} {repeated[name]}",
        )


def is_plausible(source: str, operator: str, position: tuple[int, int]) -> bool:
    """Whether the mutant is valid Python that an author could have written by mistake."""
    before, _, after = operator.rpartition("_")
    # `==` and `is` are the same for most values; of literals, Python warns.
    if "Comparison" in operator and after.startswith("Is") and "_Is" not in before:
        return False
    if _BINARY in operator:
        # Also finds the `*` of a signature, which is no operator.
        return operator.endswith(_BINARY_PAIRS) and position in _operators(source)
    if operator == "core/RemoveDecorator":
        # Without its cache a function is only slower.
        return "cache" not in source.splitlines()[position[0] - 1]
    return position not in _without_effect(source)


@cache
def _operators(source: str) -> set[tuple[int, int]]:
    """The positions between the operands of each binary operator."""
    return {
        (line, column)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.BinOp)
        for line, column in _between(node.left, node.right)
    } - _without_effect(source)


def _between(left: ast.expr, right: ast.expr) -> Iterator[tuple[int, int]]:
    first = (left.end_lineno or left.lineno, left.end_col_offset or 0)
    last = (right.lineno, right.col_offset)
    for line in range(first[0], last[0] + 1):
        for column in range(200):
            if first <= (line, column) < last:
                yield line, column


@cache
def _without_effect(source: str) -> set[tuple[int, int]]:
    return set(_ineffective(source))


def _ineffective(source: str) -> Iterator[tuple[int, int]]:
    """Positions where a mutant changes nothing that a test should notice.

    Annotations are not evaluated.  mypy checks how instances of a dataclass are made and
    used.  A timeout, and a constant that is only a number, are choices: one more or less is
    not an error.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case (
                ast.arg(annotation=ast.expr() as type_)
                | ast.AnnAssign(annotation=type_)
            ):
                yield from _positions(type_)
            case ast.FunctionDef(returns=ast.expr() as type_):
                yield from _positions(type_)
            case ast.ClassDef(decorator_list=decorators):
                for decorator in decorators:
                    yield from _arguments(decorator, "")
            case ast.Call():
                yield from _arguments(node, "timeout")
            case ast.If(test=ast.Name("TYPE_CHECKING") as name):
                yield from _positions(name)
    for statement in tree.body:
        yield from _constant(statement)


def _constant(statement: ast.stmt) -> Iterator[tuple[int, int]]:
    """The positions of the value, if a number is assigned."""
    match statement:
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            if _is_number(value):
                yield from _positions(value)


def _arguments(call: ast.expr, name: str) -> Iterator[tuple[int, int]]:
    """The positions of the keyword arguments with this text in their names."""
    if isinstance(call, ast.Call):
        for keyword in call.keywords:
            if name in (keyword.arg or ""):
                yield from _positions(keyword.value)


def _is_number(value: ast.expr) -> bool:
    """Whether it is a number, a timedelta, or made of numbers and other constants."""
    match value:
        case ast.Constant(int() | float()):
            return True
        case ast.Name(name):
            return name.isupper()
        case ast.BinOp(left, _, right):
            return _is_number(left) and _is_number(right)
        case ast.Call(ast.Name("timedelta"), [], keywords):
            return all(_is_number(keyword.value) for keyword in keywords)
    return False


def _positions(node: ast.expr) -> Iterator[tuple[int, int]]:
    """Every column of the node's text."""
    for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
        start = node.col_offset if line == node.lineno else 0
        end = (node.end_col_offset or 0) if line == node.end_lineno else 200
        yield from ((line, column) for column in range(start, end))

"""`make bench-cold`: what the import of `handler.app` costs, and what of it is ours."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median

import boto3
from tqdm import tqdm

from benchmarks import page
from benchmarks.bench import a_bench
from benchmarks.child import ROOT, environment
from benchmarks.page import Table
from benchmarks.settings import Wanted
from benchmarks.ways import S3

OURS = ("handler", "salespro_core")
CLOCK = """
import time
started = time.perf_counter()
{statements}
print(time.perf_counter() - started)
"""
IMPORT_TIME = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)")
SHOWN = 15


def main() -> None:
    """Measure, show the tables, and write them down."""
    wanted = Wanted.from_env(rounds=21)
    tables = [
        table_of_times(wanted.rounds),
        *tables_of_modules(import_times(wanted.rounds), idle_modules(wanted.limit_s)),
    ]
    for table in tables:
        table.show()
    parts = [table.markdown() for table in tables]
    page.write(wanted.page, "cold", "make bench-cold", *parts)


def third_party() -> str:
    """The import statements of other people's modules in the function's source."""
    found = {
        ast.unparse(node): None
        for package in OURS
        for path in sorted((ROOT / "src" / package).glob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for name in _imported(node)
        if name not in (*OURS, *sys.stdlib_module_names)
    }
    return "\n".join(found)


def _imported(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name.partition(".")[0] for alias in names)
        case ast.ImportFrom(module=str(module)):
            yield module.partition(".")[0]


def table_of_times(rounds: int) -> Table:
    """How long both take, in fresh interpreters in turn, with bytecode and without."""
    ways = {"third parties": third_party(), "handler.app": "import handler.app"}
    names = ("", "third parties alone, ms", "handler.app, ms", "ratio")
    table = Table(f"Import, median of {rounds} fresh interpreters", names, left=1)
    for title, environs in (
        ("with bytecode (.pyc), as `make build` packs it", with_bytecode),
        ("without", without_bytecode),
    ):
        took: dict[str, list[float]] = {way: [] for way in ways}
        with tempfile.TemporaryDirectory() as folder:
            environ = environs(folder)
            for number in tqdm(range(rounds + 1), desc=title, unit="run"):
                for way, statements in ways.items():
                    took_s = float(python(CLOCK.format(statements=statements), environ))
                    if number:  # the first one fills the caches
                        took[way].append(took_s * 1000)
        theirs, ours = map(median, took.values())
        cells = (f"{theirs:.0f}", f"{ours:.0f}", f"{ours / theirs:.2f}")
        table.rows.append([title, *cells])
    return table


def with_bytecode(folder: str) -> dict[str, str]:
    """An environment that keeps bytecode there."""
    environ = {n: v for n, v in environment().items() if n != "PYTHONDONTWRITEBYTECODE"}
    return environ | {"PYTHONPYCACHEPREFIX": folder}


def without_bytecode(folder: str) -> dict[str, str]:
    """An environment that has it for Python's own modules only, as on Lambda."""
    python("import handler.app", with_bytecode(folder))
    for place in (ROOT / "src", Path(boto3.__file__).parents[1]):
        shutil.rmtree(f"{folder}{place}")
    return with_bytecode(folder) | {"PYTHONDONTWRITEBYTECODE": "1"}


def python(code: str, environ: Mapping[str, str], *options: str) -> str:
    """What a fresh interpreter prints, or says to stderr if it prints nothing."""
    done = subprocess.run(  # noqa: S603 -- ourselves
        [sys.executable, *options, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout or done.stderr


def import_times(rounds: int) -> dict[str, float]:
    """Module -> the least milliseconds that its own import took, without what it imports."""
    least: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        environ = with_bytecode(folder)
        for _ in tqdm(range(rounds + 1), desc="-X importtime", unit="run"):
            told = python("import handler.app", environ, "-X", "importtime")
            for took_us, name in IMPORT_TIME.findall(told):
                took_ms = int(took_us) / 1000
                least[name] = min(took_ms, least.get(name, took_ms))
    return least


def idle_modules(limit_s: float) -> list[str]:
    """Those that an import by the function loads, and of which nothing runs."""
    with a_bench(limit_s) as bench, tempfile.TemporaryDirectory() as folder:
        job = bench.job(S3, bench.files.base(1000))
        out = os.path.join(folder, "idle.json")  # noqa: PTH118 -- a detail is text
        job = replace(job, way="s3_loaded", details={**job.details, "out": out})
        bench.alone(job, bench.table(0))
        return [str(name) for name in json.loads(Path(out).read_text(encoding="utf-8"))]


def tables_of_modules(took: Mapping[str, float], idle: list[str]) -> list[Table]:
    """What of the import is heavy, and what of it may not be needed."""

    def by(group: Callable[[str], str], names: Iterator[str]) -> Counter[str]:
        totals: Counter[str] = Counter()
        for name in names:
            totals[group(name)] += round(took[name] * 1000)
        return totals

    def package(name: str) -> str:
        return name.partition(".")[0]

    packages = by(package, iter(took))
    ours = by(str, (name for name in took if package(name) in OURS))
    unused = by(str, (name for name in idle if name in took))
    counts = Counter(map(package, took))
    heavy = Table("Of that, by package", ("package", "modules", "ms"), left=1)
    for name, took_us in packages.most_common(SHOWN):
        heavy.rows.append([name, str(counts[name]), f"{took_us / 1000:.1f}"])
    heavy.notes.append(
        f"{len(took)} modules, {sum(packages.values()) / 1000:.0f} ms together; the least "
        "of all rounds of each, by `-X importtime`."
    )
    mine = Table("Our own modules", ("module", "ms"), left=1)
    for name, took_us in ours.most_common(SHOWN):
        mine.rows.append([name, f"{took_us / 1000:.1f}"])
    candidates = Table("Loaded, and nothing of it ran", ("module", "ms"), left=1)
    for name, took_us in unused.most_common(SHOWN):
        candidates.rows.append([name, f"{took_us / 1000:.1f}"])
    candidates.notes.append(
        f"While a file was imported; {len(unused)} such modules, "
        f"{sum(unused.values()) / 1000:.0f} ms together. They are loaded by those that "
        "are needed, and some are of use by their constants and classes alone."
    )
    return [heavy, mine, candidates]


if __name__ == "__main__":
    main()

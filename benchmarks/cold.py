"""`make bench-cold`: the import time of `handler.app`, and the share of our own modules."""

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

from benchmarks.harness import page
from benchmarks.harness.bench import open_bench
from benchmarks.harness.child import ROOT, environment
from benchmarks.harness.page import Table
from benchmarks.harness.settings import BenchmarkSettings
from benchmarks.loaders import S3

OURS = ("handler", "salespro_core")
CLOCK = """
import time
started = time.perf_counter()
{statements}
print(time.perf_counter() - started)
"""
OUR_FILES = f"""
import sys
import handler.app
for name, module in sys.modules.items():
    if name.partition(".")[0] in {OURS} and module.__file__:
        print(module.__file__)
"""
IMPORT_TIME = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)")
SHOWN = 15


def main() -> None:
    """Measure, print the tables, and write them to the page."""
    settings = BenchmarkSettings.from_env(rounds=21)
    tables = [
        table_of_times(settings.rounds),
        *tables_of_modules(
            import_times(settings.rounds), idle_modules(settings.limit_s)
        ),
    ]
    for table in tables:
        table.show()
    parts = [table.markdown() for table in tables]
    page.write(settings.page, "cold", "make bench-cold", *parts)


def third_party() -> str:
    """The import statements for third-party modules in our modules.

    Only of the modules that `import handler.app` loads: jinja2 is imported later.
    """
    paths = map(Path, python(OUR_FILES, environment()).splitlines())
    statements = {
        ast.unparse(node): None
        for path in sorted(paths)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for name in _imported(node)
        if name not in (*OURS, *sys.stdlib_module_names)
    }
    return "\n".join(statements)


def _imported(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name.partition(".")[0] for alias in names)
        case ast.ImportFrom(module=str(module)):
            yield module.partition(".")[0]


def table_of_times(rounds: int) -> Table:
    """Import times in new interpreters, with bytecode and without."""
    imports = {"third parties": third_party(), "handler.app": "import handler.app"}
    names = ("", "third parties alone, ms", "handler.app, ms", "ratio")
    table = Table(f"Import, median of {rounds} new interpreters", names, left=1)
    for title, environs in (
        ("with bytecode (.pyc), as in the package of `make build`", with_bytecode),
        ("without bytecode", without_bytecode),
    ):
        times_ms: dict[str, list[float]] = {name: [] for name in imports}
        with tempfile.TemporaryDirectory() as folder:
            environ = environs(folder)
            for number in tqdm(range(rounds + 1), desc=title, unit="run"):
                for name, statements in imports.items():
                    took_s = float(python(CLOCK.format(statements=statements), environ))
                    if number:  # the first run fills the caches
                        times_ms[name].append(took_s * 1000)
        theirs, ours = map(median, times_ms.values())
        cells = (f"{theirs:.0f}", f"{ours:.0f}", f"{ours / theirs:.2f}")
        table.rows.append([title, *cells])
    return table


def with_bytecode(folder: str) -> dict[str, str]:
    """An environment that keeps bytecode in `folder`."""
    environ = {n: v for n, v in environment().items() if n != "PYTHONDONTWRITEBYTECODE"}
    return environ | {"PYTHONPYCACHEPREFIX": folder}


def without_bytecode(folder: str) -> dict[str, str]:
    """An environment with bytecode of the standard library only, as on Lambda."""
    python("import handler.app", with_bytecode(folder))
    for source in (ROOT / "src", Path(boto3.__file__).parents[1]):
        shutil.rmtree(f"{folder}{source}")
    return with_bytecode(folder) | {"PYTHONDONTWRITEBYTECODE": "1"}


def python(code: str, environ: Mapping[str, str], *options: str) -> str:
    """Stdout of a new interpreter, or its stderr if stdout is empty."""
    done = subprocess.run(  # noqa: S603 -- ourselves
        [sys.executable, *options, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout or done.stderr


def import_times(rounds: int) -> dict[str, float]:
    """Module -> its minimum import time in ms, without the modules that it imports."""
    least: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        environ = with_bytecode(folder)
        for _ in tqdm(range(rounds + 1), desc="-X importtime", unit="run"):
            output = python("import handler.app", environ, "-X", "importtime")
            for took_us, name in IMPORT_TIME.findall(output):
                took_ms = int(took_us) / 1000
                least[name] = min(took_ms, least.get(name, took_ms))
    return least


def idle_modules(limit_s: float) -> list[str]:
    """Modules that the function loads, and that run no code during an import."""
    with open_bench(limit_s) as bench, tempfile.TemporaryDirectory() as folder:
        job = bench.job(S3, bench.files.base(1000))
        out = os.path.join(folder, "idle.json")  # noqa: PTH118 -- a detail is text
        job = replace(
            job, loader="s3_idle_modules", details={**job.details, "out": out}
        )
        bench.measure_unchecked(job, bench.base_template(0))
        return [str(name) for name in json.loads(Path(out).read_text(encoding="utf-8"))]


def tables_of_modules(times_ms: Mapping[str, float], idle: list[str]) -> list[Table]:
    """The slowest packages, our slowest modules, and the slowest idle modules."""

    def by(group: Callable[[str], str], names: Iterator[str]) -> Counter[str]:
        totals: Counter[str] = Counter()
        for name in names:
            totals[group(name)] += round(times_ms[name] * 1000)
        return totals

    def package(name: str) -> str:
        return name.partition(".")[0]

    packages = by(package, iter(times_ms))
    ours = by(str, (name for name in times_ms if package(name) in OURS))
    unused = by(str, (name for name in idle if name in times_ms))
    counts = Counter(map(package, times_ms))
    heavy = Table("Import time by package", ("package", "modules", "ms"), left=1)
    for name, took_us in packages.most_common(SHOWN):
        heavy.rows.append([name, str(counts[name]), f"{took_us / 1000:.1f}"])
    heavy.notes.append(
        f"{len(times_ms)} modules, {sum(packages.values()) / 1000:.0f} ms in total: the "
        "minimum of all rounds for each module, measured with `-X importtime`."
    )
    mine = Table("Our own modules", ("module", "ms"), left=1)
    for name, took_us in ours.most_common(SHOWN):
        mine.rows.append([name, f"{took_us / 1000:.1f}"])
    candidates = Table(
        "Modules that are loaded but run no code", ("module", "ms"), left=1
    )
    for name, took_us in unused.most_common(SHOWN):
        candidates.rows.append([name, f"{took_us / 1000:.1f}"])
    candidates.notes.append(
        f"During the import of a file. {len(unused)} modules, "
        f"{sum(unused.values()) / 1000:.0f} ms in total. Other modules import them, and some "
        "of them provide only constants and classes."
    )
    return [heavy, mine, candidates]


if __name__ == "__main__":
    main()

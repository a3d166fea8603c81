"""Run a sample of mutants; print the rate and the survivors."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Final

from salespro_cli.local_postgres import embedded
from tools.emulator import ROOT
from tools.mutation.runner import Result, Runner
from tools.mutation.sample import Mutant, draw_sample, list_mutants

RESULTS: Final = ROOT / ".mutation" / "results.json"


def main() -> None:
    """Run the mutants that earlier runs have not killed."""
    parser = argparse.ArgumentParser(prog="make mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="*", default=[""], help="modules or folders")
    parser.add_argument(
        "--markers", required=True, help="pytest's -m; see SHORT in Makefile"
    )
    options = parser.parse_args()

    known = _known_results()
    sample = [
        mutant
        for mutant in draw_sample(list_mutants(), options.seed, options.mutants)
        if mutant.module.startswith(tuple(options.only))
    ]
    todo = [mutant for mutant in sample if mutant.name not in known]
    _print(f"{len(sample)} mutants, {len(sample) - len(todo)} of them killed before.")
    for done, result in enumerate(_run(todo, options), start=1):
        known[result.name] = result
        _keep(known)
        _print(f"{done}/{len(todo)} {result.outcome}: {result.module}:{result.line}")
    _print(summary([known[mutant.name] for mutant in sample], options.seed))


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 -- read by a person


def _run(todo: list[Mutant], options: argparse.Namespace) -> Iterator[Result]:
    with (
        tempfile.TemporaryDirectory(prefix="mutation-") as folder,
        embedded.running(Path(folder, "postgres"), durable=False, keep=False) as url,
    ):
        modules = [mutant.module for mutant in todo]
        runner = Runner(Path(folder), url, modules, options.markers)
        with ThreadPoolExecutor(options.jobs) as pool:
            running = [pool.submit(runner.run, mutant) for mutant in todo]
            try:
                for done in as_completed(running):
                    yield done.result()
            finally:  # Ctrl-C, or tests that fail without a mutant
                pool.shutdown(wait=False, cancel_futures=True)


def summary(results: list[Result], seed: int) -> str:
    """The survivors with their changes, and the rate."""
    survivors = [result for result in results if result.outcome == "survived"]
    untested = sum(result.outcome == "untested" for result in results)
    killed = len(results) - untested - len(survivors)
    timeouts = sum(result.outcome == "timeout" for result in results)
    lines = [
        f"\n{result.module}:{result.line}\n{result.diff}"
        for result in sorted(survivors, key=lambda each: (each.module, each.line))
    ]
    lines.append(
        f"\nSeed {seed}, {len(results)} mutants: {killed} killed ({timeouts} of them by "
        f"the time limit), {len(survivors)} survived: {killed / max(1, killed + len(survivors)):.1%}."
        + f" {untested} not tested, since their tests fail without them too."
        * bool(untested)
    )
    return "\n".join(lines)


def _known_results() -> dict[str, Result]:
    """The mutants that earlier runs have killed."""
    if not RESULTS.exists():
        return {}
    results = [Result(**fields) for fields in json.loads(RESULTS.read_text("utf-8"))]
    return {
        each.name: each for each in results if each.outcome in {"killed", "timeout"}
    }


def _keep(results: dict[str, Result]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps([asdict(result) for result in results.values()], indent=1)
    RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

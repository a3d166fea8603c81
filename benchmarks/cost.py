"""`make bench-cost`: rows per second, and dollars per million, at three sizes of memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median

from tqdm import tqdm

from benchmarks import page
from benchmarks.bench import Bench, Measured, a_bench, seconds
from benchmarks.cases import NEW, UNCHANGED, Case
from benchmarks.cpu import control_group
from benchmarks.page import Table
from benchmarks.settings import Wanted
from benchmarks.ways import S3

# Source: AWS Lambda Developer Guide, "Configure Lambda function memory": at 1,769 MB a
# function has the equivalent of one vCPU; below, in proportion.
FULL_CPU_MB = 1769
SIZES_MB = (512, 1024, FULL_CPU_MB)
# Source: aws.amazon.com/lambda/pricing, public list price, US East (N. Virginia), x86,
# first tier; as of November 2026.  The price of the request itself is left out: 0.20 USD
# per million of them.
USD_PER_GB_S = 0.0000166667
# A size that costs so much more than the cheapest is still as good: it is faster.
ALIKE = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One size of memory with one case."""

    memory_mb: int
    case: Case
    rows: int
    found: list[Measured]

    @property
    def rows_per_s(self) -> float:
        """By the median."""
        return self.rows / seconds(self.found)

    @property
    def usd_per_million(self) -> float:
        """What the function costs, for as long as a million rows take."""
        return 1e6 / self.rows_per_s * self.memory_mb / 1024 * USD_PER_GB_S


def main() -> None:
    """Measure, show the table, and write it down."""
    wanted = Wanted.from_env(cases=(NEW, UNCHANGED), rounds=3)
    [rows, *_] = wanted.rows
    sizes = [
        Size(memory_mb=memory_mb, case=case, rows=rows, found=[])
        for case in wanted.cases
        for memory_mb in SIZES_MB
    ]
    hows: set[str] = set()
    with a_bench(wanted.limit_s) as bench:
        plan = [size for _ in range(wanted.rounds) for size in sizes]
        for size in (bar := tqdm(plan, desc=f"{rows:,} rows", unit="run")):
            bar.set_postfix_str(f"{size.memory_mb} MB, {size.case.title}")
            measured, how = measure(bench, size)
            size.found.append(measured)
            hows.add(how)
    table = table_of(sizes)
    table.notes += [advice(sizes), f"The CPU was limited by {' and '.join(hows)}."]
    table.show()
    page.write(wanted.page, "cost", "make bench-cost", table.markdown())


def measure(bench: Bench, size: Size) -> tuple[Measured, str]:
    """The function with its share of a CPU; Postgres and S3 have all of theirs."""
    path = size.case.path(bench.files, size.rows)
    template = bench.table(size.rows if size.case.is_stored else 0)
    share = size.memory_mb / FULL_CPU_MB
    with control_group(share) as cgroup:
        limits = {"cgroup": cgroup} if cgroup else {"share": share}
        job = replace(bench.job(S3, path), **limits)
        how = "a control group" if cgroup else "stopping and continuing the process"
        return bench.alone(job, template), how


def table_of(sizes: list[Size]) -> Table:
    """The table of all sizes."""
    names = (
        *("case", "memory, MB", "vCPU", "seconds", "rows/s", "CPU, s"),
        *("peak RSS, MB", "USD per million rows"),
    )
    table = Table(f"The function, {sizes[0].rows:,} rows", names, left=1)
    for size in sizes:
        table.rows.append(
            [
                size.case.title,
                f"{size.memory_mb:,}",
                f"{size.memory_mb / FULL_CPU_MB:.3f}",
                f"{seconds(size.found):.2f}",
                f"{size.rows_per_s:,.0f}",
                f"{median(m.ran.cpu_s for m in size.found):.2f}",
                f"{max(m.ran.peak_mb for m in size.found):.0f}",
                f"{size.usd_per_million:.6f}",
            ]
        )
    return table


def advice(sizes: list[Size]) -> str:
    """Which size to choose: the fastest of those that cost about the least."""
    costs = {
        memory_mb: sum(s.usd_per_million for s in sizes if s.memory_mb == memory_mb)
        for memory_mb in SIZES_MB
    }
    cheapest = min(costs.values())
    best = max(mb for mb, cost in costs.items() if cost <= ALIKE * cheapest)
    return (
        f"Choose {best:,} MB: over the cases, the largest size, and so the fastest, whose "
        f"price is within {ALIKE - 1:.0%} of the cheapest."
    )


if __name__ == "__main__":
    main()

"""`make bench-cost`: rows per second and cost per million rows, by memory size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median

from tqdm import tqdm

from benchmarks.harness import page
from benchmarks.harness.bench import Bench, Measurement, median_seconds, open_bench
from benchmarks.harness.cases import NEW, UNCHANGED, Case
from benchmarks.harness.cpu_limit import control_group
from benchmarks.harness.page import Table
from benchmarks.harness.settings import BenchmarkSettings
from benchmarks.loaders import S3

# Source: AWS Lambda Developer Guide, "Configure Lambda function memory": at 1,769 MB a
# function has the equivalent of one vCPU, with less memory in proportion.
FULL_CPU_MB = 1769
SIZES_MB = (512, 1024, FULL_CPU_MB)
# Source: aws.amazon.com/lambda/pricing, public list price, US East (N. Virginia), x86,
# first tier; as of November 2026.  Not included: 0.20 USD per million requests.
USD_PER_GB_S = 0.0000166667
# A larger, faster size is preferred up to this multiple of the cheapest price.
MAX_PRICE_RATIO = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The measurements of one memory size with one case."""

    memory_mb: int
    case: Case
    rows: int
    measurements: list[Measurement]

    @property
    def rows_per_s(self) -> float:
        """Rows per second, from the median time."""
        return self.rows / median_seconds(self.measurements)

    @property
    def usd_per_million(self) -> float:
        """Price in USD of the function for a million rows."""
        return 1e6 / self.rows_per_s * self.memory_mb / 1024 * USD_PER_GB_S


def main() -> None:
    """Measure, print the table, and write it to the page."""
    settings = BenchmarkSettings.from_env(cases=(NEW, UNCHANGED), rounds=3)
    [rows, *_] = settings.rows
    sizes = [
        Size(memory_mb=memory_mb, case=case, rows=rows, measurements=[])
        for case in settings.cases
        for memory_mb in SIZES_MB
    ]
    methods: set[str] = set()
    with open_bench(settings.limit_s) as bench:
        plan = [size for _ in range(settings.rounds) for size in sizes]
        for size in (bar := tqdm(plan, desc=f"{rows:,} rows", unit="run")):
            bar.set_postfix_str(f"{size.memory_mb} MB, {size.case.title}")
            measurement, method = measure(bench, size)
            size.measurements.append(measurement)
            methods.add(method)
    table = table_of(sizes)
    table.notes += [advice(sizes), f"The CPU was limited by {' and '.join(methods)}."]
    table.show()
    page.write(settings.page, "cost", "make bench-cost", table.markdown())


def measure(bench: Bench, size: Size) -> tuple[Measurement, str]:
    """Run the function with its share of a CPU; Postgres and S3 are not limited.

    Returns:
        The measurement, and how the CPU was limited.
    """
    path = size.case.path(bench.files, size.rows)
    template = bench.base_template(size.rows if size.case.is_stored else 0)
    share = size.memory_mb / FULL_CPU_MB
    with control_group(share) as cgroup:
        limits = {"cgroup": cgroup} if cgroup else {"share": share}
        job = replace(bench.job(S3, path), **limits)
        method = "a control group" if cgroup else "stopping and continuing the process"
        return bench.measure_unchecked(job, template), method


def table_of(sizes: list[Size]) -> Table:
    """The table of all memory sizes and cases."""
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
                f"{median_seconds(size.measurements):.2f}",
                f"{size.rows_per_s:,.0f}",
                f"{median(m.usage.cpu_s for m in size.measurements):.2f}",
                f"{max(m.usage.peak_mb for m in size.measurements):.0f}",
                f"{size.usd_per_million:.6f}",
            ]
        )
    return table


def advice(sizes: list[Size]) -> str:
    """Recommend the largest, and so fastest, size near the cheapest price."""
    costs = {
        memory_mb: sum(s.usd_per_million for s in sizes if s.memory_mb == memory_mb)
        for memory_mb in SIZES_MB
    }
    cheapest = min(costs.values())
    best = max(mb for mb, cost in costs.items() if cost <= MAX_PRICE_RATIO * cheapest)
    return (
        f"Choose {best:,} MB: over all cases, the largest and so the fastest size with a "
        f"price within {MAX_PRICE_RATIO - 1:.0%} of the cheapest."
    )


if __name__ == "__main__":
    main()

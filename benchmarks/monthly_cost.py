"""`make cost`: the monthly bill by files per day, from measured figures and list prices.

It measures nothing: seconds and rates are those of docs/performance.md, names those of
template.yaml, and a test compares the sizes below with a real import.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from benchmarks.harness import page

ROOT = page.PAGE.parents[1]
COST_PAGE = ROOT / "docs" / "cost.md"
FILES_PER_DAY: Final = (1, 100, 10_000)
DAYS: Final = 365 / 12
HOURS: Final = DAYS * 24
GB: Final = 1024**3

# An ordinary export: events/SalesPro2025-06-18.csv; a test measures its import.
ROWS: Final = 2374
FILE_BYTES: Final = 369_000
REPORT_BYTES: Final = 68_000
REPORT_OBJECTS: Final = 3
# Lambda's own lines, START, END and REPORT, have about 500 of them.
LOG_BYTES: Final = 2_200
METRICS: Final = (
    *("FilesCompleted", "Duration", "RowsProcessed", "RowsCreated", "RowsUpdated"),
    *("RowsUnchanged", "RowsStale", "RowsDuplicate", "RowsRejected"),
)
# Share of imports that start a new execution environment: Lambda keeps one for some minutes.
COLD_SHARE: Final = {1: 1.0, 100: 1.0, 10_000: 0.02}
# Source: AWS Lambda Developer Guide, "Polling and batching streams" of SQS: five pollers, each
# with a long poll of 20 s while the queue is empty.
IDLE_POLLS_PER_HOUR: Final = 5 * 3600 / 20

# Public list prices in USD without free tiers, US East (N. Virginia), November 2026.
# Sources: the pricing pages of aws.amazon.com/{lambda,s3,sqs,cloudwatch,secrets-manager,
# privatelink,vpc,kms,aws-transfer-family,xray}/pricing.
GB_SECOND: Final = 0.0000166667
INVOCATION: Final = 0.20 / 1e6
S3_PUT: Final = 0.005 / 1000
S3_GET: Final = 0.0004 / 1000
S3_GB_MONTH: Final = 0.023
SQS_REQUEST: Final = 0.40 / 1e6
ALARM_METRIC: Final = 0.10
CUSTOM_METRIC: Final = 0.30
DASHBOARD: Final = 3.00
LOG_GB: Final = 0.50
LOG_GB_MONTH: Final = 0.03
SECRET: Final = 0.40
SECRET_CALL: Final = 0.05 / 10_000
# Per month; named as the services are.
OPTIONAL: Final = {
    "interface endpoint, SQS, for each zone": 0.01 * HOURS,
    "interface endpoint, Secrets Manager, for each zone": 0.01 * HOURS,
    "interface endpoint, SNS, for each zone": 0.01 * HOURS,
    "interface endpoint, CloudWatch Logs, for each zone": 0.01 * HOURS,
    "gateway endpoint, S3": 0.0,
    "NAT gateway instead of the endpoints, for each zone": 0.045 * HOURS,
    "KMS key (KmsKeyArn)": 1.00,
    "alarm of gradual releases (ReleaseType)": 2 * ALARM_METRIC,
    "server of Transfer Family with SFTP": 0.30 * HOURS,
}


@dataclass(frozen=True, slots=True)
class Speed:
    """What docs/performance.md measured at the default memory size.

    Attributes:
        fixed_s: seconds of an import without rows, in a warm environment.
        cold_s: seconds of a cold start.
    """

    memory_mb: int
    rows_per_s: float
    fixed_s: float
    cold_s: float

    def gb_seconds(self, rows: int, cold_share: float) -> float:
        """Billed gigabyte-seconds of one import; Lambda bills the cold start, too."""
        seconds = self.fixed_s + rows / self.rows_per_s + cold_share * self.cold_s
        return seconds * self.memory_mb / 1024


def measured() -> Speed:
    """Read the figures.

    Raises:
        ValueError: the page or the template has another form.
    """
    text = page.PAGE.read_text(encoding="utf-8")
    template = _template()
    memory = _find(r"MemorySize:\n\s+Type: Number\n\s+Default: (\d+)", template)
    rate = _find(rf"\| new \| {memory:,.0f} \| [\d.]+ \| [\d.]+ \| ([\d,]+) \|", text)
    _, _, real_size = text.partition(f"### {ROWS:,} rows\n")
    warm_s = _find(r"\| new \| the function, warm \| ([\d.]+) \|", real_size)
    cold_ms = _find(r"\| with bytecode [^|]+\| [\d,]+ \| ([\d,]+) \|", text)
    return Speed(int(memory), rate, warm_s - ROWS / rate, cold_ms / 1000)


def alarms() -> dict[str, int]:
    """Name of each alarm of a stack without ReleaseType -> its number of metrics."""
    blocks = _template().split("Type: AWS::CloudWatch::Alarm\n")[1:]
    found = {}
    for block in blocks:
        properties = re.split(r"\n  \w+:\n    Type: ", block)[0]
        if properties.lstrip().startswith("Condition: ReleasesGradually"):
            continue
        name = re.search(r"AlarmName: !Sub \$\{AWS::StackName\}-([\w-]+)", properties)
        if name is None:
            raise ValueError("an alarm of template.yaml has no name")
        found[name[1]] = max(1, properties.count("MetricStat:"))
    return found


def monthly(files_per_day: int, speed: Speed) -> dict[str, float]:
    """USD per month by item; 0 files per day is an idle stack."""
    files = files_per_day * DAYS
    cold = COLD_SHARE.get(files_per_day, 0.0)
    # A metric costs only for the hours in which it has a value.
    hours_with_data = min(1.0, files_per_day / 24)
    polls = IDLE_POLLS_PER_HOUR * HOURS
    stored_gb = files * (FILE_BYTES + REPORT_BYTES) / GB
    log_gb = files * LOG_BYTES / GB
    return {
        "alarms": sum(alarms().values()) * ALARM_METRIC,
        "metrics": len(METRICS) * CUSTOM_METRIC * hours_with_data,
        "dashboard": DASHBOARD,
        "secret": SECRET + files * cold * SECRET_CALL,
        "queue, idle": polls * SQS_REQUEST,
        # Sent by S3, received and deleted by Lambda.
        "queue, imports": files * 3 * SQS_REQUEST,
        "function": files * (INVOCATION + speed.gb_seconds(ROWS, cold) * GB_SECOND),
        "S3, requests": files * ((1 + REPORT_OBJECTS) * S3_PUT + S3_GET),
        "S3, storage of a month": stored_gb * S3_GB_MONTH,
        "log": log_gb * (LOG_GB + LOG_GB_MONTH),
    }


def main() -> None:
    """Write the tables to docs/cost.md."""
    speed = measured()
    columns = {number: monthly(number, speed) for number in (0, *FILES_PER_DAY)}
    bill = page.Table(
        "USD per month, by files per day",
        ("item", "idle", *(f"{number:,}" for number in FILES_PER_DAY)),
        left=1,
    )
    for item in columns[0]:
        bill.rows.append([item, *(f"{each[item]:,.2f}" for each in columns.values())])
    totals = [sum(each.values()) for each in columns.values()]
    bill.rows.append(["**total**", *(f"**{total:,.2f}**" for total in totals)])
    idle = sum(columns[0].values())
    per_import = [(sum(columns[n].values()) - idle) / (n * DAYS) for n in FILES_PER_DAY]
    bill.notes.append(
        "Besides the idle costs, one import costs "
        + ", ".join(f"{usd:.6f}" for usd in per_import)
        + " USD at these rates; most of it is metrics at the first two."
    )
    bill.notes.append(
        f"One import of {ROWS:,} rows: "
        f"{speed.gb_seconds(ROWS, 0):.3f} GB-s in a warm environment, "
        f"{speed.gb_seconds(ROWS, 1):.3f} GB-s with a cold start, at {speed.memory_mb:,} MB."
    )
    names = page.Table("By name", ("what", "USD per month"), left=1)
    for name, metrics in alarms().items():
        more = f" ({metrics} metrics)" if metrics > 1 else ""
        names.rows.append([f"alarm `{name}`{more}", f"{metrics * ALARM_METRIC:.2f}"])
    for name in METRICS:
        names.rows.append([f"metric `{name}`, with data in each hour", "0.30"])
    names.rows.append(["dashboard", f"{DASHBOARD:.2f}"])
    names.rows.append(["secret of `DbSecretArn`", f"{SECRET:.2f}"])
    optional = page.Table("Only if you use it", ("what", "USD per month"), left=1)
    for name, usd in OPTIONAL.items():
        optional.rows.append([name, f"{usd:,.2f}"])
    tables = (bill, names, optional)
    for table in tables:
        table.show()
    text = "\n".join(table.markdown() for table in tables)
    before, mark, rest = COST_PAGE.read_text("utf-8").partition("<!-- cost: begin -->")
    after = rest[rest.index("<!-- cost: end -->") :]
    COST_PAGE.write_text(f"{before}{mark}\n{text}{after}", "utf-8")


def _template() -> str:
    return (ROOT / "template.yaml").read_text(encoding="utf-8")


def _find(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"nothing matches {pattern}")
    return float(found[1].replace(",", ""))


if __name__ == "__main__":
    main()

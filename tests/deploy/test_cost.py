"""docs/cost.md: the figures of `make cost` are those of a real import, and its names exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from benchmarks import monthly_cost
from tests.support import paths
from tests.support.function.cloud import Cloud, open_cloud
from tests.support.sam_template import of_type

PAGE = (paths.ROOT / "docs" / "cost.md").read_text(encoding="utf-8")


@pytest.fixture
def cloud(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The function with moto's S3 and SQS."""
    with open_cloud(database_url, monkeypatch) as cloud:
        yield cloud


def test_sizes_are_those_of_a_real_import(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    version = cloud.put("SalesPro.csv", paths.SAMPLE_EXPORT.read_bytes())
    fields = cloud.invoke_for("SalesPro.csv", versionId=version)["imports"][0]

    out = capsys.readouterr().out
    logged = cloud.log_text() + out
    reports = cloud.reports()
    metrics = set(re.findall(r'\{"Name": ?"(\w+)"', out))
    assert metrics == set(monthly_cost.METRICS)
    assert fields["records_processed"] == monthly_cost.ROWS
    assert len(reports) == monthly_cost.REPORT_OBJECTS
    for size, expected in (
        (fields["size_bytes"], monthly_cost.FILE_BYTES),
        (sum(map(len, reports.values())), monthly_cost.REPORT_BYTES),
        (len(logged) + 500, monthly_cost.LOG_BYTES),
    ):
        assert size == pytest.approx(expected, rel=0.15)


def test_page_has_every_alarm_of_the_template_and_every_metric() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm").keys() - {"ReleaseAlarm"}

    assert len(monthly_cost.alarms()) == len(alarms)
    assert "release" not in monthly_cost.alarms()
    assert "(ReleaseType)" in PAGE, "run `make cost`"
    for name in (*monthly_cost.alarms(), *monthly_cost.METRICS):
        assert f"`{name}`" in PAGE, "run `make cost`"


def test_page_has_the_sums_of_the_measured_figures() -> None:
    """After a change of docs/performance.md or template.yaml, `make cost` writes it again."""
    speed = monthly_cost.measured()

    for number in (0, *monthly_cost.FILES_PER_DAY):
        total = sum(monthly_cost.monthly(number, speed).values())
        assert f"**{total:,.2f}**" in PAGE, "run `make cost`"


def test_idle_stack_runs_no_function_and_more_files_cost_more() -> None:
    speed = monthly_cost.Speed(1024, 1000, 1.0, 2.0)

    assert speed.gb_seconds(500, 0.5) == 1.0 + 0.5 + 1.0
    idle, *busy = (monthly_cost.monthly(n, speed) for n in (0, 1, 100, 10_000))
    assert {item for item, usd in idle.items() if usd == 0} == {
        *("metrics", "queue, imports", "function", "S3, requests"),
        *("S3, storage of a month", "log"),
    }
    totals = [sum(each.values()) for each in (idle, *busy)]
    assert totals == sorted(totals)

"""One upload: rows, history, report, log line and metrics."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from psycopg import Connection

from salespro_cli.sandbox.local_aws import REPORTS, UPLOADS
from salespro_core.model.counts import Counts
from salespro_core.sync_history.queries import recent_imports
from tests.support import paths
from tests.support.builders import CANARY, appointment, csv_bytes
from tests.support.function.cloud import Cloud
from tests.support.function.notifications import SPECIAL_KEY, sample_event
from tests.support.import_runs import newest_import
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    TABLES,
    contents,
    contents_and_versions,
    number,
    row_versions,
    stored,
)


def contents_and_writers(conn: Connection) -> object:
    """All rows, with the transaction that wrote each: equal only if no row was written."""
    writers = {
        table: {key: xmin for key, (xmin, _, _) in row_versions(conn, table).items()}
        for table in TABLES
    }
    return contents(conn), writers


def test_reports_are_written_under_object_key_and_version(
    cloud: Cloud, conn: Connection
) -> None:
    bad_row = appointment("A-1", saleAmount="many")
    version = cloud.put(SPECIAL_KEY, csv_bytes(appointment("A-2"), bad_row))

    cloud.invoke_for(SPECIAL_KEY)

    folder = f"{SPECIAL_KEY}/{version}"
    reports = cloud.reports()
    assert sorted(reports) == [
        f"{folder}/rejects.csv",
        f"{folder}/report.html",
        f"{folder}/report.json",
        f"{folder}/report.txt",
    ]
    assert json.loads(reports[f"{folder}/report.json"])["rejected"] == 1
    assert b"A-1" in reports[f"{folder}/rejects.csv"]
    assert b"1 created, 1 rejected." in reports[f"{folder}/report.html"]
    assert newest_import(conn).report_location == f"s3://{REPORTS}/{folder}/"


def test_import_writes_one_log_line_with_its_counts_and_without_cells(
    cloud: Cloud,
) -> None:
    """Dashboards and saved queries read these fields."""
    good = appointment("A-1", customer_nameLast=CANARY)
    bad = appointment("A-2", customer_nameLast=CANARY, saleAmount=CANARY)
    version = cloud.put("a.csv", csv_bytes(good, bad, bad | {"_id": ""}))

    cloud.invoke_for("a.csv")

    [line] = cloud.log_lines()
    assert {
        "bucket": UPLOADS,
        "key": "a.csv",
        "version": version,
        "attempts": 1,
        "status": "completed",
        "sync_type": "csv_appointments",
        "dry_run": False,
        "records_created": 1,
        "records_rejected": 2,
        "records_processed": 3,
    }.items() <= line.items()
    assert line["seconds"] > 0
    assert line["rows_per_second"] > 0
    assert CANARY not in json.dumps(line)


def test_metrics_count_files_by_status_and_rows_by_fate(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.put("a.csv", csv_bytes(appointment("A-1"), appointment("A-2", isSale="no!")))
    cloud.put("b.csv", b"nothing,known\n")

    cloud.invoke_for("a.csv")
    cloud.invoke_for("b.csv")

    imported, refused = map(json.loads, capsys.readouterr().out.splitlines())
    assert imported["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "SalesPro"
    assert (imported["FilesCompleted"], imported["RowsCreated"]) == ([1.0], [1.0])
    assert imported["RowsRejected"] == [1.0]
    assert imported["Duration"][0] >= 0
    assert refused["FilesFailed"] == [1.0]


def test_redelivery_changes_nothing_and_is_logged_as_imported_before(
    cloud: Cloud, conn: Connection
) -> None:
    """S3 and SQS deliver at least once."""
    cloud.put(paths.SAMPLE_EXPORT.name, paths.SAMPLE_EXPORT.read_bytes())
    cloud.invoke(sample_event("sqs-s3-put.json"))
    before = contents_and_writers(conn)

    by_queue = cloud.invoke(sample_event("sqs-s3-put.json"))
    direct = cloud.invoke(sample_event("s3-put.json"))

    assert contents_and_writers(conn) == before
    assert by_queue == {"batchItemFailures": []}
    assert direct["imports"][0]["already_imported"] is True
    assert [line["message"] for line in cloud.log_lines()] == [
        "import completed",
        "imported before",
        "imported before",
    ]


@pytest.mark.parametrize("versioning", ["Enabled", "Suspended"])
def test_corrected_file_under_the_same_key_is_imported(
    cloud: Cloud, conn: Connection, versioning: Literal["Enabled", "Suspended"]
) -> None:
    cloud.s3.put_bucket_versioning(
        Bucket=UPLOADS, VersioningConfiguration={"Status": versioning}
    )
    for amount in ("10.00", "20.00"):
        row = appointment("A-1", saleAmount=amount)
        cloud.s3.put_object(Bucket=UPLOADS, Key="a.csv", Body=csv_bytes(row))
        cloud.invoke_for("a.csv")

    assert [i.counts for i in recent_imports(conn)] == [
        Counts(updated=1),
        Counts(created=1),
    ]


def test_notified_version_is_imported_although_a_newer_version_exists(
    cloud: Cloud, conn: Connection
) -> None:
    """Notifications can arrive late."""
    first, _ = (
        cloud.put("a.csv", csv_bytes(appointment("A-1", saleAmount=amount)))
        for amount in ("10.00", "20.00")
    )

    cloud.invoke_for("a.csv", versionId=first)

    assert number(conn, "SELECT sale_amount FROM salespro_appointment") == 10


def test_object_replaced_before_the_import_is_logged_and_acknowledged(
    cloud: Cloud, conn: Connection
) -> None:
    """The notification of the newer object imports the newer object."""
    cloud.put("a.csv", csv_bytes(appointment("A-1")))

    response = cloud.invoke_by_queue("a.csv", eTag="0" * 32)

    assert response == {"batchItemFailures": []}
    [line] = cloud.log_lines()
    assert line["message"] == "import failed"
    assert "was replaced" in line["error"]
    assert recent_imports(conn) == []


def test_deleted_object_is_logged_and_acknowledged(cloud: Cloud) -> None:
    response = cloud.invoke_by_queue("gone.csv")

    assert response == {"batchItemFailures": []}
    [line] = cloud.log_lines()
    assert "deleted before it was read" in line["error"]


def test_dry_run_writes_a_report_with_changes_and_no_rows(
    cloud: Cloud, conn: Connection
) -> None:
    cloud.put("a.csv", csv_bytes(appointment("A-1", saleAmount="10.00")))
    cloud.invoke_for("a.csv")
    before = contents_and_versions(conn)
    edited = appointment("A-1", saleAmount="20.00")
    version = cloud.put("dryrun/a.csv", csv_bytes(edited, appointment("A-2")))

    response = cloud.invoke_for("dryrun/a.csv")

    assert contents_and_versions(conn) == before
    assert response["imports"][0]["records_updated"] == 1
    report = json.loads(cloud.reports()[f"dryrun/a.csv/{version}/report.json"])
    assert (report["dry_run"], report["created"], report["updated"]) == (True, 1, 1)
    assert report["changes"][0] == {
        "key": "A-1",
        "is_new": False,
        "fields": {"sale_amount": {"old": "10.00", "new": "20.00"}},
    }


def test_refused_file_is_failed_in_the_history_and_acknowledged(
    cloud: Cloud, conn: Connection
) -> None:
    cloud.put("a.csv", b"PK\x03\x04 an Excel workbook")

    response = cloud.invoke_by_queue("a.csv")

    assert response == {"batchItemFailures": []}
    assert newest_import(conn).status == "failed"
    assert "Excel" in str(newest_import(conn).error_message)
    assert any(key.endswith("report.txt") for key in cloud.reports())


def test_file_above_its_error_budget_is_refused_until_it_is_corrected(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_REJECTED_ROWS", "1000")
    monkeypatch.setenv("MAX_REJECTED_PERCENT", "0.02")
    # More than the read buffer holds, so that the object is requested twice.
    rows = [appointment(f"A-{i}") for i in range(9_997)]
    rows += [appointment(f"B-{i}", saleAmount=CANARY) for i in range(3)]
    version = cloud.put("a.csv", csv_bytes(*rows))

    response = cloud.invoke(cloud.receive())

    assert response == {"batchItemFailures": []}
    assert stored(conn, APPOINTMENT_TABLE) == {}
    refused = newest_import(conn)
    assert (refused.status, refused.counts) == ("failed", Counts())
    assert str(refused.error_message).startswith(
        "3 of 10,000 rows would be rejected, more than MAX_REJECTED_PERCENT (0.02) "
        "allows. Nothing was imported."
    )
    assert refused.report_location == f"s3://{REPORTS}/a.csv/{version}/"
    reports = cloud.reports()
    rejects = reports[f"a.csv/{version}/rejects.csv"].decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in rejects] == [
        "reject_line",
        *("9999", "10000", "10001"),
    ]
    report = json.loads(reports[f"a.csv/{version}/report.json"])
    assert (report["status"], len(report["rejects"])) == ("failed", 3)
    [line] = cloud.log_lines()
    assert (line["message"], line["error"]) == ("import failed", refused.error_message)
    assert (line["records_processed"], line["sync_type"]) == (0, "csv_appointments")
    assert CANARY not in json.dumps(line) + str(refused) + json.dumps(report)

    cloud.put("a.csv", csv_bytes(*rows[:-1], appointment("B-2")))
    cloud.invoke(cloud.receive())

    corrected = newest_import(conn)
    assert corrected.status == "completed"
    assert corrected.counts == Counts(created=9_998, rejected=2)


def test_dry_run_of_a_file_above_its_error_budget_is_failed_and_has_a_report(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_REJECTED_ROWS", "0")
    version = cloud.put("dryrun/a.csv", csv_bytes(appointment(saleAmount="many")))

    response = cloud.invoke_for("dryrun/a.csv")

    [fields] = response["imports"]
    assert (fields["status"], fields["dry_run"]) == ("failed", True)
    assert fields["error"].startswith("1 of 1 row would be rejected, more than MAX_REJ")
    assert recent_imports(conn) == []
    assert f"dryrun/a.csv/{version}/rejects.csv" in cloud.reports()


def test_connection_is_reused_and_replaced_after_postgres_ended_it(
    cloud: Cloud, conn: Connection
) -> None:
    importers = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'salespro-importer' AND pid <> pg_backend_pid()"
    )
    sessions = []
    for i in range(3):
        cloud.put(f"{i}.csv", csv_bytes(appointment(f"A-{i}")))
        cloud.invoke_for(f"{i}.csv")
        sessions.append(number(conn, importers))
        if i == 1:
            conn.execute("SELECT pg_terminate_backend(%s, 5000)", [sessions[-1]])

    assert sessions[0] == sessions[1] != sessions[2]
    assert len(stored(conn, APPOINTMENT_TABLE)) == 3

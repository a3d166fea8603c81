"""The action check: one answer with every problem of the set-up and its remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg import Connection

from handler.admin.bucket_checks import PROBE_KEY
from salespro_cli.sandbox.local_aws import REPORTS, UPLOADS
from salespro_core.postgres.schema import expected_schema
from tests.support.builders import CANARY_PASSWORD
from tests.support.databases import IMPORTER_GRANTS, temporary_role
from tests.support.function.check_answers import check_of
from tests.support.function.cloud import Cloud
from tests.support.function.iam import run_action_with_permissions
from tests.support.servers.error_server import run_error_server
from tests.support.table_contents import number

Answer = dict[str, Any]
READ_PERMISSIONS = ["s3:GetObject", "s3:GetObjectVersion"]
CHECKS = [
    "settings",
    "database",
    "schema",
    "privileges",
    "report bucket",
    "upload bucket",
]


def results(answer: Answer) -> dict[str, bool | None]:
    """Check -> whether it is ok; None if it was not made."""
    return {check["check"]: check["ok"] for check in answer["checks"]}


def failed(answer: Answer) -> list[str]:
    """The checks that are not ok."""
    return [check for check, is_ok in results(answer).items() if not is_ok]


def problems(answer: Answer) -> list[dict[str, str]]:
    """The problems of all checks."""
    return [problem for check in answer["checks"] for problem in check["problems"]]


def test_role_with_the_grants_of_the_readme_passes_all_checks(
    cloud: Cloud, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with temporary_role(database_url, *IMPORTER_GRANTS) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        answer = cloud.run_action("check", bucket=UPLOADS)

    assert (answer["action"], answer["ok"]) == ("check", True)
    assert results(answer) == dict.fromkeys(CHECKS, True)
    says = {check["check"]: check["says"] for check in answer["checks"]}
    assert says["settings"] == "complete"
    assert says["database"].startswith("Postgres ")
    assert says["schema"] == f"complete (version {expected_schema().version})"
    assert says["report bucket"] == f"{REPORTS} is writable"
    assert says["upload bucket"] == f"{UPLOADS} is readable"


def test_each_check_has_its_result_problems_and_notes(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = cloud.run_action("check")
    monkeypatch.setenv("DATABASE_URL", "postgresql://importer@127.0.0.1:1/sales")
    unreachable = cloud.run_action("check")

    for answer in (complete, unreachable):
        assert set(answer) == {"action", "ok", "checks"}
        for check in answer["checks"]:
            assert list(check) == ["check", "ok", "says", "problems", "notes"]


def test_notes_on_tables_and_policies_leave_the_checks_ok(
    cloud: Cloud,
    conn: Connection,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conn.execute("ALTER TABLE salespro_appointment SET UNLOGGED")
    conn.execute("ALTER TABLE salespro_users ENABLE ROW LEVEL SECURITY")
    conn.execute("CREATE POLICY everything ON salespro_users USING (true)")
    with temporary_role(database_url, *IMPORTER_GRANTS) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        answer = cloud.run_action("check", bucket=UPLOADS)

    assert answer["ok"] is True
    [on_table] = check_of(answer, "schema")["notes"]
    [on_policy] = check_of(answer, "privileges")["notes"]
    assert on_table["says"] == "salespro_appointment is UNLOGGED"
    assert "a crash of the server empties it" in on_table["means"]
    assert on_policy["says"].startswith("row-level security of salespro_users applies")
    assert "dry runs are refused" in on_policy["means"]


def test_check_writes_only_its_probe_object(cloud: Cloud, conn: Connection) -> None:
    cloud.run_action("check", bucket=UPLOADS)
    cloud.run_action("check", bucket=UPLOADS)

    assert list(cloud.reports()) == [PROBE_KEY]
    assert cloud.s3.list_objects_v2(Bucket=UPLOADS)["KeyCount"] == 0
    assert number(conn, "SELECT count(*) FROM salespro_sync_history") == 0


def test_check_without_a_bucket_skips_the_upload_bucket(cloud: Cloud) -> None:
    answer = cloud.run_action("check")

    assert answer["ok"] is True
    assert results(answer)["upload bucket"] is None
    assert '"bucket": "<UploadBucket>"' in answer["checks"][-1]["says"]


def test_all_invalid_settings_are_in_one_answer(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPORT_BUCKET")
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("BATCH_SIZE", "many")

    answer = cloud.run_action("check")

    assert answer["ok"] is False
    assert results(answer) == {"settings": False}
    assert len(problems(answer)) == 3


def test_unreachable_database_does_not_stop_the_checks_of_the_buckets(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "DATABASE_URL", f"postgresql://importer:{CANARY_PASSWORD}@127.0.0.1:1/sales"
    )

    answer = cloud.run_action("check", bucket=UPLOADS)

    assert results(answer) == {
        "settings": True,
        "database": False,
        "schema": None,
        "privileges": None,
        "report bucket": True,
        "upload bucket": True,
    }
    [problem] = problems(answer)
    assert "Postgres could not be reached" in problem["says"]
    assert "security groups" in problem["remedy"]
    assert CANARY_PASSWORD not in json.dumps(answer) + cloud.log_text()


def test_statements_in_the_remedies_grant_all_missing_privileges(
    cloud: Cloud,
    conn: Connection,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with temporary_role(database_url, "SELECT ON salespro_users") as url:
        monkeypatch.setenv("DATABASE_URL", url)
        before = cloud.run_action("check", bucket=UPLOADS)
        for problem in problems(before):
            conn.execute(problem["remedy"].encode())
        after = cloud.run_action("check", bucket=UPLOADS)

    assert failed(before) == ["privileges"]
    assert len(problems(before)) == 17
    assert after["ok"] is True


def test_remedy_for_a_database_without_tables_is_migrate(
    cloud: Cloud, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    before = cloud.run_action("check", bucket=UPLOADS)
    migrated = cloud.run_action("migrate")
    after = cloud.run_action("check", bucket=UPLOADS)

    assert failed(before) == ["schema"]
    assert '{"action": "migrate"}' in problems(before)[0]["remedy"]
    assert migrated == {
        "action": "migrate",
        "ok": True,
        "says": f"The tables are created. Their schema is {expected_schema().version}.",
    }
    assert after["ok"] is True


def test_missing_buckets_are_named(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_BUCKET", "no-such-reports")

    answer = cloud.run_action("check", bucket="no-such-uploads")

    assert [problem["says"] for problem in problems(answer)] == [
        "S3 answered NoSuchBucket for the report bucket no-such-reports",
        "S3 answered NoSuchBucket for the upload bucket no-such-uploads",
    ]


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (503, "SlowDown", "try again later"),
        (500, "InternalError", "try again later"),
        (400, "ThrottlingException", "try again later"),
        (301, "PermanentRedirect", "check REPORT_BUCKET; the bucket is in another"),
    ],
)
def test_passing_error_of_a_bucket_asks_for_no_other_setup(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, status: int, code: str, remedy: str
) -> None:
    with run_error_server() as server:
        server.answer(status, code, "")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        answer = cloud.run_action("check")

    [problem] = problems(answer)
    assert problem["says"] == f"S3 answered {code} for the report bucket {REPORTS}"
    assert problem["remedy"].startswith(remedy)


@pytest.mark.parametrize(
    ("permissions", "check"),
    [
        pytest.param(
            [*READ_PERMISSIONS, "s3:ListBucket"], "report bucket", id="no-put"
        ),
        pytest.param(["s3:PutObject"], "upload bucket", id="no-get"),
        pytest.param(
            ["s3:PutObject", READ_PERMISSIONS[0]], "upload bucket", id="no-get-version"
        ),
    ],
)
def test_missing_permission_fails_one_check_and_is_named_in_the_remedy(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, permissions: list[str], check: str
) -> None:
    answer = run_action_with_permissions(
        cloud, monkeypatch, permissions, "check", bucket=UPLOADS
    )

    assert failed(answer) == [check]
    [problem] = problems(answer)
    assert "AccessDenied" in problem["says"]
    assert "s3:" in problem["remedy"]

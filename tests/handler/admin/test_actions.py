"""What the function answers when it is asked by hand, in front of a real Postgres."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from handler import app
from handler.admin.actions import ACTIONS, NotDone, UnknownAction
from handler.admin.preflight import PROBE
from salespro_cli.sandbox import REGION, REPORTS, UPLOADS, Invocation, set_up
from salespro_core.postgres import connection
from salespro_core.postgres.preflight import schema_problems
from salespro_core.postgres.schema import schema
from tests.support.sam_template import as_list, properties, statements
from tests.support.table_contents import number, role
from tests.support.world.world import GRANT

Answer = dict[str, Any]
PASSWORD = "canary-of-a-password"  # noqa: S105 -- of nobody
READ = ["s3:GetObject", "s3:GetObjectVersion"]
ALL_CHECKS = [
    "settings",
    "database",
    "schema",
    "privileges",
    "report bucket",
    "upload bucket",
]


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Buckets, and no way to the real AWS."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "REPORT_BUCKET": REPORTS,
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        set_up(boto3.client("s3"), boto3.client("sqs"))
        yield


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the function logs."""
    told = io.StringIO()
    handler: Any = app.logger.registered_handler
    before = handler.setStream(told)
    yield told
    handler.setStream(before)


def ask(action: object, **more: object) -> Answer:
    context: Any = Invocation()
    answer = app.lambda_handler({"action": action, **more}, context)
    # As the runtime does it: what is no JSON is no answer.
    assert json.loads(json.dumps(answer)) == answer
    return answer


def checks(answer: Answer) -> dict[str, bool | None]:
    """Check -> whether it is ok."""
    return {one["check"]: one["ok"] for one in answer["checks"]}


def problems(answer: Answer) -> list[dict[str, str]]:
    return [problem for one in answer["checks"] for problem in one["problems"]]


# --- check ----------------------------------------------------------------------------


def test_where_all_is_well_each_check_says_what_it_found(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exactly the grants of the README."""
    with role(database_url, GRANT) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        answer = ask("check", bucket=UPLOADS)

    assert (answer["action"], answer["ok"]) == ("check", True)
    assert checks(answer) == dict.fromkeys(ALL_CHECKS, True)
    says = {one["check"]: one["says"] for one in answer["checks"]}
    assert says["settings"] == "complete"
    assert says["database"].startswith("Postgres ")
    assert says["schema"] == f"complete (version {schema().version})"
    assert says["report bucket"] == f"{REPORTS} takes reports"
    assert says["upload bucket"] == f"{UPLOADS} can be read"


def test_a_check_writes_nothing_but_its_probe(
    conn: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    ask("check", bucket=UPLOADS)
    ask("check", bucket=UPLOADS)

    s3 = boto3.client("s3")
    found = {
        bucket: [one["Key"] for one in listed.get("Contents", [])]
        for bucket in (UPLOADS, REPORTS)
        if (listed := s3.list_objects_v2(Bucket=bucket))
    }
    assert found == {UPLOADS: [], REPORTS: [PROBE]}
    assert number(conn, "SELECT count(*) FROM salespro_sync_history") == 0


def test_without_its_name_the_upload_bucket_is_not_checked_and_the_answer_says_so(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)

    answer = ask("check")

    assert answer["ok"] is True
    assert checks(answer)["upload bucket"] is None
    assert '"bucket": "<UploadBucket>"' in answer["checks"][-1]["says"]


def test_all_mistakes_in_the_settings_are_in_one_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REPORT_BUCKET")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("BATCH_SIZE", "many")

    answer = ask("check")

    assert answer["ok"] is False
    assert checks(answer) == {"settings": False}
    assert len(problems(answer)) == 3


def test_a_database_that_is_away_keeps_nobody_from_the_buckets(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """One answer has all that is wrong; the password is not in it."""
    monkeypatch.setenv(
        "DATABASE_URL", f"postgresql://importer:{PASSWORD}@127.0.0.1:1/sales"
    )

    answer = ask("check", bucket=UPLOADS)

    assert checks(answer) == {
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
    assert PASSWORD not in json.dumps(answer) + log.getvalue()


def test_a_role_that_lacks_something_gets_the_statements_that_grant_it(
    conn: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run one after the other, they bring the answer to ok."""
    with role(database_url, "SELECT ON salespro_users") as url:
        monkeypatch.setenv("DATABASE_URL", url)
        answer = ask("check", bucket=UPLOADS)
        for problem in problems(answer):
            conn.execute(problem["remedy"].encode())
        after = ask("check", bucket=UPLOADS)

    assert [check for check, ok in checks(answer).items() if not ok] == ["privileges"]
    assert len(problems(answer)) == 11
    assert after["ok"] is True


def test_a_database_without_tables_is_to_be_migrated(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    before = ask("check", bucket=UPLOADS)
    migrated = ask("migrate")
    after = ask("check", bucket=UPLOADS)

    assert [check for check, ok in checks(before).items() if not ok] == ["schema"]
    assert '{"action": "migrate"}' in problems(before)[0]["remedy"]
    assert migrated == {
        "action": "migrate",
        "ok": True,
        "says": f"The tables are up to date with schema {schema().version}.",
    }
    assert after["ok"] is True


def test_buckets_that_are_not_there_are_named(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REPORT_BUCKET", "no-such-reports")

    answer = ask("check", bucket="no-such-uploads")

    assert [problem["says"] for problem in problems(answer)] == [
        "S3 answered NoSuchBucket for the report bucket no-such-reports",
        "S3 answered NoSuchBucket for the upload bucket no-such-uploads",
    ]


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        pytest.param([*READ, "s3:ListBucket"], "report bucket", id="no-put"),
        pytest.param(["s3:PutObject"], "upload bucket", id="no-get"),
        pytest.param(["s3:PutObject", READ[0]], "upload bucket", id="no-version"),
    ],
)
def test_a_role_that_may_not_is_told_what_it_needs(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    allowed: list[str],
    refused: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)

    answer = ask_as(allowed, monkeypatch, "check", bucket=UPLOADS)

    assert [check for check, ok in checks(answer).items() if not ok] == [refused]
    [problem] = problems(answer)
    assert "AccessDenied" in problem["says"]
    assert "s3:" in problem["remedy"]


def ask_as(
    allowed: list[str], monkeypatch: pytest.MonkeyPatch, action: str, **more: object
) -> Answer:
    """Ask as one of whom moto holds the calls against a policy, as IAM does."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}],
    }
    iam = boto3.client("iam")
    name = f"importer-{uuid4()}"
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy)
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]

    @set_initial_no_auth_action_count(0)
    def asked() -> Answer:
        boto3.setup_default_session()  # with these credentials
        return ask(action, **more)

    with monkeypatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        answer = asked()
    boto3.setup_default_session()
    return answer


# --- migrate --------------------------------------------------------------------------


def test_to_migrate_twice_is_no_mistake(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    answers = [ask("migrate"), ask("migrate")]

    assert [answer["ok"] for answer in answers] == [True, True]
    with connection.connect(empty_database_url) as conn:
        assert list(schema_problems(conn)) == []
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["message"], line["action"]) for line in lines] == [
        ("action done", "migrate")
    ] * 2


def test_a_role_that_may_not_create_tables_is_told_and_changes_nothing(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with role(empty_database_url) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        answer = ask("migrate")

    assert (answer["ok"], answer["says"][:20]) == (False, "Nothing was changed.")
    assert "SQLSTATE 42501" in answer["says"]
    assert "salespro migrate" in answer["remedy"]
    with connection.connect(empty_database_url) as conn:
        assert len(list(schema_problems(conn))) == 1


def test_the_grants_for_migrating_are_those_of_the_readme(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever creates the tables owns them, and needs no other grant."""
    with role(empty_database_url, "CREATE, USAGE ON SCHEMA public") as url:
        monkeypatch.setenv("DATABASE_URL", url)
        migrated = ask("migrate")
        checked = ask("check", bucket=UPLOADS)

    assert (migrated["ok"], checked["ok"]) == (True, True)


def test_settings_that_are_wrong_are_an_answer_of_migrate_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REPORT_BUCKET")
    monkeypatch.setenv("DATABASE_URL", make_conninfo(password=PASSWORD, port="many"))

    answer = ask("migrate")

    assert answer["ok"] is False
    assert "REPORT_BUCKET" in answer["says"]
    assert PASSWORD not in json.dumps(answer)


# --- anything else --------------------------------------------------------------------


@pytest.mark.parametrize("action", ["drop", "", "Check", None, 1, ["check"], {}])
def test_an_unknown_action_is_refused_with_the_list_of_those_there_are(
    action: object, log: io.StringIO
) -> None:
    with pytest.raises(UnknownAction) as refused:
        ask(action)

    for known in ACTIONS:
        assert f'{{"action": "{known}"}}' in str(refused.value)
    assert "drop" not in str(refused.value) + log.getvalue()


# --- reconcile ------------------------------------------------------------------------


@pytest.fixture
def queue_url() -> str:
    """Of a queue with nothing in it."""
    url: str = boto3.client("sqs").create_queue(QueueName="empty")["QueueUrl"]
    return url


def test_an_upload_that_was_never_imported_is_sent_to_the_queue(
    database_url: str, queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As S3 would have announced it."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setattr("handler.admin.actions.ON_ITS_WAY", timedelta(minutes=-1))
    boto3.client("s3").put_object(Bucket=UPLOADS, Key="missed.csv", Body=b"_id\r\n")

    answer = ask("reconcile", bucket=UPLOADS, queue_url=queue_url)

    assert (answer["ok"], answer["missed"], answer["sent"]) == (True, 1, 1)
    [message] = boto3.client("sqs").receive_message(QueueUrl=queue_url)["Messages"]
    assert "missed.csv" in message["Body"]


def test_the_template_allows_by_default_what_can_be_asked_for(
    database_url: str, queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked for by hand works in a stack that has no schedule for it."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setattr("handler.admin.actions.ON_ITS_WAY", timedelta(minutes=-1))
    boto3.client("s3").put_object(Bucket=UPLOADS, Key="missed.csv", Body=b"_id\r\n")
    policies = properties("ImporterRole")["Policies"]
    always = [policy for policy in policies if "Fn::If" not in policy]
    allowed = [str(a) for s in statements(always) for a in as_list(s["Action"])]
    # IAM has one action for both ways to send, of which moto does not know.
    assert "sqs:SendMessage" in allowed
    allowed.append("sqs:SendMessageBatch")

    checked = ask_as(allowed, monkeypatch, "check", bucket=UPLOADS)
    sent = ask_as(
        allowed, monkeypatch, "reconcile", bucket=UPLOADS, queue_url=queue_url
    )

    assert (checked["ok"], sent["ok"]) == (True, True)
    assert sent["sent"] == 1


def test_what_the_template_asks_for_on_its_schedule_is_done(
    database_url: str, queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    [target] = properties("ReconcileRule")["Targets"]
    text = target["Input"]["Fn::Sub"]
    text = text.replace("${UploadBucket}", UPLOADS).replace("${UploadQueue}", queue_url)

    assert ask(**json.loads(text))["ok"] is True


def test_a_schedule_that_fails_is_an_error_of_the_function(
    database_url: str,
    queue_url: str,
    monkeypatch: pytest.MonkeyPatch,
    log: io.StringIO,
) -> None:
    """Nobody reads its answer; an error is tried again, and an alarm rings."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    event = {"bucket": "of-nobody", "queue_url": queue_url, "scheduled": True}

    with pytest.raises(NotDone, match="reconcile is not done"):
        ask("reconcile", **event)

    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert line["message"] == "action failed"
    assert "of-nobody" in line["says"]


def test_an_upload_that_may_be_on_its_way_is_let_alone(
    database_url: str, queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    boto3.client("s3").put_object(Bucket=UPLOADS, Key="new.csv", Body=b"_id\r\n")

    answer = ask("reconcile", bucket=UPLOADS, queue_url=queue_url)

    assert (answer["ok"], answer["outside"], answer["sent"]) == (True, 1, 0)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"bucket": UPLOADS},
        {"bucket": UPLOADS, "queue_url": 7},
        {"bucket": UPLOADS, "queue_url": "https://sqs.example", "hours": 0},
        {"bucket": UPLOADS, "queue_url": "https://sqs.example", "hours": True},
        {"bucket": UPLOADS, "queue_url": "https://sqs.example", "hours": "72"},
    ],
)
def test_a_reconciliation_of_nothing_says_what_it_needs(event: dict[str, Any]) -> None:
    answer = ask("reconcile", **event)

    assert answer["ok"] is False
    assert '"queue_url"' in answer["remedy"]


def test_a_bucket_that_cannot_be_listed_is_an_answer(
    database_url: str, queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)

    answer = ask("reconcile", bucket="of-nobody", queue_url=queue_url)

    assert answer["ok"] is False
    assert "of-nobody" in answer["says"]

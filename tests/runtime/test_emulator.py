"""`make runtime`: what is built and deployed, in Lambda's emulator, with all that it needs.

The emulator runs the built folder with the handler, the settings and the timeout of the
built template, beside a Python that has nothing else installed; S3 and SQS are moto's, and
Postgres is real.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest
import yaml
from mypy_boto3_s3 import S3Client
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from salespro_cli.local_postgres import embedded
from salespro_cli.sample_data.generator import write_sample
from salespro_cli.sandbox import REGION, REPORTS, UPLOADS, set_up
from salespro_core.model.outcome import Counts
from salespro_core.sync_history.queries import latest_import, recent_imports
from tests.support.table_contents import number, role, wait_until
from tests.support.terminal import Terminal
from tests.support.world.world import GRANT
from tools.emulator import PYTHON, ROOT, Emulator, built_function, emulator
from tools.uploads import FILES

pytestmark = pytest.mark.runtime

EVENTS = ROOT / "events"
# More than a file of this project ever had; and several spans, soon read on a busy machine.
MANY, SEVERAL = 200_000, 20_000
MEMORY_MB = 256
MB = 1024 * 1024


@dataclass
class Stage:
    """What the function has around it.

    Attributes:
        conn: of an administrator.
        log: of all emulators of this test.
    """

    s3: S3Client
    conn: Connection
    environ: dict[str, str]
    log: Path

    def emulator(self, **limits: int) -> AbstractContextManager[Emulator]:
        """A fresh execution environment, with exactly the grants of the README."""
        return emulator(self.environ, self.log, **limits)

    def put(self, key: str, body: bytes) -> None:
        """Upload."""
        self.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)

    def reports(self) -> set[str]:
        """What is in the report bucket, without the version's folder."""
        listed = self.s3.list_objects_v2(Bucket=REPORTS).get("Contents", [])
        parts = [one["Key"].rsplit("/", 2) for one in listed]
        return {f"{key}/{name}" for key, _, name in parts}


@pytest.fixture
def stage(
    database_url: str,
    moto_endpoint: tuple[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stage]:
    host, port = moto_endpoint
    environ = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": REGION,
        # Each account of moto's has buckets of its own.
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "NO_PROXY": host,
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3")
    with _buckets(s3), role(database_url, GRANT) as url:
        environ |= {"DATABASE_URL": url, "REPORT_BUCKET": REPORTS}
        with psycopg.connect(
            database_url, autocommit=True, prepare_threshold=None
        ) as conn:
            yield Stage(s3, conn, environ, tmp_path / "log")


@contextmanager
def _buckets(s3: S3Client) -> Iterator[None]:
    """Those of the template, and none afterwards."""
    sqs = boto3.client("sqs")
    queue_url = set_up(s3, sqs)
    try:
        yield
    finally:
        sqs.delete_queue(QueueUrl=queue_url)
        for bucket in (UPLOADS, REPORTS):
            for kind in ("Versions", "DeleteMarkers"):
                found: Any = s3.list_object_versions(Bucket=bucket).get(kind, [])
                for one in found:
                    s3.delete_object(
                        Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"]
                    )
            s3.delete_bucket(Bucket=bucket)


def event(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    return found


def delivery(key: str) -> dict[str, Any]:
    """A message of the queue that announces this upload."""
    found = event("sqs-s3-put.json")
    body = json.loads(found["Records"][0]["body"])
    body["Records"][0]["s3"]["object"] = {"key": key}
    found["Records"][0] |= {"body": json.dumps(body), "messageId": str(uuid4())}
    return found


def facts(running: Emulator) -> list[dict[str, Any]]:
    """The lines of the log, without the metrics."""
    return [line for line in running.lines() if "_aws" not in line]


def metrics(running: Emulator) -> list[set[str]]:
    """The names of each line of metrics."""
    return [
        {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
        for line in running.lines()
        if "_aws" in line
    ]


# --- every sample event ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expected:
    """What one event leaves behind.

    Attributes:
        history: type and rows created, per import.
        says: the messages of its log lines.
        counted: the metric of each file.
    """

    history: list[tuple[str, int]] = field(default_factory=list)
    reports: set[str] = field(default_factory=set)
    says: list[str] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)


def reports(*keys: str) -> set[str]:
    return {f"{key}/report.{kind}" for key in keys for kind in ("html", "json", "txt")}


PLAIN, SPECIAL, TRIED, USERS = FILES
SALES_ROW, USERS_ROW = ("csv_appointments", 2374), ("csv_users", 254)
DONE, COUNTED = ["import completed"], ["FilesCompleted"]
EXPECTED = {
    "s3-put.json": Expected([SALES_ROW], reports(PLAIN), DONE, COUNTED),
    "s3-put-special-key.json": Expected([SALES_ROW], reports(SPECIAL), DONE, COUNTED),
    "s3-put-dryrun.json": Expected([], reports(TRIED), DONE, ["FilesTried"]),
    "s3-put-users.json": Expected([USERS_ROW], reports(USERS), DONE, COUNTED),
    "s3-put-two-records.json": Expected(
        [SALES_ROW, USERS_ROW], reports(PLAIN, USERS), DONE * 2, COUNTED * 2
    ),
    "sqs-s3-put.json": Expected([SALES_ROW], reports(PLAIN), DONE, COUNTED),
    "eventbridge-object-created.json": Expected(
        [SALES_ROW], reports(SPECIAL), DONE, COUNTED
    ),
    "s3-removed.json": Expected(says=["ignored"]),
    "s3-test-event.json": Expected(says=["ignored"]),
}


def test_every_sample_event_is_driven() -> None:
    found = {path.name for path in EVENTS.glob("*.json")}

    assert found - {"local.env.json"} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_event_leaves_rows_history_reports_and_log_lines(
    stage: Stage, name: str
) -> None:
    for key, file in FILES.items():
        stage.put(key, (EVENTS / file).read_bytes())

    with stage.emulator() as running:
        answer = running.invoke(event(name))

    expected = EXPECTED[name]
    if name.startswith("sqs"):
        assert answer == {"batchItemFailures": []}
    else:
        assert len(answer["imports"]) == len(expected.counted)
    imports = recent_imports(stage.conn)
    assert sorted((i.sync_type, i.counts.created) for i in imports) == expected.history
    assert all(i.status == "completed" for i in imports)
    rows = number(stage.conn, "SELECT count(*) FROM salespro_appointment")
    rows += number(stage.conn, "SELECT count(*) FROM salespro_users")
    assert rows == sum(created for _, created in expected.history)
    assert stage.reports() == expected.reports
    lines = facts(running)
    assert [line["message"] for line in lines] == expected.says
    assert all(line["level"] == "INFO" for line in lines)
    assert all(line["function_request_id"] for line in lines)
    assert [names & {"FilesCompleted", "FilesTried"} for names in metrics(running)] == [
        {name} for name in expected.counted
    ]


def test_make_invoke_shows_the_log_the_answer_and_the_report(stage: Stage) -> None:
    """What people see who try an event by hand."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.invoke", "events/s3-put.json"],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": ".:src", "DATABASE_URL": stage.environ["DATABASE_URL"]},
        capture_output=True,
        text=True,
        check=True,
    )

    assert '"message":"import completed"' in done.stderr
    assert '"records_created": 2374' in done.stdout
    assert "2,374 rows: 2,374 created" in done.stdout


def test_a_warm_environment_is_used_again(stage: Stage) -> None:
    """One process, and one connection to Postgres."""
    stage.put("one.csv", (EVENTS / "SalesPro2025-06-18.csv").read_bytes())
    stage.put("two.csv", (EVENTS / "SalesPro2025-06-18.csv").read_bytes())

    with stage.emulator() as running:
        first = running.invoke(delivery("one.csv"))
        process, session = running.process(), _sessions(stage)
        second = running.invoke(delivery("two.csv"))

        assert (running.process(), _sessions(stage)) == (process, session)
    assert first == second == {"batchItemFailures": []}
    assert [line["cold_start"] for line in facts(running)] == [True, False]
    assert [i.counts for i in recent_imports(stage.conn)] == [
        Counts(unchanged=2374),
        Counts(created=2374),
    ]


def _sessions(stage: Stage) -> list[int]:
    """The function's sessions, as the server knows them."""
    return [
        row[0]
        for row in stage.conn.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = %s",
            [conninfo_to_dict(stage.environ["DATABASE_URL"])["user"]],
        )
    ]


# --- large files ----------------------------------------------------------------------


def sample(rows: int, tmp_path: Path) -> bytes:
    """A file of so many appointments."""
    path = tmp_path / "sample.csv"
    write_sample("appointments", rows, 7, path)
    return path.read_bytes()


def test_200_000_rows_fit_in_256_mb(stage: Stage, tmp_path: Path) -> None:
    """The kernel holds the process to it; an allocation beyond it would fail."""
    stage.put("large.csv", sample(MANY, tmp_path))

    with stage.emulator(data_mb=MEMORY_MB) as running:
        answer = running.invoke(delivery("large.csv"))
        peak_mb = running.peak_mb()

    assert answer == {"batchItemFailures": []}, running.told
    assert number(stage.conn, "SELECT count(*) FROM salespro_appointment") == MANY
    assert peak_mb < MEMORY_MB


def test_the_limit_of_the_test_before_is_felt(stage: Stage) -> None:
    """With less than its libraries need, the function does not even start."""
    with stage.emulator(data_mb=8) as running:
        answer = running.invoke(delivery("large.csv"))

    assert answer != {"batchItemFailures": []}
    assert facts(running) == []


@contextmanager
def in_mid_file(
    stage: Stage, tmp_path: Path, timeout_s: int
) -> Iterator[tuple[Emulator, Future[Any]]]:
    """An invocation that has committed a part of the file, and waits for the next.

    A row of the second half is stored already, and locked by us.
    """
    large = sample(SEVERAL, tmp_path)
    key = large.splitlines()[SEVERAL // 2 + 1].split(b",")[0].decode()
    stage.conn.execute("INSERT INTO salespro_appointment (id) VALUES (%s)", [key])
    stage.put("large.csv", large)
    with (
        ThreadPoolExecutor(1) as pool,
        stage.emulator(timeout_s=timeout_s) as running,
        stage.conn.transaction(),
    ):
        stage.conn.execute(
            "SELECT FROM salespro_appointment WHERE id = %s FOR UPDATE", [key]
        )
        invocation = pool.submit(running.invoke, delivery("large.csv"))
        wait_until(
            stage.conn,
            "SELECT count(*) FROM pg_locks WHERE NOT granted"
            " AND transactionid = pg_current_xact_id_if_assigned()::xid",
        )
        yield running, invocation


def test_a_timeout_in_mid_file_is_finished_by_the_next_delivery(
    stage: Stage, tmp_path: Path
) -> None:
    """A process that hangs is killed by the runtime; a fresh one goes on after the commit."""
    with in_mid_file(stage, tmp_path, timeout_s=20) as (running, invocation):
        os.kill(running.process(), signal.SIGSTOP)
        told = invocation.result()
    assert "Task timed out after 20.00 seconds" in str(told)
    cut = latest_import(stage.conn, "csv_appointments")
    assert cut is not None
    assert cut.status == "in_progress"
    assert 0 < cut.counts.processed < SEVERAL

    # Two minutes later.
    stage.conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")
    _assert_finished_by(stage, attempts=2)


def test_an_invocation_that_runs_out_of_time_goes_on_at_once(
    stage: Stage, tmp_path: Path
) -> None:
    """It ends itself before the timeout, and leaves no lease behind."""
    with in_mid_file(stage, tmp_path, timeout_s=16) as (running, invocation):
        answer = invocation.result()
    assert len(answer["batchItemFailures"]) == 1
    assert "timed out" not in running.told
    [line] = facts(running)
    assert line["message"] == "import interrupted"
    assert 0 < line["records_processed"] < SEVERAL

    _assert_finished_by(stage, attempts=2)


def _assert_finished_by(stage: Stage, *, attempts: int) -> None:
    """Deliver the file once more: it goes on where it was, and each row is counted once."""
    with stage.emulator() as running:
        answer = running.invoke(delivery("large.csv"))
    assert answer == {"batchItemFailures": []}
    [line] = facts(running)
    assert line["attempts"] == attempts
    done = latest_import(stage.conn, "csv_appointments")
    assert done is not None
    assert done.status == "completed"
    assert done.counts == Counts(created=SEVERAL - 1, updated=1)
    assert number(stage.conn, "SELECT count(*) FROM salespro_appointment") == SEVERAL


# --- asked by hand --------------------------------------------------------------------


def test_check_and_migrate_are_answered(stage: Stage) -> None:
    with stage.emulator() as running:
        checked = running.invoke({"action": "check", "bucket": UPLOADS})
        migrated = running.invoke({"action": "migrate"})
        unknown = running.invoke({"action": "drop"})

    assert checked["ok"] is True, checked
    # The role of the README may import, and not alter what it does not own.
    assert migrated["ok"] is False
    assert unknown["errorType"] == "UnknownAction"
    for known in ("check", "migrate", "reconcile"):
        assert f'{{"action": "{known}"}}' in unknown["errorMessage"]


# --- all that is called -----------------------------------------------------------------


def test_every_service_that_is_called_is_in_the_build(stage: Stage) -> None:
    """Descriptions of services are left out of it: Secrets Manager, SNS and SQS are not."""
    known = conninfo_to_dict(stage.environ.pop("DATABASE_URL"))
    secret = {
        "host": known["host"],
        "port": known.get("port", 5432),
        "dbname": known["dbname"],
        "username": known["user"],
        "password": known["password"],
    }
    secrets, name = boto3.client("secretsmanager"), f"sales-{uuid4()}"
    arn = secrets.create_secret(Name=name, SecretString=json.dumps(secret))["ARN"]
    sns: Any = boto3.client("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    sqs = boto3.client("sqs")
    queue_url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue_arn = topic.replace(":sns:", ":sqs:")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    stage.environ |= {
        "DB_SECRET_ARN": arn,
        "DB_SSLMODE": "prefer",  # that server has no TLS
        "NOTIFY_TOPIC_ARN": topic,
    }
    stage.put("refused.csv", b"nothing,known\n")

    with stage.emulator() as running:
        answer = running.invoke(delivery("refused.csv"))
        asked = {"action": "reconcile", "bucket": UPLOADS, "queue_url": queue_url}
        reconciled = running.invoke(asked)

    assert answer == {"batchItemFailures": []}
    said = [line["message"] for line in facts(running)]
    assert said == ["import failed", "action done"]
    [told] = sqs.receive_message(QueueUrl=queue_url)["Messages"]
    assert "SalesPro import failed" in told["Body"]
    assert (reconciled["ok"], reconciled["outside"]) == (True, 1)


def test_a_token_for_the_database_is_made_of_what_is_in_the_build() -> None:
    """And the bundle for an RDS proxy, which the template's description names, is there."""
    script = (
        "import boto3, os; from handler.aws.db_connection import _token;"
        "print(_token({'host': 'db.example', 'username': 'importer'}));"
        "print(os.path.getsize('botocore/cacert.pem'))"
    )

    done = subprocess.run(  # noqa: S603 -- what we have built
        [PYTHON, "-c", script],
        cwd=built_function().folder,
        env={
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    token, size = done.stdout.split()
    assert token.startswith("db.example:5432/?Action=connect&DBUser=importer")
    assert int(size) > 100_000
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert "/var/task/botocore/cacert.pem" in text


# --- in a container -------------------------------------------------------------------


def test_a_container_would_reach_the_sandbox_with_the_sample_environment(
    stage: Stage, tmp_path: Path
) -> None:
    """As `sam local invoke` of events/README.md, without Docker.

    The function comes from another address than localhost, with the variables of
    local.env.json, in which only the host and the port are others.
    """
    if not _is_free(embedded.PORT):
        pytest.skip(f"port {embedded.PORT} is taken on this machine")
    variables = json.loads((EVENTS / "local.env.json").read_text("utf-8"))["Importer"]
    template = yaml.safe_load((EVENTS / "local.yaml").read_text("utf-8"))
    declared = template["Resources"]["Importer"]["Properties"]["Environment"]
    assert set(declared["Variables"]) == set(variables)
    terminal = Terminal(tmp_path, {"DATABASE_URL": ""})
    output = tmp_path / "output"
    arguments = ("sandbox", "--host", "0.0.0.0", "--no-function", "--port", "0")  # noqa: S104
    with (
        output.open("w", encoding="utf-8") as stdout,
        terminal.start(*arguments, stdout=stdout, stderr=stdout) as sandbox,
    ):
        try:
            port = _said(output, r"listen on http://127\.0\.0\.1:(\d+), .* no function")
            body = (EVENTS / "SalesPro2025-06-18.csv").read_bytes()
            s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
            s3.put_object(Bucket=UPLOADS, Key=PLAIN, Body=body)
            here = _other_address()
            environ = {
                name: value.replace("host.docker.internal", here).replace(
                    ":5000", f":{port}"
                )
                for name, value in variables.items()
            }
            names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
            environ |= {name: stage.environ[name] for name in names} | {
                "NO_PROXY": here
            }
            with emulator(environ, stage.log) as running:
                answer = running.invoke(event("s3-put.json"))
                checked = running.invoke({"action": "check", "bucket": UPLOADS})
            refused = _says_of_superuser(here)
        finally:
            sandbox.terminate()

    assert answer["imports"][0]["records_created"] == 2374
    assert checked["ok"] is True
    assert "password" in refused


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("", port)).close()
    except OSError:
        return False
    return True


def _other_address() -> str:
    """This machine's, as its network has it; localhost if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _said(output: Path, pattern: str) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := re.search(pattern, output.read_text(encoding="utf-8")):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(output.read_text(encoding="utf-8"))


def _says_of_superuser(host: str) -> str:
    """What Postgres answers to one who wants to be it, from the network."""
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(host=host, port=embedded.PORT, user="postgres", password="x")  # noqa: S106
    return str(refused.value)


# --- what is built --------------------------------------------------------------------


def _built(wanted: Callable[[Path], bool] = lambda _: True) -> set[str]:
    folder = built_function().folder
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and wanted(path)
    }


def test_all_bytecode_is_there_so_that_none_is_written(stage: Stage) -> None:
    """Lambda's folder is read-only: each cold start would compile anew."""
    before = _built()
    with stage.emulator() as running:
        running.invoke({"action": "check"})

    assert _built() == before
    sources = _built(lambda path: path.suffix == ".py")
    compiled = {name for name in before if name.endswith(".cpython-313.pyc")}
    assert len(sources) == len(compiled) > 400
    # And each first report its page.
    folder = "salespro_core/report/html_report"
    assert f"{folder}/__pycache__/report.html.cpython-313.jinja" in before


def test_nothing_is_shipped_that_the_function_does_not_need() -> None:
    tops = {name.split("/")[0] for name in _built()}

    assert {"handler", "salespro_core"} <= tops
    assert (
        tops & {"salespro_cli", "moto", "bin", "Makefile", "requirements.txt"} == set()
    )


def test_no_path_of_the_machine_that_built_is_shipped() -> None:
    """Tracebacks in the log name /var/task, and two machines build the same."""
    here = str(ROOT).encode()
    bytecode = _built(lambda path: path.suffix in (".pyc", ".jinja"))
    folder = built_function().folder

    assert [name for name in bytecode if here in (folder / name).read_bytes()] == []


def test_a_package_that_is_not_the_pinned_one_is_not_installed(tmp_path: Path) -> None:
    """Whatever the registry answers, what ships is what was locked."""
    source = tmp_path / "src"
    shutil.copytree(ROOT / "src", source)
    pins = source / "requirements.txt"
    text = pins.read_text(encoding="utf-8")
    others = text.replace("sha256:0", "sha256:1")
    others = re.sub("sha256:[2-9a-f]", "sha256:0", others)
    pins.write_text(others, encoding="utf-8")

    done = subprocess.run(
        ["make", "build-Importer"],  # noqa: S607
        cwd=source,
        env=os.environ
        | {"ARTIFACTS_DIR": str(tmp_path / "built"), "PYTHON_3_13": str(PYTHON)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "built" / "handler").exists()


def test_the_template_that_is_built_has_the_timeout_that_is_tested() -> None:
    function = built_function()

    assert function.handler == "handler.app.lambda_handler"
    assert function.timeout_s == 300
    assert function.environment["LOG_LEVEL"] == "INFO"

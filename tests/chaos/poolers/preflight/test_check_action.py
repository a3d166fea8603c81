"""The action check says that a pooler stands before Postgres, and what it means."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from handler.admin import preflight
from salespro_cli.sandbox.local_aws import UPLOADS
from tests.support.databases import IMPORTER_GRANTS, temporary_role
from tests.support.function.check_answers import check_of
from tests.support.function.cloud import Cloud, open_cloud
from tests.support.servers.keyless_proxy import keyless_proxy
from tests.support.servers.pgbouncer import PoolSettings, run_pgbouncer

pytestmark = pytest.mark.poolers

Answer = dict[str, Any]


@pytest.fixture
def cloud(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The function with moto's S3 and SQS, and a new database."""
    with open_cloud(database_url, monkeypatch) as cloud:
        yield cloud


@pytest.fixture
def role_url(database_url: str) -> Iterator[str]:
    """Conninfo of the function's role, straight to the server."""
    with temporary_role(database_url, *IMPORTER_GRANTS) as url:
        yield url


@pytest.fixture
def check(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Answer]:
    """Runs the action with a function that connects to this conninfo."""

    def run(url: str) -> Answer:
        monkeypatch.setenv("DATABASE_URL", url)
        return cloud.run_action("check", bucket=UPLOADS)

    return run


@pytest.mark.parametrize("size", [1, 2, 20])
def test_transaction_pool_is_noted_and_ok(
    check: Callable[[str], Answer], role_url: str, size: int
) -> None:
    with run_pgbouncer(role_url, PoolSettings(size=size)) as pooler:
        answer = check(pooler.conninfo)

    assert answer["ok"] is True
    assert check_of(answer)["says"].endswith("through a pooler in transaction mode")
    [note] = check_of(answer)["notes"]
    assert note["says"].startswith(
        "the connection leads through a pooler in transaction mode"
    )
    assert "MaximumConcurrency + 2" in note["means"]


def test_session_pool_is_noted_and_ok(
    check: Callable[[str], Answer], role_url: str
) -> None:
    with run_pgbouncer(role_url, PoolSettings(mode="session", size=2)) as pooler:
        answer = check(pooler.conninfo)

    assert answer["ok"] is True
    [note] = check_of(answer)["notes"]
    assert (
        "session mode: each connection keeps a server session of its own"
        in note["says"]
    )
    assert "2 * MaximumConcurrency + 2" in note["means"]


def test_session_pool_of_one_session_is_noted_with_an_unknown_mode(
    check: Callable[[str], Answer], role_url: str
) -> None:
    with run_pgbouncer(role_url, PoolSettings(mode="session", size=1)) as pooler:
        answer = check(pooler.conninfo)

    assert answer["ok"] is True
    [note] = check_of(answer)["notes"]
    assert "its mode is not known" in note["says"]
    assert "wait for a session" in note["means"]


def test_statement_pool_is_a_problem_and_the_buckets_are_still_checked(
    check: Callable[[str], Answer], role_url: str
) -> None:
    with run_pgbouncer(role_url, PoolSettings(mode="statement", size=2)) as pooler:
        answer = check(pooler.conninfo)

    assert answer["ok"] is False
    assert {c["check"]: c["ok"] for c in answer["checks"]} == {
        "settings": True,
        "database": False,
        "schema": None,
        "privileges": None,
        "report bucket": True,
        "upload bucket": True,
    }
    [problem] = check_of(answer)["problems"]
    assert "no import and no dry run is possible" in problem["says"]
    assert "pool_mode" in problem["remedy"]


def test_pool_that_others_use_up_is_a_problem_of_the_database(
    check: Callable[[str], Answer], role_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "CONNECT_TIMEOUT_S", 2)
    settings = PoolSettings(size=1, query_wait_timeout_s=1)
    with (
        run_pgbouncer(role_url, settings) as pooler,
        psycopg.connect(pooler.conninfo) as holder,
    ):
        holder.execute("SELECT")
        answer = check(pooler.conninfo)

    assert check_of(answer)["ok"] is False
    [problem] = check_of(answer)["problems"]
    assert "of a pooler, the size of its pool" in problem["remedy"]


def test_pooler_without_cancel_requests_is_noted(
    check: Callable[[str], Answer], role_url: str
) -> None:
    with (
        run_pgbouncer(role_url, PoolSettings()) as pooler,
        keyless_proxy(pooler.conninfo) as url,
    ):
        _, note = check_of(check(url))["notes"]

    assert note["says"] == "the pooler takes no cancel requests"
    assert "keeps its locks" in note["means"]


def test_notes_are_logged_and_contain_no_password(
    check: Callable[[str], Answer], cloud: Cloud, role_url: str
) -> None:
    with run_pgbouncer(role_url, PoolSettings()) as pooler:
        answer = check(pooler.conninfo)
        password = f"secret of {conninfo_to_dict(role_url)['user']}"
        refused = check(make_conninfo(pooler.conninfo, password=password))

    [done, failed] = cloud.log_lines()
    assert done["message"] == "action done"
    assert done["checks"] == answer["checks"]
    assert (refused["ok"], failed["message"]) == (False, "action failed")
    assert password not in json.dumps([answer, refused]) + cloud.log_text()

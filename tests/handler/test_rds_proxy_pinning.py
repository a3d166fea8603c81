"""Which of the conditions under which RDS Proxy pins a connection the function meets.

RDS Proxy runs in AWS only, so the statements are compared with its documentation.  Source:
RDS User Guide, "Avoiding pinning an RDS Proxy".  docs/operations.md says the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from salespro_cli.sandbox.local_aws import UPLOADS
from tests.support.databases import IMPORTER_GRANTS, temporary_role
from tests.support.function.cloud import Cloud
from tests.support.paths import EVENTS
from tests.support.servers.tcp_proxy import Proxy, postgres_proxy

PINNING_TEXT_BYTES = 16 * 1024
SETS_IN_TRANSACTION = {"set_config in transaction"}
# Name -> pattern of a statement that pins according to the documentation.  For set_config
# until the end of the transaction the documentation leaves it open.
CONDITIONS = {
    "SET LOCAL": r"\bSET LOCAL\b",
    "set_config in transaction": r"(?s)set_config\(.*, true\)",
    "set_config": r"set_config\([^()]*, false\)",
    "SET TRANSACTION": r"\bSET TRANSACTION\b",
    "SET CONSTRAINTS": r"\bSET CONSTRAINTS\b",
    "SET": r"(^|;)\s*(SET (?!LOCAL|TRANSACTION|CONSTRAINTS)|RESET)\b",
    "prepared statement": r"(^|;)\s*(PREPARE|DISCARD|DEALLOCATE|EXECUTE)\b",
    "temporary object": r"\bCREATE\s+(GLOBAL |LOCAL )?TEMP",
    "cursor": r"\bDECLARE\b",
    "LISTEN": r"(^|;)\s*LISTEN\b",
    "LOAD": r"(^|;)\s*LOAD\b",
    "sequence": r"\b(nextval|setval|currval|lastval)\(",
    "session lock": r"\bpg_(try_)?advisory_lock",
}

Sent = Callable[[Callable[[], object]], list[str]]


@pytest.fixture
def sent(
    cloud: Cloud, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sent]:
    """Returns the statements that an invocation sends to Postgres."""
    del cloud
    with (
        temporary_role(database_url, *IMPORTER_GRANTS) as url,
        postgres_proxy(url) as (proxied, proxy),
    ):
        monkeypatch.setenv("DATABASE_URL", proxied)

        def record(invoke: Callable[[], object]) -> list[str]:
            return _record(proxy, invoke)

        yield record


def _record(proxy: Proxy, invoke: Callable[[], object]) -> list[str]:
    before = len(proxy.statements)
    invoke()
    return proxy.statements[before:]


def conditions(statements: list[str]) -> set[str]:
    """The conditions that these statements meet."""
    return {
        name
        for name, pattern in CONDITIONS.items()
        for statement in statements
        if re.search(pattern, statement, re.IGNORECASE)
    }


@pytest.mark.parametrize(
    "file", ["SalesPro2025-06-18.csv", "Combined_Active_Users.csv"]
)
@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("", SETS_IN_TRANSACTION),
        (
            "dryrun/",
            SETS_IN_TRANSACTION
            | {"SET TRANSACTION", "SET CONSTRAINTS", "temporary object", "sequence"},
        ),
    ],
    ids=["import", "dry-run"],
)
def test_import_sets_only_in_transactions_and_dry_run_makes_temporary_tables(
    cloud: Cloud, sent: Sent, file: str, folder: str, expected: set[str]
) -> None:
    cloud.put(folder + file, (EVENTS / file).read_bytes())

    statements = sent(lambda: cloud.invoke_for(folder + file))

    assert conditions(statements) == expected
    assert max(len(text.encode()) for text in statements) < PINNING_TEXT_BYTES


def test_check_sets_only_in_transactions(cloud: Cloud, sent: Sent) -> None:
    statements = sent(lambda: cloud.run_action("check", bucket=UPLOADS))

    assert conditions(statements) == SETS_IN_TRANSACTION


def test_every_set_is_sent_inside_a_transaction(cloud: Cloud, sent: Sent) -> None:
    """Outside, the value would be that of the session."""
    file = "SalesPro2025-06-18.csv"
    cloud.put(file, (EVENTS / file).read_bytes())

    is_in_transaction = False
    for text in sent(lambda: cloud.invoke_for(file)):
        if text.startswith("BEGIN"):
            is_in_transaction = True
        assert is_in_transaction or not conditions([text]), text
        if text in ("COMMIT", "ROLLBACK"):
            is_in_transaction = False


@pytest.mark.parametrize(
    ("statement", "condition"),
    [
        ("SET search_path = x", "SET"),
        ("SELECT 1; SET a = b", "SET"),
        ("RESET ALL", "SET"),
        ("SELECT set_config('a', 'b', false)", "set_config"),
        ("DISCARD ALL", "prepared statement"),
        ("CREATE TEMPORARY TABLE t ()", "temporary object"),
        ("create temp table t ()", "temporary object"),
        ("SELECT pg_advisory_lock(1)", "session lock"),
        ("SELECT pg_try_advisory_lock_shared(1)", "session lock"),
        ("SELECT nextval('s')", "sequence"),
        ("DECLARE c CURSOR FOR SELECT 1", "cursor"),
        ("LISTEN x", "LISTEN"),
        ("LOAD 'auto_explain'", "LOAD"),
    ],
)
def test_condition_is_recognised(statement: str, condition: str) -> None:
    assert conditions([statement]) == {condition}


@pytest.mark.parametrize(
    "statement",
    ["UPDATE t SET a = 1", "SELECT pg_advisory_xact_lock(1)", "BEGIN", "SELECT 1"],
)
def test_other_statement_meets_no_condition(statement: str) -> None:
    assert conditions([statement]) == set()

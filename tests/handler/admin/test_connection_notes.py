"""The action check says which proxy stands between the function and Postgres."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from handler.admin.connection_notes import describe_pooler, pooler_notes, proxy_notes
from salespro_cli.local_postgres.binaries import VERSION
from salespro_cli.sandbox.local_aws import UPLOADS
from salespro_core.postgres import connection
from salespro_core.preflight.pooler import Pooler, PoolMode
from tests.support.function.check_answers import check_of
from tests.support.function.cloud import Cloud
from tests.support.servers.local_postgres import run_postgres
from tests.support.servers.tcp_proxy import postgres_proxy
from tools.postgres_binaries import find_in_wheel

RDS_PROXY = "sales.proxy-cz3qfpk4nsdd.eu-central-1.rds.amazonaws.com"


def check_database(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, url: str
) -> dict[str, Any]:
    """The check of the database by a function that connects to this conninfo."""
    monkeypatch.setenv("DATABASE_URL", url)
    return check_of(cloud.run_action("check", bucket=UPLOADS))


def test_direct_connection_leads_through_no_pooler(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    database = check_database(cloud, monkeypatch, database_url)

    assert database["ok"] is True
    assert "through" not in database["says"] + str(database["notes"])


def test_tcp_proxy_is_noted_with_both_addresses(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    with postgres_proxy(database_url) as (url, _):
        database = check_database(cloud, monkeypatch, url)
        port = conninfo_to_dict(url)["port"]

    assert database["ok"] is True
    [note] = database["notes"]
    assert note["says"].startswith(
        f"the client is connected to 127.0.0.1, port {port}, and the server received "
    )
    assert "load balancer" in note["says"]
    assert "no effect on results" in note["means"]


def test_address_of_the_server_is_compared_on_tcp() -> None:
    binaries = find_in_wheel(VERSION)
    assert binaries is not None
    settings = {"listen_addresses": "127.0.0.1"}
    hba = "local all all trust\nhost all all 127.0.0.1/32 trust\n"
    with run_postgres(binaries, settings, hba=hba) as server:
        url = make_conninfo(server.conninfo, host="127.0.0.1")
        with connection.connect(url) as conn:
            direct = list(proxy_notes(conn))
        with postgres_proxy(url) as (proxied, _), connection.connect(proxied) as conn:
            [note] = proxy_notes(conn)

    assert direct == []
    assert f"received the connection at 127.0.0.1, port {server.port}" in str(note)


@pytest.mark.parametrize(
    ("mode", "description"),
    [
        ("transaction", "RDS Proxy (multiplexing)"),
        ("session", "RDS Proxy (pinned)"),
        (None, "RDS Proxy"),
    ],
)
def test_rds_proxy_is_recognised_by_its_host_name(
    mode: PoolMode | None, description: str
) -> None:
    pooler = Pooler(mode, takes_cancel_requests=False)

    note, _ = pooler_notes(pooler, RDS_PROXY)

    assert describe_pooler(pooler, RDS_PROXY) == description
    assert description in note.description


@pytest.mark.parametrize(
    "host",
    [
        "sales.cz3qfpk4nsdd.eu-central-1.rds.amazonaws.com",
        "sales.proxy-cz3qfpk4nsdd.example.com",
        "",
    ],
)
def test_other_host_is_not_called_rds_proxy(host: str) -> None:
    pooler = Pooler("transaction", takes_cancel_requests=True)

    assert describe_pooler(pooler, host) == "a pooler in transaction mode"

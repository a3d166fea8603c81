"""Fixtures of the pooler tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.chaos.poolers import reliability_section
from tests.chaos.poolers.harness.pooled_world import OpenPool, pool_opener
from tests.support.servers import pgbouncer
from tests.support.world.world import World


@pytest.fixture(autouse=True)
def _record_result(request: pytest.FixtureRequest) -> None:
    """Record the test for docs/reliability.md."""
    name = request.node.name.partition("[")[0]
    if name in reliability_section.ROWS:
        version = reliability_section.VERSION + pgbouncer.version()
        for value in (name, version):
            request.node.user_properties.append(("poolers", value))


@pytest.fixture
def open_pool(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> Iterator[OpenPool]:
    """Starts a pooler before the database of `world`, for the function."""
    record_property("postgres", str(world.conn.info.server_version // 10_000))
    with pool_opener(world, monkeypatch) as open_:
        yield open_

"""Fixtures for the tests of the upsert: a claim, and writers of batches and chunks."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import Connection

from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from tests.core.upsert.writers import (
    KEYS,
    BatchWriter,
    ChunkWriter,
    read_layout_and_chunks,
)
from tests.support.builders import appointment, upload


@pytest.fixture
def claim(conn: Connection) -> Claim:
    """The first attempt at the upload; changes are recorded, as by default."""
    return claims.claim(conn, upload(), keeps_changes=True)


@pytest.fixture(params=[True, False], ids=["compares-first", "inserts-at-once"])
def compare_before_insert(request: pytest.FixtureRequest) -> bool:
    """Whether rows are compared before any is locked; the tables end up the same."""
    return bool(request.param)


@pytest.fixture(params=[False, True], ids=["no-changes", "records-changes"])
def records_changes(request: pytest.FixtureRequest) -> bool:
    """Whether the changes are recorded; everything else ends up the same."""
    return bool(request.param)


@pytest.fixture
def write(*, compare_before_insert: bool, records_changes: bool) -> BatchWriter:
    """Writes batches; a test that uses it runs for all forms of the statement."""
    return BatchWriter(compare_before_insert, records_changes)


@pytest.fixture
def writer(conn: Connection, claim: Claim, database_url: str) -> Iterator[ChunkWriter]:
    """Writes three chunks of three appointments, A to I, each in two batches."""
    file = read_layout_and_chunks(
        *(appointment(key) for key in KEYS), checkpoint_rows=3, batch_size=2
    )
    writer = ChunkWriter(conn, claim, file, database_url)
    yield writer
    writer.connection.conn.close()


@pytest.fixture
def other_conn(database_url: str) -> Iterator[Connection]:
    """Another session, which sees only committed rows."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield conn

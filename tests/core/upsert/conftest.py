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
    """The first attempt at the upload."""
    return claims.claim(conn, upload())


@pytest.fixture(params=[True, False], ids=["compares-first", "inserts-at-once"])
def compare_before_insert(request: pytest.FixtureRequest) -> bool:
    """Whether rows are compared before any is locked; the tables end up the same."""
    return bool(request.param)


@pytest.fixture
def write(*, compare_before_insert: bool) -> BatchWriter:
    """Writes batches; a test that uses it runs for both forms of the statement."""
    return BatchWriter(compare_before_insert)


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

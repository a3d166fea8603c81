"""What a fault consists of, and the context that its injector works on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from enum import Enum

import pytest

from tests.support.servers.private_postgres import PrivateServer
from tests.support.world.uploads import Rows, TrackedUpload
from tests.support.world.world import World


class Recovery(Enum):
    """How an import recovers from a fault."""

    WITHIN_ATTEMPT = "recovers in the attempt"
    NEXT_DELIVERY = "recovers with the next delivery"
    AFTER_REPAIR = "fails until the repair, then recovers"
    ROW_REJECTED = "the row is rejected"
    FILE_REFUSED = "the file is refused"


@dataclass(eq=False, slots=True)
class FaultContext:
    """What an injector may change.

    Attributes:
        upload: the upload that is delivered under the fault.
        monkeypatch: changes the environment until the end of the test.
        server: the test's private server; None on the shared server.
        strikes: how often the fault has struck; a test fails if it never did.
        at_test_end: callbacks that run at the end of the test, not at the repair.
    """

    world: World
    upload: TrackedUpload
    monkeypatch: pytest.MonkeyPatch
    server: PrivateServer | None
    strikes: int = 0
    at_test_end: ExitStack = field(default_factory=ExitStack)

    @property
    def private_server(self) -> PrivateServer:
        """The test's private server; the fault must have `needs_private_server`."""
        assert self.server is not None
        return self.server


# A context manager that injects the fault when it is entered, and repairs it on exit.
Injector = Callable[[FaultContext], AbstractContextManager[None]]
# Uploads another file than the standard one.
UploadFile = Callable[[World], TrackedUpload]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCase:
    """A fault at one moment, or in one variant: one test case.

    Attributes:
        name: of the moment or variant.
        seconds: time until the deadline of the invocation.
        upload_file: replaces the standard upload.
        refused_keys: keys of rows that Postgres refuses.
    """

    name: str
    inject: Injector
    of_users: bool = False
    seconds: float = 30.0
    upload_file: UploadFile | None = None
    refused_keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of fault, and how the importer must react to it.

    Attributes:
        injection: how the tests cause it; for docs/reliability.md.
        reaction: what the importer does; for docs/reliability.md.
        recovery: how the import recovers.
        error_type: type of the logged error, if the attempt ends with one.
        error_patterns: regular expressions that the text of that error must match.
        deliveries: deliveries until the import is done; 0 for any number.
        is_warm: the function has imported a file before and keeps its connection.
        is_reachable: the function can reach Postgres at the end of the attempt, so it
            must release its lease and its transaction.
        needs_private_server: the test stops or reconfigures the server.
        stored_rows: rows imported before; None for the standard ones.
    """

    name: str
    injection: str
    reaction: str
    recovery: Recovery
    cases: tuple[FaultCase, ...]
    error_type: str = ""
    error_patterns: tuple[str, ...] = ()
    deliveries: int = 0
    is_warm: bool = False
    is_reachable: bool = True
    needs_private_server: bool = False
    stored_rows: Rows | None = None

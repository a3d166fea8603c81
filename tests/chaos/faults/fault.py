"""What a fault is, and what an injector works with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from enum import Enum

import pytest

from tests.support.servers.own_postgres import OwnServer
from tests.support.world.world import Put, Rows, World


class End(Enum):
    """What comes of an import that a fault has hit."""

    IN_THE_ATTEMPT = "recovers in the attempt"
    NEXT_DELIVERY = "recovers with the next delivery"
    ONCE_MENDED = "stops until it is mended, then recovers"
    ROW_REJECTED = "the row is rejected"
    FILE_REFUSED = "the file is refused"


@dataclass(eq=False, slots=True)
class Scene:
    """A world in which a fault strikes.

    Attributes:
        put: the upload that is delivered under the fault.
        patch: of the environment; undone when the test is over.
        server: that of the database, if it is the test's own.
        strikes: how often the fault has struck.
        until_over: what is undone when the test is over, and not when it is mended.
    """

    world: World
    put: Put
    patch: pytest.MonkeyPatch
    server: OwnServer | None
    strikes: int = 0
    until_over: ExitStack = field(default_factory=ExitStack)

    @property
    def own_server(self) -> OwnServer:
        """That of the database."""
        assert self.server is not None
        return self.server


# Breaks something for as long as it is entered, and mends it.
Inject = Callable[[Scene], AbstractContextManager[None]]
# Puts the upload into the world, in the place of the ordinary one.
PutFile = Callable[[World], Put]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A fault at one moment.

    Attributes:
        name: of the moment, or of the variant.
        seconds: that the invocation has.
        put_file: another upload than the ordinary one.
        refused: keys of rows that Postgres refuses.
    """

    name: str
    inject: Inject
    of_users: bool = False
    seconds: float = 30.0
    put_file: PutFile | None = None
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A sort of breakage, and what it must come to.

    Attributes:
        how: it is injected.
        what: happens, before the end.
        error: the type of the error that the log names, where the attempt ends in one.
        says: what that error has to say, as regular expressions.
        deliveries: it takes, all in all, until the import is done.
        is_warm: an environment is hit that has imported before, with its connection.
        is_reachable: Postgres answers the function at the end of the attempt, so that
            nothing may be left behind.
        needs_server: of its own, to be stopped and set up as it likes.
        before: rows that are stored already; None for the ordinary ones.
    """

    name: str
    how: str
    what: str
    end: End
    runs: tuple[Run, ...]
    error: str = ""
    says: tuple[str, ...] = ()
    deliveries: int = 0
    is_warm: bool = False
    is_reachable: bool = True
    needs_server: bool = False
    before: Rows | None = None

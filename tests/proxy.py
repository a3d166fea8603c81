"""A wire to Postgres that can be cut at a given moment."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from psycopg.conninfo import conninfo_to_dict, make_conninfo

READ_BYTES = 64 * 1024


class Wire:
    """Carries what client and server say; loses the reply to the n-th COMMIT.

    Attributes:
        is_lost: set when that has happened.
    """

    def __init__(self, server: str, losing: int) -> None:
        self._server = server
        self._left = losing
        self.is_lost = Event()

    def carry(self, client: socket.socket) -> None:
        """Connect a client with the server, and return at once."""
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._server)
        about_to_lose = Event()
        Thread(
            target=self._up, args=(client, server, about_to_lose), daemon=True
        ).start()
        Thread(
            target=self._down, args=(server, client, about_to_lose), daemon=True
        ).start()

    def _up(
        self, client: socket.socket, server: socket.socket, about_to_lose: Event
    ) -> None:
        with suppress(OSError):
            while said := client.recv(READ_BYTES):
                if b"COMMIT" in said:
                    self._left -= 1
                    if self._left == 0:
                        about_to_lose.set()
                server.sendall(said)
            server.shutdown(socket.SHUT_WR)

    def _down(
        self, server: socket.socket, client: socket.socket, about_to_lose: Event
    ) -> None:
        with suppress(OSError):
            while said := server.recv(READ_BYTES):
                if about_to_lose.is_set():
                    # The server has answered, so it has done it; nobody will know.
                    self.is_lost.set()
                    break
                client.sendall(said)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def wire(conninfo: str, folder: Path, *, losing: int) -> Iterator[tuple[str, Wire]]:
    """Conninfo that leads to the same server over a wire.

    Args:
        conninfo: has a Unix socket for its host.
        folder: for the wire's own socket; its path has to be short.
        losing: which COMMIT's reply is lost, counted over all connections.
    """
    known = conninfo_to_dict(conninfo)
    name = f".s.PGSQL.{known.get('port', 5432)}"
    carrier = Wire(f"{known['host']}/{name}", losing)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / name))
    listener.listen()

    def accept() -> None:
        with suppress(OSError):
            while True:
                carrier.carry(listener.accept()[0])

    Thread(target=accept, daemon=True).start()
    try:
        yield make_conninfo(conninfo, host=str(folder)), carrier
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()

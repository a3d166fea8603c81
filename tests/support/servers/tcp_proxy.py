"""A TCP proxy that breaks connections at a chosen statement or byte.

Before Postgres it parses as much of the protocol as is needed to recognise statements;
before S3 it counts bytes.  Source: PostgreSQL documentation, section 54.7, "Message
Formats".
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Literal, NamedTuple

from psycopg.conninfo import conninfo_to_dict, make_conninfo

READ_BYTES = 64 * 1024

# What the proxy does to a connection.  `cut` and `reset` close it by FIN and RST; `garble`
# sends bytes outside the protocol and closes it; `blackhole` keeps it open and drops all
# further data.  The statement or reply of that moment is lost.
Action = Literal["cut", "reset", "garble", "blackhole"]
GARBAGE = b"\x00\xffgarbage\x00" * 8


@dataclass(frozen=True, slots=True)
class Moment:
    """A statement before it reaches the server, or its reply before it reaches the client.

    Attributes:
        number: number of the statement over all connections, from 0.
        text: text of the statement, also if it was prepared earlier.
        is_answered: it is the reply; the server has executed the statement.
        error: SQLSTATE and text of an error reply: `40P01 deadlock detected`.
    """

    number: int
    text: str
    is_answered: bool
    error: str = ""


# Called at each moment; returns what the proxy does, if anything.  It may block.
Plan = Callable[[Moment], Action | None]


class Proxy:
    """Forwards data between clients and one server.

    Attributes:
        parses_sql: it recognises statements and calls `plan`; otherwise it counts bytes.
        plan: called at each moment.
        latency_s: delay before each packet, in both directions.
        slice_bytes: most bytes per packet.
        cut_after: bytes from the server, over all connections, until `action` happens.
        cut_again_after: bytes until it happens again; None for once only.
        on_connection: called with the number of a new connection, from 0, before it is
            accepted.
        is_refusing: new connections are closed at once.
        is_silent: new connections are accepted, and all data is dropped.
        statements: texts of all statements so far.
        connections: number of connections so far.
        cuts: how often `action` has happened.
        is_over: set at the end of the test.
    """

    def __init__(
        self, connect: Callable[[], socket.socket], *, parses_sql: bool
    ) -> None:
        self.plan: Plan = lambda _: None
        self.latency_s = 0.0
        self.slice_bytes = READ_BYTES
        self.cut_after: int | None = None
        self.cut_again_after: int | None = None
        self.action: Action = "cut"
        self.on_connection: Callable[[int], None] = lambda _: None
        self.is_refusing = self.is_silent = False
        self.statements: list[str] = []
        self.cuts = 0
        self.is_over = Event()
        self.parses_sql = parses_sql
        self._connect = connect
        self._lock = Lock()
        self.connections = 0

    def accept(self, client: socket.socket) -> None:
        """Connect a client with the server in a new thread."""
        self.on_connection(self.connections)
        self.connections += 1
        if self.is_refusing:
            client.close()
            return
        try:
            server = self._connect()
        except OSError:  # the server is down
            client.close()
            return
        for end in (client, server):
            if end.family == socket.AF_INET:  # otherwise each small packet waits 40 ms
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Thread(target=_Connection(self, client, server).run, daemon=True).start()

    def begin(self, text: str) -> Moment:
        """Record a statement and return its moment."""
        with self._lock:
            self.statements.append(text)
            return Moment(len(self.statements) - 1, text, is_answered=False)

    def bytes_to_forward(self, count: int) -> tuple[int, Action | None]:
        """Return how many of the next bytes from the server pass, and what follows."""
        with self._lock:
            if self.cut_after is None:
                return count, None
            if count < self.cut_after:
                self.cut_after -= count
                return count, None
            through, self.cut_after = self.cut_after, self.cut_again_after
            self.cuts += 1
            return through, self.action


class _Ended(Exception):
    pass


class _Message(NamedTuple):
    """A message of the protocol; the first message of a client has no kind."""

    kind: bytes
    body: bytes
    raw: bytes


class _Connection:
    """A connection, forwarded by one thread."""

    def __init__(
        self, proxy: Proxy, client: socket.socket, server: socket.socket
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._is_blackhole = proxy.is_silent
        self._up = _Messages(has_startup=True)
        self._down = _Messages(has_startup=False)
        self._prepared: dict[bytes, str] = {}
        self._unsent: list[bytes] = []
        self._text = ""
        # Statements without a reply; None is where the client waits for all replies.
        self._pending: list[Moment | None] = []

    def run(self) -> None:
        with suppress(OSError, _Ended):
            while not self._is_blackhole:
                ready, _, _ = select.select([self._client, self._server], [], [])
                for end in ready:
                    data = end.recv(READ_BYTES)
                    if not data:
                        raise _Ended
                    self._forward(end, data)
            # A black hole does not forward the end of the connection either.
            self._proxy.is_over.wait()
        for end in (self._client, self._server):
            with suppress(OSError):
                end.close()

    def _forward(self, end: socket.socket, data: bytes) -> None:
        is_up = end is self._client
        if self._proxy.parses_sql:
            messages = self._up if is_up else self._down
            for message in messages.read(data):
                (self._forward_to_server if is_up else self._forward_to_client)(message)
        elif is_up:
            self._send(self._server, data)
        else:
            through, action = self._proxy.bytes_to_forward(len(data))
            self._send(self._client, data[:through])
            self._do(action)

    def _forward_to_server(self, message: _Message) -> None:
        if message.kind == b"P":
            name, text = message.body.split(b"\0")[:2]
            self._prepared[name] = text.decode()
        elif message.kind == b"B":
            self._text = self._prepared.get(message.body.split(b"\0")[1], "")
        elif message.kind == b"Q":
            self._text = message.body[:-1].decode()
        self._unsent.append(message.raw)
        if message.kind in (b"P", b"B", b"D"):
            # Sent together with Execute, because parsing a statement takes table locks.
            return
        if message.kind in (b"Q", b"E"):
            moment = self._proxy.begin(self._text)
            self._do(self._proxy.plan(moment))
            self._pending.append(moment)
        if message.kind in (b"Q", b"S"):
            self._pending.append(None)
        raw, self._unsent = b"".join(self._unsent), []
        self._send(self._server, raw)

    def _forward_to_client(self, message: _Message) -> None:
        # CommandComplete or ErrorResponse.
        if message.kind in (b"C", b"E") and self._pending:
            statement = self._pending.pop(0)
            if statement is not None:
                error = _error_text(message.body) if message.kind == b"E" else ""
                moment = replace(statement, is_answered=True, error=error)
                self._do(self._proxy.plan(moment))
        # ReadyForQuery: statements that were sent after an error get no reply.
        if message.kind == b"Z" and None in self._pending:
            del self._pending[: self._pending.index(None) + 1]
        self._send(self._client, message.raw)

    def _send(self, end: socket.socket, data: bytes) -> None:
        if self._is_blackhole:
            return
        for start in range(0, len(data), self._proxy.slice_bytes):
            if self._proxy.latency_s:
                time.sleep(self._proxy.latency_s)
            end.sendall(data[start : start + self._proxy.slice_bytes])

    def _do(self, action: Action | None) -> None:
        if action is None:
            return
        if action == "blackhole":
            self._is_blackhole = True
            return
        if action == "garble":
            self._client.sendall(GARBAGE)
        if action == "reset":
            linger = struct.pack("ii", 1, 0)
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise _Ended


def _error_text(body: bytes) -> str:
    """Return the SQLSTATE and the text of an ErrorResponse."""
    fields = {
        field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0")
    }
    return f"{fields.get(b'C', '')} {fields.get(b'M', '')}"


class _Messages:
    """Splits a byte stream into messages."""

    def __init__(self, *, has_startup: bool) -> None:
        self._buffer = b""
        self._has_startup = has_startup

    def read(self, data: bytes) -> Iterator[_Message]:
        """Yield the messages that are complete."""
        self._buffer += data
        while True:
            kind = 0 if self._has_startup else 1
            if len(self._buffer) < kind + 4:
                return
            [length] = struct.unpack_from("!i", self._buffer, kind)
            end = kind + length
            if len(self._buffer) < end:
                return
            raw, self._buffer = self._buffer[:end], self._buffer[end:]
            self._has_startup = False
            yield _Message(raw[:kind], raw[kind + 4 :], raw)


@contextmanager
def postgres_proxy(conninfo: str) -> Iterator[tuple[str, Proxy]]:
    """Start a proxy for a database; yield the conninfo that leads through it."""
    proxy = Proxy(lambda: _connect(conninfo), parses_sql=True)
    with _listening(proxy) as port:
        # The proxy cannot read encrypted messages.
        plain = {"sslmode": "disable", "gssencmode": "disable"}
        yield (
            make_conninfo(conninfo, host="127.0.0.1", hostaddr="", port=port, **plain),
            proxy,
        )


@contextmanager
def http_proxy(host: str, port: int) -> Iterator[tuple[str, Proxy]]:
    """Start a proxy for an HTTP server; yield the URL that leads through it."""
    proxy = Proxy(lambda: socket.create_connection((host, port)), parses_sql=False)
    with _listening(proxy) as own_port:
        yield f"http://127.0.0.1:{own_port}", proxy


def _connect(conninfo: str) -> socket.socket:
    known = conninfo_to_dict(conninfo)
    host, port = str(known["host"]), str(known.get("port", 5432))
    if not host.startswith("/"):
        return socket.create_connection((host, int(port)))
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(str(Path(host, f".s.PGSQL.{port}")))
    except OSError:
        server.close()
        raise
    return server


@contextmanager
def _listening(proxy: Proxy) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                proxy.accept(listener.accept()[0])

    Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        proxy.is_over.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()

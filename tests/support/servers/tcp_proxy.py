"""A TCP wire to a server, that fails by plan: at a statement, or at a byte.

It stands between the importer and Postgres, where it understands as much of the protocol
as it takes to tell statements apart, or between the importer and S3, where it does not.
Source of the messages: PostgreSQL documentation, section 54.7, "Message Formats".
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

# What happens to a connection: it ends, by FIN or by RST, or after bytes that are no
# answer; or nothing comes through it any more and nobody is told.  What it carried at
# that moment is lost.
Action = Literal["cut", "reset", "garble", "blackhole"]
GARBAGE = b"\x00\xffno answer\x00" * 8


@dataclass(frozen=True, slots=True)
class Moment:
    """A statement on its way to the server, or its reply on the way back.

    Attributes:
        number: of the statement, over all connections, from 0.
        text: of the statement, also where it was prepared before.
        is_answered: whether the server has done it; the client does not know yet.
        error: the reply, if it is one: `40P01 deadlock detected`.
    """

    number: int
    text: str
    is_answered: bool
    error: str = ""


# What happens at a moment; None if nothing does.  It may take its time.
Plan = Callable[[Moment], Action | None]


class Proxy:
    """Carries what client and server say.

    Attributes:
        speaks_sql: whether it tells statements apart; one that does not counts bytes.
        plan: asked at each moment.
        latency_s: before each piece, in both directions.
        slice_bytes: the size of a piece, at most.
        cut_after: bytes from the server, over all connections, after which `action`
            happens; once, unless `cut_again_after` so many more.
        on_connection: told the number of a new connection, from 0, before it is taken.
        is_refusing: a new connection is closed at once.
        is_silent: a new connection is taken, and nothing comes through it.
        statements: what has been sent so far.
        connections: how many have been made so far.
        cuts: how often `action` has happened.
        is_over: set when the test is.
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

    def carry(self, client: socket.socket) -> None:
        """Connect a client with the server, and return at once."""
        self.on_connection(self.connections)
        self.connections += 1
        if self.is_refusing:
            client.close()
            return
        try:
            server = self._connect()
        except OSError:  # it is down
            client.close()
            return
        for end in (client, server):
            if end.family == socket.AF_INET:  # or each small piece waits for 40 ms
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Thread(target=_Connection(self, client, server).run, daemon=True).start()

    def begin(self, text: str) -> Moment:
        """A statement is on its way."""
        with self._lock:
            self.statements.append(text)
            return Moment(len(self.statements) - 1, text, is_answered=False)

    def bytes_to_forward(self, count: int) -> tuple[int, Action | None]:
        """How many of these bytes from the server get through, and what happens then."""
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
    """One message of the protocol; the first of a client has no kind."""

    kind: bytes
    body: bytes
    raw: bytes


class _Connection:
    """One connection, carried by one thread."""

    def __init__(
        self, proxy: Proxy, client: socket.socket, server: socket.socket
    ) -> None:
        self._wire = proxy
        self._client = client
        self._server = server
        self._is_dark = proxy.is_silent
        self._up = _Messages(has_startup=True)
        self._down = _Messages(has_startup=False)
        self._prepared: dict[bytes, str] = {}
        self._kept_back: list[bytes] = []
        self._text = ""
        # A None is where the client waits for all that it has asked before.
        self._asked: list[Moment | None] = []

    def run(self) -> None:
        with suppress(OSError, _Ended):
            while not self._is_dark:
                ready, _, _ = select.select([self._client, self._server], [], [])
                for end in ready:
                    said = end.recv(READ_BYTES)
                    if not said:
                        raise _Ended
                    self._pass_on(end, said)
            # Not even that the other one has hung up gets through.
            self._wire.is_over.wait()
        for end in (self._client, self._server):
            with suppress(OSError):
                end.close()

    def _pass_on(self, end: socket.socket, said: bytes) -> None:
        is_up = end is self._client
        if self._wire.parses_sql:
            messages = self._up if is_up else self._down
            for message in messages.read(said):
                (self._go_up if is_up else self._come_down)(message)
        elif is_up:
            self._send(self._server, said)
        else:
            through, action = self._wire.bytes_to_forward(len(said))
            self._send(self._client, said[:through])
            self._do(action)

    def _go_up(self, message: _Message) -> None:
        if message.kind == b"P":
            name, text = message.body.split(b"\0")[:2]
            self._prepared[name] = text.decode()
        elif message.kind == b"B":
            self._text = self._prepared.get(message.body.split(b"\0")[1], "")
        elif message.kind == b"Q":
            self._text = message.body[:-1].decode()
        self._kept_back.append(message.raw)
        if message.kind in (b"P", b"B", b"D"):
            # They go with the Execute: a statement that is parsed has its locks already.
            return
        if message.kind in (b"Q", b"E"):
            moment = self._wire.begin(self._text)
            self._do(self._wire.plan(moment))
            self._asked.append(moment)
        if message.kind in (b"Q", b"S"):
            self._asked.append(None)
        raw, self._kept_back = b"".join(self._kept_back), []
        self._send(self._server, raw)

    def _come_down(self, message: _Message) -> None:
        # CommandComplete, or the ErrorResponse in its stead.
        if message.kind in (b"C", b"E") and self._asked:
            asked = self._asked.pop(0)
            if asked is not None:
                error = _told(message.body) if message.kind == b"E" else ""
                moment = replace(asked, is_answered=True, error=error)
                self._do(self._wire.plan(moment))
        # ReadyForQuery: what was asked behind an error is not answered at all.
        if message.kind == b"Z" and None in self._asked:
            del self._asked[: self._asked.index(None) + 1]
        self._send(self._client, message.raw)

    def _send(self, end: socket.socket, data: bytes) -> None:
        if self._is_dark:
            return
        for start in range(0, len(data), self._wire.slice_bytes):
            if self._wire.latency_s:
                time.sleep(self._wire.latency_s)
            end.sendall(data[start : start + self._wire.slice_bytes])

    def _do(self, action: Action | None) -> None:
        if action is None:
            return
        if action == "blackhole":
            self._is_dark = True
            return
        if action == "garble":
            self._client.sendall(GARBAGE)
        if action == "reset":
            linger = struct.pack("ii", 1, 0)
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise _Ended


def _told(body: bytes) -> str:
    """The SQLSTATE and the text of an ErrorResponse."""
    fields = {
        field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0")
    }
    return f"{fields.get(b'C', '')} {fields.get(b'M', '')}"


class _Messages:
    """Puts together what the network took apart."""

    def __init__(self, *, has_startup: bool) -> None:
        self._buffer = b""
        self._has_startup = has_startup

    def read(self, said: bytes) -> Iterator[_Message]:
        """The messages that are complete by now."""
        self._buffer += said
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
    """Conninfo that leads to the same database over a wire."""
    proxy = Proxy(lambda: _connect(conninfo), parses_sql=True)
    with _listening(proxy) as port:
        # The wire does not understand what is encrypted.
        plain = {"sslmode": "disable", "gssencmode": "disable"}
        yield (
            make_conninfo(conninfo, host="127.0.0.1", hostaddr="", port=port, **plain),
            proxy,
        )


@contextmanager
def http_proxy(host: str, port: int) -> Iterator[tuple[str, Proxy]]:
    """URL that leads to an HTTP server over a wire."""
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
                proxy.carry(listener.accept()[0])

    Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        proxy.is_over.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()

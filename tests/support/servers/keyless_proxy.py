"""A proxy that gives clients no key for cancel requests, as RDS Proxy does.

Sources: RDS User Guide, "Additional limitations for RDS for PostgreSQL" (no cancel
requests); https://github.com/vapor/postgres-nio/pull/296 (no BackendKeyData).
"""

from __future__ import annotations

import socket
import socketserver
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_KEY, _READY = b"K", b"Z"


@contextmanager
def keyless_proxy(conninfo: str) -> Iterator[str]:
    """Start the proxy before a server on TCP; yield the conninfo that leads through it."""
    server = conninfo_to_dict(conninfo)
    address = str(server["host"]), int(str(server["port"]))

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(address) as upstream:
                up = Thread(target=_forward, args=[self.request, upstream])
                up.start()
                _forward_start(upstream, self.request)
                _forward(upstream, self.request)
                up.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as proxy:
        Thread(target=proxy.serve_forever, args=[0.01]).start()
        try:
            yield make_conninfo(conninfo, port=proxy.server_address[1])
        finally:
            proxy.shutdown()


def _forward_start(server: socket.socket, client: socket.socket) -> None:
    """Forward the messages up to the first ReadyForQuery, but no BackendKeyData."""
    with suppress(OSError, struct.error):
        kind = b""
        while kind != _READY:
            head = server.recv(5, socket.MSG_WAITALL)
            kind, length = struct.unpack("!ci", head)
            body = server.recv(length - 4, socket.MSG_WAITALL)
            if kind != _KEY:
                client.sendall(head + body)


def _forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)

"""The faults that the object server can inject into a response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

# The body ends at `until`: by FIN, by RST or by silence; `garbled` changes the last byte.
BodyFault = Literal["cut", "reset", "stall", "garbled"]
# The headers are wrong; the body is correct.
WrongHeader = Literal[
    "length too long",
    "length too short",
    "length missing",
    "range elsewhere",
    "range of another total",
    "range missing",
    "other ETag",
    "other version",
]
# Headers that botocore cannot parse.  It then leaves the connection to the garbage
# collector, which emits a ResourceWarning.
MalformedHeader = Literal["length no number", "date no date"]
# No response, or an error response.
NoResponse = Literal[
    "hung up", "hung up in the head", "silent", "500", "503", "503 cut", "429", "408"
]
# The object changes before the response, or access is denied.
ObjectChange = Literal["replaced", "deleted", "denied"]
FaultType = (
    BodyFault
    | WrongHeader
    | MalformedHeader
    | NoResponse
    | ObjectChange
    | Literal["trickle"]
)


def fault_types(of: object) -> tuple[FaultType, ...]:
    """Return the values of one of the types above, or of a union of them."""
    return tuple(value for part in get_args(of) for value in get_args(part) or [part])


@dataclass(frozen=True, slots=True)
class ResponseFault:
    """The fault of one request.

    Attributes:
        kind: the type of fault; "trickle" only sends small packets.
        until: for a body fault, the offset in the object at which the body ends.
    """

    kind: FaultType
    until: int = 0


NO_FAULT = ResponseFault("trickle")
CLOSED_EARLY: dict[FaultType, bytes] = {
    "hung up": b"",
    "hung up in the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "503 cut": b"HTTP/1.1 503 Slow\r\nContent-Length: 99\r\n\r\n<Err",
}
REFUSALS: dict[FaultType, tuple[str, str]] = {
    "denied": ("403 Forbidden", "AccessDenied"),
    "500": ("500 Internal Server Error", "InternalError"),
    "503": ("503 Slow Down", "SlowDown"),
    "429": ("429 Too Many Requests", "TooManyRequests"),
    "408": ("400 Bad Request", "RequestTimeout"),
}


def wrong_headers(kind: FaultType, start: int, total: int) -> dict[str, str]:
    """Return the headers that a fault changes; an empty header is not sent."""
    by_type: dict[FaultType, dict[str, str]] = {
        "length too long": {"Content-Length": str(total - start + 7)},
        "length too short": {"Content-Length": str(max(total - start - 7, 0))},
        "length missing": {"Content-Length": ""},
        "length no number": {"Content-Length": "many"},
        "range elsewhere": {"Content-Range": f"bytes {start + 1}-{total - 1}/{total}"},
        "range of another total": {
            "Content-Range": f"bytes {start}-{total - 1}/{total + 7}"
        },
        "other ETag": {"ETag": f'"{"0" * 32}"'},
        "other version": {"x-amz-version-id": "another"},
        "date no date": {"Last-Modified": "yesterday"},
    }
    return by_type.get(kind, {})

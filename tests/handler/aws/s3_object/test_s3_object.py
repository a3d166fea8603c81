"""An object's bytes, complete and unchanged, or one error; the S3 server fails on demand."""

from __future__ import annotations

import gc
import random
import time
from contextlib import closing
from typing import Any

import pytest
from mypy_boto3_s3 import S3Client

from handler.aws import s3_object
from handler.aws.s3_object import CLIENT_CONFIG, MAX_BREAKS, MAX_TRIES, ObjectStream
from salespro_core.errors import (
    ObjectGone,
    ObjectRefused,
    ObjectUnavailable,
    SalesProError,
)
from tests.support.function.cut_sensitive_csv import CSV, CUT_OFFSETS, KEY, read_all
from tests.support.servers.object_server import (
    BUCKET,
    ObjectServer,
    run_object_server,
    short_timeout_client,
)
from tests.support.servers.s3_faults import (
    BodyFault,
    FaultType,
    MalformedHeader,
    NoResponse,
    ResponseFault,
    WrongHeader,
    fault_types,
)

pytestmark = pytest.mark.usefixtures("no_backoff")


def test_cut_at_each_sensitive_offset_costs_one_request(
    object_server: ObjectServer, s3: S3Client
) -> None:
    cuts = CUT_OFFSETS[: MAX_BREAKS - 1]
    notification = object_server.put(
        KEY, CSV, *(ResponseFault("cut", offset) for offset in cuts)
    )

    assert read_all(s3, notification) == CSV
    assert object_server.objects[KEY].requested_ranges == [
        None,
        *(f"bytes={offset}-" for offset in cuts),
    ]


@pytest.mark.parametrize("kind", fault_types(BodyFault | WrongHeader | NoResponse))
def test_single_fault_after_a_cut_is_survived(
    object_server: ObjectServer, s3: S3Client, kind: FaultType
) -> None:
    faults = [ResponseFault("cut", 500), ResponseFault(kind, 900)]
    notification = object_server.put(
        KEY, CSV, *faults, version_id="v1", has_checksum=True
    )

    if kind == "garbled":
        with pytest.raises(ObjectUnavailable, match="does not have the checksum"):
            read_all(s3, notification)
    else:
        assert read_all(s3, notification) == CSV
        after = f"bytes={900 if kind in fault_types(BodyFault) else 500}-"
        assert object_server.objects[KEY].requested_ranges == [
            None,
            "bytes=500-",
            after,
        ]


@pytest.mark.parametrize("kind", fault_types(WrongHeader | NoResponse))
def test_unusable_responses_in_a_row_end_after_five_tries(
    object_server: ObjectServer, s3: S3Client, kind: FaultType
) -> None:
    faults = [ResponseFault("cut", 500), *[ResponseFault(kind)] * 9]
    notification = object_server.put(KEY, CSV, *faults, version_id="v1")

    with pytest.raises(ObjectUnavailable) as caught:
        read_all(s3, notification)

    assert len(object_server.objects[KEY].requested_ranges) == MAX_TRIES
    assert str(caught.value) == (
        f"s3://{BUCKET}/{KEY} broke off (breaks: 5, in a row: 5) after 500 of "
        f"{len(CSV):,} bytes. It is tried again."
    )
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("length missing", "missing or unexpected ContentLength"),
        ("length too long", "missing or unexpected ContentLength"),
        ("length too short", "missing or unexpected ContentLength"),
        ("range elsewhere", "missing or unexpected ContentRange"),
        ("other ETag", "missing or unexpected ETag"),
        ("other version", "missing or unexpected VersionId"),
        ("hung up", r"could not be reached .* \(ConnectionClosedError\); in a VPC"),
        ("silent", r"could not be reached .* \(ReadTimeoutError\)"),
        ("503", "S3 answered SlowDown"),
        ("500", "S3 answered InternalError"),
        ("408", "S3 answered RequestTimeout"),
    ],
)
def test_unusable_first_response_is_an_error_that_names_the_problem(
    object_server: ObjectServer, s3: S3Client, kind: FaultType, text: str
) -> None:
    notification = object_server.put(KEY, CSV, ResponseFault(kind), version_id="v1")

    with pytest.raises(ObjectUnavailable, match=text) as caught:
        ObjectStream(s3, notification)

    assert f"s3://{BUCKET}/{KEY}" in str(caught.value)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("kind", fault_types(MalformedHeader))
def test_malformed_response_is_an_error_at_first_and_a_break_later(
    object_server: ObjectServer, s3: S3Client, kind: FaultType
) -> None:
    """Botocore raises a ValueError and leaves the connection to the garbage collector."""
    with pytest.raises(ObjectUnavailable, match="malformed response"):
        ObjectStream(s3, object_server.put(KEY, CSV, ResponseFault(kind)))

    assert (
        read_all(
            s3,
            object_server.put(KEY, CSV, ResponseFault("cut", 9), ResponseFault(kind)),
        )
        == CSV
    )
    gc.collect()  # here, where the ResourceWarning is filtered


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("replaced", ObjectGone, "was replaced {when}; the newer upload is imported"),
        ("deleted", ObjectGone, "was deleted {when}; upload it again"),
        ("denied", ObjectRefused, "allow the role or user s3:GetObject"),
    ],
)
@pytest.mark.parametrize(
    ("before", "when"),
    [([], "before it was read"), ([ResponseFault("cut", 500)], "while being read")],
    ids=["at once", "midway"],
)
def test_replaced_deleted_or_denied_object_is_not_requested_again(
    object_server: ObjectServer,
    s3: S3Client,
    kind: FaultType,
    error: type[SalesProError],
    text: str,
    before: list[ResponseFault],
    when: str,
) -> None:
    notification = object_server.put(KEY, CSV, *before, ResponseFault(kind))

    with pytest.raises(error, match=text.format(when=when)) as caught:
        read_all(s3, notification)

    assert not caught.value.retryable
    assert len(object_server.objects[KEY].requested_ranges) == len(before) + 1


def test_pinned_version_is_read_completely_after_it_was_replaced(
    object_server: ObjectServer, s3: S3Client
) -> None:
    faults = [
        ResponseFault("cut", 500),
        ResponseFault("replaced"),
        ResponseFault("cut", 900),
    ]

    assert read_all(s3, object_server.put(KEY, CSV, *faults, version_id="v1")) == CSV


def test_content_length_that_is_too_short_is_detected_by_the_checksum(
    object_server: ObjectServer, s3: S3Client
) -> None:
    """For an object without a notified size, such as one named on the command line."""
    fault = ResponseFault("length too short")
    notification = object_server.put(KEY, CSV, fault, has_checksum=True, has_size=False)

    with pytest.raises(ObjectUnavailable, match="does not have the checksum"):
        read_all(s3, notification)


def test_object_that_yields_one_byte_per_connection_fails_after_100_breaks(
    object_server: ObjectServer, s3: S3Client
) -> None:
    cuts = [ResponseFault("cut", n + 1) for n in range(len(CSV))]
    notification = object_server.put(KEY, CSV, *cuts)

    with pytest.raises(ObjectUnavailable, match="breaks: 100, in a row: 1"):
        read_all(s3, notification)

    assert len(object_server.objects[KEY].requested_ranges) == MAX_BREAKS


@pytest.mark.parametrize("body", [b"", b"\n"], ids=["empty", "one byte"])
def test_object_of_zero_or_one_byte_is_read_and_then_closed(
    object_server: ObjectServer, s3: S3Client, body: bytes
) -> None:
    notification = object_server.put(KEY, body, has_checksum=True)

    with closing(ObjectStream(s3, notification)) as stream:
        assert stream.upload.size_bytes == len(body)
        assert (stream.readall(), stream.read(5)) == (body, b"")
    with pytest.raises(ValueError, match="closed"):
        stream.readinto(bytearray(1))


def test_stream_past_its_deadline_fails_without_waiting(
    object_server: ObjectServer, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise Lambda would kill the function while it holds a lease."""
    monkeypatch.setattr(s3_object, "BACKOFF_S", 60)
    notification = object_server.put(KEY, CSV, ResponseFault("stall", 500))
    started = time.monotonic()
    stream = ObjectStream(s3, notification, give_up_at=started + 30)

    with closing(stream), pytest.raises(ObjectUnavailable, match="breaks: 1,"):
        stream.readall()

    assert time.monotonic() - started < 10
    late = ObjectStream(s3, object_server.put(KEY, CSV), give_up_at=started)
    with (
        closing(late),
        pytest.raises(
            ObjectUnavailable, match="not read in time: the attempt stopped after 0"
        ),
    ):
        late.readall()


def test_pauses_double_and_are_reset_after_progress(
    object_server: ObjectServer, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(s3_object, "BACKOFF_S", 8)
    monkeypatch.setattr("handler.aws.s3_object.time.sleep", pauses.append)
    cuts = [
        ResponseFault("cut", 9),
        ResponseFault("cut"),
        ResponseFault("cut"),
        ResponseFault("cut", 99),
    ]

    assert read_all(s3, object_server.put(KEY, CSV, *cuts)) == CSV
    limits = [(4, 8), (8, 16), (16, 32), (4, 8)]
    assert all(
        low <= pause <= high for pause, (low, high) in zip(pauses, limits, strict=True)
    )


def test_stream_can_be_read_on_after_the_server_was_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A refused connection counts as a try."""
    monkeypatch.setattr(s3_object, "BACKOFF_S", 0.02)
    with run_object_server() as server:
        port = server.server_address[1]
        with closing(short_timeout_client(server.url)) as s3:
            notification = server.put(KEY, CSV, *[ResponseFault("cut", 500)] * 9)
            stream = ObjectStream(s3, notification)
            head = stream.read(500)
            server.server_close()

            with pytest.raises(ObjectUnavailable, match="after 500") as caught:
                stream.readall()
            with run_object_server(port) as restarted:
                restarted.put(KEY, CSV)
                rest = stream.readall()
            stream.close()

    assert head + rest == CSV
    assert "EndpointConnectionError" in str(caught.value.__cause__)


def test_connections_are_reused_or_closed() -> None:
    with run_object_server() as server, closing(short_timeout_client(server.url)) as s3:
        for i in range(60):
            whole = server.put(
                f"{i}", CSV, ResponseFault(fault_types(BodyFault)[i % 2], 700)
            )
            assert read_all(s3, whole) == CSV
            # Closed before its end: the connection cannot be reused.
            with closing(ObjectStream(s3, whole)) as stream:
                stream.read(1)
        deadline = time.monotonic() + 10
        while server.open_connections > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.open_connections <= 1


def test_large_object_with_breaks_is_read_unchanged(
    object_server: ObjectServer, s3: S3Client
) -> None:
    body = random.Random(1).randbytes(3_000_000)
    cuts = [ResponseFault("reset", 1_000_000), ResponseFault("cut", 2_000_001)]
    notification = object_server.put(KEY, body, *cuts, has_checksum=True)

    assert read_all(s3, notification, 1024 * 1024) == body


def test_client_config_sets_retries_and_timeouts(object_server: ObjectServer) -> None:
    """boto3's default timeout is a minute; its default retry mode changes by release."""
    config: Any = CLIENT_CONFIG
    s3 = short_timeout_client(object_server.url, retries=config.retries)
    with closing(s3):
        notification = object_server.put(
            KEY, CSV, ResponseFault("503"), ResponseFault("hung up")
        )
        assert read_all(s3, notification) == CSV

    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert (config.connect_timeout, config.read_timeout) == (5, 5)
    assert config.response_checksum_validation == "when_supported"

"""An object's bytes, whole and unchanged, or one clean error; S3 is a server that fails.

To replay a schedule: OBJECT_SEED=1234 pytest tests/test_objects.py -k schedule
"""

from __future__ import annotations

import gc
import io
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO

import pytest
from mypy_boto3_s3 import S3Client

from handler.aws import s3_object
from handler.aws.s3_object import BREAKS, CLIENT, TRIES, ObjectStream
from handler.events import Notification
from salespro_core.errors import (
    ObjectGone,
    ObjectRefused,
    ObjectUnavailable,
    SalesProError,
)
from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.parser import Record, Reject
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import appointment, csv_bytes, items_of
from tests.support.servers.object_server import (
    BUCKET,
    HONEST,
    THREADS,
    BodyFault,
    ColumnType,
    Fault,
    Gibberish,
    LyingHead,
    NoAnswer,
    ObjectServer,
    client,
    kinds,
    running,
)

CSV = csv_bytes(
    *(
        appointment(
            f"A-{i}",
            customer_nameFirst=("Zoë", "Søren", "李小龍", "Ægir 🏡")[i % 4],
            customer_nameLast=f'Ó "Quote" Müller,\r\nc/o 🪟 & Sons {"é" * (i % 5)}',
            saleAmount="no number" if i % 7 == 3 else f"{i}.50",
        )
        for i in range(40)
    )
)
# Where a cut hurts: inside a character, between CR and LF, inside quotes (every cell that
# has a line break is quoted, and only those have one after a comma).
DELICATE = [
    at
    for at in range(1, len(CSV))
    if CSV[at] & 0xC0 == 0x80
    or CSV[at - 1 : at + 1] == b"\r\n"
    or b",\r\nc/o".startswith(CSV[at - 3 : at])
]
SCHEDULES, PART = 2_000, 100
KEY = "SalesPro ümläut+1.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What will go wrong, and how the object was announced."""

    faults: tuple[Fault, ...]
    version_id: str | None
    has_checksum: bool
    has_size: bool
    read_bytes: int


def schedule(seed: int) -> Schedule:
    """The same for the same seed."""
    random_ = random.Random(seed)
    has_checksum = random_.random() < 0.5
    # Nothing can tell that a length is too short, or a byte another, if S3 lied about all
    # that could.
    has_size = not has_checksum or random_.random() < 0.5
    version_id = random_.choice(["3HL4kqtJlcpXroDTDmJrmSpXd3dIbrHY", None])
    weights: dict[ColumnType, float] = {
        "cut": 45,
        "reset": 18,
        "stall": 2,
        "trickle": 2,
    }
    weights |= dict.fromkeys(kinds(LyingHead | NoAnswer), 1)
    weights |= {"silent": 0.4, "replaced": 1, "deleted": 0.5, "denied": 0.5}
    weights |= {"garbled": 1 if has_checksum else 0}
    weights |= {"other version": 1 if version_id else 0}
    faults: list[Fault] = []
    position = 0
    for number in range(random_.randint(1, 9)):
        [kind] = random_.choices(list(weights), list(weights.values()))
        if number == 0 and random_.random() < 0.7:
            kind = "cut"
        ahead = [at for at in DELICATE if position < at < position + len(CSV) // 4]
        until = random_.choice(ahead or [len(CSV) - 1, len(CSV)])
        # In a row: this many connections bring nothing at all.
        barren = random_.choices(range(TRIES + 1), [80, 5, 5, 4, 4, 2])[0]
        faults += [Fault(kind, until), *[Fault("cut")] * barren]
        if kind in kinds(BodyFault):
            position = max(position, until)
    return Schedule(
        faults=tuple(faults),
        version_id=version_id,
        has_checksum=has_checksum,
        has_size=has_size,
        read_bytes=random_.choice([64, 1000, 8192, 1024 * 1024]),
    )


def predict(plan: Schedule, size: int) -> type[SalesProError] | None:
    """How it ends: the model that the stream is held against."""
    position = in_a_row = 0
    is_garbled = False
    # What is believed to be longer than it is never comes to its end.
    is_longer = plan.faults[0].kind == "length too long" and not plan.has_size
    for number, fault in enumerate((*plan.faults, *[HONEST] * TRIES)):
        if (end := end_of_object(fault.kind, plan)) is not None:
            return end
        until = fault.until if fault.kind in kinds(BodyFault) else size
        if is_longer:
            until = size if number == 0 else 0
        elif is_useless(fault.kind, position):
            if number == 0:
                return ObjectUnavailable  # repeating it is left to botocore
            until = 0
        in_a_row = in_a_row + 1 if until <= position else 1
        is_garbled |= until > position and fault.kind == "garbled"
        position = max(position, until)
        if position == size and not is_longer:
            return ObjectUnavailable if is_garbled else None
        if in_a_row == TRIES:
            return ObjectUnavailable
    raise AssertionError


def end_of_object(kind: ColumnType, plan: Schedule) -> type[SalesProError] | None:
    """What it says that nobody can read on; a version survives its replacement."""
    if kind == "deleted" or (kind == "replaced" and plan.version_id is None):
        return ObjectGone
    return ObjectRefused if kind == "denied" else None


def is_useless(kind: ColumnType, position: int) -> bool:
    """No byte of the answer can be taken."""
    if kind == "range missing" and position == 0:
        return False  # nobody asked for one
    return kind in kinds(LyingHead | NoAnswer)


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def s3(server: ObjectServer) -> Iterator[S3Client]:
    with closing(client(server.url)) as found:
        yield found


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_object, "BACKOFF_S", 0)


def read(s3: S3Client, notification: Notification, read_bytes: int = 8192) -> bytes:
    """All of it, through as large a buffer."""
    with io.BufferedReader(ObjectStream(s3, notification), read_bytes) as reader:
        return b"".join(iter(lambda: reader.read1(read_bytes), b""))


def items(stream: BinaryIO) -> list[Record | Reject]:
    """What the importer sees."""
    with Rejects() as rejects:
        return items_of(ExportReader(stream, [APPOINTMENTS], rejects, is_lenient=False))


def seeds() -> list[range]:
    """In parts, so that workers can share them."""
    if seed := os.environ.get("OBJECT_SEED"):
        return [range(int(seed), int(seed) + 1)]
    return [range(at, at + PART) for at in range(0, SCHEDULES, PART)]


@pytest.mark.parametrize("part", seeds(), ids=lambda part: f"{part[0]}-{part[-1]}")
def test_every_schedule_of_faults_ends_in_the_same_bytes_or_as_predicted(
    server: ObjectServer, s3: S3Client, part: range
) -> None:
    def surprise(seed: int) -> str | None:
        plan = schedule(seed)
        expected = predict(plan, len(CSV))
        notification = server.put(
            f"{seed}.csv",
            CSV,
            *plan.faults,
            version_id=plan.version_id,
            has_checksum=plan.has_checksum,
            has_size=plan.has_size,
        )
        ended: type[BaseException] | None = None
        try:
            body = read(s3, notification, plan.read_bytes)
        except Exception as error:  # noqa: BLE001 -- any other is the surprise
            ended = type(error)
        else:
            if body != CSV:
                return f"seed {seed}: other bytes, silently"
        finally:
            asked = len(server.objects.pop(f"{seed}.csv").asked)
        endings[ended.__name__ if ended else "bytes"] += 1
        if ended is expected:
            return None
        return f"seed {seed}: {expected} was expected, {ended} came, {asked} requests"

    endings: Counter[str] = Counter()
    with ThreadPoolExecutor(THREADS) as pool:
        surprises = [found for found in pool.map(surprise, part) if found]
    # On a machine that is busy with others an honest answer may come after the timeout;
    # that is a break too many, and does not happen to a schedule that runs alone again.
    for late in [found for found in surprises if "Unavailable'> came" in found]:
        if surprise(int(late.split()[1].rstrip(":"))) is None:
            surprises.remove(late)

    assert surprises == []
    if len(part) == PART:
        assert min(endings["bytes"], endings["ObjectUnavailable"]) > PART // 10


@pytest.mark.parametrize("seed", range(0, SCHEDULES, SCHEDULES // 40))
def test_the_reader_sees_the_same_rows_through_any_faults(
    server: ObjectServer, s3: S3Client, seed: int
) -> None:
    faults = [
        f for f in schedule(seed).faults if f.kind in ("cut", "reset") and f.until
    ]
    notification = server.put(f"rows-{seed}.csv", CSV, *faults)
    whole = items(io.BufferedReader(io.BytesIO(CSV)))

    with io.BufferedReader(ObjectStream(s3, notification), 512) as reader:
        found = items(reader)

    assert found == whole
    assert {type(one) for one in whole} == {Record, Reject}


def test_a_cut_at_every_delicate_byte_costs_one_request_each(
    server: ObjectServer, s3: S3Client
) -> None:
    """They lie close together: a character has up to three of them."""
    cuts = DELICATE[: BREAKS - 1]
    notification = server.put(KEY, CSV, *(Fault("cut", at) for at in cuts))

    assert read(s3, notification) == CSV
    assert server.objects[KEY].asked == [None, *(f"bytes={at}-" for at in cuts)]


@pytest.mark.parametrize("kind", kinds(BodyFault | LyingHead | NoAnswer))
def test_each_fault_is_survived_once_after_a_cut(
    server: ObjectServer, s3: S3Client, kind: ColumnType
) -> None:
    faults = [Fault("cut", 500), Fault(kind, 900)]
    notification = server.put(KEY, CSV, *faults, version_id="v1", has_checksum=True)

    if kind == "garbled":
        with pytest.raises(ObjectUnavailable, match="does not have the checksum"):
            read(s3, notification)
    else:
        assert read(s3, notification) == CSV
        after = f"bytes={900 if kind in kinds(BodyFault) else 500}-"
        assert server.objects[KEY].asked == [None, "bytes=500-", after]


@pytest.mark.parametrize("kind", kinds(LyingHead | NoAnswer))
def test_what_cannot_be_used_is_asked_for_five_times_and_no_more(
    server: ObjectServer, s3: S3Client, kind: ColumnType
) -> None:
    faults = [Fault("cut", 500), *[Fault(kind)] * 9]
    notification = server.put(KEY, CSV, *faults, version_id="v1")

    with pytest.raises(ObjectUnavailable) as caught:
        read(s3, notification)

    assert len(server.objects[KEY].asked) == TRIES
    assert str(caught.value) == (
        f"s3://{BUCKET}/{KEY} broke off (breaks: 5, in a row: 5) after 500 of "
        f"{len(CSV):,} bytes. It is tried again."
    )
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("length missing", "another ContentLength than was asked for, or none"),
        ("length too long", "another ContentLength"),
        ("length too short", "another ContentLength"),
        ("range elsewhere", "another ContentRange"),
        ("other ETag", "another ETag"),
        ("other version", "another VersionId"),
        ("hung up", r"could not be reached .* \(ConnectionClosedError\); in a VPC"),
        ("silent", r"could not be reached .* \(ReadTimeoutError\)"),
        ("503", "S3 answered SlowDown"),
        ("500", "S3 answered InternalError"),
        ("408", "S3 answered RequestTimeout"),
    ],
)
def test_a_first_answer_that_cannot_be_used_is_named(
    server: ObjectServer, s3: S3Client, kind: ColumnType, text: str
) -> None:
    notification = server.put(KEY, CSV, Fault(kind), version_id="v1")

    with pytest.raises(ObjectUnavailable, match=text) as caught:
        ObjectStream(s3, notification)

    assert f"s3://{BUCKET}/{KEY}" in str(caught.value)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("kind", kinds(Gibberish))
def test_an_answer_that_makes_no_sense_is_like_none(
    server: ObjectServer, s3: S3Client, kind: ColumnType
) -> None:
    """Botocore raises a ValueError and leaves the connection to the garbage collector."""
    with pytest.raises(ObjectUnavailable, match="makes no sense"):
        ObjectStream(s3, server.put(KEY, CSV, Fault(kind)))

    assert read(s3, server.put(KEY, CSV, Fault("cut", 9), Fault(kind))) == CSV
    gc.collect()  # here, where its warning is expected


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("replaced", ObjectGone, "was replaced {when}; the newer upload is imported"),
        ("deleted", ObjectGone, "was deleted {when}; upload it again"),
        ("denied", ObjectRefused, "give the function's role s3:GetObject"),
    ],
)
@pytest.mark.parametrize(
    ("before", "when"),
    [([], "before it was read"), ([Fault("cut", 500)], "while being read")],
    ids=["at once", "midway"],
)
def test_an_object_that_is_no_more_is_not_asked_for_again(
    server: ObjectServer,
    s3: S3Client,
    kind: ColumnType,
    error: type[SalesProError],
    text: str,
    before: list[Fault],
    when: str,
) -> None:
    notification = server.put(KEY, CSV, *before, Fault(kind))

    with pytest.raises(error, match=text.format(when=when)) as caught:
        read(s3, notification)

    assert not caught.value.retryable
    assert len(server.objects[KEY].asked) == len(before) + 1


def test_a_version_is_read_to_its_end_although_it_was_replaced(
    server: ObjectServer, s3: S3Client
) -> None:
    faults = [Fault("cut", 500), Fault("replaced"), Fault("cut", 900)]

    assert read(s3, server.put(KEY, CSV, *faults, version_id="v1")) == CSV


def test_a_length_too_short_is_told_by_the_checksum(
    server: ObjectServer, s3: S3Client
) -> None:
    """For an upload that nobody announced, such as one named on the command line."""
    fault = Fault("length too short")
    notification = server.put(KEY, CSV, fault, has_checksum=True, has_size=False)

    with pytest.raises(ObjectUnavailable, match="does not have the checksum"):
        read(s3, notification)


def test_a_byte_per_connection_does_not_go_on_for_ever(
    server: ObjectServer, s3: S3Client
) -> None:
    cuts = [Fault("cut", at + 1) for at in range(len(CSV))]
    notification = server.put(KEY, CSV, *cuts)

    with pytest.raises(ObjectUnavailable, match="breaks: 100, in a row: 1"):
        read(s3, notification)

    assert len(server.objects[KEY].asked) == BREAKS


@pytest.mark.parametrize("body", [b"", b"\n"], ids=["empty", "one byte"])
def test_the_smallest_objects(server: ObjectServer, s3: S3Client, body: bytes) -> None:
    notification = server.put(KEY, body, has_checksum=True)

    with closing(ObjectStream(s3, notification)) as stream:
        assert stream.upload.size_bytes == len(body)
        assert (stream.readall(), stream.read(5)) == (body, b"")
    with pytest.raises(ValueError, match="closed"):
        stream.readinto(bytearray(1))


def test_when_the_time_is_up_nothing_is_waited_for(
    server: ObjectServer, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the function would be killed over it, with its lease held."""
    monkeypatch.setattr(s3_object, "BACKOFF_S", 60)
    notification = server.put(KEY, CSV, Fault("stall", 500))
    started = time.monotonic()
    stream = ObjectStream(s3, notification, give_up_at=started + 30)

    with closing(stream), pytest.raises(ObjectUnavailable, match="breaks: 1,"):
        stream.readall()

    assert time.monotonic() - started < 10
    late = ObjectStream(s3, server.put(KEY, CSV), give_up_at=started)
    with (
        closing(late),
        pytest.raises(ObjectUnavailable, match="the time is up, after 0"),
    ):
        late.readall()


def test_pauses_grow_and_start_anew_after_progress(
    server: ObjectServer, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(s3_object, "BACKOFF_S", 8)
    monkeypatch.setattr("handler.aws.s3_object.time.sleep", pauses.append)
    cuts = [Fault("cut", 9), Fault("cut"), Fault("cut"), Fault("cut", 99)]

    assert read(s3, server.put(KEY, CSV, *cuts)) == CSV
    chunks = [(4, 8), (8, 16), (16, 32), (4, 8)]
    assert all(
        least <= pause <= most
        for pause, (least, most) in zip(pauses, chunks, strict=True)
    )


def test_a_server_that_is_away_for_a_while_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A refused connection counts as a try like any other."""
    monkeypatch.setattr(s3_object, "BACKOFF_S", 0.02)
    with running() as server:
        port = server.server_address[1]
        with closing(client(server.url)) as s3:
            notification = server.put(KEY, CSV, *[Fault("cut", 500)] * 9)
            stream = ObjectStream(s3, notification)
            head = stream.read(500)
            server.server_close()

            with pytest.raises(ObjectUnavailable, match="after 500") as caught:
                stream.readall()
            with running(port) as again:
                again.put(KEY, CSV)
                rest = stream.readall()
            stream.close()

    assert head + rest == CSV
    assert "EndpointConnectionError" in str(caught.value.__cause__)


def test_connections_are_reused_and_none_is_left_open() -> None:
    with running() as own, closing(client(own.url)) as s3:
        for i in range(60):
            whole = own.put(f"{i}", CSV, Fault(kinds(BodyFault)[i % 2], 700))
            assert read(s3, whole) == CSV
            # Left in the middle: its connection cannot be used again.
            with closing(ObjectStream(s3, whole)) as stream:
                stream.read(1)
        deadline = time.monotonic() + 10
        while own.open_connections > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert own.open_connections <= 1


def test_a_large_object_is_handed_on_as_it_comes(
    server: ObjectServer, s3: S3Client
) -> None:
    body = random.Random(1).randbytes(3_000_000)
    cuts = [Fault("reset", 1_000_000), Fault("cut", 2_000_001)]
    notification = server.put(KEY, body, *cuts, has_checksum=True)

    assert read(s3, notification, 1024 * 1024) == body


def test_boto3_is_told_how_often_and_how_long(server: ObjectServer) -> None:
    """Its defaults are a minute, and a mode that changes from release to release."""
    config: Any = CLIENT
    s3 = client(server.url, retries=config.retries)
    with closing(s3):
        notification = server.put(KEY, CSV, Fault("503"), Fault("hung up"))
        assert read(s3, notification) == CSV

    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert (config.connect_timeout, config.read_timeout) == (5, 5)
    assert config.response_checksum_validation == "when_supported"


# --- from its start again ---


@pytest.mark.parametrize("kind", kinds(BodyFault | LyingHead | NoAnswer))
def test_it_can_be_read_twice_through_any_fault(
    server: ObjectServer, s3: S3Client, kind: ColumnType
) -> None:
    """A file with an error budget is validated first, and then imported."""
    faults = [Fault("cut", 500), HONEST, Fault("cut", 300), Fault(kind, 900)]
    notification = server.put(KEY, CSV, *faults, version_id="v1", has_checksum=True)

    with io.BufferedReader(ObjectStream(s3, notification), 512) as reader:
        first = reader.read()
        place = reader.seek(0)
        if kind == "garbled":
            with pytest.raises(ObjectUnavailable, match="does not have the checksum"):
                reader.read()
        else:
            assert (reader.read(), reader.read(1)) == (CSV, b"")

    assert (first, place) == (CSV, 0)
    after = f"bytes={900 if kind in kinds(BodyFault) else 300}-"
    assert server.objects[KEY].asked == [None, "bytes=500-", None, "bytes=300-", after]


@pytest.mark.parametrize("seed", range(20))
def test_the_reader_sees_the_same_rows_twice_through_any_faults(
    server: ObjectServer, s3: S3Client, seed: int
) -> None:
    """Wherever the cuts are, and whichever of the readings they hit."""
    random_ = random.Random(seed)
    cuts = [Fault("reset" if n % 3 else "cut", n) for n in DELICATE]
    faults = sorted(random_.sample(cuts, 9), key=lambda f: f.until)
    faults += [HONEST, *sorted(random_.sample(cuts, 9), key=lambda f: f.until)]
    notification = server.put(f"twice-{seed}.csv", CSV, *faults, has_checksum=True)
    whole = items(io.BytesIO(CSV))

    with io.BufferedReader(ObjectStream(s3, notification), 512) as reader:
        first = items(reader)
        reader.seek(0)
        second = items(reader)

    assert first == second == whole


@pytest.mark.parametrize("kind", ["trickle", "garbled", "cut", "stall"])
def test_a_reading_that_was_left_in_the_middle_leaves_no_trace(
    server: ObjectServer, s3: S3Client, kind: ColumnType
) -> None:
    """Neither of its position nor of its checksum."""
    notification = server.put(KEY, CSV, Fault(kind, 700), has_checksum=True)

    with closing(ObjectStream(s3, notification)) as stream:
        begun = b"".join(iter(lambda: stream.read(700 - stream.tell()), b""))
        stream.seek(0)
        start = stream.tell()

        assert stream.readall() == CSV
        assert stream.tell() == len(CSV)

    assert (len(begun), start) == (700, 0)
    assert server.objects[KEY].asked == [None, None]


@pytest.mark.parametrize("version_id", ["v1", None], ids=["version", "ETag"])
def test_what_is_read_twice_is_one_version(
    server: ObjectServer, s3: S3Client, version_id: str | None
) -> None:
    """What was validated is what is imported, or nothing is."""
    faults = [HONEST, Fault("replaced")]
    notification = server.put(KEY, CSV, *faults, version_id=version_id)

    with closing(ObjectStream(s3, notification)) as stream:
        assert stream.readall() == CSV
        stream.seek(0)
        if version_id:
            assert stream.readall() == CSV
        else:
            with pytest.raises(ObjectGone, match="was replaced while being read"):
                stream.readall()


def test_breaks_are_those_of_both_readings(server: ObjectServer, s3: S3Client) -> None:
    """An object that breaks again and again is given up, however it is read."""
    cuts = [Fault("cut", at + 1) for at in range(60)]
    notification = server.put(KEY, CSV, *cuts, HONEST, *cuts)

    with closing(ObjectStream(s3, notification)) as stream:
        stream.readall()
        stream.seek(0)
        with pytest.raises(ObjectUnavailable, match="breaks: 100, in a row: 1"):
            stream.readall()

    assert len(server.objects[KEY].asked) == BREAKS + 1


@pytest.mark.parametrize(
    ("offset", "whence"), [(1, 0), (-1, 0), (0, 1), (0, 2), (-5, 2)], ids=str
)
def test_only_the_start_can_be_sought(
    server: ObjectServer, s3: S3Client, offset: int, whence: int
) -> None:
    """Nobody needs another place, and its checksum would not be known there."""
    with closing(ObjectStream(s3, server.put(KEY, CSV))) as stream:
        head = stream.read(10)
        with pytest.raises(io.UnsupportedOperation, match="only its start"):
            stream.seek(offset, whence)

        assert (stream.seekable(), stream.tell()) == (True, 10)
        assert head + stream.readall() == CSV


@pytest.mark.parametrize("body", [b"", b"\n", CSV], ids=["empty", "one byte", "whole"])
@pytest.mark.parametrize("buffer_bytes", [16, 1024 * 1024])
def test_a_buffer_around_it_can_be_rewound(
    server: ObjectServer, s3: S3Client, body: bytes, buffer_bytes: int
) -> None:
    """Also one that holds all of it."""
    notification = server.put(KEY, body, has_checksum=True)

    with io.BufferedReader(ObjectStream(s3, notification), buffer_bytes) as reader:
        assert (reader.seekable(), reader.tell()) == (True, 0)
        for at in (1, 17, len(body)):
            assert reader.read(at) == body[:at]
            assert reader.seek(0) == reader.tell() == 0
        assert reader.read() == body

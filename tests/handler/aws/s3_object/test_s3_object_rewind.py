"""An object that is read twice: with an error budget it is validated, then imported."""

from __future__ import annotations

import io
import random
from contextlib import closing

import pytest
from mypy_boto3_s3 import S3Client

from handler.aws.s3_object import MAX_BREAKS, ObjectStream
from salespro_core.errors import ObjectGone, ObjectUnavailable
from tests.support.function.cut_sensitive_csv import CSV, CUT_OFFSETS, KEY, parse
from tests.support.servers.object_server import ObjectServer
from tests.support.servers.s3_faults import (
    NO_FAULT,
    BodyFault,
    FaultType,
    NoResponse,
    ResponseFault,
    WrongHeader,
    fault_types,
)

pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.mark.parametrize("kind", fault_types(BodyFault | WrongHeader | NoResponse))
def test_object_is_read_twice_despite_any_fault(
    object_server: ObjectServer, s3: S3Client, kind: FaultType
) -> None:
    faults = [
        ResponseFault("cut", 500),
        NO_FAULT,
        ResponseFault("cut", 300),
        ResponseFault(kind, 900),
    ]
    notification = object_server.put(
        KEY, CSV, *faults, version_id="v1", has_checksum=True
    )

    with io.BufferedReader(ObjectStream(s3, notification), 512) as reader:
        first = reader.read()
        position = reader.seek(0)
        if kind == "garbled":
            with pytest.raises(ObjectUnavailable, match="does not have the checksum"):
                reader.read()
        else:
            assert (reader.read(), reader.read(1)) == (CSV, b"")

    assert (first, position) == (CSV, 0)
    after = f"bytes={900 if kind in fault_types(BodyFault) else 300}-"
    assert object_server.objects[KEY].requested_ranges == [
        None,
        "bytes=500-",
        None,
        "bytes=300-",
        after,
    ]


@pytest.mark.parametrize("seed", range(20))
def test_rows_of_both_readings_are_the_same_despite_cuts(
    object_server: ObjectServer, s3: S3Client, seed: int
) -> None:
    random_ = random.Random(seed)
    cuts = [ResponseFault("reset" if n % 3 else "cut", n) for n in CUT_OFFSETS]
    faults = sorted(random_.sample(cuts, 9), key=lambda f: f.until)
    faults += [NO_FAULT, *sorted(random_.sample(cuts, 9), key=lambda f: f.until)]
    notification = object_server.put(
        f"twice-{seed}.csv", CSV, *faults, has_checksum=True
    )
    whole = parse(io.BytesIO(CSV))

    with io.BufferedReader(ObjectStream(s3, notification), 512) as reader:
        first = parse(reader)
        reader.seek(0)
        second = parse(reader)

    assert first == second == whole


@pytest.mark.parametrize("kind", ["trickle", "garbled", "cut", "stall"])
def test_incomplete_first_reading_does_not_affect_the_second(
    object_server: ObjectServer, s3: S3Client, kind: FaultType
) -> None:
    """Position and checksum start again."""
    notification = object_server.put(
        KEY, CSV, ResponseFault(kind, 700), has_checksum=True
    )

    with closing(ObjectStream(s3, notification)) as stream:
        head = b"".join(iter(lambda: stream.read(700 - stream.tell()), b""))
        stream.seek(0)
        start = stream.tell()

        assert stream.readall() == CSV
        assert stream.tell() == len(CSV)

    assert (len(head), start) == (700, 0)
    assert object_server.objects[KEY].requested_ranges == [None, None]


@pytest.mark.parametrize("version_id", ["v1", None], ids=["version", "ETag"])
def test_second_reading_is_of_the_same_version_or_fails(
    object_server: ObjectServer, s3: S3Client, version_id: str | None
) -> None:
    """Only the validated version may be imported."""
    faults = [NO_FAULT, ResponseFault("replaced")]
    notification = object_server.put(KEY, CSV, *faults, version_id=version_id)

    with closing(ObjectStream(s3, notification)) as stream:
        assert stream.readall() == CSV
        stream.seek(0)
        if version_id:
            assert stream.readall() == CSV
        else:
            with pytest.raises(ObjectGone, match="was replaced while being read"):
                stream.readall()


def test_breaks_of_both_readings_count_together(
    object_server: ObjectServer, s3: S3Client
) -> None:
    cuts = [ResponseFault("cut", n + 1) for n in range(60)]
    notification = object_server.put(KEY, CSV, *cuts, NO_FAULT, *cuts)

    with closing(ObjectStream(s3, notification)) as stream:
        stream.readall()
        stream.seek(0)
        with pytest.raises(ObjectUnavailable, match="breaks: 100, in a row: 1"):
            stream.readall()

    assert len(object_server.objects[KEY].requested_ranges) == MAX_BREAKS + 1


@pytest.mark.parametrize(
    ("offset", "whence"), [(1, 0), (-1, 0), (0, 1), (0, 2), (-5, 2)], ids=str
)
def test_seek_to_any_position_but_the_start_is_unsupported(
    object_server: ObjectServer, s3: S3Client, offset: int, whence: int
) -> None:
    """The checksum up to another position would not be known."""
    with closing(ObjectStream(s3, object_server.put(KEY, CSV))) as stream:
        head = stream.read(10)
        with pytest.raises(io.UnsupportedOperation, match="only seek"):
            stream.seek(offset, whence)

        assert (stream.seekable(), stream.tell()) == (True, 10)
        assert head + stream.readall() == CSV


@pytest.mark.parametrize("body", [b"", b"\n", CSV], ids=["empty", "one byte", "whole"])
@pytest.mark.parametrize("buffer_bytes", [16, 1024 * 1024])
def test_buffered_reader_can_seek_to_the_start(
    object_server: ObjectServer, s3: S3Client, body: bytes, buffer_bytes: int
) -> None:
    """The larger buffer holds the whole object."""
    notification = object_server.put(KEY, body, has_checksum=True)

    with io.BufferedReader(ObjectStream(s3, notification), buffer_bytes) as reader:
        assert (reader.seekable(), reader.tell()) == (True, 0)
        for size in (1, 17, len(body)):
            assert reader.read(size) == body[:size]
            assert reader.seek(0) == reader.tell() == 0
        assert reader.read() == body

"""Random schedules of faults: the same bytes, or the predicted error.

To repeat a schedule: OBJECT_SEED=1234 pytest tests/handler/aws -k schedule
"""

from __future__ import annotations

import io
import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from mypy_boto3_s3 import S3Client

from handler.aws.s3_object import MAX_TRIES, ObjectStream
from salespro_core.errors import (
    ObjectGone,
    ObjectRefused,
    ObjectUnavailable,
    SalesProError,
)
from salespro_core.model.rejects import Record, Reject
from tests.support.function.cut_sensitive_csv import CSV, CUT_OFFSETS, parse, read_all
from tests.support.servers.object_server import THREADS, ObjectServer
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

SCHEDULES, PART = 2_000, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The faults of the responses, and the properties of the object."""

    faults: tuple[ResponseFault, ...]
    version_id: str | None
    has_checksum: bool
    has_size: bool
    read_bytes: int


def schedule(seed: int) -> Schedule:
    """A random schedule, determined by its seed."""
    random_ = random.Random(seed)
    has_checksum = random_.random() < 0.5
    # A wrong length or byte can be detected only by the notified size or by the checksum.
    has_size = not has_checksum or random_.random() < 0.5
    version_id = random_.choice(["3HL4kqtJlcpXroDTDmJrmSpXd3dIbrHY", None])
    weights: dict[FaultType, float] = {
        "cut": 45,
        "reset": 18,
        "stall": 2,
        "trickle": 2,
    }
    weights |= dict.fromkeys(fault_types(WrongHeader | NoResponse), 1)
    weights |= {"silent": 0.4, "replaced": 1, "deleted": 0.5, "denied": 0.5}
    weights |= {"garbled": 1 if has_checksum else 0}
    weights |= {"other version": 1 if version_id else 0}
    faults: list[ResponseFault] = []
    position = 0
    for number in range(random_.randint(1, 9)):
        [kind] = random_.choices(list(weights), list(weights.values()))
        if number == 0 and random_.random() < 0.7:
            kind = "cut"
        ahead = [n for n in CUT_OFFSETS if position < n < position + len(CSV) // 4]
        until = random_.choice(ahead or [len(CSV) - 1, len(CSV)])
        # This many further connections yield no byte.
        barren = random_.choices(range(MAX_TRIES + 1), [80, 5, 5, 4, 4, 2])[0]
        faults += [ResponseFault(kind, until), *[ResponseFault("cut")] * barren]
        if kind in fault_types(BodyFault):
            position = max(position, until)
    return Schedule(
        faults=tuple(faults),
        version_id=version_id,
        has_checksum=has_checksum,
        has_size=has_size,
        read_bytes=random_.choice([64, 1000, 8192, 1024 * 1024]),
    )


def predict(plan: Schedule, size: int) -> type[SalesProError] | None:
    """The expected error of a schedule; None if all bytes are read."""
    position = in_a_row = 0
    is_garbled = False
    # With a Content-Length that is too long, the end is never reached.
    is_longer = plan.faults[0].kind == "length too long" and not plan.has_size
    for number, fault in enumerate((*plan.faults, *[NO_FAULT] * MAX_TRIES)):
        if (end := end_of_object(fault.kind, plan)) is not None:
            return end
        until = fault.until if fault.kind in fault_types(BodyFault) else size
        if is_longer:
            until = size if number == 0 else 0
        elif is_useless(fault.kind, position):
            if number == 0:
                return ObjectUnavailable  # `ObjectStream` does not repeat the first request
            until = 0
        in_a_row = in_a_row + 1 if until <= position else 1
        is_garbled |= until > position and fault.kind == "garbled"
        position = max(position, until)
        if position == size and not is_longer:
            return ObjectUnavailable if is_garbled else None
        if in_a_row == MAX_TRIES:
            return ObjectUnavailable
    raise AssertionError


def end_of_object(kind: FaultType, plan: Schedule) -> type[SalesProError] | None:
    """The error if the object cannot be read any more; a pinned version still can."""
    if kind == "deleted" or (kind == "replaced" and plan.version_id is None):
        return ObjectGone
    return ObjectRefused if kind == "denied" else None


def is_useless(kind: FaultType, position: int) -> bool:
    """Whether the response has no usable byte."""
    if kind == "range missing" and position == 0:
        return False  # no range was requested
    return kind in fault_types(WrongHeader | NoResponse)


def seeds() -> list[range]:
    """All seeds in parts, to be shared by the workers."""
    if seed := os.environ.get("OBJECT_SEED"):
        return [range(int(seed), int(seed) + 1)]
    return [range(start, start + PART) for start in range(0, SCHEDULES, PART)]


@pytest.mark.parametrize("part", seeds(), ids=lambda part: f"{part[0]}-{part[-1]}")
def test_schedule_of_faults_yields_the_same_bytes_or_the_predicted_error(
    object_server: ObjectServer, s3: S3Client, part: range
) -> None:
    def unexpected_result(seed: int) -> str | None:
        plan = schedule(seed)
        expected = predict(plan, len(CSV))
        notification = object_server.put(
            f"{seed}.csv",
            CSV,
            *plan.faults,
            version_id=plan.version_id,
            has_checksum=plan.has_checksum,
            has_size=plan.has_size,
        )
        ended: type[BaseException] | None = None
        try:
            body = read_all(s3, notification, plan.read_bytes)
        except Exception as error:  # noqa: BLE001 -- any other error is unexpected
            ended = type(error)
        else:
            if body != CSV:
                return f"seed {seed}: wrong bytes without an error"
        finally:
            requested_ranges = len(
                object_server.objects.pop(f"{seed}.csv").requested_ranges
            )
        endings[ended.__name__ if ended else "bytes"] += 1
        if ended is expected:
            return None
        return f"seed {seed}: expected {expected}, got {ended}, {requested_ranges} requests"

    endings: Counter[str] = Counter()
    with ThreadPoolExecutor(THREADS) as pool:
        results = [text for text in pool.map(unexpected_result, part) if text]
    # On a busy machine, a good response can miss the timeout, which counts as a break.
    # Such a schedule is run again, alone.
    for late in [text for text in results if f"got {ObjectUnavailable}" in text]:
        if unexpected_result(int(late.split()[1].rstrip(":"))) is None:
            results.remove(late)

    assert results == []
    if len(part) == PART:
        assert min(endings["bytes"], endings["ObjectUnavailable"]) > PART // 10


@pytest.mark.parametrize("seed", range(0, SCHEDULES, SCHEDULES // 40))
def test_rows_are_the_same_with_and_without_faults(
    object_server: ObjectServer, s3: S3Client, seed: int
) -> None:
    faults = [
        f for f in schedule(seed).faults if f.kind in ("cut", "reset") and f.until
    ]
    notification = object_server.put(f"rows-{seed}.csv", CSV, *faults)
    whole = parse(io.BufferedReader(io.BytesIO(CSV)))

    with io.BufferedReader(ObjectStream(s3, notification), 512) as reader:
        rows = parse(reader)

    assert rows == whole
    assert {type(item) for item in whole} == {Record, Reject}

"""S3 breaks off, is away, is slow, or has the object no more."""

from __future__ import annotations

from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.database_states import override_settings
from tests.chaos.faults.injectors.network import slow_network
from tests.chaos.faults.injectors.s3_objects import (
    add_delete_marker,
    break_response,
    cut_report_upload,
    delete_between_attempts,
    delete_version,
    first_connection_silent,
    refuse_s3_connections,
    replace_object,
    stay_silent,
    upload_unversioned,
)

AWAY = "S3 could not be reached for s3://.*; in a VPC it needs an endpoint"
BROKE = "s3://.* broke off .* after [0-9,]+ of [0-9,]+ bytes. It is tried again"

FAULTS = (
    Fault(
        name="object cut off",
        injection="the wire to S3 ends (FIN) behind so many bytes",
        reaction="the rest is asked for, of the same version",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=tuple(
            FaultCase(name=f"{n:,} bytes", inject=break_response("cut", n))
            for n in (1500, 3000, 6000)
        ),
    ),
    Fault(
        name="answer of S3 cut off in its head",
        injection="the wire to S3 ends behind 100 bytes",
        reaction="what S3 says of the object is not complete, so that it is not read",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ObjectUnavailable",
        error_patterns=(
            "S3's response for .* has a missing or unexpected .* It is tried again",
        ),
        cases=(
            FaultCase(name="at the first request", inject=break_response("cut", 100)),
        ),
    ),
    Fault(
        name="object reset",
        injection="the wire to S3 ends (RST) behind so many bytes",
        reaction="the rest is asked for, of the same version",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            *(
                FaultCase(name=f"{n:,} bytes", inject=break_response("reset", n))
                for n in (1500, 6000)
            ),
            FaultCase(
                name="users", inject=break_response("reset", 3000), of_users=True
            ),
        ),
    ),
    Fault(
        name="object cut off again and again",
        injection="the wire to S3 ends each time that so many bytes have come",
        reaction="each answer brings some bytes more",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=tuple(
            FaultCase(name=f"every {n:,} bytes", inject=break_response("cut", n, n))
            for n in (2000, 3000)
        ),
    ),
    Fault(
        name="object goes silent",
        injection="from a byte on nothing comes, and nobody is told",
        reaction="after 5 s the rest is asked for",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(name="3,000 bytes", inject=break_response("blackhole", 3000)),
        ),
    ),
    Fault(
        name="object that goes silent for good",
        injection="from a byte on nothing comes, over any connection, and nobody is told",
        reaction="it is given up before the deadline, and the lease is freed",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ObjectUnavailable",
        error_patterns=(BROKE,),
        cases=(FaultCase(name="6,000 bytes", inject=stay_silent(6000), seconds=45),),
    ),
    Fault(
        name="object that cannot be read on",
        injection="the wire to S3 ends behind 2,000 bytes, and then at each answer's start",
        reaction="it is given up before the deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ObjectUnavailable",
        error_patterns=(BROKE,),
        cases=(
            FaultCase(
                name="2,000 bytes", inject=break_response("cut", 2000, 50), seconds=12
            ),
        ),
    ),
    Fault(
        name="object that comes too slowly",
        injection="each 8 bytes take 10 ms",
        reaction="it is given up before the deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ObjectUnavailable",
        error_patterns=(
            "s3://.* was not read in time: the attempt stopped after .* of .* bytes",
        ),
        cases=(
            FaultCase(
                name="8 bytes at a time",
                inject=slow_network(latency_s=0.01, slice_bytes=8, of_s3=True),
                seconds=8,
            ),
        ),
    ),
    Fault(
        name="S3 slow",
        injection="small pieces, or latency",
        reaction="it takes longer",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="one byte at a time",
                inject=slow_network(slice_bytes=1, of_s3=True),
            ),
            FaultCase(name="latency", inject=slow_network(latency_s=0.05, of_s3=True)),
        ),
    ),
    Fault(
        name="S3 refuses connections",
        injection="the wire to S3 closes new connections, twice",
        reaction="botocore tries again",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="at the first request", inject=refuse_s3_connections(times=2)
            ),
            FaultCase(
                name="behind 1,500 bytes", inject=refuse_s3_connections(1500, times=2)
            ),
        ),
    ),
    Fault(
        name="S3 refuses connections to the end",
        injection="the wire to S3 closes every new connection",
        reaction="the attempt ends before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ObjectUnavailable",
        error_patterns=(f"{AWAY}|{BROKE}",),
        cases=(
            FaultCase(name="at the first request", inject=refuse_s3_connections()),
            FaultCase(
                name="behind 1,500 bytes",
                inject=refuse_s3_connections(1500),
                seconds=12,
            ),
        ),
    ),
    Fault(
        name="S3 takes a connection and is silent",
        injection="the first connection leads nowhere",
        reaction="after 5 s botocore tries again",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(FaultCase(name="at the first request", inject=first_connection_silent),),
    ),
    Fault(
        name="object deleted behind a marker",
        injection="a deletion in a versioned bucket, before the message is delivered",
        reaction="the version that was announced is imported",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(FaultCase(name="before the claim", inject=add_delete_marker),),
    ),
    Fault(
        name="object deleted before it was read",
        injection="its version is deleted, or the object of a bucket without versions",
        reaction="the message is done with, and the log says what to do",
        recovery=Recovery.FILE_REFUSED,
        error_patterns=("was deleted before it was read; upload it again",),
        cases=(
            FaultCase(name="versioned", inject=delete_version),
            FaultCase(
                name="without versions",
                inject=delete_version,
                upload_file=upload_unversioned,
            ),
        ),
    ),
    Fault(
        name="object deleted between two attempts",
        injection="it is deleted when a part of it is committed",
        reaction="what is committed stays, and the history says why there is no more",
        recovery=Recovery.FILE_REFUSED,
        error_patterns=("was deleted before it was read; upload it again",),
        deliveries=2,
        cases=(
            FaultCase(name="versioned", inject=delete_between_attempts),
            FaultCase(
                name="without versions",
                inject=delete_between_attempts,
                upload_file=upload_unversioned,
            ),
        ),
    ),
    Fault(
        name="object replaced before it was read",
        injection="a newer upload of the same key, in a bucket without versions",
        reaction="the newer one is imported by its own message",
        recovery=Recovery.FILE_REFUSED,
        error_patterns=(
            "was replaced before it was read; the newer upload is imported by its own",
        ),
        cases=(
            FaultCase(
                name="before the claim",
                inject=replace_object,
                upload_file=upload_unversioned,
            ),
        ),
    ),
    Fault(
        name="bucket of the reports missing",
        injection="REPORT_BUCKET names another one",
        reaction="all rows are committed; the history does not say `completed`",
        recovery=Recovery.AFTER_REPAIR,
        error_type="ObjectRefused",
        error_patterns=(
            "The report could not be written to .*NoSuchBucket.*check REPORT_BUCKET",
        ),
        cases=(
            FaultCase(
                name="appointments",
                inject=override_settings(REPORT_BUCKET="no-such-bucket"),
            ),
            FaultCase(
                name="users",
                inject=override_settings(REPORT_BUCKET="no-such-bucket"),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="answer to the report lost",
        injection="the wire to S3 ends before the answer to an upload of the report",
        reaction="botocore tries again",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(FaultCase(name="once", inject=cut_report_upload(times=1)),),
    ),
    Fault(
        name="report cannot be uploaded",
        injection="the wire to S3 ends before each answer",
        reaction="all rows are committed; the history does not say `completed`",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ObjectUnavailable",
        error_patterns=(
            "The report could not be written to s3://.*. It is tried again",
        ),
        cases=(FaultCase(name="to the end", inject=cut_report_upload()),),
    ),
)

"""S3 closes connections, is unreachable or slow, or the object was deleted."""

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
        injection="the proxy closes the connection to S3 (FIN) after a number of bytes",
        reaction="the function requests the rest of the same version",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=tuple(
            FaultCase(name=f"{n:,} bytes", inject=break_response("cut", n))
            for n in (1500, 3000, 6000)
        ),
    ),
    Fault(
        name="response of S3 cut off in its headers",
        injection="the proxy closes the connection to S3 after 100 bytes",
        reaction="the response is not used, because its headers are incomplete",
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
        injection="the proxy resets the connection to S3 (RST) after a number of bytes",
        reaction="the function requests the rest of the same version",
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
        name="object cut off repeatedly",
        injection="the proxy closes each connection to S3 after a number of bytes",
        reaction="each response brings more bytes",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=tuple(
            FaultCase(name=f"every {n:,} bytes", inject=break_response("cut", n, n))
            for n in (2000, 3000)
        ),
    ),
    Fault(
        name="object goes silent",
        injection="from a byte on, the proxy drops everything and leaves the connection open",
        reaction="after 5 s the function requests the rest",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(name="3,000 bytes", inject=break_response("blackhole", 3000)),
        ),
    ),
    Fault(
        name="object goes silent until the deadline",
        injection="the same, for every later connection to S3",
        reaction="the attempt ends before its deadline and releases the lease",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ObjectUnavailable",
        error_patterns=(BROKE,),
        cases=(FaultCase(name="6,000 bytes", inject=stay_silent(6000), seconds=45),),
    ),
    Fault(
        name="object that cannot be resumed",
        injection="the proxy closes the connection to S3 after 2,000 bytes, then after 50 bytes each",
        reaction="the attempt ends before its deadline",
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
        name="object that arrives too slowly",
        injection="the proxy delays each 8 bytes by 10 ms",
        reaction="the attempt ends before its deadline",
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
        injection="single bytes, or latency",
        reaction="the import takes longer",
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
        injection="the proxy closes the first two new connections to S3",
        reaction="botocore retries",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="at the first request", inject=refuse_s3_connections(times=2)
            ),
            FaultCase(
                name="after 1,500 bytes", inject=refuse_s3_connections(1500, times=2)
            ),
        ),
    ),
    Fault(
        name="S3 refuses connections until the deadline",
        injection="the proxy closes every new connection to S3",
        reaction="the attempt ends before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ObjectUnavailable",
        error_patterns=(f"{AWAY}|{BROKE}",),
        cases=(
            FaultCase(name="at the first request", inject=refuse_s3_connections()),
            FaultCase(
                name="after 1,500 bytes",
                inject=refuse_s3_connections(1500),
                seconds=12,
            ),
        ),
    ),
    Fault(
        name="S3 accepts a connection and does not answer",
        injection="the proxy accepts the first connection and drops everything",
        reaction="botocore retries after 5 s",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(FaultCase(name="at the first request", inject=first_connection_silent),),
    ),
    Fault(
        name="object hidden by a delete marker",
        injection="a DELETE without a version in a versioned bucket, before the delivery",
        reaction="the notified version is imported",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(FaultCase(name="before the claim", inject=add_delete_marker),),
    ),
    Fault(
        name="object deleted before it was read",
        injection="the version is deleted, or the object in a bucket without versions",
        reaction="the message is acknowledged; the log says what to do",
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
        injection="the object is deleted after some of its rows are committed",
        reaction="committed rows stay; the history says why the import failed",
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
        reaction="the newer object is imported by its own message",
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
        name="report bucket missing",
        injection="REPORT_BUCKET has another name",
        reaction="all rows are committed; the import is not completed",
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
        name="response to the report upload lost",
        injection="the proxy drops the response to a PutObject of the report",
        reaction="botocore retries",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(FaultCase(name="once", inject=cut_report_upload(times=1)),),
    ),
    Fault(
        name="report cannot be uploaded",
        injection="the proxy drops each response",
        reaction="all rows are committed; the import is not completed",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ObjectUnavailable",
        error_patterns=(
            "The report could not be written to s3://.*. It is tried again",
        ),
        cases=(FaultCase(name="until the deadline", inject=cut_report_upload()),),
    ),
)

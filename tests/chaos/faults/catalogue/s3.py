"""S3 breaks off, is away, is slow, or has the object no more."""

from __future__ import annotations

from tests.chaos.faults.fault import End, Fault, Run
from tests.chaos.faults.injectors.network import slow
from tests.chaos.faults.injectors.s3_objects import (
    body,
    deleted,
    deleted_between_attempts,
    hidden,
    put_unversioned,
    refused_by_s3,
    replaced,
    reports_cut,
    silent_at_first,
    silent_for_good,
)
from tests.chaos.faults.injectors.states import unset

AWAY = "S3 could not be reached for s3://.*; in a VPC it needs an endpoint"
BROKE = "s3://.* broke off .* after [0-9,]+ of [0-9,]+ bytes. It is tried again"

FAULTS = (
    Fault(
        name="object cut off",
        how="the wire to S3 ends (FIN) behind so many bytes",
        what="the rest is asked for, of the same version",
        end=End.IN_THE_ATTEMPT,
        runs=tuple(
            Run(name=f"{n:,} bytes", inject=body("cut", n)) for n in (1500, 3000, 6000)
        ),
    ),
    Fault(
        name="answer of S3 cut off in its head",
        how="the wire to S3 ends behind 100 bytes",
        what="what S3 says of the object is not complete, so that it is not read",
        end=End.NEXT_DELIVERY,
        error="ObjectUnavailable",
        says=("S3 gave another .* than was asked for, or none, .* It is tried again",),
        runs=(Run(name="at the first request", inject=body("cut", 100)),),
    ),
    Fault(
        name="object reset",
        how="the wire to S3 ends (RST) behind so many bytes",
        what="the rest is asked for, of the same version",
        end=End.IN_THE_ATTEMPT,
        runs=(
            *(Run(name=f"{n:,} bytes", inject=body("reset", n)) for n in (1500, 6000)),
            Run(name="users", inject=body("reset", 3000), of_users=True),
        ),
    ),
    Fault(
        name="object cut off again and again",
        how="the wire to S3 ends each time that so many bytes have come",
        what="each answer brings some bytes more",
        end=End.IN_THE_ATTEMPT,
        runs=tuple(
            Run(name=f"every {n:,} bytes", inject=body("cut", n, n))
            for n in (2000, 3000)
        ),
    ),
    Fault(
        name="object goes silent",
        how="from a byte on nothing comes, and nobody is told",
        what="after 5 s the rest is asked for",
        end=End.IN_THE_ATTEMPT,
        runs=(Run(name="3,000 bytes", inject=body("blackhole", 3000)),),
    ),
    Fault(
        name="object that goes silent for good",
        how="from a byte on nothing comes, over any connection, and nobody is told",
        what="it is given up before the deadline, and the lease is freed",
        end=End.NEXT_DELIVERY,
        error="ObjectUnavailable",
        says=(BROKE,),
        runs=(Run(name="6,000 bytes", inject=silent_for_good(6000), seconds=45),),
    ),
    Fault(
        name="object that cannot be read on",
        how="the wire to S3 ends behind 2,000 bytes, and then at each answer's start",
        what="it is given up before the deadline",
        end=End.NEXT_DELIVERY,
        error="ObjectUnavailable",
        says=(BROKE,),
        runs=(Run(name="2,000 bytes", inject=body("cut", 2000, 50), seconds=12),),
    ),
    Fault(
        name="object that comes too slowly",
        how="each 8 bytes take 10 ms",
        what="it is given up before the deadline",
        end=End.NEXT_DELIVERY,
        error="ObjectUnavailable",
        says=("s3://.* was given up, since the time is up, after .* of .* bytes",),
        runs=(
            Run(
                name="8 bytes at a time",
                inject=slow(latency_s=0.01, slice_bytes=8, of_s3=True),
                seconds=8,
            ),
        ),
    ),
    Fault(
        name="S3 slow",
        how="small pieces, or latency",
        what="it takes longer",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(name="one byte at a time", inject=slow(slice_bytes=1, of_s3=True)),
            Run(name="latency", inject=slow(latency_s=0.05, of_s3=True)),
        ),
    ),
    Fault(
        name="S3 refuses connections",
        how="the wire to S3 closes new connections, twice",
        what="botocore tries again",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(name="at the first request", inject=refused_by_s3(times=2)),
            Run(name="behind 1,500 bytes", inject=refused_by_s3(1500, times=2)),
        ),
    ),
    Fault(
        name="S3 refuses connections to the end",
        how="the wire to S3 closes every new connection",
        what="the attempt ends before its deadline",
        end=End.NEXT_DELIVERY,
        error="ObjectUnavailable",
        says=(f"{AWAY}|{BROKE}",),
        runs=(
            Run(name="at the first request", inject=refused_by_s3()),
            Run(name="behind 1,500 bytes", inject=refused_by_s3(1500), seconds=12),
        ),
    ),
    Fault(
        name="S3 takes a connection and is silent",
        how="the first connection leads nowhere",
        what="after 5 s botocore tries again",
        end=End.IN_THE_ATTEMPT,
        runs=(Run(name="at the first request", inject=silent_at_first),),
    ),
    Fault(
        name="object deleted behind a marker",
        how="a deletion in a versioned bucket, before the message is delivered",
        what="the version that was announced is imported",
        end=End.IN_THE_ATTEMPT,
        runs=(Run(name="before the claim", inject=hidden),),
    ),
    Fault(
        name="object deleted before it was read",
        how="its version is deleted, or the object of a bucket without versions",
        what="the message is done with, and the log says what to do",
        end=End.FILE_REFUSED,
        says=("was deleted before it was read; upload it again",),
        runs=(
            Run(name="versioned", inject=deleted),
            Run(name="without versions", inject=deleted, put_file=put_unversioned),
        ),
    ),
    Fault(
        name="object deleted between two attempts",
        how="it is deleted when a part of it is committed",
        what="what is committed stays, and the history says why there is no more",
        end=End.FILE_REFUSED,
        says=("was deleted before it was read; upload it again",),
        deliveries=2,
        runs=(
            Run(name="versioned", inject=deleted_between_attempts),
            Run(
                name="without versions",
                inject=deleted_between_attempts,
                put_file=put_unversioned,
            ),
        ),
    ),
    Fault(
        name="object replaced before it was read",
        how="a newer upload of the same key, in a bucket without versions",
        what="the newer one is imported by its own message",
        end=End.FILE_REFUSED,
        says=(
            "was replaced before it was read; the newer upload is imported by its own",
        ),
        runs=(Run(name="before the claim", inject=replaced, put_file=put_unversioned),),
    ),
    Fault(
        name="bucket of the reports missing",
        how="REPORT_BUCKET names another one",
        what="all rows are committed; the history does not say `completed`",
        end=End.ONCE_MENDED,
        error="ObjectRefused",
        says=(
            "The report could not be written to .*NoSuchBucket.*check REPORT_BUCKET",
        ),
        runs=(
            Run(name="appointments", inject=unset(REPORT_BUCKET="no-such-bucket")),
            Run(
                name="users",
                inject=unset(REPORT_BUCKET="no-such-bucket"),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="answer to the report lost",
        how="the wire to S3 ends before the answer to an upload of the report",
        what="botocore tries again",
        end=End.IN_THE_ATTEMPT,
        runs=(Run(name="once", inject=reports_cut(times=1)),),
    ),
    Fault(
        name="report cannot be uploaded",
        how="the wire to S3 ends before each answer",
        what="all rows are committed; the history does not say `completed`",
        end=End.NEXT_DELIVERY,
        error="ObjectUnavailable",
        says=("The report could not be written to s3://.*. It is tried again",),
        runs=(Run(name="to the end", inject=reports_cut()),),
    ),
)

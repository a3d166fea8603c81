"""Each error code, answered by an HTTP server to the real clients, on reading and writing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_s3 import S3Client

from handler.aws.error_codes import CAUSES, Cause, cause_of
from handler.aws.errors import failure_of
from handler.aws.object_versions import pages_of_versions
from handler.aws.report_store import put_report
from handler.aws.s3_object import ObjectStream
from handler.events import Notification
from salespro_core.errors import (
    ObjectError,
    ObjectGone,
    ObjectRefused,
    ObjectUnavailable,
    SalesProError,
)
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from tests.handler.aws.errors.test_error_codes import COMMON, codes_of_models
from tests.support.builders import upload
from tests.support.servers.error_server import (
    MAX_REQUESTS,
    ErrorServer,
    error_client,
    run_error_server,
)

CANARY = "Jane Roe, 12 Elm Street"
ROLE = "User: arn:aws:sts::123456789012:assumed-role/importer/importer is"
OUTCOME = Outcome(upload=upload(), status="completed", is_dry_run=False, seconds=0.0)
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/0e8b8a6c"


@pytest.fixture(scope="module")
def server() -> Iterator[ErrorServer]:
    with run_error_server() as server:
        yield server


@pytest.fixture(scope="module")
def s3(server: ErrorServer) -> S3Client:
    """Without retries, since each pauses."""
    return error_client(server, 1)


def read(s3: S3Client, bucket: str = "uploads") -> SalesProError:
    """The error of reading an object."""
    with pytest.raises(SalesProError) as caught:
        ObjectStream(
            s3,
            Notification(
                bucket=bucket,
                object_key="a.csv",
                version_id=None,
                etag=None,
                size_bytes=None,
                sequencer=None,
            ),
        )
    return caught.value


def write(s3: S3Client, bucket: str = "reports") -> ObjectError:
    """The error of writing a report."""
    with pytest.raises(ObjectError) as caught, Rejects() as rejects:
        put_report(s3, bucket, "a.csv/v/", OUTCOME, rejects)
    return caught.value


def act(s3: S3Client, bucket: str = "uploads") -> ObjectError:
    """The error of any other request."""
    with pytest.raises(ObjectError) as caught:
        list(pages_of_versions(s3, bucket, 1000))
    return caught.value


@pytest.mark.parametrize("status", [400, 503])
def test_each_code_is_classified_alike_on_reading_and_on_writing(
    server: ErrorServer, s3: S3Client, status: int
) -> None:
    """All codes of all services; no message of AWS is quoted, and each has a fix."""
    for code in sorted({*codes_of_models(), *COMMON}):
        cause = cause_of(code, status)
        server.answer(status, code, CANARY)

        errors: list[SalesProError] = [read(s3), write(s3), act(s3)]

        assert [error.retryable for error in errors] == [cause is Cause.PASSING] * 3, (
            code
        )
        assert all(code in str(error) for error in errors[1:])
        assert CANARY not in "".join(map(str, errors))
        assert isinstance(errors[0], ObjectGone) is (cause is Cause.OBJECT), code
        assert ("REPORT_BUCKET" in str(errors[1])) is (cause is not Cause.PASSING)
        # botocore may ask for the bucket's region once more.
        assert server.requests <= 3 * MAX_REQUESTS, code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (500, "InternalError"),
        (400, "ThrottlingException"),
        (400, "RequestTimeout"),
        (403, "KMS.DisabledException"),
        (403, "AccessDenied"),
        (301, "PermanentRedirect"),
    ],
)
def test_requests_of_the_client_of_imports_are_bounded(
    server: ErrorServer, status: int, code: str
) -> None:
    server.answer(status, code, CANARY)

    error = read(error_client(server, MAX_REQUESTS))

    assert error.retryable == (cause_of(code, status) is Cause.PASSING)
    assert 1 <= server.requests <= MAX_REQUESTS


@pytest.mark.parametrize("body_code", ["InternalError", "SlowDown"])
def test_an_error_in_the_body_of_a_200_passes(
    server: ErrorServer, s3: S3Client, body_code: str
) -> None:
    """S3 may send the status before it knows that it failed."""
    server.answer(200, body_code, CANARY)

    error = write(s3)

    assert type(error) is ObjectUnavailable
    assert body_code in str(error)


@pytest.mark.parametrize("bucket", ["", "up loads", "a" * 300, "b/c", "Ü", "x\ny"])
def test_malformed_bucket_is_no_problem_of_the_network(
    s3: S3Client, bucket: str
) -> None:
    for error in (read(s3, bucket), write(s3, bucket)):
        assert type(error) is ObjectRefused
        assert "the name of the bucket" in str(error)
        assert "network" not in str(error)
        assert "reached" not in str(error)


@pytest.mark.parametrize(
    ("code", "message", "fix"),
    [
        (
            "AccessDenied",
            (
                f"{ROLE} not authorized to perform: kms:Decrypt on resource: {KEY_ARN} because "
                "no identity-based policy allows the kms:Decrypt action"
            ),
            (
                f"allow the role or user kms:Decrypt on {KEY_ARN}, in its policy and in the "
                "key's"
            ),
        ),
        (
            "AccessDenied",
            (
                f"{ROLE} not authorized to perform: kms:GenerateDataKey on resource: "
                f"{KEY_ARN} with an explicit deny in a resource-based policy"
            ),
            (
                f"allow the role or user kms:GenerateDataKey on {KEY_ARN}, in its policy and in "
                "the key's; an explicit deny in a policy also has to go"
            ),
        ),
        (
            "AccessDenied",
            (
                f"{ROLE} not authorized to perform: s3:PutObject on resource: "
                f'"arn:aws:s3:::reports/{CANARY}" because no policy allows it'
            ),
            "allow the role or user s3:PutObject",
        ),
        (
            "AccessDeniedException",
            (
                f"{ROLE} not authorized to perform: secretsmanager:GetSecretValue on resource: "
                "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:db-a1B2c3."
            ),
            (
                "allow the role or user secretsmanager:GetSecretValue on arn:aws-us-gov:"
                "secretsmanager:us-gov-west-1:123456789012:secret:db-a1B2c3"
            ),
        ),
        ("AccessDenied", "Access Denied", "allow the role or user THE PERMISSION"),
        ("403", "Forbidden", "allow the role or user THE PERMISSION"),
        (
            "KMS.AccessDeniedException",
            "denied",
            "allow the role or user to use the KMS key (kms:Decrypt, kms:GenerateDataKey)",
        ),
        ("KMS.DisabledException", f"{KEY_ARN} is disabled.", "enable the KMS key"),
        ("KmsDisabled", "", "enable the KMS key"),
        (
            "KMS.KMSInvalidStateException",
            f"{KEY_ARN} is pending deletion.",
            (
                "the KMS key is pending deletion, pending import or unavailable: cancel its "
                "deletion, or import its material"
            ),
        ),
        (
            "InvalidObjectState",
            "",
            "the object is archived: restore it, then redrive its message",
        ),
    ],
)
def test_fix_names_what_aws_names_and_nothing_else(
    server: ErrorServer, s3: S3Client, code: str, message: str, fix: str
) -> None:
    server.answer(403, code, message)
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.get_object(Bucket="uploads", Key="a.csv")

    failure = failure_of(caught.value, "THE PERMISSION")

    assert failure.fix == fix
    assert failure.code == code


def test_denied_key_does_not_ask_for_the_permission_to_read(
    server: ErrorServer, s3: S3Client
) -> None:
    server.answer(
        403,
        "AccessDenied",
        f"{ROLE} not authorized to perform: kms:Decrypt on resource: {KEY_ARN}",
    )

    texts = [str(read(s3)), str(write(s3))]

    assert all(f"kms:Decrypt on {KEY_ARN}" in text for text in texts)
    assert not any("s3:GetObject" in t or "s3:PutObject" in t for t in texts)


@pytest.mark.parametrize(
    ("status", "code", "kind", "text"),
    [
        (404, "NoSuchKey", ObjectGone, "was deleted"),
        (404, "NoSuchVersion", ObjectGone, "was deleted"),
        (405, "MethodNotAllowed", ObjectGone, "was deleted"),
        (412, "PreconditionFailed", ObjectGone, "was replaced"),
        (404, "404", ObjectGone, "was deleted"),
        (404, "NoSuchThing", ObjectRefused, "NoSuchThing"),
        (405, "Unheard", ObjectRefused, "Unheard"),
        (412, "Unheard", ObjectRefused, "Unheard"),
        (403, "InvalidObjectState", ObjectRefused, "restore it"),
        (400, "KeyTooLongError", ObjectRefused, "shorten"),
        (404, "NoSuchBucket", ObjectRefused, "does not exist"),
        (416, "InvalidRange", ObjectUnavailable, "tried again"),
        (403, "RequestTimeTooSkewed", ObjectUnavailable, "clock"),
        (400, "ExpiredToken", ObjectRefused, "expired"),
        (400, "InvalidRequest", ObjectRefused, "encryption key"),
        (301, "PermanentRedirect", ObjectRefused, "another region"),
        (307, "TemporaryRedirect", ObjectUnavailable, "tried again"),
    ],
)
def test_reading_has_the_fate_and_the_fix_of_the_code(
    server: ErrorServer, s3: S3Client, status: int, code: str, kind: type, text: str
) -> None:
    server.answer(status, code, CANARY)

    error = read(s3)

    assert type(error) is kind
    assert text in str(error)


@pytest.mark.parametrize(
    "code", ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"]
)
def test_wrong_clock_is_named_on_reading_and_on_listing(
    server: ErrorServer, s3: S3Client, code: str
) -> None:
    server.answer(403, code, CANARY)

    for text in (str(read(s3)), str(act(s3))):
        assert "if it stays, correct the clock of this computer" in text


def test_passing_error_has_no_advice_about_the_setup() -> None:
    """Nothing in the setup is wrong, and somebody would look for it."""
    for code, cause in CAUSES.items():
        error = ClientError({"Error": {"Code": code}}, "PutObject")
        fix = failure_of(error, "THE PERMISSION").fix
        if cause is Cause.PASSING:
            assert fix == "try again later" or "clock" in fix, code


@pytest.mark.parametrize("code", [CANARY, "", "<b>", "x" * 500])
def test_code_that_is_none_is_not_quoted(
    server: ErrorServer, s3: S3Client, code: str
) -> None:
    server.answer(400, code, CANARY)

    text = str(write(s3))

    assert "Elm Street" not in text
    assert "<b>" not in text
    assert len(text) < 400


@pytest.mark.parametrize(
    "message", ["Signature expired: 1 is now earlier than 2", "bad"]
)
def test_late_signature_passes_and_a_wrong_one_does_not(
    server: ErrorServer, s3: S3Client, message: str
) -> None:
    server.answer(403, "InvalidSignatureException", message)

    assert write(s3).retryable == message.startswith("Signature expired")


def test_each_fix_completes_a_sentence(s3: S3Client) -> None:
    """It has no full stop of its own and starts small."""
    for code in codes_of_models():
        error: Any = s3.exceptions.ClientError({"Error": {"Code": code}}, "PutObject")
        fix = failure_of(error, "P").fix
        assert re.fullmatch(r"[a-zAS][ -~]+[^.]", fix), fix

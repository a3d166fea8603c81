"""The table of AWS error codes against botocore's models and its exceptions."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from botocore import exceptions
from botocore.loaders import Loader
from botocore.retries.standard import (
    ThrottledRetryableChecker,
    TransientRetryableChecker,
)

from handler.aws.error_codes import (
    CAUSES,
    PASSING_EXCEPTIONS,
    Cause,
    cause_of,
    cause_of_exception,
    short_code,
)

SERVICES = ("s3", "sqs", "sns", "kms", "secretsmanager")
# "Common errors" of the API references of these services, which no model lists.
COMMON = {
    "AccessDeniedException": Cause.SETUP,
    "ExpiredTokenException": Cause.SETUP,
    "IncompleteSignature": Cause.SETUP,
    "InternalFailure": Cause.PASSING,
    "InvalidAction": Cause.SETUP,
    "InvalidClientTokenId": Cause.SETUP,
    "InvalidParameterCombination": Cause.SETUP,
    "InvalidParameterValue": Cause.SETUP,
    "InvalidQueryParameter": Cause.SETUP,
    "MalformedHttpRequestException": Cause.SETUP,
    "MalformedQueryString": Cause.SETUP,
    "MissingAction": Cause.SETUP,
    "MissingAuthenticationToken": Cause.SETUP,
    "MissingParameter": Cause.SETUP,
    "NotAuthorized": Cause.SETUP,
    "OptInRequired": Cause.SETUP,
    "RequestAbortedException": Cause.PASSING,
    "RequestEntityTooLargeException": Cause.SETUP,
    "RequestExpired": Cause.PASSING,
    "RequestTimeoutException": Cause.PASSING,
    "ServiceUnavailable": Cause.PASSING,
    "ThrottlingException": Cause.PASSING,
    "UnknownOperationException": Cause.SETUP,
    "UnrecognizedClientException": Cause.SETUP,
    "ValidationError": Cause.SETUP,
}


def codes_of(service: str) -> set[str]:
    """All error codes that the model of a service names."""
    model: Any = Loader(include_default_search_paths=True).load_service_model(
        service, "service-2"
    )
    codes: set[str] = set()
    for name, shape in model["shapes"].items():
        if shape.get("exception"):
            codes |= {name, shape.get("error", {}).get("code", name)}
    if service == "s3":
        text = re.sub(
            "<[^>]+>", " ", model["shapes"]["Error"]["members"]["Code"]["documentation"]
        )
        codes |= set(re.findall(r"Code:\s+([A-Z]\w+)\s+Description", text)) - {"N"}
    return codes


def codes_of_models() -> list[str]:
    """All error codes that the models of the five services name."""
    return sorted(set().union(*map(codes_of, SERVICES)))


def test_models_name_the_codes_that_we_expect_of_them() -> None:
    """Guards the two ways to find codes: shapes, and the description of S3's `Error`."""
    codes = codes_of_models()

    assert len(codes) > 200
    assert {"NoSuchKey", "SlowDown", "KMSDisabled", "DecryptionFailure"} <= set(codes)


@pytest.mark.parametrize("code", codes_of_models())
def test_each_code_of_the_models_is_in_the_table(code: str) -> None:
    assert short_code(code) in CAUSES


@pytest.mark.parametrize(("code", "cause"), COMMON.items())
def test_common_errors_are_in_the_table(code: str, cause: Cause) -> None:
    assert CAUSES[short_code(code)] is cause


@pytest.mark.parametrize(
    "code",
    [
        *vars(ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"],
        *vars(TransientRetryableChecker)["_TRANSIENT_ERROR_CODES"],
        "KMS.ThrottlingException",
        "KmsThrottled",
        "ThrottlingException:http://internal.amazon.com/",
        "com.amazonaws.kms#ThrottlingException",
        "AWS.SimpleQueueService.RequestThrottled",
        "SomeServiceThrottledError",
        "RateExceeded",
    ],
)
@pytest.mark.parametrize("status", [400, 403, 429, 503, 0])
def test_throttling_of_every_spelling_passes(code: str, status: int) -> None:
    assert cause_of(code, status) is Cause.PASSING


@pytest.mark.parametrize("status", [0, 200, 400, 403, 500])
@pytest.mark.parametrize(
    "code",
    [
        "KMS.DisabledException",
        "KmsDisabled",
        "KMSDisabled",
        "com.amazonaws.kms#DisabledException",
        "KMS.KMSInvalidStateException",
        "KmsInvalidState",
        "KMS.NotFoundException",
        "KmsAccessDenied",
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidRequest",
        "InvalidAccessKeyId",
        "ExpiredToken",
        "ExpiredTokenException",
        "PermanentRedirect",
        "NotImplemented",
    ],
)
def test_known_code_decides_whatever_the_status(code: str, status: int) -> None:
    assert cause_of(code, status) is Cause.SETUP


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        *((status, Cause.PASSING) for status in (0, 200, 307, 408, 416, 429, 500, 599)),
        *((status, Cause.SETUP) for status in (301, 400, 401, 403, 409, 410, 499)),
    ],
)
def test_unknown_code_is_classified_by_its_status(status: int, cause: Cause) -> None:
    assert cause_of("Unheard", status) is cause
    if status:
        assert cause_of(str(status), 0) is cause


@pytest.mark.parametrize("status", [404, 405, 412])
def test_only_a_status_without_a_code_says_that_the_object_is_gone(status: int) -> None:
    """It ends the import and consumes the message: a wrong guess would lose the upload."""
    assert cause_of(str(status), status) is Cause.OBJECT
    assert cause_of(str(status), 0) is Cause.OBJECT
    for code in ("Unheard", "NoSuchThing", "KMS.UnheardException", "x404", "4040", ""):
        assert cause_of(code, status) is Cause.SETUP


def test_no_code_is_listed_for_two_causes() -> None:
    source = inspect.getsource(inspect.getmodule(cause_of))  # type: ignore[arg-type]
    blocks = re.findall(
        r'_(?:PASSING|OBJECT|SETUP): Final = """(.*?)"""', source, re.DOTALL
    )
    names = [{short_code(code) for code in block.split()} for block in blocks]

    assert len(names) == 3
    assert sum(map(len, names)) == len(CAUSES)


def exception_classes() -> list[type[Exception]]:
    """All exceptions of botocore but those with a response."""
    return [
        kind
        for _, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, exceptions.BotoCoreError)
    ]


def test_exceptions_that_pass_are_only_those_of_the_network_and_the_credentials() -> (
    None
):
    passing = {
        kind.__name__
        for kind in exception_classes()
        if cause_of_exception(kind.__new__(kind)) is Cause.PASSING
    }

    assert passing == {
        "CapacityNotAvailableError",
        "ChecksumError",
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "ConnectionError",
        "CredentialRetrievalError",
        "EndpointConnectionError",
        "FlexibleChecksumError",
        "HTTPClientError",
        "IncompleteReadError",
        "MetadataRetrievalError",
        "NoCredentialsError",
        "PaginationError",
        "ProxyConnectionError",
        "ReadTimeoutError",
        "ResponseStreamingError",
        "SSLError",
    }
    assert all(
        issubclass(kind, exceptions.BotoCoreError) for kind in PASSING_EXCEPTIONS
    )
    assert len(exception_classes()) > 80

"""The fix that an error of AWS names, where it is neither a permission nor a name."""

from __future__ import annotations

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from handler.aws.error_codes import Cause
from handler.aws.errors import failure_of

PERMISSION = "s3:GetObject on the bucket's objects"


@pytest.mark.parametrize(
    "code",
    [
        "KMS.InvalidKeyUsageException",
        "KMS.IncorrectKeyException",
        "KMS.InvalidGrantTokenException",
        "KmsInvalidKeyUsage",
    ],
)
def test_error_of_a_key_does_not_ask_for_the_permission_to_read(code: str) -> None:
    error = ClientError(
        {
            "Error": {"Code": code, "Message": ""},
            "ResponseMetadata": {
                "HTTPStatusCode": 400,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "GetObject",
    )

    failure = failure_of(error, PERMISSION)

    assert failure.cause is Cause.SETUP
    assert failure.fix == "check the KMS key: its kind, its state and its policy"


@pytest.mark.parametrize(
    "error",
    [
        exceptions.UnauthorizedSSOTokenError(),
        exceptions.SSOTokenLoadError(error_msg=""),
        exceptions.TokenRetrievalError(provider="sso", error_msg=""),
        exceptions.RefreshWithMFAUnsupportedError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_expired_sign_in_asks_to_sign_in(error: Exception) -> None:
    """The region, the endpoint and the names are right."""
    failure = failure_of(error, PERMISSION)

    assert failure.cause is Cause.SETUP
    assert failure.fix == "the AWS sign-in has expired: sign in again"

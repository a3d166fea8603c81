"""The fix that an error of AWS names, where it is neither a permission nor a name."""

from __future__ import annotations

import re

import pytest
from botocore.exceptions import ClientError

from handler.aws.error_codes import Cause, cause_of, cause_of_exception
from handler.aws.errors import failure_of
from tests.handler.aws.errors.test_error_codes import codes_of, exception_classes

PERMISSION = "s3:GetObject on the bucket's objects"
SIGN_IN = "the AWS sign-in has expired or was refused: sign in again"
CONFIGURATION = "correct the configuration of AWS: its file, or the AWS_* variables"
# By the names of botocore's classes.
ABOUT_SIGN_IN = re.compile("SSO|^Login|AuthToken|^TokenRetrieval|RefreshWithMFA")
ABOUT_CONFIGURATION = re.compile(
    "^Config|InfiniteLoop|^Invalid.*Config(?!urationError)|Invalid.*Mode"
    "|IMDS|Retry|AddressingStyle|DiscoveryConfiguration|^Unknown(Credential|TokenProvider)"
)
SETUP_CLASSES = [
    kind
    for kind in exception_classes()
    if cause_of_exception(kind.__new__(kind)) is Cause.SETUP
]
KEY_CODES = [
    code
    for code in (*(f"KMS.{it}" for it in sorted(codes_of("kms"))), "KmsInvalidKeyUsage")
    if cause_of(code, 400) is Cause.SETUP
]


@pytest.mark.parametrize("code", KEY_CODES)
def test_error_of_a_key_does_not_ask_for_the_permission_to_read(code: str) -> None:
    failure = failure_of(
        ClientError({"Error": {"Code": code}}, "GetObject"), PERMISSION
    )

    assert "KMS" in failure.fix
    assert PERMISSION not in failure.fix


@pytest.mark.parametrize("kind", SETUP_CLASSES, ids=lambda kind: kind.__name__)
def test_error_before_a_request_says_whether_to_sign_in_or_to_correct_the_configuration(
    kind: type[Exception],
) -> None:
    """Otherwise the region, the endpoint or a name is wrong."""
    fix = failure_of(kind.__new__(kind), PERMISSION).fix

    is_sign_in = ABOUT_SIGN_IN.search(kind.__name__) is not None
    is_configuration = ABOUT_CONFIGURATION.search(kind.__name__) is not None
    assert (fix == SIGN_IN, fix == CONFIGURATION) == (is_sign_in, is_configuration)


def test_there_are_classes_and_codes_of_each_kind() -> None:
    assert len(SETUP_CLASSES) > 60
    assert sum(bool(ABOUT_SIGN_IN.search(kind.__name__)) for kind in SETUP_CLASSES) > 8
    assert len(KEY_CODES) > 30

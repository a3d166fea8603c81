"""Errors of requests to AWS as errors of our own: retried or not, and with the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.parsers import ResponseParserError

from handler.aws.error_codes import Cause, cause_of, cause_of_exception, short_code
from salespro_core.errors import (
    ObjectError,
    ObjectGone,
    ObjectRefused,
    ObjectUnavailable,
    SalesProError,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of AWS, classified.

    Attributes:
        code: of the response, or the name of botocore's exception.
        fix: completes "…: <fix>."
    """

    cause: Cause
    code: str
    fix: str


def failure_of(error: Exception, permissions: str) -> Failure:
    """Classify an error of a request to AWS, and say what to do.

    Of AWS's message only a missing permission and the address of a key, a queue, a topic or
    a secret are quoted: the message itself may quote the request.

    Args:
        error: of botocore or of the connection.
        permissions: that the request needs, such as `s3:PutObject on the bucket's objects`.
    """
    if not isinstance(error, ClientError):
        cause, name = cause_of_exception(error), type(error).__name__
        if cause is Cause.SETUP:
            kinds = (kind.__name__ for kind in type(error).__mro__)
            fix = next(
                (_SETUP_FIXES[kind] for kind in kinds if kind in _SETUP_FIXES),
                "correct the region, the endpoint and the names",
            )
        elif isinstance(error, NoCredentialsError):
            fix = "no AWS credentials were found: sign in, or check the role"
        else:
            fix = "in a VPC it needs an endpoint or a NAT gateway"
        return Failure(cause, name, fix)
    details: Any = error.response.get("Error", {})
    message = str(details.get("Message", ""))
    raw_code = str(details.get("Code", ""))
    code = raw_code if _CODE.fullmatch(raw_code) else "an unknown code"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    cause = cause_of(code, status)
    # An old request, sent late by a frozen environment; the next one has a new date.
    if short_code(code) == "invalidsignature" and _LATE.search(message):
        cause, code = Cause.PASSING, "RequestExpired"
    return Failure(cause, code, _fix(cause, code, message, permissions))


_CODE = re.compile(r"[\w.:#/-]{1,100}", re.ASCII)
_LATE = re.compile("signature expired|not yet current", re.IGNORECASE)
_DENIED = re.compile(
    r"not authorized to perform: (?P<action>[a-z0-9-]{1,40}:[A-Za-z0-9*]{1,60})"
    r"(?: on resource: \"?(?P<arn>arn:aws[a-z-]*:(?:kms|sqs|sns|secretsmanager):"
    r"[\w:/+=@.-]{1,250}[\w/-]))?"
)
_SETUP_FIXES = {
    "ParamValidationError": "the name of the bucket, the key or the ARN is malformed: "
    "correct it",
    "NoRegionError": "set AWS_REGION",
    "ProfileNotFound": "correct AWS_PROFILE",
    "PartialCredentialsError": "set both parts of the AWS credentials",
    # As names: an older botocore lacks some of the classes.
    **dict.fromkeys(
        (
            "SSOError",
            "LoginError",
            "TokenRetrievalError",
            "NoAuthTokenError",
            "RefreshWithMFAUnsupportedError",
        ),
        "the AWS sign-in has expired or was refused: sign in again",
    ),
    **dict.fromkeys(
        (
            "ConfigParseError",
            "ConfigNotFound",
            "InfiniteLoopConfigError",
            "InvalidChecksumConfigError",
            "InvalidConfigError",
            "InvalidDefaultsMode",
            "InvalidEndpointDiscoveryConfigurationError",
            "InvalidIMDSEndpointError",
            "InvalidIMDSEndpointModeError",
            "InvalidProxiesConfigError",
            "InvalidRetryConfigurationError",
            "InvalidS3AddressingStyleError",
            "InvalidS3UsEast1RegionalEndpointConfigError",
            "InvalidSTSRegionalEndpointsConfigError",
            "UnknownCredentialError",
            "UnknownTokenProviderError",
        ),
        "correct the configuration of AWS: its file, or the AWS_* variables",
    ),
}


def _fix(cause: Cause, code: str, message: str, permissions: str) -> str:
    name = short_code(code)
    if cause is Cause.PASSING:
        return _FIXES.get(name, "try again later")
    is_code_of_kms = code.casefold().startswith("kms")  # which S3 passes on
    is_kms = is_code_of_kms or "kms:" in message.casefold()
    if denied := _DENIED.search(message):
        fix = f"allow the role or user {denied['action']}"
        if denied["arn"]:
            fix += f" on {denied['arn']}"
        if is_kms:
            fix += ", in its policy and in the key's"
        if "explicit deny" in message:
            fix += "; an explicit deny in a policy also has to go"
        return fix
    if name in ("accessdenied", "403", "authorizationerror", "forbidden"):
        if is_kms:
            permissions = "to use the KMS key (kms:Decrypt, kms:GenerateDataKey)"
        return f"allow the role or user {permissions}"
    if is_kms and name in _KEY_FIXES:
        return _KEY_FIXES[name]
    other = f"check the names, the region and that the role or user has {permissions}"
    return _FIXES.get(name, _OTHER_KEY_FIX if is_code_of_kms else other)


_KEY_FIXES = {
    "disabled": "enable the KMS key",
    "invalidstate": "the KMS key is pending deletion, pending import or unavailable: "
    "cancel its deletion, or import its material",
    "notfound": "the KMS key does not exist in this region: correct the encryption setting",
    "optinrequired": "the account has no subscription to KMS",
}
_OTHER_KEY_FIX = "check the KMS key: its kind, its state and its policy"
_FIXES = {
    **dict.fromkeys(
        ("expiredtoken", "tokenrefreshrequired"),
        "the credentials have expired: sign in again; a function's role gets new "
        "ones with a new environment",
    ),
    **dict.fromkeys(
        (
            "invalidaccesskeyid",
            "invalidclienttokenid",
            "unrecognizedclient",
            "invalidtoken",
            "signaturedoesnotmatch",
            "missingauthenticationtoken",
        ),
        "the AWS credentials are not valid: sign in again, or remove AWS_* variables",
    ),
    **dict.fromkeys(
        ("requesttimetooskewed", "requestexpired", "requestinthefuture"),
        "if it stays, correct the clock of this computer",
    ),
    **dict.fromkeys(
        (
            "permanentredirect",
            "authorizationheadermalformed",
            "illegallocationconstraint",
            "301",
        ),
        "the bucket is in another region: correct AWS_REGION, or the bucket's name",
    ),
    **dict.fromkeys(
        ("resourcenotfound", "notfound", "queuedoesnotexist", "nonexistentqueue"),
        "it does not exist in this region: correct its name or its ARN",
    ),
    "nosuchbucket": "the bucket does not exist; correct its name",
    "invalidbucketname": "the bucket's name is malformed: correct it",
    **dict.fromkeys(
        ("invalidobjectstate", "objectnotinactivetiererror"),
        "the object is archived: restore it, then redrive its message",
    ),
    "restorealreadyinprogress": "the object is being restored: redrive its message then",
    "keytoolongerror": "shorten the object's key",
    "disabled": _KEY_FIXES["disabled"],
    "decryptionfailure": "Secrets Manager cannot use the secret's KMS key: check that it is "
    "enabled, and that the role has kms:Decrypt",
    "accountproblem": "AWS has restricted the account: contact AWS Support",
    "allaccessdisabled": "AWS has restricted the bucket: contact AWS Support",
    "invalidrequest": "the bucket, its encryption key or the secret does not allow this "
    "request (a secret may be scheduled for deletion): check it",
}
_READ_PERMISSIONS = (
    "s3:GetObject and s3:GetObjectVersion on the bucket's objects, and s3:ListBucket on the "
    "bucket (without it, S3 also answers AccessDenied for a deleted object)"
)


def map_read_error(error: Exception, location: str, when: str) -> SalesProError:
    """Map an error of GetObject to one of our own.

    Args:
        error: of botocore or of the connection.
        location: s3://bucket/key, for the message.
        when: completes "was replaced ...".

    Returns:
        ObjectGone, ObjectRefused or ObjectUnavailable.
    """
    failure = failure_of(error, _READ_PERMISSIONS)
    name = short_code(failure.code)
    match failure.cause:
        case Cause.OBJECT if name in ("preconditionfailed", "412"):
            return ObjectGone(
                f"{location} was replaced {when}; "
                "the newer upload is imported by its own notification."
            )
        case Cause.OBJECT:
            return ObjectGone(f"{location} was deleted {when}; upload it again.")
        case Cause.SETUP:
            return ObjectRefused(
                f"S3 refuses {location} ({failure.code}): {failure.fix}."
            )
    if isinstance(error, ClientError):
        fix = f" ({_FIXES[name]})" if name in _FIXES else ""
        return ObjectUnavailable(
            f"S3 answered {failure.code} for {location}{fix}. It is tried again."
        )
    return ObjectUnavailable(
        f"S3 could not be reached for {location} ({failure.code}); {failure.fix}. "
        "It is tried again."
    )


def map_action_error(error: Exception, action: str, permissions: str) -> ObjectError:
    """Map an error of any request but GetObject to one of our own.

    Args:
        error: of botocore or of the connection.
        action: for the message, such as `listing s3://bucket`.
        permissions: as in `failure_of`.

    Returns:
        ObjectRefused: another try would not help.  ObjectUnavailable: it may.
    """
    failure = failure_of(error, permissions)
    is_passing = failure.cause is Cause.PASSING
    kind = ObjectUnavailable if is_passing else ObjectRefused
    if not is_passing:
        return kind(f"While {action}: AWS refuses ({failure.code}): {failure.fix}.")
    if isinstance(error, ClientError):
        return kind(f"While {action}: AWS answered {failure.code}: {failure.fix}.")
    return kind(
        f"While {action}: AWS could not be reached ({failure.code}); {failure.fix}."
    )


@contextmanager
def aws_errors(action: str, permissions: str) -> Iterator[None]:
    """Map errors of AWS calls in the block, see `map_action_error`.

    Raises:
        ObjectRefused, ObjectUnavailable: see there.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise map_action_error(error, action, permissions) from error
    except ResponseParserError as error:  # its text quotes the response
        raise ObjectUnavailable(
            f"While {action}: AWS returned an unexpected response. Try again."
        ) from error

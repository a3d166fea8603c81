"""What an error of AWS means: it passes, the setup must change, or the object is gone.

One table for S3, SQS, SNS, KMS, Secrets Manager and their common errors, on reading and on
writing.  A test compares it with botocore's service models.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from botocore import exceptions


class Cause(Enum):
    """What an error is about."""

    PASSING = "passing"  # another try may succeed
    SETUP = "setup"  # fails until a person changes something; then it may succeed
    OBJECT = "object"  # this object is gone


# Sources: the service models of botocore 1.4x (shapes with `exception`, and the codes in the
# description of S3's `Error`); "Error responses" of the S3 API reference; "Common errors" of
# the SQS, SNS, KMS and Secrets Manager API references; botocore's own retry lists.
_PASSING: Final = """
    Throttling ThrottlingException ThrottledException RequestThrottledException
    RequestThrottled TooManyRequestsException TooManyRequests RequestLimitExceeded
    ProvisionedThroughputExceededException TransactionInProgressException
    BandwidthLimitExceeded LimitExceededException SlowDown PriorRequestNotComplete
    EC2ThrottledException KmsThrottled OverLimit
    RequestTimeout RequestTimeoutException RequestAbortedException IncompleteBody BadDigest
    XAmzContentSHA256Mismatch InternalError InternalFailure InternalServiceError
    InternalServerError ServiceUnavailable ServiceUnavailableException ServiceFailure
    503SlowDown KMSInternalException DependencyTimeoutException KeyUnavailableException
    OperationAborted ConditionalRequestConflict ConcurrentAccess ConflictException
    TemporaryRedirect Redirect InvalidRange Busy
    RequestTimeTooSkewed RequestExpired RequestInTheFuture
    PurgeQueueInProgress QueueDeletedRecently MessageNotInflight
    XksProxyUriUnreachableException XksProxyInvalidResponseException
"""
_OBJECT: Final = """
    NoSuchKey NoSuchVersion MethodNotAllowed PreconditionFailed
"""
_SETUP: Final = """
    AccessDenied AuthorizationError UnauthorizedAccess Forbidden NotAuthorized
    AccountProblem AllAccessDisabled InvalidAccessKeyId InvalidClientTokenId
    UnrecognizedClientException MissingAuthenticationToken ExpiredToken
    TokenRefreshRequired InvalidToken InvalidSecurity SignatureDoesNotMatch
    InvalidSignatureException IncompleteSignature MissingSecurityHeader
    MissingSecurityElement CredentialsNotSupported NotSignedUp OptInRequired
    SubscriptionRequiredException InvalidPayer AccessForbidden

    NoSuchBucket NoSuchAccessPoint NoSuchUpload NoSuchBucketPolicy
    NoSuchLifecycleConfiguration NoSuchAnnotation NoLoggingStatusForKey
    PermanentRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException
    IncorrectEndpoint InvalidBucketName InvalidBucketState InvalidAccessPoint
    InvalidLocationConstraint BucketAlreadyExists BucketAlreadyOwnedByYou BucketNotEmpty
    TooManyBuckets BucketHasAccessPointsAttached

    InvalidRequest InvalidArgument InvalidURI InvalidDigest InvalidPart InvalidPartOrder
    InvalidPolicyDocument InvalidStorageClass InvalidTargetBucketForLogging
    InvalidEncryptionAlgorithmError InvalidAddressingHeader InvalidPrefix InvalidWriteOffset
    InvalidAnnotationName InvalidTag InvalidSOAPRequest AnnotationLimitExceeded
    AnnotationNameTooLong AmbiguousGrantByEmailAddress CrossLocationLoggingProhibited
    EncryptionTypeMismatch EntityTooSmall EntityTooLarge IdempotencyParameterMismatch
    IllegalVersioningConfigurationException IncorrectNumberOfFilesInPostRequest
    InlineDataTooLarge MalformedACLError MalformedPOSTRequest MalformedXML MalformedPolicy
    MaxMessageLengthExceeded MaxPostPreDataLengthExceededError MetadataTooLarge
    MissingContentLength MissingRequestBodyError NotImplemented NotModified
    ObjectAlreadyInActiveTierError RequestIsNotMultiPartContent RequestTorrentOfBucketError
    RequestHeaderSectionTooLarge ServerSideEncryptionConfigurationNotFoundError
    TooManyAccessPoints TooManyParts UnexpectedContent UnresolvableGrantByEmailAddress
    UnsupportedMediaType UserKeyMustBeSpecified
    InvalidObjectState RestoreAlreadyInProgress ObjectNotInActiveTierError KeyTooLongError

    ResourceNotFoundException NotFound QueueDoesNotExist NonExistentQueue QueueNameExists
    QueueAlreadyExists InvalidAddress InvalidAttributeName InvalidAttributeValue
    InvalidIdFormat InvalidMessageContents ReceiptHandleIsInvalid UnsupportedOperation
    BatchEntryIdsNotDistinct BatchRequestTooLong EmptyBatchRequest InvalidBatchEntryId
    TooManyEntriesInBatchRequest

    EndpointDisabled FilterPolicyLimitExceeded InvalidParameter InvalidParameterValue
    InvalidParameterCombination InvalidQueryParameter InvalidAction MissingAction
    MissingParameter MalformedQueryString ParameterValueInvalid InvalidState OptedOut
    PlatformApplicationDisabled ReplayLimitExceeded StaleTag SubscriptionLimitExceeded
    TagLimitExceeded TagPolicy TopicLimitExceeded UserError ValidationException
    ValidationError VerificationException UnknownOperationException SerializationException
    MalformedHttpRequestException RequestEntityTooLargeException

    DisabledException KMSInvalidStateException InvalidKeyUsageException AlreadyExistsException
    CloudHsmClusterInUseException CloudHsmClusterInvalidConfigurationException
    CloudHsmClusterNotActiveException CloudHsmClusterNotFoundException
    CloudHsmClusterNotRelatedException CustomKeyStoreHasCMKsException
    CustomKeyStoreInvalidStateException CustomKeyStoreNameInUseException
    CustomKeyStoreNotFoundException DryRunOperationException ExpiredImportTokenException
    IncorrectKeyException IncorrectKeyMaterialException IncorrectTrustAnchorException
    InvalidAliasNameException InvalidArnException InvalidCiphertextException
    InvalidGrantIdException InvalidGrantTokenException InvalidImportTokenException
    InvalidMarkerException KMSInvalidMacException KMSInvalidSignatureException
    MalformedPolicyDocumentException TagException XksKeyAlreadyInUseException
    XksKeyInvalidConfigurationException XksKeyNotFoundException
    XksProxyIncorrectAuthenticationCredentialException
    XksProxyInvalidConfigurationException XksProxyUriEndpointInUseException
    XksProxyUriInUseException XksProxyVpcEndpointServiceInUseException
    XksProxyVpcEndpointServiceInvalidConfigurationException
    XksProxyVpcEndpointServiceNotFoundException

    DecryptionFailure EncryptionFailure InvalidNextTokenException
    PreconditionNotMetException PublicPolicyException ResourceExistsException
"""
# Spellings that are in no reference: services invent new ones.
_THROTTLED: Final = re.compile("throttl|slowdown|toomanyrequest|rateexceeded")
# Of exceptions that botocore raises itself; of all others, the setup is the cause.
PASSING_EXCEPTIONS: Final = (
    exceptions.ConnectionError,  # DNS, timeouts, TLS, proxies
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    exceptions.ChecksumError,
    exceptions.FlexibleChecksumError,
    exceptions.PaginationError,
    exceptions.CapacityNotAvailableError,
    # Lambda supplies the credentials, and may fail to for a moment.
    exceptions.NoCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.MetadataRetrievalError,
)
_HTTP_STATUS: Final = re.compile("[1-5][0-9][0-9]")


def short_code(code: str) -> str:
    """A code without what services add to it, in lower case.

    `com.amazonaws.kms#DisabledException:`, `KMS.DisabledException` and `KmsDisabled` are
    all `disabled`.
    """
    name = code.rpartition("#")[2].partition(":")[0].rpartition(".")[2].casefold()
    return name.removeprefix("kms").removesuffix("exception")


CAUSES: Final = {
    short_code(code): cause
    for cause, codes in (
        (Cause.PASSING, _PASSING),
        (Cause.OBJECT, _OBJECT),
        (Cause.SETUP, _SETUP),
    )
    for code in codes.split()
}


def cause_of(code: str, status: int) -> Cause:
    """The cause of an error response.

    A code that is not in the table is classified by its status.  4xx means SETUP: then a
    person is told and the message waits in the queue, so a wrong guess loses nothing.  5xx,
    and no status at all, mean PASSING.  OBJECT ends the import: only the table says that, or
    the status of a response without a code.

    Args:
        code: as botocore returns it; a status, such as `404`, if the response had no body.
        status: the HTTP status; 0 if unknown.
    """
    name = short_code(code)
    if name in CAUSES:
        return CAUSES[name]
    if _THROTTLED.search(name):
        return Cause.PASSING
    if _HTTP_STATUS.fullmatch(name):
        status = int(name)
        if status in (404, 405, 412):
            return Cause.OBJECT
    if status in (307, 408, 416, 425, 429) or not 300 <= status < 500:  # noqa: PLR2004 -- HTTP
        return Cause.PASSING
    return Cause.SETUP


def cause_of_exception(error: BaseException) -> Cause:
    """The cause of an exception that botocore raises without a response."""
    is_setup = isinstance(error, exceptions.BotoCoreError) and not isinstance(
        error, PASSING_EXCEPTIONS
    )
    return Cause.SETUP if is_setup else Cause.PASSING

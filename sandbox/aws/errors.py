"""AWS's errors, with their own HTTP status: each service's words at its door, and what a fault of kind `error` says."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

from moto.core.exceptions import ServiceException

# moto remarks on errors outside of a service's model; AccessDenied is in none of them, and every service answers it.
warnings.filterwarnings("ignore", message=r"Exception\(AwsError\) with code")


class AwsError(ServiceException):
    """An error as AWS answers it: code, text and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Words:
    """What one service calls the same refusals, and the status of them all."""

    missing: str
    incomplete: str
    unknown: str
    expired: str
    signature: str
    denied: str
    unknown_operation: str
    unreadable: str
    status: int = 403


_QUERY: Final = Words(
    missing="MissingAuthenticationToken",
    incomplete="IncompleteSignature",
    unknown="InvalidClientTokenId",
    expired="ExpiredToken",
    signature="SignatureDoesNotMatch",
    denied="AccessDenied",
    unknown_operation="InvalidAction",
    unreadable="MalformedInput",
)
_JSON: Final = Words(
    missing="MissingAuthenticationTokenException",
    incomplete="IncompleteSignatureException",
    unknown="UnrecognizedClientException",
    expired="ExpiredTokenException",
    signature="InvalidSignatureException",
    denied="AccessDeniedException",
    unknown_operation="UnknownOperationException",
    unreadable="SerializationException",
)
WORDS: Final = {
    "sts": _QUERY,
    "iam": _QUERY,
    # DynamoDB answers all of these with 400 (its developer guide, "Error handling").
    "dynamodb": Words(**{name: getattr(_JSON, name) for name in Words.__slots__ if name != "status"}, status=400),
    "bedrock": _JSON,
}
"""By name of the credential scope; Bedrock Runtime signs as `bedrock`."""

_FAULTS: Final[dict[str, tuple[int, str]]] = {
    "AccessDenied": (403, "User is not authorized to perform this operation"),
    "AccessDeniedException": (403, "User is not authorized to perform this operation"),
    "ConditionalCheckFailedException": (400, "The conditional request failed"),
    "ExpiredToken": (403, "The security token included in the request is expired"),
    "ExpiredTokenException": (403, "The security token included in the request is expired"),
    "InternalFailure": (500, "The request processing has failed because of an unknown error, exception or failure."),
    "InternalServerError": (500, "Internal server error"),
    "InternalServerException": (
        500,
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    "InvalidClientTokenId": (403, "The security token included in the request is invalid."),
    "InvalidSignatureException": (
        403,
        (
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
            " Access Key and signing method. Consult the service documentation for details."
        ),
    ),
    "LimitExceeded": (409, "Cannot exceed quota for RolesPerAccount: 1000"),
    "MalformedPolicyDocument": (400, "The policy is not in the valid JSON format."),
    "ModelErrorException": (424, "The model returned an error while processing your request."),
    "ModelNotReadyException": (429, "Model is not ready for inference. Wait and try your request again."),
    "ModelStreamErrorException": (424, "The model stream was interrupted."),
    "ModelTimeoutException": (408, "Model request timed out. Wait before trying again."),
    "NoSuchEntity": (404, "The role with the name BedrockAccess cannot be found."),
    "PackedPolicyTooLarge": (400, "Packed policy consumes 112% of allotted space, please use smaller policy."),
    "ProvisionedThroughputExceededException": (
        400,
        (
            "The level of configured provisioned throughput for the table was exceeded. Consider increasing your"
            " provisioning level with the UpdateTable API"
        ),
    ),
    "RegionDisabledException": (
        403,
        (
            "STS is not activated in this region for account:111122223333. Your account administrator can activate STS"
            " in this region using the IAM Console."
        ),
    ),
    "RequestLimitExceeded": (400, "Throughput exceeds the current throughput limit for your account."),
    "ResourceNotFoundException": (404, "Could not resolve the foundation model from the provided model identifier."),
    "ServiceQuotaExceededException": (400, "Your request exceeds the service quota for your account."),
    "ServiceUnavailable": (503, "Service unavailable"),
    "ServiceUnavailableException": (503, "Too many connections, please wait before trying again."),
    "SignatureDoesNotMatch": (
        403,
        (
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
            " Access Key and signing method. Consult the service documentation for details."
        ),
    ),
    "Throttling": (400, "Rate exceeded"),
    "ThrottlingException": (
        429,
        (
            "Too many requests, please wait before trying again. You have sent too many requests.  Wait before trying"
            " again."
        ),
    ),
    "TransactionConflictException": (400, "Transaction is ongoing for the item"),
    "UnrecognizedClientException": (403, "The security token included in the request is invalid."),
    "ValidationError": (400, "1 validation error detected"),
    "ValidationException": (400, "The provided request is not valid"),
}
_DYNAMODB_FAULTS: Final[dict[str, str]] = {
    "ResourceNotFoundException": "Requested resource not found",
    "ThrottlingException": "Rate of requests exceeds the allowed throughput.",
}


def fault_error(service: str, code: str, text: str | None = None) -> AwsError:
    """Return the error of a fault, with its own text if it has one. A code that is not listed is answered with 400."""
    status, message = _FAULTS.get(code, (400, f"{code} (a fault that was set)"))
    if service == "dynamodb" and status < 500:
        status, message = 400, _DYNAMODB_FAULTS.get(code, message)
    return AwsError(code, text or message, status)

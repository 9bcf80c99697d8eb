"""AWS's errors, with their own HTTP status, and the texts that a fault of kind `error` answers."""

from __future__ import annotations

import warnings
from typing import Final

from moto.core.exceptions import ServiceException

# moto remarks on errors outside of a service's model; AccessDenied is in none of them, and every service answers it.
warnings.filterwarnings("ignore", message=r"Exception\(AwsError\) with code")


class AwsError(ServiceException):
    """An error as AWS answers it: code, text and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status


_FAULTS: Final[dict[str, tuple[int, str]]] = {
    "AccessDenied": (403, "User is not authorized to perform this operation"),
    "AccessDeniedException": (403, "User is not authorized to perform this operation"),
    "ExpiredToken": (403, "The security token included in the request is expired"),
    "ExpiredTokenException": (403, "The security token included in the request is expired"),
    "InvalidClientTokenId": (403, "The security token included in the request is invalid."),
    "UnrecognizedClientException": (403, "The security token included in the request is invalid."),
    "SignatureDoesNotMatch": (403, "The request signature we calculated does not match the signature you provided."),
    "RegionDisabledException": (
        403,
        "STS is not activated in this region. Your account administrator can activate it using the IAM Console.",
    ),
    "MalformedPolicyDocument": (400, "The policy is not in the valid JSON format."),
    "PackedPolicyTooLarge": (400, "Packed size of session policy consumes 112% of allotted space."),
    "Throttling": (400, "Rate exceeded"),
    "ThrottlingException": (429, "Too many requests, please wait before trying again."),
    "ProvisionedThroughputExceededException": (400, "The level of configured provisioned throughput was exceeded."),
    "ValidationException": (400, "The provided request is not valid"),
    "ValidationError": (400, "1 validation error detected"),
    "ResourceNotFoundException": (404, "Could not resolve the foundation model from the provided model identifier."),
    "ServiceQuotaExceededException": (400, "Your request exceeds the service quota for your account."),
    "ModelTimeoutException": (408, "Model request timed out. Wait before trying again."),
    "ModelErrorException": (424, "The model returned an error while processing your request."),
    "ModelNotReadyException": (429, "Model is not ready for inference. Wait and try your request again."),
    "ModelStreamErrorException": (424, "The model stream was interrupted."),
    "InternalServerException": (
        500,
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    "InternalFailure": (500, "The request processing has failed because of an unknown error, exception or failure."),
    "InternalServerError": (500, "Internal server error"),
    "ServiceUnavailable": (503, "Service unavailable"),
    "ServiceUnavailableException": (503, "Too many connections, please wait before trying again."),
}


def fault_error(service: str, code: str) -> AwsError:
    """Return the error of a fault; a code that is not listed is answered as given, with 400."""
    status, message = _FAULTS.get(code, (400, f"{service} answered {code}"))
    return AwsError(code, message, status)

"""The operations that are called in customers' accounts: all of them, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of AWS: `service` is the host's first part, `seconds` what a call may take, retry included.

    `signed_as` is the service of the signature: both of Bedrock's sign as `bedrock`. `headers` go with every call.
    """

    name: str
    service: str
    method: str
    path: str
    seconds: float = 20.0
    signed_as: str = "bedrock"
    headers: Mapping[str, str] = field(default_factory=dict)


LIST_FOUNDATION_MODELS: Final = Operation("ListFoundationModels", "bedrock", "GET", "/foundation-models")
LIST_INFERENCE_PROFILES: Final = Operation("ListInferenceProfiles", "bedrock", "GET", "/inference-profiles")
MODEL_AVAILABILITY: Final = Operation(
    "GetFoundationModelAvailability", "bedrock", "GET", "/foundation-model-availability/{model}"
)
CONVERSE: Final = Operation("Converse", "bedrock-runtime", "POST", "/model/{model}/converse", seconds=25.0)
CONVERSE_STREAM: Final = Operation(
    "ConverseStream", "bedrock-runtime", "POST", "/model/{model}/converse-stream", seconds=600.0
)
INVOKE_MODEL: Final = Operation("InvokeModel", "bedrock-runtime", "POST", "/model/{model}/invoke", seconds=25.0)
INVOKE_MODEL_STREAM: Final = Operation(
    "InvokeModelWithResponseStream",
    "bedrock-runtime",
    "POST",
    "/model/{model}/invoke-with-response-stream",
    seconds=600.0,
)
COUNT_TOKENS: Final = Operation("CountTokens", "bedrock-runtime", "POST", "/model/{model}/count-tokens")
GET_INFERENCE_PROFILE: Final = Operation("GetInferenceProfile", "bedrock", "GET", "/inference-profiles/{model}")
DESCRIBE_LIMITS: Final = Operation(
    "DescribeLimits",
    "dynamodb",
    "POST",
    "/",
    seconds=5.0,
    signed_as="dynamodb",
    headers={"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.DescribeLimits"},
)

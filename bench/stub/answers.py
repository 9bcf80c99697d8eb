"""What the stub answers: made once, so that answering costs next to nothing. Sizes are those of real answers."""

from __future__ import annotations

import json
import struct
import zlib
from functools import lru_cache
from typing import Any, Final

_STRING: Final = 7
_TEXT: Final = "The contract runs for two years and renews by itself unless one side ends it in writing. "
_MAKERS: Final = ("Anthropic", "Amazon", "Meta", "Mistral AI", "Cohere", "AI21 Labs", "DeepSeek", "Qwen")
_MODELS: Final = 120
_PROFILES: Final = 60
"""About what AWS lists in us-east-1."""


def converse() -> bytes:
    """Return Converse's answer: about 1 KB of text."""
    return _json(
        {
            "metrics": {"latencyMs": 700},
            "output": {"message": {"role": "assistant", "content": [{"text": _TEXT * 11}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 250, "outputTokens": 220, "totalTokens": 470},
        }
    )


@lru_cache(maxsize=16)
def stream(deltas: int) -> tuple[bytes, ...]:
    """Return ConverseStream's frames: so many deltas of one word each, and what stands around them."""
    return (
        event_frame("messageStart", {"role": "assistant"}),
        *(
            event_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": f" word{number}"}})
            for number in range(deltas)
        ),
        event_frame("contentBlockStop", {"contentBlockIndex": 0}),
        event_frame("messageStop", {"stopReason": "end_turn"}),
        event_frame(
            "metadata",
            {
                "metrics": {"latencyMs": 700},
                "usage": {"inputTokens": 250, "outputTokens": deltas, "totalTokens": 250 + deltas},
            },
        ),
    )


def event_frame(name: str, body: dict[str, object]) -> bytes:
    """Return a frame of `application/vnd.amazon.eventstream` (Smithy: two CRC-32), padded by `p` as Bedrock's are."""
    payload = _json({**body, "p": "abcdefghijklmnopqrstuvwxyz"[: 4 + len(name) % 20]})
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    head = b"".join(
        bytes((len(key),)) + key.encode() + struct.pack("!BH", _STRING, len(value)) + value.encode()
        for key, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack("!I", zlib.crc32(message))


def foundation_models() -> bytes:
    """Return ListFoundationModels' answer."""
    return _json({"modelSummaries": [_model(number) for number in range(_MODELS)]})


def inference_profiles(kind: str) -> bytes:
    """Return ListInferenceProfiles' answer; the account has none of its own (`APPLICATION`)."""
    profiles = [_profile(number) for number in range(_PROFILES)] if kind == "SYSTEM_DEFINED" else []
    return _json({"inferenceProfileSummaries": profiles})


def _model_id(number: int) -> str:
    return f"{_MAKERS[number % len(_MAKERS)].split()[0].lower()}.model-{number}-v1:0"


def _model(number: int) -> dict[str, Any]:
    through_profile = number < _PROFILES
    return {
        "customizationsSupported": ["FINE_TUNING"] if number % 9 == 0 else [],
        "inferenceTypesSupported": ["INFERENCE_PROFILE"] if through_profile else ["ON_DEMAND"],
        "inputModalities": ["TEXT", "IMAGE"] if number % 2 else ["TEXT"],
        "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{_model_id(number)}",
        "modelId": _model_id(number),
        "modelLifecycle": {"startOfLifeTime": "2025-05-14T00:00:00Z", "status": "ACTIVE"},
        "modelName": f"Model {number}",
        "outputModalities": ["EMBEDDING"] if number % 10 == 9 else ["TEXT"],
        "providerName": _MAKERS[number % len(_MAKERS)],
        "responseStreamingSupported": True,
    }


def _profile(number: int) -> dict[str, Any]:
    profile_id = f"us.{_model_id(number)}"
    regions = ("us-east-1", "us-east-2", "us-west-2")
    return {
        "createdAt": "2025-05-20T00:00:00Z",
        "description": f"Routes requests to Model {number} in {', '.join(regions)}.",
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:444455556666:inference-profile/{profile_id}",
        "inferenceProfileId": profile_id,
        "inferenceProfileName": f"US Model {number}",
        "models": [
            {"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{_model_id(number)}"} for region in regions
        ],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "updatedAt": "2025-05-20T00:00:00Z",
    }


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()

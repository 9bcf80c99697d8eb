"""Anthropic's Messages and OpenAI's embeddings."""

from __future__ import annotations

from typing import Final

from chalicelib.routes.native_shapes import AnthropicError, CountBody, EmbeddingsBody, MessageBody, MessageEvent
from tools.openapi import errors
from tools.openapi.operation import Operation, Parameter, StreamEvent
from tools.openapi.parameters import CREDENTIAL

_ANTHROPIC: Final = (
    Parameter("x-api-key", "header", "The token, where it is not in Authorization.", {"type": "string"}),
    Parameter("anthropic-version", "header", "With a key of Anthropic's: passed on.", {"type": "string"}),
    Parameter("anthropic-beta", "header", "Features by name, with commas between them.", {"type": "string"}),
    *CREDENTIAL,
)
_CALLS: Final = (
    errors.MODELS
    | errors.CREDENTIAL
    | errors.AWS
    | errors.JSON
    | {"model_not_in_scope", "model_not_supported", "invalid_model_id", "unsupported_parameter"}
)
_NATIVE: Final = _CALLS | errors.PROVIDER | {"provider_not_supported"}
_EVENTS: Final = {
    "message_start": "The answer begins.",
    "content_block_start": "A block of its content begins.",
    "content_block_delta": "More of the block.",
    "content_block_stop": "The block has ended.",
    "message_delta": "Why the answer ended, and what it cost.",
    "message_stop": "The answer is whole: the last event.",
    "ping": "Nothing yet; the connection lives.",
}

OPERATIONS: Final = (
    Operation(
        "POST /v1/messages",
        "create_message",
        "Messages",
        _NATIVE | {"thread_unsupported_request"},
        more="For Claude models, in Anthropic's words and with its own form of errors. With `stream: true` the answer"
        " is server-sent events; one that breaks off ends with the event `error`, which Anthropic's clients raise.",
        parameters=_ANTHROPIC,
        body=MessageBody,
        answer_headers=("Rolecall-Ignored-Fields", "Rolecall-AWS-Request-Id", "Rolecall-Provider-Request-Id"),
        events=(
            *(StreamEvent(name, when, MessageEvent) for name, when in _EVENTS.items()),
            StreamEvent("error", "The stream broke: the last event.", AnthropicError),
        ),
    ),
    Operation(
        "POST /v1/messages/count_tokens",
        "count_message_tokens",
        "Messages",
        _NATIVE | {"thread_unsupported_request"},
        parameters=_ANTHROPIC,
        body=CountBody,
        answer_headers=("Rolecall-Ignored-Fields", "Rolecall-AWS-Request-Id", "Rolecall-Provider-Request-Id"),
    ),
    Operation(
        "POST /v1/embeddings",
        "create_embeddings",
        "Embeddings",
        _NATIVE,
        more="Tokens can't be embedded: they are those of OpenAI's models.",
        parameters=CREDENTIAL,
        body=EmbeddingsBody,
        answer_headers=("Rolecall-Ignored-Fields", "Rolecall-AWS-Request-Id", "Rolecall-Provider-Request-Id"),
    ),
)

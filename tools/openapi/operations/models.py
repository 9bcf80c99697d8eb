"""Models and chats."""

from __future__ import annotations

from typing import Final

from chalicelib.chat import ChatRequest
from chalicelib.chat.shapes import ChatChunk, TextCompletionChunk
from chalicelib.routes.completions import CompletionRequest
from chalicelib.routes.native_shapes import AnyChat
from chalicelib.routes.shapes import Error
from tools.openapi import errors
from tools.openapi.operation import Operation, Parameter, StreamEvent
from tools.openapi.parameters import CONNECTION_ID, CREDENTIAL

_CALLS: Final = errors.MODELS | errors.CREDENTIAL | errors.AWS | errors.PROVIDER
_PART: Final = {"type": "string"}
_LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": 1000}
_ANTHROPIC_VERSION: Final = Parameter(
    "anthropic-version", "header", "Sent by Anthropic's clients, which are answered in their form.", _PART
)
_LISTS: Final = _CALLS | {"model_not_found", "provider_not_supported"}
_PARTS: Final = {
    "a": "The id's first part: the provider, or the whole of a bare id.",
    "b": "The id's second part.",
    "c": "The id's third part, as ARNs have it.",
}


def _one_model(operation_id: str, title: str, *example: str) -> Operation:
    parts = dict(zip(_PARTS, example, strict=False))
    path = "/".join(f"{{{part}}}" for part in parts)
    return Operation(
        f"GET /v1/models/{path}",
        operation_id,
        "Models",
        _LISTS,
        title=title,
        more="Ids hold slashes, and each part between them is a parameter; `%2F` does as well. To Anthropic's clients"
        " it is shown in their form, by any name that `/v1/messages` takes.",
        parameters=(
            *(
                Parameter(part, "path", _PARTS[part], _PART, required=True, example=text)
                for part, text in parts.items()
            ),
            _ANTHROPIC_VERSION,
            *CREDENTIAL,
        ),
    )


OPERATIONS: Final = (
    Operation(
        "GET /v1/connections/{connection_id}/models",
        "list_availability",
        "Models",
        errors.STORED
        | errors.ONE
        | errors.AWS
        | {"invalid_value", "connection_not_active", "connection_revoked", "connection_expired"},
        parameters=(
            CONNECTION_ID,
            Parameter(
                "probe",
                "query",
                "`true` invokes models as well, up to 25, with one token of answer each.",
                {"type": "string", "enum": ["true", "false"], "default": "false"},
            ),
        ),
    ),
    Operation(
        "GET /v1/models",
        "list_models",
        "Models",
        _LISTS | {"invalid_value"},
        more="To Anthropic's clients, which send `anthropic-version`, the Claude models alone, newest first, in their"
        " form and by Anthropic's names: so coding agents fill their choice of models.",
        parameters=(
            _ANTHROPIC_VERSION,
            Parameter("limit", "query", "Anthropic's clients: models of a page; all without it.", _LIMIT),
            Parameter("after_id", "query", "Anthropic's clients: the page after this model.", _PART),
            Parameter("before_id", "query", "Anthropic's clients: the page before this model.", _PART),
            *CREDENTIAL,
        ),
    ),
    _one_model("get_model", "Show one model, by a bare id", "amazon.nova-lite-v1:0"),
    _one_model("get_model_of_two_parts", "Show one model, by provider and id", "bedrock", "amazon.nova-lite-v1:0"),
    _one_model(
        "get_model_of_three_parts",
        "Show one model, by provider and ARN",
        "bedrock",
        "arn:aws:bedrock:us-east-1:444455556666:application-inference-profile",
        "a1b2c3d4e5f6",
    ),
    Operation(
        "POST /v1/chat/completions/assembled",
        "assemble_chat",
        "Chats",
        errors.TOKEN | errors.JSON | {"unknown_field"},
        more="No model is called, and nothing is charged: it is for operators who write a prompt.",
        body=AnyChat,
    ),
    Operation(
        "POST /v1/chat/completions",
        "create_chat_completion",
        "Chats",
        _CALLS
        | errors.JSON
        | {"model_not_in_scope", "model_not_supported", "invalid_model_id", "unsupported_parameter"},
        more="What would change the answer and can't be honored is 400 with `param`; what is left out without effect is"
        " named in `Rolecall-Ignored-Fields`. With `stream: true` the answer is server-sent events: the status is sent"
        " once the first event is there, `[DONE]` follows a whole answer alone, and anything else ends with an error"
        " that OpenAI's clients raise.",
        parameters=CREDENTIAL,
        body=ChatRequest,
        answer_headers=("Rolecall-Ignored-Fields", "Rolecall-AWS-Request-Id", "Rolecall-Provider-Request-Id"),
        events=(
            StreamEvent(None, "More of the answer; the last one is the text `[DONE]`.", ChatChunk),
            StreamEvent(None, "The stream broke: no `[DONE]` follows.", Error),
            StreamEvent("error", "The stream broke on our side: no `[DONE]` follows.", Error),
        ),
    ),
    Operation(
        "POST /v1/completions",
        "create_completion",
        "Completions",
        errors.MODELS
        | errors.JSON
        | errors.AWS
        | {
            "unsupported_parameter",
            "completions_not_configured",
            "completion_tokens_used_up",
            "built_in_model_unavailable",
        },
        more="The operator's own model answers, on the operator's account, within a day's tokens for each tenant.",
        body=CompletionRequest,
        answer_headers=("Rolecall-Ignored-Fields", "Rolecall-Credential"),
        events=(
            StreamEvent(None, "More of the text; the last one is the text `[DONE]`.", TextCompletionChunk),
            StreamEvent(None, "The stream broke: no `[DONE]` follows.", Error),
            StreamEvent("error", "The stream broke on our side: no `[DONE]` follows.", Error),
        ),
    ),
)

"""OpenAI on the loopback.

Sources: OpenAI's API reference ("Models", "Chat completions") and "Error codes"; the 401 that a restricted key gets is
quoted in github.com/microsoft/PowerToys/issues/32989, the one for no credit in OpenAI's help article on 429s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from sandbox.providers.chats import CREATED, BadChatError, check, streamed, whole
from sandbox.providers.server import Asked, FakeProvider, Told
from sandbox.providers.vectors import embeddings

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHAT: Final = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-nano", "gpt-3.5-turbo", "ft:gpt-4o-mini:acme::Ab12Cd34")
_OTHER: Final = (
    "o3-mini", "gpt-5.1", "gpt-5.6-luna", "gpt-4o-audio-preview", "gpt-4o-realtime-preview", "gpt-4o-search-preview",
    "gpt-4o-transcribe", "gpt-image-1", "dall-e-3", "whisper-1", "tts-1", "text-embedding-3-small", "sora-2",
    "omni-moderation-latest", "gpt-3.5-turbo-instruct", "codex-mini-latest",
)  # fmt: skip


def error(status: int, message: str, kind: str, code: str | None, *headers: tuple[str, str]) -> Told:
    """Return an error in OpenAI's form."""
    return Told(status, {"error": {"message": message, "type": kind, "param": None, "code": code}}, headers=headers)


class FakeOpenAi(FakeProvider):
    """api.openai.com: models and chats."""

    NAME = "openai"
    REQUEST_ID = "x-request-id"
    MODELS: ClassVar[tuple[str, ...]] = (*_CHAT, *_OTHER)

    def sent_key(self, headers: Mapping[str, str]) -> str:
        """Return the bearer token."""
        return headers.get("authorization", "").removeprefix("Bearer ")

    def refusal(self, switch: str) -> Told:
        """Refuse in OpenAI's words. A bad key is repeated with stars in its middle, as OpenAI does."""
        if switch == "bad":
            message = (
                "Incorrect API key provided: sk-proj-********************abcd. You can find your API key at"
                " https://platform.openai.com/account/api-keys."
            )
            return error(401, message, "invalid_request_error", "invalid_api_key")
        if switch == "rate-limited":
            message = "Rate limit reached for gpt-4o in organization org-sandbox on requests per min (RPM): Limit 3."
            return error(429, message, "requests", "rate_limit_exceeded", ("Retry-After", "20"))
        if switch == "down":
            return error(503, "The engine is currently overloaded, please try again later", "server_error", None)
        return error(418, "I am something that nobody has documented.", "teapot", "teapot")

    def answer(self, asked: Asked) -> Told:
        """Answer models and chats."""
        if asked.path == "/v1/models" and asked.method == "GET":
            return _no_scope("api.model.read") if asked.switch == "restricted" else Told(200, self._list())
        if asked.path.startswith("/v1/models/") and asked.method == "GET":
            name = asked.path.removeprefix("/v1/models/")
            return Told(200, _row(name)) if name in self.MODELS else _no_model(name)
        if asked.path == "/v1/chat/completions" and asked.method == "POST":
            return self._chat(asked)
        if asked.path == "/v1/embeddings" and asked.method == "POST":
            model = str(asked.document.get("model")) if isinstance(asked.document, dict) else ""
            return embeddings(asked.document, model) if model in self.MODELS else _no_model(model)
        return error(404, f"Invalid URL ({asked.method} {asked.path})", "invalid_request_error", None)

    def error_event(self) -> str:
        """Return an error within a stream."""
        return (
            'data: {"error":{"message":"The server had an error processing your request. Sorry about that!",'
            '"type":"server_error","param":null,"code":null}}\n\n'
        )

    def _list(self) -> dict[str, Any]:
        return {"object": "list", "data": [_row(name) for name in self.MODELS]}

    def _chat(self, asked: Asked) -> Told:
        if asked.switch == "no-credit":
            message = (
                "You exceeded your current quota, please check your plan and billing details. For more information on"
                " this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
            )
            return error(429, message, "insufficient_quota", "insufficient_quota")
        try:
            body = check(asked.document)
        except BadChatError as bad:
            return Told(400, bad.body)
        model = body.get("model")
        if model not in self.MODELS:
            return _no_model(str(model))
        if model.startswith("o") and "max_tokens" in body:
            message = (
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'"
                " instead."
            )
            return error(400, message, "invalid_request_error", "unsupported_parameter")
        if body.get("stream"):
            return Told(200, events=streamed(body, f"{model}-2024-08-06", "chatcmpl-Sandbox1"))
        return Told(200, whole(body, f"{model}-2024-08-06", "chatcmpl-Sandbox1"))


def _row(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "system"}


def _no_model(name: str) -> Told:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return error(404, message, "invalid_request_error", "model_not_found")


def _no_scope(scope: str) -> Told:
    message = (
        f"You have insufficient permissions for this operation. Missing scopes: {scope}. Check that you have the"
        " correct role in your organization (Reader, Writer, Owner) and project (Member, Owner), and if you're using a"
        " restricted API key, that it has the necessary scopes."
    )
    return error(401, message, "invalid_request_error", None)

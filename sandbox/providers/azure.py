"""An Azure OpenAI resource on the loopback: base models, deployments and chats with them.

Sources: Microsoft Learn, "Azure OpenAI REST API reference" (2024-10-21); the errors as Azure's users quote them
(github.com/microsoft/chat-copilot/issues/738, github.com/openai/openai-python/issues/460).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sandbox.providers.chats import BadChatError, check, streamed, whole
from sandbox.providers.server import Asked, FakeProvider, Told
from sandbox.providers.vectors import embeddings

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION: Final = "api-version=2024-10-21"
_UNKNOWN: Final = frozenset(
    {
        "max_completion_tokens", "metadata", "prediction", "prompt_cache_key", "prompt_cache_retention",
        "safety_identifier", "service_tier", "store", "verbosity",
    }
)  # fmt: skip
"""Fields of OpenAI's that this version has not, by its published specification."""
_DEPLOYMENTS_VERSION: Final = "api-version=2023-03-15-preview"
_DEPLOYED: Final = {"team-chat": "gpt-4o", "cheap": "gpt-4o-mini", "vectors": "text-embedding-3-small"}
_BASE: Final = {"gpt-4o-2024-08-06": True, "gpt-4o-mini-2024-07-18": True, "text-embedding-3-small-1": False}
_CHAT: Final = re.compile(r"/openai/deployments/([^/]+)/chat/completions")
_EMBED: Final = re.compile(r"/openai/deployments/([^/]+)/embeddings")


class FakeAzure(FakeProvider):
    """sandbox.openai.azure.com."""

    NAME = "azure"
    REQUEST_ID = "apim-request-id"

    def sent_key(self, headers: Mapping[str, str]) -> str:
        """Return the api-key."""
        return headers.get("api-key", "")

    def refusal(self, switch: str) -> Told:
        """Refuse in Azure's words."""
        if switch == "bad":
            return _error(
                401,
                "401",
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key"
                " for an active subscription and use a correct regional API endpoint for your resource.",
            )
        if switch == "rate-limited":
            return _limited()
        if switch == "down":
            return _error(503, "ServiceUnavailable", "The service is temporarily unavailable.")
        return _error(418, "Teapot", "I am something that nobody has documented.")

    def answer(self, asked: Asked) -> Told:
        """Answer base models, deployments and chats."""
        if asked.switch == "restricted" and asked.method == "GET":
            return _error(403, "AccessDenied", "Access denied due to Virtual Network/Firewall rules.")
        chat = _CHAT.fullmatch(asked.path)
        if asked.method == "GET" and (asked.path, asked.query) == ("/openai/models", _VERSION):
            return Told(200, {"object": "list", "data": [_base(*row) for row in _BASE.items()]})
        if asked.method == "GET" and (asked.path, asked.query) == ("/openai/deployments", _DEPLOYMENTS_VERSION):
            return Told(200, {"object": "list", "data": [_deployment(*row) for row in _DEPLOYED.items()]})
        if asked.method == "POST" and chat is not None and asked.query == _VERSION:
            return self._chat(asked, chat[1])
        embed = _EMBED.fullmatch(asked.path)
        if asked.method == "POST" and embed is not None and asked.query == _VERSION and embed[1] in _DEPLOYED:
            return embeddings(asked.document, _DEPLOYED[embed[1]])
        return _error(404, "404", "Resource not found")

    def error_event(self) -> str:
        """Return an error within a stream."""
        return 'data: {"error":{"code":"InternalServerError","message":"Internal server error"}}\n\n'

    def _chat(self, asked: Asked, deployment: str) -> Told:
        if deployment not in _DEPLOYED:
            return _error(
                404,
                "DeploymentNotFound",
                "The API deployment for this resource does not exist. If you created the deployment within the last 5"
                " minutes, please wait a moment and try again.",
            )
        if asked.switch == "no-credit":
            # Azure bills afterwards: what an account can lack is quota.
            return _limited()
        try:
            body = check(asked.document, lacks=_UNKNOWN)
        except BadChatError as bad:
            return Told(400, bad.body)
        model = _DEPLOYED[deployment]
        if body.get("stream"):
            return Told(200, events=(_FILTERED, *streamed(body, model, "chatcmpl-Azure1")))
        return Told(200, whole(body, model, "chatcmpl-Azure1"))


_FILTERED: Final = (
    'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,'
    '"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}\n\n'
)
"""Azure's first chunk: it has no choices, and empty fields that clients must bear."""


def _error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Told:
    return Told(status, {"error": {"code": code, "message": message}}, headers=headers)


def _limited() -> Told:
    message = (
        "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token"
        " rate limit of your current OpenAI S0 pricing tier. Please retry after 12 seconds."
    )
    return _error(429, "429", message, ("Retry-After", "12"))


def _base(name: str, chats: object) -> dict[str, Any]:
    capabilities = {"chat_completion": chats, "completion": False, "embeddings": not chats, "inference": True}
    return {"id": name, "object": "model", "status": "succeeded", "capabilities": capabilities}


def _deployment(name: str, model: object) -> dict[str, Any]:
    return {"id": name, "object": "deployment", "model": model, "owner": "organization-owner", "status": "succeeded"}

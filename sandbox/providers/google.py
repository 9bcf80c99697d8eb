"""Google's Gemini API on the loopback: its own surface for models and content, and the one of OpenAI's shape.

Sources: ai.google.dev, "Gemini API reference" (models, generateContent), "OpenAI compatibility" and "Troubleshooting
guide"; errors are google.rpc.Status (AIP-193), which the OpenAI surface wraps into a list.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from sandbox.providers.answers import Question, say
from sandbox.providers.chats import BadChatError, check, streamed, whole
from sandbox.providers.server import Asked, FakeProvider, Told
from sandbox.providers.vectors import embeddings

if TYPE_CHECKING:
    from collections.abc import Mapping

_GENERATE: Final = ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent")
_MODELS: Final[dict[str, tuple[str, ...]]] = {
    "gemini-2.5-flash": _GENERATE,
    "gemini-2.5-flash-lite": _GENERATE,
    "gemini-2.5-pro": _GENERATE,
    "gemini-2.5-flash-image": _GENERATE,
    "gemini-2.5-flash-preview-tts": _GENERATE,
    "gemini-robotics-er-1.5-preview": _GENERATE,
    "gemini-live-2.5-flash-preview": ("bidiGenerateContent",),
    "gemini-embedding-001": ("embedContent", "countTokens"),
    "gemma-3-27b-it": ("generateContent", "countTokens"),
    "imagen-4.0-generate-001": ("predict",),
    "veo-3.0-generate-001": ("predictLongRunning",),
    "aqa": ("generateAnswer",),
}
_CONTENT: Final = re.compile(r"/v1(?:beta)?/models/([^/:]+):(generateContent|streamGenerateContent)")
_CHAT: Final = "/v1beta/openai/chat/completions"
_EMBED: Final = "/v1beta/openai/embeddings"
_REASONS: Final = {"max_tokens": "MAX_TOKENS"}


class FakeGoogle(FakeProvider):
    """generativelanguage.googleapis.com."""

    NAME = "google"
    REQUEST_ID = "x-request-id"

    def sent_key(self, headers: Mapping[str, str]) -> str:
        """Return the key of Google's own header, or the bearer token of the OpenAI surface; one in the URL is none."""
        return headers.get("x-goog-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    def refusal(self, switch: str) -> Told:
        """Refuse in Google's words."""
        if switch == "bad":
            return error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")
        if switch == "rate-limited":
            return _quota("Quota exceeded for metric: generate_content_free_tier_requests, limit: 15")
        if switch == "down":
            return error(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
        return error(418, "TEAPOT", "I am something that nobody has documented.")

    def answer(self, asked: Asked) -> Told:
        """Answer models, content and chats; errors of the OpenAI surface come in a list."""
        if asked.path == _CHAT and asked.method == "POST":
            told = self._chat(asked)
            return told if told.status == 200 else Told(told.status, [told.document])
        if asked.path == _EMBED and asked.method == "POST" and isinstance(asked.document, dict):
            model = str(asked.document.get("model"))
            if "embedContent" not in _MODELS.get(model, ()):
                return Told(404, [error(404, "NOT_FOUND", f"models/{model} is not found.").document])
            return embeddings(asked.document, model)
        if asked.switch == "restricted" and asked.method == "GET":
            message = "Requests to this API generativelanguage.googleapis.com method ListModels are blocked."
            return error(403, "PERMISSION_DENIED", message, "API_KEY_SERVICE_BLOCKED")
        if asked.path in {"/v1beta/models", "/v1/models"} and asked.method == "GET":
            return Told(200, _page(parse_qs(asked.query)))
        content = _CONTENT.fullmatch(asked.path)
        if content is not None and asked.method == "POST":
            return self._content(asked, content[1], streams=content[2].startswith("stream"))
        return error(404, "NOT_FOUND", "Requested entity was not found.")

    def error_event(self) -> str:
        """Return an error within a stream of the OpenAI surface."""
        body = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
        return f"data: {json.dumps([body])}\n\n"

    def _chat(self, asked: Asked) -> Told:
        if asked.switch == "no-credit":
            return _no_credit()
        try:
            body = check(asked.document)
        except BadChatError as bad:
            return error(400, "INVALID_ARGUMENT", str(bad))
        model = str(body.get("model")).removeprefix("models/")
        if "generateContent" not in _MODELS.get(model, ()):
            return error(404, "NOT_FOUND", f"models/{model} is not found for API version v1main.")
        if body.get("stream"):
            return Told(200, events=streamed(body, model, "GoogleSandbox1", as_google=True))
        return Told(200, whole(body, model, "GoogleSandbox1"))

    def _content(self, asked: Asked, model: str, *, streams: bool) -> Told:
        if asked.switch == "no-credit":
            return _no_credit()
        body = asked.document
        if not isinstance(body, dict) or not body.get("contents"):
            return error(400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: contents is not specified")
        if "generateContent" not in _MODELS.get(model, ()):
            return error(404, "NOT_FOUND", f"models/{model} is not found for API version v1beta.")
        question = Question(limit=(body.get("generationConfig") or {}).get("maxOutputTokens"))
        for content in body["contents"]:
            for part in content.get("parts", []):
                question.text("assistant" if content.get("role") == "model" else "user", part.get("text", ""))
        said = say(question)
        usage = {
            "promptTokenCount": said.input_tokens,
            "candidatesTokenCount": said.output_tokens,
            "totalTokenCount": said.input_tokens + said.output_tokens,
        }
        reason = _REASONS.get(said.reason, "STOP")
        if not streams:
            return Told(200, _candidate(said.text, model, reason) | {"usageMetadata": usage})
        chunks = [_candidate(piece, model, None) for piece in said.pieces()]
        chunks[-1] = _candidate(said.pieces()[-1], model, reason) | {"usageMetadata": usage}
        return Told(200, events=tuple(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks))


def error(status: int, name: str, message: str, reason: str | None = None) -> Told:
    """Return a google.rpc.Status as the HTTP mapping has it."""
    body: dict[str, Any] = {"code": status, "message": message, "status": name}
    if reason is not None:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        body["details"] = [{"@type": kind, "reason": reason, "domain": "googleapis.com"}]
    return Told(status, {"error": body})


def _quota(detail: str) -> Told:
    message = f"You exceeded your current quota, please check your plan and billing details. {detail}"
    return error(429, "RESOURCE_EXHAUSTED", message)


def _no_credit() -> Told:
    return _quota("Your prepayment credits are depleted.")


def _page(query: Mapping[str, list[str]]) -> dict[str, Any]:
    size = min(int(query.get("pageSize", ["50"])[0]), 1000)
    start = int(query.get("pageToken", ["0"])[0])
    names = list(_MODELS)[start : start + size]
    page: dict[str, Any] = {"models": [_row(name) for name in names]}
    if start + size < len(_MODELS):
        page["nextPageToken"] = str(start + size)
    return page


def _row(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": "A model of the sandbox.",
        "inputTokenLimit": 1048576,
        "outputTokenLimit": 65536,
        "supportedGenerationMethods": list(_MODELS[name]),
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": name.startswith("gemini-2.5"),
    }


def _candidate(text: str, model: str, reason: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "modelVersion": model, "responseId": "sandbox"}

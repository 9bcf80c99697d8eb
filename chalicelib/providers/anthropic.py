"""Anthropic's own API: its models, and chats translated to Messages and back.

Its OpenAI surface is not for production, by its own documentation ("OpenAI SDK compatibility"), so the native one is
used. Source: Anthropic's API reference, version 2023-06-01.
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.failures import Unreachable
from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError
from chalicelib.providers.answers import begun, whole
from chalicelib.providers.base import VERIFY_SECONDS, Chat, ChatStream, KeyCheck, ProviderModel
from chalicelib.providers.failures import ProviderError, ended_early, explain, failed, probed, request_id_of
from chalicelib.providers.foreign import identifier, known, number, rows, text
from chalicelib.providers.message_stream import chunks
from chalicelib.providers.messages import from_message, to_messages
from chalicelib.providers.outgoing import Call, FixedHost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.providers.base import Question
    from chalicelib.providers.credentials import ApiKey
    from chalicelib.providers.messages import Asked
    from chalicelib.providers.outgoing import Outgoing, Received

HOST: Final = FixedHost("api.anthropic.com")
VERSION: Final = "2023-06-01"
_LIST_SECONDS: Final = 20.0
_NAME: Final = re.compile(r"claude-[\w.-]{1,100}", re.ASCII)
_MOST_PAGES: Final = 20


class Anthropic:
    """A key of Anthropic's, for one request."""

    def __init__(self, credential: ApiKey, outgoing: Outgoing) -> None:
        self._key = credential.key
        self._outgoing = outgoing

    def verify(self) -> KeyCheck:
        """List, which proves the key; then count tokens, which costs nothing and is refused without credit."""
        end = time.monotonic() + VERIFY_SECONDS
        try:
            models = self._listed(end)
        except (ProviderError, Unreachable) as failure:
            return failed(failure)
        if not models:
            return KeyCheck("valid")
        question = {"model": models[0].id, "messages": [{"role": "user", "content": "Hi"}]}
        path = "/v1/messages/count_tokens"
        return probed(models, lambda: self._call("count tokens", "POST", path, question, end))

    def models(self) -> Sequence[ProviderModel]:
        """Return all models, newest first as Anthropic lists them."""
        try:
            return self._listed(time.monotonic() + _LIST_SECONDS)
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure

    def chat(self, question: Question) -> Chat:
        """Ask for a message, and return it as a completion."""
        asked = _prepared(question)
        try:
            received = self._received("chat", "POST", "/v1/messages", asked.body, time.monotonic() + question.seconds)
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure
        answer = received.document
        completion = from_message(answer, int(time.time()), asked.answer_tool) if isinstance(answer, dict) else None
        if completion is None:
            raise ended_early("anthropic")
        return Chat(completion, asked.changed, request_id_of(received.headers))

    def stream(self, question: Question) -> ChatStream:
        """Ask for a message as it is made, and return its events as chunks."""
        asked = _prepared(question)
        options = question.body.get("stream_options")
        include_usage = isinstance(options, dict) and options.get("include_usage") is True
        call = Call("anthropic", "chat", "POST", HOST, "/v1/messages", self._headers(), asked.body, question.seconds)
        secret = self._key.get_secret_value()
        try:
            headers, pieces = begun(self._outgoing, call, secret)
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure
        made = chunks(
            pieces, int(time.time()), include_usage=include_usage, secret=secret, answer_tool=asked.answer_tool
        )
        return ChatStream(made, pieces.abort, asked.changed, request_id_of(headers))

    def _headers(self) -> dict[str, str]:
        return {"x-api-key": self._key.get_secret_value(), "anthropic-version": VERSION}

    def _listed(self, end: float) -> list[ProviderModel]:
        models: list[ProviderModel] = []
        after = ""
        for _ in range(_MOST_PAGES):
            document = self._call("list models", "GET", f"/v1/models?limit=1000{after}", None, end)
            models += [
                _model(row)
                for row in rows(document, "data")
                if identifier(row, "id") and text(row, "lifecycle") != "retired"
            ]
            last = identifier(document, "last_id")
            if document.get("has_more") is not True or not last:
                break
            after = f"&after_id={last}"
        return models

    def _call(
        self, operation: str, method: str, path: str, body: Mapping[str, object] | None, end: float
    ) -> Mapping[str, Any]:
        document = self._received(operation, method, path, body, end).document
        if not isinstance(document, dict):
            raise Unreachable("anthropic", operation, "cut", begun=True)
        return document

    def _received(
        self, operation: str, method: str, path: str, body: Mapping[str, object] | None, end: float
    ) -> Received:
        seconds = max(0.1, end - time.monotonic())
        call = Call("anthropic", operation, method, HOST, path, self._headers(), body, seconds)
        return whole(self._outgoing, call, self._key.get_secret_value())


def _prepared(question: Question) -> Asked:
    """Return what is asked. Raises `ServiceError`."""
    model = named(question.model)
    return to_messages(model, ChatRequest.model_validate({**question.body, "model": model}), question.preamble)


def named(model: str) -> str:
    """Return the name of a Claude model. Raises `model_not_supported`."""
    if not _NAME.fullmatch(model):
        raise ServiceError(
            "model_not_supported",
            "This is not a Claude model.",
            param="model",
            fix="GET /v1/models with the same key lists what can be called.",
        )
    return model


def _model(row: Mapping[str, object]) -> ProviderModel:
    capabilities = row.get("capabilities")
    supported = (
        sorted(
            name
            for name, value in capabilities.items()
            if isinstance(value, dict) and value.get("supported") is True and name.isidentifier()
        )
        if isinstance(capabilities, dict)
        else None
    )
    return ProviderModel(
        id=identifier(row, "id"),
        owner="anthropic",
        name=text(row, "display_name")[:200],
        created=_seconds(text(row, "created_at")),
        details=known(
            context_tokens=number(row, "max_input_tokens"),
            max_output_tokens=number(row, "max_tokens"),
            lifecycle=identifier(row, "lifecycle"),
            capabilities=supported,
        ),
    )


def _seconds(at: str) -> int:
    try:
        return max(0, int(datetime.fromisoformat(at).timestamp()))
    except (ValueError, OverflowError):
        return 0

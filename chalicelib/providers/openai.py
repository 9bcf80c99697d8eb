"""OpenAI's wire: OpenAI itself, Google's surface of the same shape, and Azure's resources."""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.failures import Unreachable
from chalicelib.bedrock.signing import LEFT_OUT
from chalicelib.errors import ServiceError
from chalicelib.providers import gemini
from chalicelib.providers.answers import begun, events_of, whole
from chalicelib.providers.base import VERIFY_SECONDS, Chat, ChatStream, KeyCheck, ProviderModel
from chalicelib.providers.failures import (
    ProviderError,
    ended_early,
    explain,
    failed,
    probed,
    read_error,
    request_id_of,
)
from chalicelib.providers.foreign import number, rows
from chalicelib.providers.outgoing import Call
from chalicelib.providers.standard import may_be_gemini_chat
from chalicelib.providers.surfaces import AZURE_DEPLOYMENTS, SURFACES, deployments, key_header

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from chalicelib.providers.base import Question
    from chalicelib.providers.credentials import ApiKey, AzureKey
    from chalicelib.providers.outgoing import Outgoing, Pieces, Received
    from chalicelib.providers.standard import ModelRule

_LIST_SECONDS: Final = 20.0
_NAME: Final = re.compile(r"(?!\.)[\w.-]{1,64}", re.ASCII)
_PASSED: Final = frozenset(
    {
        "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "n", "stream",
        "stream_options", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call",
        "response_format", "seed", "user", "logprobs", "top_logprobs", "logit_bias", "frequency_penalty",
        "presence_penalty", "metadata", "store", "service_tier", "prediction", "verbosity", "safety_identifier",
        "prompt_cache_key", "prompt_cache_retention", "model",
    }
)  # fmt: skip
"""Fields of OpenAI's chat (its OpenAPI document, 2.3.0). What else a request holds is named in a header, not sent on:
a key or an address in a made-up field goes nowhere."""
_NOT_PASSED: Final[dict[str, tuple[object, ...]]] = {
    "audio": (None,),
    "modalities": (None, ["text"]),
    "reasoning_effort": (None,),
    "web_search_options": (None,),
}
"""Fields of models that are not for plain chats, with the values that ask for nothing."""


class OpenAi:
    """A key of OpenAI, Google or Azure, for one request."""

    def __init__(self, credential: ApiKey | AzureKey, outgoing: Outgoing, rule: ModelRule) -> None:
        self._provider = credential.provider
        self._key = credential.key
        self._outgoing = outgoing
        self._rule = rule
        self._surface = SURFACES[credential.provider]
        self._target = self._surface.host or credential.endpoint  # type: ignore[union-attr]  # Azure's has one

    def verify(self) -> KeyCheck:
        """List, which proves the key; then ask the cheapest model for one token: a list does not tell of no credit."""
        end = time.monotonic() + VERIFY_SECONDS
        try:
            models, problem = self._listed(end)
        except (ProviderError, Unreachable) as failure:
            return failed(failure)
        for part in self._surface.probes:
            cheapest = next((model.id for model in models if part in model.id), None)
            if cheapest is not None:
                return self._probed(cheapest, models, end)
        return KeyCheck("valid", models, problem)

    def models(self) -> Sequence[ProviderModel]:
        """Return the models that hold a plain chat."""
        try:
            models, problem = self._listed(time.monotonic() + _LIST_SECONDS)
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure
        if problem is not None:
            # An empty list would say that there is nothing to call.
            raise problem
        return models

    def chat(self, question: Question) -> Chat:
        """Pass a chat on, and its answer back."""
        model, sent, dropped = self._prepared(question)
        try:
            received = self._post(model, sent, question.seconds)
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure
        document = received.document
        if not isinstance(document, dict) or not rows(document, "choices"):
            raise ended_early(self._provider)
        if self._provider == "google":
            document = gemini.whole(document)
        return Chat(document, dropped, request_id_of(received.headers))

    def stream(self, question: Question) -> ChatStream:
        """Pass a chat on, and its chunks back as they come."""
        model, sent, dropped = self._prepared(question)
        call = self._call_of_chat(model, sent, question.seconds)
        secret = self._key.get_secret_value()
        try:
            headers, pieces = begun(self._outgoing, call, secret)
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure
        return ChatStream(chunks(self._provider, pieces, secret=secret), pieces.abort, dropped, request_id_of(headers))

    def _prepared(self, question: Question) -> tuple[str, dict[str, Any], tuple[str, ...]]:
        """Return model, body and the names of fields that OpenAI's API does not have. Raises `ServiceError`."""
        body = question.body
        model = self._callable(question.model)
        passed = (_PASSED | {"reasoning_effort"} if self._surface.efforts else _PASSED) - self._surface.lacks
        for name, neutral in _NOT_PASSED.items():
            if name not in passed and body.get(name) not in neutral:
                raise ServiceError(
                    "unsupported_parameter", f"{name} is not supported here.", param=name, fix=f"Leave {name} out."
                )
        kept = {name: value for name, value in body.items() if name in passed}
        dropped = [name for name in body if name not in passed and name not in _NOT_PASSED]
        if "max_completion_tokens" in dropped:
            # The limit's older name, which LangChain never sends.
            dropped.remove("max_completion_tokens")
            kept["max_tokens"] = body["max_completion_tokens"] or body.get("max_tokens")
        before = [{"role": "system", "content": text} for text in question.preamble]
        messages = [self._as_read(message) for message in body["messages"]]
        return model, {**kept, "model": model, "messages": [*before, *messages]}, tuple(dropped)

    def _as_read(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a message under the role that the provider reads it by.

        `developer` is OpenAI's newer word for `system`: this version of Azure's API refuses it, and Gemini knows none
        (github.com/run-llama/llama_index/issues/17748, github.com/microsoft/semantic-kernel/issues/13871).
        """
        developers = self._provider != "openai" and message.get("role") == "developer"
        return {**message, "role": "system"} if developers else message

    def _callable(self, model: str) -> str:
        """Return the model's name as it is sent, if it may be called."""
        if self._provider == "openai":
            self._rule.require(model)
            return model
        if self._provider == "google":
            name = model.removeprefix("models/")
            if not may_be_gemini_chat(name) or not _NAME.fullmatch(name):
                raise ServiceError(
                    "model_not_supported",
                    "This is not a Gemini model that answers in text.",
                    param="model",
                    fix="GET /v1/models with the same key lists what can be called.",
                )
            return name
        # A deployment's name stands in the path.
        if not _NAME.fullmatch(model):
            raise ServiceError(
                "invalid_model_id",
                "This can't be the name of a deployment: letters, digits and ._- alone, 64 at most.",
                param="model",
                fix="Give the deployment's name as Azure AI Foundry shows it.",
            )
        return model

    def _listed(self, end: float) -> tuple[list[ProviderModel], ServiceError | None]:
        document = self._get("list models", self._surface.list_path, end).document
        if self._provider != "azure":
            return self._surface.read(document, self._rule), None
        try:
            deployed = self._get("list deployments", AZURE_DEPLOYMENTS, end).document
        except (ProviderError, Unreachable) as failure:
            refusal = explain(failure)
            if refusal.should_retry:
                return [], refusal
            return [], ServiceError(
                "deployments_not_listed",
                "The key is good, but a resource's deployments can't be listed with a key alone.",
                fix="Type the name of a deployment as the model: Azure AI Foundry shows it under Deployments.",
            )
        return deployments(deployed, document), None

    def _probed(self, model: str, models: Sequence[ProviderModel], end: float) -> KeyCheck:
        question = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        return probed(models, lambda: self._post(model, question, end - time.monotonic()))

    def _get(self, operation: str, path: str, end: float) -> Received:
        headers = key_header(self._surface.list_header, self._key.get_secret_value())
        seconds = max(0.1, end - time.monotonic())
        return self._fetch(Call(self._provider, operation, "GET", self._target, path, headers, seconds=seconds))

    def _post(self, model: str, body: Mapping[str, object], seconds: float) -> Received:
        return self._fetch(self._call_of_chat(model, body, max(0.1, seconds)))

    def _call_of_chat(self, model: str, body: Mapping[str, object], seconds: float) -> Call:
        path = self._surface.path_of_chat(model)
        headers = key_header(self._surface.chat_header, self._key.get_secret_value())
        return Call(self._provider, "chat", "POST", self._target, path, headers, body=body, seconds=seconds)

    def _fetch(self, call: Call) -> Received:
        received = whole(self._outgoing, call, self._key.get_secret_value())
        if not isinstance(received.document, dict):
            raise Unreachable(self._provider, call.operation, "cut", begun=True)
        return received


def chunks(provider: str, pieces: Pieces, *, secret: str) -> Generator[dict[str, Any], None, None]:
    """Yield a stream's chunks; raises `ServiceError` unless every choice has finished and `[DONE]` was said.

    `secret` is left out of an error wherever it is repeated.
    """
    started: set[int] = set()
    finished: set[int] = set()
    calls = gemini.Calls() if provider == "google" else None
    with closing(events_of(provider, pieces)) as told:
        for _, data in told:
            if data.strip() == "[DONE]":
                break
            chunk = _chunk(provider, data, secret)
            if calls is not None:
                chunk = calls.chunk(chunk)
            for choice in rows(chunk, "choices"):
                started.add(index := number(choice, "index") or 0)
                if choice.get("finish_reason"):
                    finished.add(index)
            yield chunk
    if started - finished or not finished:
        raise ended_early(provider)


def _chunk(provider: str, data: str, secret: str) -> dict[str, Any]:
    document = _json(provider, data)
    if isinstance(document, dict) and "error" not in document:
        return document
    document = _json(provider, data.replace(secret, LEFT_OUT))
    # Google's surface says an error in a list; a status that stands in it is the best there is in a stream.
    failure = read_error(provider, 500, document)
    status = next((int(code) for code in failure.codes if code.isdecimal() and len(code) == 3), 500)
    raise explain(read_error(provider, status, document))


def _json(provider: str, data: str) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ended_early(provider) from None

"""A chat becomes a request of Converse, and Converse's answer a completion. Pure, both ways.

Sources: the service model of bedrock-runtime (2023-09-30) for shapes and bounds; what AWS refuses beyond it is told by
its users' reports, named at each rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from chalicelib.chat import Completion, Usage
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.chat import ChatRequest, Message

_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
_STARTS_WITH_ASSISTANT: Final = "."
"""Stands for the user's turn when a chat begins with the assistant's: Converse wants the user to begin."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A request's body, and the names of fields whose value was changed on the way."""

    body: dict[str, Any]
    changed: tuple[str, ...]


def to_converse(request: ChatRequest, guardrail: Mapping[str, str] | None = None) -> Translation:
    """Return the body of Converse. Raises `invalid_value` when nothing of the chat is left to send.

    `guardrail` is the connection's, in Converse's words; no request can leave it out.
    """
    system = [text for message in request.messages if _is_system(message) for text in message.texts()]
    body: dict[str, Any] = {"messages": _turns(request.messages)}
    if system:
        body["system"] = [{"text": text} for text in system]
    settings, changed = _inference(request)
    if settings:
        body["inferenceConfig"] = settings
    if guardrail is not None:
        body["guardrailConfig"] = dict(guardrail)
    return Translation(body, changed)


def probe() -> dict[str, Any]:
    """Return the smallest request there is: one short question, at most one token of answer."""
    return {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"maxTokens": 1}}


def from_converse(answer: Mapping[str, Any], *, completion_id: str, created: int, model: str) -> Completion:
    """Return the completion of an answer; raises `upstream_error` when a part of it is missing."""
    message = (answer.get("output") or {}).get("message")
    stop_reason, usage = answer.get("stopReason"), answer.get("usage")
    if message is None or stop_reason is None or usage is None:
        raise ServiceError(
            "upstream_error", "Bedrock's answer lacks its output, its stop reason or its usage.", fix="Try again."
        )
    finish = _FINISH.get(str(stop_reason))
    if finish is None:
        raise ServiceError(
            "upstream_error", f"Bedrock ended the answer with {str(stop_reason)[:50]!r}.", fix="Try again."
        )
    return Completion(
        id=completion_id,
        created=created,
        model=model,
        content="".join(str(block["text"]) for block in message.get("content") or [] if "text" in block),
        finish_reason=finish,
        usage=_usage(usage),
    )


def _is_system(message: Message) -> bool:
    return message.role in {"system", "developer"}


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the turns: system texts elsewhere, empty messages dropped, neighbors of one role merged."""
    spoken = [(message.role, message.texts()) for message in messages if not _is_system(message)]
    turns = [
        {"role": role, "content": [{"text": text} for _, texts in group for text in texts]}
        for role, group in groupby([turn for turn in spoken if turn[1]], key=lambda turn: turn[0])
    ]
    if not turns:
        raise ServiceError(
            "invalid_value",
            "The chat has no message of the user or the assistant with text in it.",
            param="messages",
            fix="Send at least one user message with text.",
        )
    if turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [{"text": _STARTS_WITH_ASSISTANT}]})
    if turns[-1]["role"] == "assistant":
        # A last message of the assistant is continued; models refuse one that ends with white space.
        turns[-1]["content"][-1]["text"] = turns[-1]["content"][-1]["text"].rstrip()
    return turns


def _inference(request: ChatRequest) -> tuple[dict[str, Any], tuple[str, ...]]:
    settings: dict[str, Any] = {}
    changed: tuple[str, ...] = ()
    if request.token_limit is not None:
        settings["maxTokens"] = request.token_limit
    if request.temperature is not None:
        # OpenAI's scale ends at 2, Converse's at 1.
        settings["temperature"] = min(request.temperature, 1.0)
        changed = ("temperature",) if request.temperature > 1 else ()
    if request.top_p is not None:
        settings["topP"] = request.top_p
    if request.stop_sequences():
        settings["stopSequences"] = request.stop_sequences()
    return settings, changed


def _usage(usage: Mapping[str, Any]) -> Usage:
    # inputTokens leaves out what was read from or written to a prompt cache; OpenAI's prompt_tokens does not.
    cached = int(usage.get("cacheReadInputTokens") or 0)
    prompt = int(usage.get("inputTokens") or 0) + cached + int(usage.get("cacheWriteInputTokens") or 0)
    completion = int(usage.get("outputTokens") or 0)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details={"cached_tokens": cached},
    )

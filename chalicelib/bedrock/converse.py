"""A chat becomes a request of Converse, and Converse's answer a completion. Pure, both ways.

Sources: the service model of bedrock-runtime (2023-09-30) for shapes and bounds; what AWS refuses beyond it is told by
its users' reports, named at each rule and in `quirks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.quirks import Quirk, quirks_of
from chalicelib.bedrock.stops import finish_reason, usage_of
from chalicelib.chat import Completion
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.chat import ChatRequest, Message

_STARTS_WITH_ASSISTANT: Final = "."
"""Stands for the user's turn when a chat begins with the assistant's: Converse wants the user to begin."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A request's body, and the names of fields that were changed, moved or left out on the way."""

    body: dict[str, Any]
    changed: tuple[str, ...]


def to_converse(request: ChatRequest, guardrail: Mapping[str, str] | None = None) -> Translation:
    """Return the body of Converse. Raises `invalid_value` when nothing of the chat is left to send.

    `guardrail` is the connection's, in Converse's words; no request can leave it out.
    """
    quirks = quirks_of(request.model)
    system = [{"text": text} for message in request.messages if _is_system(message) for text in message.texts()]
    body: dict[str, Any] = {"messages": _turns(request.messages)}
    changed: list[str] = []
    if system and Quirk.NO_SYSTEM in quirks:
        body["messages"][0]["content"][:0] = system
        changed.append("system")
    elif system:
        body["system"] = system
    settings = _inference(request, quirks, changed)
    if settings:
        body["inferenceConfig"] = settings
    if guardrail is not None:
        body["guardrailConfig"] = dict(guardrail)
    return Translation(body, tuple(changed))


def probe() -> dict[str, Any]:
    """Return the smallest request there is: one short question, at most one token of answer."""
    return {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"maxTokens": 1}}


def from_converse(answer: Mapping[str, Any], *, completion_id: str, created: int, model: str) -> Completion:
    """Return the completion of an answer; raises `upstream_error` when a part of it is missing or broken."""
    match answer:
        case {
            "output": {"message": {"content": list() as blocks}},
            "stopReason": str() as stop_reason,
            "usage": {"inputTokens": int(), "outputTokens": int()} as usage,
        }:
            if stop_reason == "tool_use":
                raise ServiceError("upstream_error", "The model called a tool that nobody offered.", fix="Try again.")
            return Completion(
                id=completion_id,
                created=created,
                model=model,
                content=_joined(blocks, "text"),
                reasoning=_joined(_reasonings(blocks), "text") or None,
                finish_reason=finish_reason(stop_reason),
                usage=usage_of(usage),
            )
    raise ServiceError(
        "upstream_error", "Bedrock's answer lacks its output, its stop reason or its usage.", fix="Try again."
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


def _inference(request: ChatRequest, quirks: frozenset[Quirk], changed: list[str]) -> dict[str, Any]:
    """Return Converse's settings, and add to `changed` what they say otherwise than the request."""
    settings: dict[str, Any] = {}
    if request.token_limit is not None:
        settings["maxTokens"] = request.token_limit
    sampled = Quirk.NO_SAMPLING not in quirks
    if request.temperature is not None:
        if sampled:
            # OpenAI's scale ends at 2, Converse's at 1.
            settings["temperature"] = min(request.temperature, 1.0)
        if settings.get("temperature") != request.temperature:
            changed.append("temperature")
    if request.top_p is not None:
        if sampled and not (Quirk.ONE_SAMPLING in quirks and "temperature" in settings):
            settings["topP"] = request.top_p
        else:
            changed.append("top_p")
    stops = request.stop_sequences()
    if Quirk.NO_BLANK_STOPS in quirks and any(stop.isspace() for stop in stops):
        stops = [stop for stop in stops if not stop.isspace()]
        changed.append("stop")
    if stops:
        settings["stopSequences"] = stops
    return settings


def _reasonings(blocks: Sequence[object]) -> list[object]:
    """Return the readable parts of what the model thought: some models always think aloud (DeepSeek, gpt-oss)."""
    found: list[object] = []
    for block in blocks:
        match block:
            case {"reasoningContent": {"reasoningText": reasoning}}:
                found.append(reasoning)
    return found


def _joined(blocks: Sequence[object], name: str) -> str:
    return "".join(text for block in blocks if isinstance(block, dict) and isinstance(text := block.get(name), str))

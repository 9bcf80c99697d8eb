"""A chat becomes a request of Converse, and Converse's answer a completion. Pure, both ways.

Sources: the service model of bedrock-runtime (2023-09-30) for shapes and bounds; what AWS refuses beyond it is told by
its users' reports, named at each rule and in `quirks`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.bedrock.quirks import Quirk, quirks_of
from chalicelib.bedrock.stops import finish_reason, usage_of
from chalicelib.bedrock.tools import Offer, require_results, tool_names
from chalicelib.bedrock.turns import is_system, turns
from chalicelib.chat import CalledFunction, Completion, ToolCall
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from chalicelib.chat import ChatRequest


@dataclass(frozen=True, slots=True)
class Translation:
    """A request's body, and the names of fields that were changed, moved or left out on the way.

    `tool_names` leads from Converse's names of tools to the request's, where they differ; the input of `answer_tool` is
    the answer.
    """

    body: dict[str, Any]
    changed: tuple[str, ...]
    tool_names: Mapping[str, str] = field(default_factory=dict)
    answer_tool: str | None = None


def to_converse(request: ChatRequest, guardrail: Mapping[str, str] | None = None) -> Translation:
    """Return the body of Converse. Raises `invalid_value` for what no model could make sense of.

    `guardrail` is the connection's, in Converse's words; no request can leave it out.
    """
    quirks = quirks_of(request.model)
    require_results(request.messages)
    names = tool_names(request)
    offer = Offer(request, names, parallel_can_be_off="anthropic." in request.model)
    changed: list[str] = [*offer.changed]
    body: dict[str, Any] = {"messages": turns(request.messages, names)}
    texts = [text for message in request.messages if is_system(message) for text in message.texts()]
    system = [{"text": text} for text in (*texts, *offer.hints)]
    if system and Quirk.NO_SYSTEM in quirks:
        body["messages"][0]["content"][:0] = system
        changed.append("system")
    elif system:
        body["system"] = system
    settings = _inference(request, quirks, changed)
    if settings:
        body["inferenceConfig"] = settings
    if offer.config is not None:
        body["toolConfig"] = offer.config
    if offer.extra:
        body["additionalModelRequestFields"] = offer.extra
    if guardrail is not None:
        body["guardrailConfig"] = dict(guardrail)
    return Translation(body, tuple(changed), names.changed(), offer.answer_tool)


def probe() -> dict[str, Any]:
    """Return the smallest request there is: one short question, at most one token of answer."""
    return {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"maxTokens": 1}}


def from_converse(
    answer: Mapping[str, Any],
    *,
    completion_id: str,
    created: int,
    model: str,
    translation: Translation | None = None,
) -> Completion:
    """Return the completion of an answer; raises `upstream_error` when a part of it is missing or broken."""
    match answer:
        case {
            "output": {"message": {"content": list() as blocks}},
            "stopReason": str() as stop_reason,
            "usage": {"inputTokens": int(), "outputTokens": int()} as usage,
        }:
            answer_tool = None if translation is None else translation.answer_tool
            said = _joined(blocks, "text")
            calls = []
            for use in _uses(blocks):
                if use["name"] == answer_tool:
                    said = json.dumps(use["input"], ensure_ascii=False)
                else:
                    calls.append(_call(use, {} if translation is None else translation.tool_names))
            if stop_reason == "tool_use" and not calls and answer_tool is None:
                raise ServiceError("upstream_error", "The model called a tool and named none.", fix="Try again.")
            return Completion(
                id=completion_id,
                created=created,
                model=model,
                content=said,
                reasoning=_joined(_reasonings(blocks), "text") or None,
                finish_reason=finish_reason(stop_reason, answered_by_tool=not calls),
                usage=usage_of(usage),
                tool_calls=tuple(calls),
            )
    raise ServiceError(
        "upstream_error", "Bedrock's answer lacks its output, its stop reason or its usage.", fix="Try again."
    )


def _uses(blocks: Sequence[object]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        match block:
            case {"toolUse": {"toolUseId": str(), "name": str(), "input": dict()} as use}:
                yield use


def _call(use: Mapping[str, Any], names: Mapping[str, str]) -> ToolCall:
    function = CalledFunction(name=names.get(use["name"], use["name"]), arguments=json.dumps(use["input"]))
    return ToolCall(id=use["toolUseId"], function=function)


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

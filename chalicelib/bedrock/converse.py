"""A chat becomes a request of Converse, and Converse's answer a completion. Pure, both ways.

Sources: the service model of bedrock-runtime (2023-09-30) for shapes and bounds; what AWS refuses beyond it is told by
its users' reports, named at each rule and in `quirks`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.bedrock.extensions import (
    answered_extension,
    answered_tier,
    extensions,
    service_tier,
    wants_extension,
)
from chalicelib.bedrock.offer import Offer
from chalicelib.bedrock.quirks import Quirk, quirks_of
from chalicelib.bedrock.reasoning import reasoning_of, thinking_blocks
from chalicelib.bedrock.stops import finish_reason, is_of_bedrock, usage_of
from chalicelib.bedrock.tools import require_results, tool_names
from chalicelib.bedrock.turns import not_sent, system_blocks, turns
from chalicelib.chat import CalledFunction, Completion, ToolCall
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    extended: bool = False
    """Whether the request asks for more than OpenAI's answer holds: a guardrail's trace, fields of the model."""

    def told(self, refusal: ServiceError) -> ServiceError:
        """Return AWS's refusal of this body in the request's words: the tool of ours is one that nobody sent."""
        tools = self.body.get("toolConfig", {}).get("tools", ())
        if self.answer_tool is not None and len(tools) == 1 and refusal.code == "unsupported_parameter":
            refusal.param = "response_format"
            refusal.fix = "Use a model that can be held to a schema, or leave response_format out."
        return refusal


def to_converse(
    request: ChatRequest,
    guardrail: Mapping[str, str] | None = None,
    *,
    preamble: Sequence[str] = (),
    known_as: str | None = None,
) -> Translation:
    """Return the body of Converse. Raises `invalid_value` for what no model could make sense of.

    `guardrail` is the connection's, in Converse's words; no request can leave it out or put another in its place.
    `preamble` holds the texts that go before the chat's own. `known_as` is the id that tells what the model can do,
    where the request's own name for it does not.
    """
    known_as = known_as or request.model
    quirks = quirks_of(known_as)
    require_results(request.messages)
    names = tool_names(request)
    reasoning = reasoning_of(request, known_as)
    offer = Offer(request, names, quirks, reasoning)
    thinks = reasoning.on and reasoning.claude
    changed = [*reasoning.changed, *offer.changed, *not_sent(request.messages, quirks, with_thoughts=thinks)]
    body: dict[str, Any] = {"messages": turns(request.messages, names, quirks, with_thoughts=thinks)}
    before = [{"text": text} for text in preamble]
    system = [*before, *system_blocks(request.messages, quirks), *({"text": hint} for hint in offer.hints)]
    if system and Quirk.NO_SYSTEM in quirks:
        body["messages"][0]["content"][:0] = system
        changed.append("system")
    elif system:
        body["system"] = system
    settings = _inference(request, quirks, changed, thinks=thinks)
    if settings:
        body["inferenceConfig"] = settings
    if offer.config is not None:
        body["toolConfig"] = offer.config
    if offer.output is not None:
        body["outputConfig"] = offer.output
    body |= extensions(request, guardrail, {**reasoning.fields, **offer.extra})
    tier = service_tier(request.service_tier)
    if tier is not None:
        body["serviceTier"] = {"type": tier}
    elif request.service_tier not in (None, "auto"):
        changed.append("service_tier")
    return Translation(body, tuple(changed), names.changed(), offer.answer_tool, wants_extension(request))


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
            translation = translation or Translation({}, ())
            said = _text(blocks)
            calls, answer_in_json = _calls(blocks, translation)
            if answer_in_json is not None:
                # What a model says beside the JSON that was asked for is no part of it.
                said = answer_in_json
            if stop_reason == "tool_use" and not calls and answer_in_json is None:
                raise ServiceError("upstream_error", "The model called a tool and named none.", fix="Try again.")
            return Completion(
                id=completion_id,
                created=created,
                model=model,
                content=said,
                reasoning=_joined(_reasonings(blocks), "text") or None,
                thinking_blocks=thinking_blocks(blocks),
                finish_reason=finish_reason(stop_reason, calls=bool(calls)),
                usage=usage_of(usage),
                tool_calls=tuple(calls),
                service_tier=answered_tier(answer),
                bedrock=answered_extension(answer) if translation.extended else None,
            )
    raise ServiceError(
        "upstream_error", "Bedrock's answer lacks its output, its stop reason or its usage.", fix="Try again."
    )


def _text(blocks: Sequence[object]) -> str:
    """Return all that was said. A text with citations comes in a block of its own kind, in parts."""
    said: list[str] = []
    for block in blocks:
        match block:
            case {"text": str(text)}:
                said.append(text)
            case {"citationsContent": {"content": list() as parts}}:
                said.append(_joined(parts, "text"))
    return "".join(said)


def _calls(blocks: Sequence[object], translation: Translation) -> tuple[list[ToolCall], str | None]:
    """Return the calls of the client's tools, and the input of the tool that stands for the answer, as JSON."""
    calls: list[ToolCall] = []
    answer: str | None = None
    for block in blocks:
        match block:
            case {"toolUse": dict() as used} if is_of_bedrock(used):
                pass
            case {"toolUse": {"toolUseId": str(), "name": str(name), "input": dict() as given}} if (
                name == translation.answer_tool
            ):
                answer = json.dumps(given, ensure_ascii=False) if answer is None else answer
            case {"toolUse": {"toolUseId": str(call), "name": str(name), "input": dict() as given}}:
                function = CalledFunction(name=translation.tool_names.get(name, name), arguments=json.dumps(given))
                calls.append(ToolCall(id=call, function=function))
            case {"toolUse": _}:
                raise ServiceError(
                    "upstream_error", "The model called a tool in a way that can't be read.", fix="Try again."
                )
    return calls, answer


def _inference(request: ChatRequest, quirks: frozenset[Quirk], changed: list[str], *, thinks: bool) -> dict[str, Any]:
    """Return Converse's settings, and add to `changed` what they say otherwise than the request.

    `thinks`: Claude takes no sampling fields then (Anthropic's API reference, extended thinking).
    """
    settings: dict[str, Any] = {}
    if request.token_limit is not None:
        settings["maxTokens"] = request.token_limit
    sampled = Quirk.NO_SAMPLING not in quirks and not thinks
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

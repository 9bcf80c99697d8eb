"""The fake model: the same request always brings the same answer, and nothing but rules makes it.

It answers in about 40 words that repeat part of the last user text. Given tools, and no tool result yet or a choice
that forces one, it calls the first tool, twice when the text says "both". Given a JSON schema for its output it
answers an instance of it; told by the system to answer a JSON object, it does. Stop sequences and `maxTokens` cut it
as they cut a model.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sandbox.bedrock.instances import instance
from sandbox.bedrock.tokens import CHARACTERS, compact, input_tokens, tokens_of

if TYPE_CHECKING:
    from sandbox.bedrock.catalog import Model

_QUOTED_WORDS: Final = 8
_QUOTED_CHARACTERS: Final = 80
_MOST_BRACES: Final = 10
_ANY_OBJECT: Final = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
_REASONING: Final = "The request is clear. I answer it by rule, with words that the user can recognise."


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: Converse's content blocks, why it ended, the stop sequence met, and the tokens of both sides."""

    content: tuple[dict[str, Any], ...]
    stop_reason: str
    stop_sequence: str | None
    input_tokens: int
    output_tokens: int

    def usage(self) -> dict[str, int]:
        """Return Converse's TokenUsage."""
        return {
            "inputTokens": self.input_tokens,
            "outputTokens": self.output_tokens,
            "totalTokens": self.input_tokens + self.output_tokens,
            "cacheReadInputTokens": 0,
            "cacheWriteInputTokens": 0,
        }


def reply(request: dict[str, Any], model: Model) -> Reply:
    """Answer a request that has passed every check."""
    limit = request.get("inferenceConfig", {}).get("maxTokens") or (model.chat.max_tokens if model.chat else 0)
    reasoning, room = _reasoning(request, model, limit)
    spent = limit - room
    calls = _tool_calls(request)
    cost = sum(tokens_of(call["toolUse"]["name"] + compact(call["toolUse"]["input"])) for call in calls)
    asked = input_tokens(request)
    if calls and cost <= room:
        return Reply((*reasoning, *calls), "tool_use", None, asked, spent + cost)
    text = f"I will call {calls[0]['toolUse']['name']} now." if calls else _whole_text(request)
    if calls:
        # A call that maxTokens cuts short never arrives.
        room = min(room, tokens_of(text))
    text, reason, sequence = _cut(text, request.get("inferenceConfig", {}).get("stopSequences", []), room)
    reason = "max_tokens" if calls else reason
    written = ({"text": text},) if text else ()
    return Reply((*reasoning, *written), reason, sequence, asked, spent + tokens_of(text))


def blocked_reply(request: dict[str, object], message: str) -> Reply:
    """Answer in the guardrail's words; the model was not asked."""
    return Reply(({"text": message},), "guardrail_intervened", None, input_tokens(request), tokens_of(message))


def last_user_text(request: dict[str, Any]) -> str:
    """Return the text of the last message from the user, its tool results included."""
    for message in reversed(request["messages"]):
        if message["role"] == "user":
            return " ".join(filter(None, (_said(block) for block in message["content"])))
    return ""


def _said(block: dict[str, Any]) -> str:
    if "toolResult" in block:
        return " ".join(_said(part) for part in block["toolResult"]["content"])
    if "json" in block:
        return compact(block["json"])
    if "guardContent" in block:
        return str(block["guardContent"].get("text", {}).get("text", ""))
    return str(block.get("text", ""))


def _whole_text(request: dict[str, Any]) -> str:
    text_format = request.get("outputConfig", {}).get("textFormat")
    if text_format:
        return compact(instance(json.loads(text_format["structure"]["jsonSchema"]["schema"])))
    asked = _asked_for_json(request)
    if asked is not None:
        return compact(instance(asked))
    said = last_user_text(request)
    quote = " ".join(said.split()[:_QUOTED_WORDS])[:_QUOTED_CHARACTERS]
    heard = f'You said: "{quote}".' if quote else "You sent no text."
    if any("toolResult" in block for block in request["messages"][-1]["content"]):
        heard = f'The tool answered: "{quote}".'
    return (
        f"{heard} I am the model of a local AWS. I answer by rule, always in the same way, and repeat part of what "
        "reached me, so that you can see that it did. Nothing has left your machine."
    )


def _asked_for_json(request: dict[str, Any]) -> Any:
    """Return the schema of the JSON object that the system's texts ask for: one that stands there, else any; or None.

    Clients without a field for it ask in words, and some write the schema beside them.
    """
    text = " ".join(str(block.get("text", "")) for block in request.get("system", []))
    if "JSON object" not in text and "json_schema" not in text:
        return None
    for found in list(re.finditer(r"\{", text))[:_MOST_BRACES]:
        with suppress(ValueError, RecursionError):
            schema, _ = json.JSONDecoder().raw_decode(text, found.start())
            if "properties" in schema:
                return schema
    return _ANY_OBJECT


def _cut(text: str, sequences: list[str], room: int) -> tuple[str, str, str | None]:
    """Cut a text at the first stop sequence or at the limit, whichever comes first."""
    found = [(text.find(sequence), sequence) for sequence in sequences if sequence in text]
    at, sequence = min(found, default=(len(text), None))
    if at > room * CHARACTERS or (sequence is None and len(text) > room * CHARACTERS):
        return text[: room * CHARACTERS], "max_tokens", None
    return text[:at], "stop_sequence" if sequence is not None else "end_turn", sequence


def _reasoning(request: dict[str, object], model: Model, limit: int) -> tuple[tuple[dict[str, Any], ...], int]:
    """Return the reasoning block, if the model thinks before it speaks, and the tokens left for the answer."""
    has = model.chat.has if model.chat else frozenset()
    if "always_reasons" not in has and not thinks(request):
        return (), limit
    text = _REASONING[: limit * CHARACTERS]
    signed = {"signature": hashlib.sha256(text.encode()).hexdigest()} if "thinking" in has else {}
    return ({"reasoningContent": {"reasoningText": {"text": text, **signed}}},), limit - tokens_of(text)


def thinks(request: dict[str, object]) -> bool:
    """Whether the request switches Claude's thinking on."""
    fields = request.get("additionalModelRequestFields")
    thinking = fields.get("thinking") if isinstance(fields, dict) else None
    return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")


def _tool_calls(request: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    config = request.get("toolConfig", {})
    tools = [tool["toolSpec"] for tool in config.get("tools", []) if "toolSpec" in tool]
    choice = config.get("toolChoice", {"auto": {}})
    answered = any("toolResult" in block for message in request["messages"] for block in message["content"])
    if not tools or (answered and "auto" in choice):
        return ()
    wanted = choice["tool"]["name"] if "tool" in choice else tools[0]["name"]
    tool = next(tool for tool in tools if tool["name"] == wanted)
    several = re.search(r"\bboth\b", last_user_text(request), re.IGNORECASE) and not _one_at_a_time(request)
    return tuple(_call(request, tool, variant) for variant in range(2 if several else 1))


def _one_at_a_time(request: dict[str, object]) -> bool:
    fields = request.get("additionalModelRequestFields")
    choice = fields.get("tool_choice") if isinstance(fields, dict) else None
    return isinstance(choice, dict) and choice.get("disable_parallel_tool_use") is True


def _call(request: dict[str, Any], tool: dict[str, Any], variant: int) -> dict[str, Any]:
    # Two turns of one conversation must not share an id, so it depends on all that was said.
    seed = hashlib.sha256(f"{len(request['messages'])}{last_user_text(request)}{tool['name']}{variant}".encode())
    arguments = instance(tool["inputSchema"]["json"], variant)
    return {
        "toolUse": {
            "toolUseId": f"tooluse_{seed.hexdigest()[:22]}",
            "name": tool["name"],
            "input": arguments if isinstance(arguments, dict) else {},
        }
    }

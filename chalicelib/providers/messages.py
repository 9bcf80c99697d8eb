"""A chat becomes a request of Anthropic's Messages, and its answer a completion. Pure, both ways.

Source: Anthropic's API reference, "Messages" and "Streaming messages", version 2023-06-01.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.bedrock.offer import ONE_JSON
from chalicelib.bedrock.quirks import Quirk, quirks_of
from chalicelib.bedrock.reasoning import is_signed, reasoning_of
from chalicelib.bedrock.stops import unknown
from chalicelib.bedrock.tools import NAME, call_ids, require_results
from chalicelib.errors import ServiceError
from chalicelib.providers.foreign import number, rows, text
from chalicelib.providers.message_blocks import blocks_of, is_system
from chalicelib.providers.message_offer import offer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.bedrock.reasoning import Reasoning
    from chalicelib.bedrock.tools import CallIds
    from chalicelib.chat import ChatRequest, Message

MAX_TOKENS: Final = 4096
"""Messages wants a limit; every Claude model takes this one. An answer that it cuts says `length`."""
_THOUGHTS: Final = 12_288
"""Tokens added for thoughts where a model judges for itself how many it needs."""
_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_USUAL_TIERS: Final = (None, "auto", "default")


class Asked(NamedTuple):
    """The body of a message, and the names of fields that were changed or left out.

    The input of `answer_tool` is the answer, where JSON of a schema is asked for that way.
    """

    body: dict[str, Any]
    changed: tuple[str, ...]
    answer_tool: str | None = None


def to_messages(model: str, chat: ChatRequest, preamble: Sequence[str] = ()) -> Asked:
    """Return what Anthropic is asked for a chat. Raises `ServiceError`.

    `preamble` goes before the system's own texts.
    """
    changed = chat.ignored_fields()
    # What is Bedrock's own is left out, also where it would have a model think.
    changed += ["bedrock"] if chat.bedrock is not None else []
    reasoning = reasoning_of(chat.model_copy(update={"bedrock": None}), model)
    changed += reasoning.changed
    changed += ["service_tier"] if chat.service_tier not in _USUAL_TIERS else []
    changed += _thoughts(chat.messages, sent=reasoning.on)
    require_results(chat.messages)
    ids = call_ids(chat.messages, NAME)
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": chat.token_limit or MAX_TOKENS + _room(reasoning),
        "messages": _turns(chat.messages, ids, with_thoughts=reasoning.on),
        **reasoning.fields,
    }
    system = [{"type": "text", "text": part} for part in preamble]
    for place, message in enumerate(chat.messages):
        system += blocks_of(message, f"messages.{place}", ids) if is_system(message) else []
    wanted = chat.response_format
    if wanted is not None and wanted.type == "json_object":
        system.append({"type": "text", "text": ONE_JSON})
    offered = offer(model, chat, changed, can_force=not reasoning.on)
    system += [{"type": "text", "text": hint} for hint in offered.hints]
    if system:
        request["system"] = system
    _sampling(model, chat, request, changed, thinks=reasoning.on)
    stops = chat.stop_sequences()
    if kept := [stop for stop in stops if stop.strip()]:
        request["stop_sequences"] = kept
    if kept != stops:
        changed.append("stop")
    if offered.tools:
        request |= {"tools": offered.tools, "tool_choice": offered.choice}
    if offered.form is not None:
        request["output_config"] = {**reasoning.fields.get("output_config", {}), "format": offered.form}
    if chat.stream:
        request["stream"] = True
    return Asked(request, tuple(dict.fromkeys(changed)), offered.answer_tool)


def _room(reasoning: Reasoning) -> int:
    """Return how many tokens thoughts may take, where the caller sets no limit to both."""
    if not reasoning.on:
        return 0
    budget = reasoning.fields["thinking"].get("budget_tokens")
    return budget if isinstance(budget, int) else _THOUGHTS


def _turns(messages: Sequence[Message], ids: CallIds, *, with_thoughts: bool) -> list[dict[str, Any]]:
    """Return the turns. Results of tools stand first in theirs: `require_results` holds chats to that."""
    spoken = [
        (
            "assistant" if message.role == "assistant" else "user",
            blocks_of(message, f"messages.{place}", ids, with_thoughts=with_thoughts),
        )
        for place, message in enumerate(messages)
        if not is_system(message)
    ]
    turns = [
        {"role": role, "content": [block for _, blocks in group for block in blocks]}
        for role, group in groupby([turn for turn in spoken if turn[1]], key=lambda turn: turn[0])
    ]
    if not turns:
        raise ServiceError(
            "invalid_value",
            "The chat has no message of the user or the assistant with something in it.",
            param="messages",
            fix="Send at least one user message with text.",
        )
    last = turns[-1]["content"][-1]
    if turns[-1]["role"] == "assistant" and last["type"] == "text":
        # A last message of the assistant is continued; Claude refuses one that ends with white space.
        last["text"] = last["text"].rstrip()
    return turns


def _thoughts(messages: Sequence[Message], *, sent: bool) -> list[str]:
    """Return the names of what a model thought before and is not given back: it does not think, or has not signed."""
    names: list[str] = []
    for message in messages:
        if message.thinking_blocks and not (sent and all(map(is_signed, message.thinking_blocks))):
            names.append("messages.thinking_blocks")
        if message.reasoning_content and not (sent and message.thinking_blocks):
            names.append("messages.reasoning_content")
    return names


def _sampling(model: str, chat: ChatRequest, request: dict[str, object], changed: list[str], *, thinks: bool) -> None:
    """Add the sampling fields, which a Claude does not take while it thinks."""
    quirks = quirks_of(model)
    sampled = Quirk.NO_SAMPLING not in quirks and not thinks
    if chat.temperature is not None:
        if sampled:
            # OpenAI's scale ends at 2, Anthropic's at 1.
            request["temperature"] = min(chat.temperature, 1)
        if request.get("temperature") != chat.temperature:
            changed.append("temperature")
    if chat.top_p is not None:
        if not sampled or (Quirk.ONE_SAMPLING in quirks and "temperature" in request):
            changed.append("top_p")
        else:
            request["top_p"] = chat.top_p


def finish_reason(stop_reason: str, *, answered: bool = False) -> str:
    """Return OpenAI's word for why an answer ended; one that is new is logged, as the answer is there and whole.

    `answered`: no tool is called but the one that stands for the answer.
    """
    finish = _REASONS.get(stop_reason)
    if finish == "tool_calls" and answered:
        return "stop"
    return finish or unknown(stop_reason)


def usage_of(usage: Mapping[str, object], output: int) -> dict[str, Any]:
    """Return tokens as OpenAI counts them: those of the question include what came from a prompt cache."""
    cached = number(usage, "cache_read_input_tokens") or 0
    written = number(usage, "cache_creation_input_tokens") or 0
    asked = (number(usage, "input_tokens") or 0) + cached + written
    return {
        "prompt_tokens": asked,
        "completion_tokens": output,
        "total_tokens": asked + output,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
    }


def from_message(answer: Mapping[str, object], created: int, answer_tool: str | None = None) -> dict[str, Any] | None:
    """Return the completion of an answer, or None when a part of it is missing."""
    reason, usage = text(answer, "stop_reason"), answer.get("usage")
    if not reason or not isinstance(usage, dict) or not isinstance(answer.get("content"), list):
        return None
    blocks = rows(answer, "content")
    said = "".join(text(block, "text") for block in blocks if block.get("type") == "text")
    used = [block for block in blocks if block.get("type") == "tool_use"]
    answers = [block for block in used if answer_tool is not None and text(block, "name") == answer_tool]
    if answers:
        # What a model says beside the JSON that was asked for is no part of it.
        said = json.dumps(answers[0].get("input") or {}, ensure_ascii=False)
    message: dict[str, Any] = {"role": "assistant", "content": said or None, "refusal": None, "annotations": []}
    calls = [
        {
            "id": text(block, "id"),
            "type": "function",
            "function": {"name": text(block, "name"), "arguments": json.dumps(block.get("input") or {})},
        }
        for block in used
        if block not in answers
    ]
    if calls:
        message["tool_calls"] = calls
    thought = [block for block in blocks if block.get("type") in {"thinking", "redacted_thinking"}]
    if said_aloud := "".join(text(block, "thinking") for block in thought):
        message["reasoning_content"] = said_aloud
    if thought:
        message["thinking_blocks"] = thought
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": finish_reason(reason, answered=bool(answers) and not calls),
    }
    return {
        "id": text(answer, "id"),
        "object": "chat.completion",
        "created": created,
        "model": text(answer, "model"),
        "choices": [choice],
        "usage": usage_of(usage, number(usage, "output_tokens") or 0),
    }

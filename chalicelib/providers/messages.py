"""A chat becomes a request of Anthropic's Messages, and its answer a completion. Pure, both ways.

Source: Anthropic's API reference, "Messages" and "Streaming messages", version 2023-06-01.
"""

from __future__ import annotations

import json
import logging
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.bedrock.offer import ANSWER, ONE_JSON, meaning_of, object_schema, wanted_schema
from chalicelib.bedrock.quirks import Quirk, quirks_of
from chalicelib.bedrock.schemas import closed
from chalicelib.bedrock.tools import NAME, call_ids, require_results, tool_names
from chalicelib.chat import NamedTool
from chalicelib.errors import ServiceError
from chalicelib.providers.foreign import number, rows, text
from chalicelib.providers.message_blocks import blocks_of, is_system, marked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.bedrock.tools import CallIds
    from chalicelib.chat import ChatRequest, Message, Tool

log = logging.getLogger("rolecall")

MAX_TOKENS: Final = 4096
"""Messages wants a limit; every Claude model takes this one. An answer that it cuts says `length`."""
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
    if chat.reasoning_effort not in {None, "none"}:
        raise ServiceError(
            "unsupported_parameter",
            "reasoning_effort is not supported here.",
            param="reasoning_effort",
            fix="Leave it out, or send Anthropic's own thinking to POST /v1/messages with the same key.",
        )
    changed += ["bedrock"] if chat.bedrock is not None else []
    changed += ["service_tier"] if chat.service_tier not in _USUAL_TIERS else []
    changed += _thoughts(chat.messages)
    require_results(chat.messages)
    ids = call_ids(chat.messages, NAME)
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": chat.token_limit or MAX_TOKENS,
        "messages": _turns(chat.messages, ids),
    }
    system = [{"type": "text", "text": part} for part in preamble]
    for place, message in enumerate(chat.messages):
        system += blocks_of(message, f"messages.{place}", ids) if is_system(message) else []
    wanted = chat.response_format
    if wanted is not None and wanted.type == "json_object":
        system.append({"type": "text", "text": ONE_JSON})
    if system:
        request["system"] = system
    _sampling(model, chat, request, changed)
    stops = chat.stop_sequences()
    if kept := [stop for stop in stops if stop.strip()]:
        request["stop_sequences"] = kept
    if kept != stops:
        changed.append("stop")
    answer_tool = _offer(model, chat, request, changed)
    if chat.stream:
        request["stream"] = True
    return Asked(request, tuple(dict.fromkeys(changed)), answer_tool)


def _turns(messages: Sequence[Message], ids: CallIds) -> list[dict[str, Any]]:
    """Return the turns. Results of tools stand first in theirs: `require_results` holds chats to that."""
    spoken = [
        ("assistant" if message.role == "assistant" else "user", blocks_of(message, f"messages.{place}", ids))
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


def _thoughts(messages: Sequence[Message]) -> list[str]:
    """Return the names of what a model thought before: no chat here thinks, so none is sent back."""
    names = [name for name in ("thinking_blocks", "reasoning_content") if any(getattr(one, name) for one in messages)]
    return [f"messages.{name}" for name in names]


def _sampling(model: str, chat: ChatRequest, request: dict[str, object], changed: list[str]) -> None:
    quirks = quirks_of(model)
    if chat.temperature is not None:
        if Quirk.NO_SAMPLING not in quirks:
            # OpenAI's scale ends at 2, Anthropic's at 1.
            request["temperature"] = min(chat.temperature, 1)
        if request.get("temperature") != chat.temperature:
            changed.append("temperature")
    if chat.top_p is not None:
        if Quirk.NO_SAMPLING in quirks or (Quirk.ONE_SAMPLING in quirks and "temperature" in request):
            changed.append("top_p")
        else:
            request["top_p"] = chat.top_p


def _offer(model: str, chat: ChatRequest, request: dict[str, object], changed: list[str]) -> str | None:
    """Add the tools and the form of the answer; return the tool that stands for it, if there is one."""
    tools = [_tool(model, tool, place, changed) for place, tool in enumerate(chat.tools or ())]
    chosen = _choice(chat) if tools else {}
    if not tools and chat.tool_choice not in {None, "auto", "none"}:
        raise ServiceError("invalid_value", "No tool is offered.", param="tool_choice", fix="Send tools.")
    answer_tool = None
    if chat.response_format is not None and chat.response_format.type == "json_schema":
        wanted, schema = wanted_schema(chat.response_format.json_schema)
        native = closed(schema, strict=bool(wanted.strict)) if Quirk.JSON_SCHEMA in quirks_of(model) else None
        if native is not None:
            request["output_config"] = {"format": {"type": "json_schema", "schema": native}}
        else:
            # As with Bedrock: what Anthropic can't hold a model to is asked for through a tool.
            answer_tool = tool_names(chat).added(ANSWER)
            tools.append({"name": answer_tool, "description": meaning_of(wanted), "input_schema": schema})
            if chosen.get("type") in {None, "none"}:
                chosen = {"type": "tool", "name": answer_tool}
            elif chosen["type"] == "auto":
                chosen["type"] = "any"
    if tools:
        request |= {"tools": tools, "tool_choice": chosen}
    return answer_tool


def _choice(chat: ChatRequest) -> dict[str, Any]:
    choice = chat.tool_choice
    chosen: dict[str, Any] = {"type": {"required": "any", "none": "none"}.get(str(choice), "auto")}
    if isinstance(choice, NamedTool):
        chosen = {"type": "tool", "name": choice.function.name}
    if chat.parallel_tool_calls is False and chosen["type"] != "none":
        chosen["disable_parallel_tool_use"] = True
    return chosen


def _tool(model: str, tool: Tool, place: int, changed: list[str]) -> dict[str, Any]:
    function = tool.function
    schema = object_schema(function.parameters, f"tools.{place}.function.parameters")
    made: dict[str, Any] = {"name": function.name, "input_schema": schema}
    if function.description and function.description.strip():
        made["description"] = function.description
    if function.strict:
        strict = closed(schema, strict=True) if Quirk.JSON_SCHEMA in quirks_of(model) else None
        if strict is None:
            changed.append("tools.function.strict")
        else:
            made |= {"strict": True, "input_schema": strict}
    return marked(made, tool.cache_control)


def finish_reason(stop_reason: str, *, answered: bool = False) -> str:
    """Return OpenAI's word for why an answer ended; one that is new is logged, as the answer is there and whole.

    `answered`: no tool is called but the one that stands for the answer.
    """
    finish = _REASONS.get(stop_reason)
    if finish == "tool_calls" and answered:
        return "stop"
    if finish is None:
        log.warning("unknown stop reason", extra={"reason": ascii(stop_reason[:50])})
    return finish or "stop"


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

"""A chat becomes a request of Anthropic's Messages, and its answer a completion. Pure, both ways.

Source: Anthropic's API reference, "Messages" and "Streaming messages", version 2023-06-01.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.offer import ONE_JSON
from chalicelib.bedrock.quirks import Quirk, quirks_of
from chalicelib.errors import ServiceError
from chalicelib.providers.foreign import number, rows, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_TOKENS: Final = 4096
"""Messages wants a limit; every Claude model takes this one. An answer that it cuts says `length`."""
REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_HANDLED: Final = frozenset(
    {
        "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "stream",
        "stream_options", "tools", "tool_choice", "parallel_tool_calls", "response_format", "n",
    }
)  # fmt: skip
_REFUSED: Final[dict[str, tuple[object, ...]]] = {
    "n": (None, 1),
    "logprobs": (None, False),
    "functions": (None, []),
    "function_call": (None, "none", "auto"),
    "audio": (None,),
    "modalities": (None, ["text"]),
    "reasoning_effort": (None,),
    "web_search_options": (None,),
    "prediction": (None,),
}
"""Fields that change the answer and that Messages has nothing for, with the values that ask for nothing."""
_DATA_URL: Final = re.compile(r"data:image/(png|jpeg|jpg|gif|webp);base64,([A-Za-z0-9+/]+={0,2})", re.ASCII)


def to_messages(
    model: str, body: Mapping[str, Any], preamble: Sequence[str] = ()
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the body of a message, and the names of fields that were changed or left out. Raises `ServiceError`.

    `preamble` goes before the system's own texts.
    """
    for name, neutral in _REFUSED.items():
        if not any(body.get(name) is value or body.get(name) == value for value in neutral):
            raise _unsupported(name)
    changed = [name for name in body if name not in _HANDLED and name not in _REFUSED]
    messages = rows(body, "messages")
    system = [*preamble, *(part for message in messages if _is_system(message) for part in _texts(message))]
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": body.get("max_completion_tokens") or body.get("max_tokens") or MAX_TOKENS,
        "messages": _turns(messages),
    }
    if _wanted_form(body) == "json_object":
        system.append(ONE_JSON)
    if system:
        request["system"] = [{"type": "text", "text": part} for part in system]
    _sampling(model, body, request, changed)
    stops = body.get("stop")
    sequences = [stops] if isinstance(stops, str) else stops or []
    if kept := [stop for stop in sequences if isinstance(stop, str) and stop.strip()]:
        request["stop_sequences"] = kept
    _tools(body, request)
    _format(body, request)
    if body.get("stream"):
        request["stream"] = True
    return request, tuple(changed)


def _is_system(message: Mapping[str, object]) -> bool:
    return message.get("role") in {"system", "developer"}


def _texts(message: Mapping[str, object]) -> list[str]:
    content = message.get("content")
    parts = [content] if isinstance(content, str) else [text(part, "text") for part in rows(message, "content")]
    return [part for part in parts if part.strip()]


def _turns(messages: list[Mapping[str, object]]) -> list[dict[str, Any]]:
    spoken = [
        ("assistant" if message.get("role") == "assistant" else "user", _blocks(message, f"messages.{place}"))
        for place, message in enumerate(messages)
        if not _is_system(message)
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
    for turn in turns:
        # Results of tools come first in their turn; what the user says besides stands after them.
        turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return turns


def _blocks(message: Mapping[str, object], param: str) -> list[dict[str, Any]]:
    role = message.get("role")
    if role == "tool":
        result = {"type": "tool_result", "tool_use_id": text(message, "tool_call_id")}
        return [{**result, "content": [{"type": "text", "text": part} for part in _texts(message)]}]
    if role not in {"user", "assistant"}:
        raise ServiceError("invalid_value", "There is no such role here.", param=f"{param}.role")
    content = message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else rows(message, "content")
    blocks = [block for place, part in enumerate(parts) if (block := _block(part, f"{param}.content.{place}"))]
    for place, call in enumerate(rows(message, "tool_calls")):
        blocks.append(_tool_use(call, f"{param}.tool_calls.{place}"))
    return blocks


def _block(part: Mapping[str, object], param: str) -> dict[str, Any] | None:
    kind = part.get("type")
    if kind in {"text", "refusal"}:
        said = text(part, str(kind))
        return {"type": "text", "text": said} if said.strip() else None
    if kind == "image_url":
        address = part.get("image_url")
        found = _DATA_URL.fullmatch(text(address, "url") if isinstance(address, dict) else "")
        if found is None:
            raise ServiceError(
                "invalid_value",
                "Images are taken as data URLs alone: base64 of a PNG, JPEG, GIF or WebP.",
                param=param,
                fix="Send the image itself: data:image/png;base64,...",
            )
        kind = "jpeg" if found[1] == "jpg" else found[1]
        return {"type": "image", "source": {"type": "base64", "media_type": f"image/{kind}", "data": found[2]}}
    raise _unsupported(param)


def _tool_use(call: Mapping[str, object], param: str) -> dict[str, Any]:
    function = call.get("function")
    try:
        arguments = json.loads(text(function, "arguments") or "{}") if isinstance(function, dict) else None
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(function, dict) or not isinstance(arguments, dict):
        raise ServiceError("invalid_value", "A tool's arguments are not a JSON object.", param=param)
    return {"type": "tool_use", "id": text(call, "id"), "name": text(function, "name"), "input": arguments}


def _sampling(model: str, body: Mapping[str, object], request: dict[str, object], changed: list[str]) -> None:
    quirks = quirks_of(model)
    temperature, top_p = body.get("temperature"), body.get("top_p")
    if isinstance(temperature, (int, float)):
        if Quirk.NO_SAMPLING not in quirks:
            # OpenAI's scale ends at 2, Anthropic's at 1.
            request["temperature"] = min(temperature, 1)
        if request.get("temperature") != temperature:
            changed.append("temperature")
    if isinstance(top_p, (int, float)):
        if Quirk.NO_SAMPLING in quirks or (Quirk.ONE_SAMPLING in quirks and "temperature" in request):
            changed.append("top_p")
        else:
            request["top_p"] = top_p


def _tools(body: Mapping[str, object], request: dict[str, object]) -> None:
    tools = []
    for place, tool in enumerate(rows(body, "tools")):
        function = tool.get("function")
        if tool.get("type") != "function" or not isinstance(function, dict):
            raise _unsupported(f"tools.{place}")
        made = {"name": text(function, "name"), "input_schema": function.get("parameters") or {"type": "object"}}
        if text(function, "description"):
            made["description"] = text(function, "description")
        tools.append(made)
    if not tools:
        return
    request["tools"] = tools
    choice = body.get("tool_choice")
    chosen: dict[str, Any] = {"type": {"required": "any", "none": "none"}.get(str(choice), "auto")}
    if isinstance(choice, dict):
        function = choice.get("function")
        chosen = {"type": "tool", "name": text(function, "name") if isinstance(function, dict) else ""}
    if body.get("parallel_tool_calls") is False and chosen["type"] != "none":
        chosen["disable_parallel_tool_use"] = True
    request["tool_choice"] = chosen


def _wanted_form(body: Mapping[str, object]) -> object:
    wanted = body.get("response_format")
    return wanted.get("type") if isinstance(wanted, dict) else None


def _format(body: Mapping[str, object], request: dict[str, object]) -> None:
    wanted, kind = body.get("response_format"), _wanted_form(body)
    if kind == "json_schema" and isinstance(wanted, dict):
        described = wanted.get("json_schema")
        schema = described.get("schema") if isinstance(described, dict) else None
        request["output_config"] = {"format": {"type": "json_schema", "schema": schema or {"type": "object"}}}
    elif kind not in {None, "text", "json_object"}:
        raise _unsupported("response_format")


def _unsupported(param: str) -> ServiceError:
    return ServiceError("unsupported_parameter", "This is not supported here.", param=param, fix=f"Leave {param} out.")


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


def from_message(answer: Mapping[str, object], created: int) -> dict[str, Any] | None:
    """Return the completion of an answer, or None when a part of it is missing."""
    reason, usage = REASONS.get(text(answer, "stop_reason")), answer.get("usage")
    if reason is None or not isinstance(usage, dict) or not isinstance(answer.get("content"), list):
        return None
    blocks = rows(answer, "content")
    said = "".join(text(block, "text") for block in blocks if block.get("type") == "text")
    message: dict[str, Any] = {"role": "assistant", "content": said or None, "refusal": None, "annotations": []}
    calls = [
        {
            "id": text(block, "id"),
            "type": "function",
            "function": {"name": text(block, "name"), "arguments": json.dumps(block.get("input") or {})},
        }
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return {
        "id": text(answer, "id"),
        "object": "chat.completion",
        "created": created,
        "model": text(answer, "model"),
        "choices": [choice],
        "usage": usage_of(usage, number(usage, "output_tokens") or 0),
    }

"""Chat completions as OpenAI, Azure and Google's OpenAI surface answer them.

Source: OpenAI's API reference, "Chat completions" and "Streaming"; what it says to unknown arguments, unknown models
and reasoning models with max_tokens is quoted in its users' reports.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sandbox.providers.answers import Question, Said, say

CREATED: Final = 1_760_000_000
_FIELDS: Final = frozenset(
    {
        "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "n", "stream",
        "stream_options", "tools", "tool_choice", "parallel_tool_calls", "response_format", "seed", "user", "logprobs",
        "top_logprobs", "logit_bias", "frequency_penalty", "presence_penalty", "metadata", "store", "service_tier",
        "reasoning_effort", "modalities", "prediction", "verbosity", "safety_identifier", "prompt_cache_key",
        "prompt_cache_retention", "functions", "function_call", "audio", "web_search_options",
    }
)  # fmt: skip
_REASONS: Final = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls"}


class BadChatError(Exception):
    """The body is refused: what OpenAI says, which code, which parameter."""

    def __init__(self, message: str, code: str | None, param: str | None) -> None:
        super().__init__(message)
        self.body = {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def check(body: object, *, lacks: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return a chat's body, or raise `BadChatError` in OpenAI's words. `lacks` are fields that are not known here."""
    if not isinstance(body, dict):
        raise BadChatError("We could not parse the JSON body of your request.", None, None)
    for name in body:
        if name not in _FIELDS or name in lacks:
            raise BadChatError(f"Unrecognized request argument supplied: {name}", None, None)
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise BadChatError("Missing required parameter: 'messages'.", "missing_required_parameter", "messages")
    for name in ("max_tokens", "max_completion_tokens"):
        if name in body and (not isinstance(body[name], int) or body[name] < 1):
            raise BadChatError(f"Invalid '{name}': expected an integer above 0.", "integer_below_min_value", name)
    if "stream_options" in body and not body.get("stream"):
        raise BadChatError("The 'stream_options' parameter is only allowed when 'stream' is enabled.", None, None)
    return body


def question_of(body: dict[str, Any]) -> Question:
    """Return what a chat asks."""
    asked = Question(limit=body.get("max_completion_tokens") or body.get("max_tokens"))
    stops = body.get("stop")
    asked.stops = [stops] if isinstance(stops, str) else list(stops or [])
    for message in body["messages"]:
        _add(asked, message)
    asked.tools = [
        (tool["function"]["name"], tool["function"].get("parameters") or {"type": "object"})
        for tool in body.get("tools") or []
    ]
    choice = body.get("tool_choice", "auto")
    if choice == "none":
        asked.tools = []
    elif choice == "required":
        asked.choice = {"any": {}}
    elif isinstance(choice, dict):
        asked.choice = {"tool": {"name": choice["function"]["name"]}}
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        asked.schema = wanted["json_schema"].get("schema") or {"type": "object"}
    elif wanted.get("type") == "json_object":
        asked.schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    return asked


def _add(asked: Question, message: dict[str, Any]) -> None:
    role, content = message.get("role"), message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    texts = [part["text"] for part in parts if part.get("type") == "text"]
    if role in {"system", "developer"}:
        asked.system += texts
    elif role == "tool":
        asked.result(message["tool_call_id"], " ".join(texts))
    else:
        for part in parts:
            if part.get("type") == "text":
                asked.text(str(role), part["text"])
            elif part.get("type") == "image_url":
                asked.image(str(role))


def whole(body: dict[str, object], model: str, chat_id: str) -> dict[str, Any]:
    """Return a `chat.completion`."""
    said = say(question_of(body))
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None, "annotations": []}
    if said.calls:
        message["tool_calls"] = [
            {"id": f"call_{call.id}", "type": "function", "function": {"name": call.name, "arguments": _json(call)}}
            for call in said.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _REASONS[said.reason]}
    return {
        "id": chat_id,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [choice],
        "usage": _usage(said),
        "service_tier": "default",
        "system_fingerprint": "fp_sandbox",
    }


def streamed(body: dict[str, Any], model: str, chat_id: str, *, as_google: bool = False) -> tuple[str, ...]:
    """Return the events of a stream, `[DONE]` included.

    `as_google`: each call comes in one piece, with index 0, and the last reason is `stop`, as Google has it
    (github.com/NousResearch/hermes-agent/issues/62940, github.com/googleapis/python-genai/issues/2868).
    """
    said = say(question_of(body))
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"content": piece} for piece in said.pieces()]
    for index, call in enumerate(said.calls):
        start = {"index": 0 if as_google else index, "id": f"call_{call.id}", "type": "function"}
        if as_google:
            deltas.append({"tool_calls": [{**start, "function": {"name": call.name, "arguments": _json(call)}}]})
            continue
        deltas.append({"tool_calls": [{**start, "function": {"name": call.name, "arguments": ""}}]})
        text = _json(call)
        for at in range(0, len(text), 12):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": text[at : at + 12]}}]})
    told = bool((body.get("stream_options") or {}).get("include_usage"))
    head = {"id": chat_id, "object": "chat.completion.chunk", "created": CREATED, "model": model}
    extra = {"usage": None} if told else {}
    chunks: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}], **extra}
        for delta in deltas
    ]
    reason = "stop" if as_google and said.calls else _REASONS[said.reason]
    last = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason}
    chunks.append({**head, "choices": [last], **extra})
    if told:
        chunks.append({**head, "choices": [], "usage": _usage(said)})
    return (*(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), "data: [DONE]\n\n")


def _json(call: Any) -> str:
    return json.dumps(call.arguments, separators=(",", ":"))


def _usage(said: Said) -> dict[str, Any]:
    return {
        "prompt_tokens": said.input_tokens,
        "completion_tokens": said.output_tokens,
        "total_tokens": said.input_tokens + said.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }

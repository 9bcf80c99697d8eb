"""What Anthropic says to bodies of messages that it does not take.

Sources: Anthropic's API reference and its guide "Structured outputs"; its words as users quote them
(github.com/anomalyco/opencode/issues/1279, github.com/veryfront/veryfront-code/pull/3921,
github.com/agentjido/req_llm/issues/302).
"""

from __future__ import annotations

import re
from typing import Any, Final

_FIELDS: Final = frozenset(
    {
        "model", "messages", "max_tokens", "system", "temperature", "top_p", "top_k", "stop_sequences", "stream",
        "tools", "tool_choice", "metadata", "thinking", "service_tier", "output_config", "cache_control",
    }
)  # fmt: skip
_REQUIRED: Final = ("model", "messages", "max_tokens")
SIGNATURE: Final = "c2FuZGJveA=="
"""By which this fake knows its own thoughts again."""
_ID: Final = re.compile(r"[a-zA-Z0-9_-]+", re.ASCII)
_BOUNDS: Final = ("minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems")


def wrong_with(body: object, *, counts: bool) -> str | None:
    """Return what Anthropic says to a body that it does not take; None to one that it takes."""
    if not isinstance(body, dict):
        return "The request body is not valid JSON"
    for name in body:
        if name not in _FIELDS:
            return f"{name}: Extra inputs are not permitted"
    for name in _REQUIRED[:2] if counts else _REQUIRED:
        if name not in body:
            return f"{name}: Field required"
    if not isinstance(body["messages"], list) or not body["messages"]:
        return "messages: at least one message is required"
    for place, message in enumerate(body["messages"]):
        if message.get("role") not in {"user", "assistant"}:
            return f"messages.{place}.role: Input should be 'user' or 'assistant'"
        blocks = message.get("content")
        if blocks in ("", []):
            return f"messages.{place}: all messages must have non-empty content except for the optional final one"
        if isinstance(blocks, list) and any(b.get("type") == "text" and not b["text"].strip() for b in blocks):
            return f"messages.{place}: text content blocks must contain non-whitespace text"
    if isinstance(body.get("temperature"), (int, float)) and not 0 <= body["temperature"] <= 1:
        return "temperature: range: 0..1"
    return (
        _thoughts(body, counts=counts)
        or _unanswered(body["messages"])
        or _calls(body["messages"])
        or _ending(body["messages"][-1])
        or _form(body)
    )


def thinks(body: dict[str, Any]) -> bool:
    """Whether the model is told to think."""
    return (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}


def _thoughts(body: dict[str, Any], *, counts: bool) -> str | None:
    for place, message in enumerate(body["messages"]):
        for at, block in enumerate(message["content"]) if isinstance(message["content"], list) else ():
            if block.get("type") == "thinking" and block.get("signature") != SIGNATURE:
                return f"messages.{place}.content.{at}: Invalid `signature` in `thinking` block"
    if not thinks(body):
        return None
    if not counts and body["thinking"].get("budget_tokens", 0) >= body["max_tokens"]:
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    if body.get("temperature", 1) != 1:
        return "`temperature` may only be set to 1 when thinking is enabled."
    if (body.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        return "Thinking may not be enabled when tool_choice forces tool use."
    return None


def _unanswered(messages: list[dict[str, object]]) -> str | None:
    for place, message in enumerate(messages[:-1]):
        called = _ids(message, "tool_use", "id")
        answered = _ids(messages[place + 1], "tool_result", "tool_use_id")
        if called - answered:
            return (
                f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after:"
                f" {', '.join(sorted(called - answered))}."
            )
    return None


def _ids(message: dict[str, object], kind: str, name: str) -> set[str]:
    content = message["content"]
    return {block[name] for block in content if block.get("type") == kind} if isinstance(content, list) else set()


def _calls(messages: list[dict[str, Any]]) -> str | None:
    seen: set[object] = set()
    for place, message in enumerate(messages):
        for at, block in enumerate(message["content"]) if isinstance(message["content"], list) else ():
            if block.get("type") != "tool_use":
                continue
            if not _ID.fullmatch(str(block.get("id"))):
                return f"messages.{place}.content.{at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
            if block["id"] in seen:
                return f"messages.{place}.content.{at}: `tool_use` ids must be unique"
            seen.add(block["id"])
    return None


def _ending(message: dict[str, Any]) -> str | None:
    content = message["content"]
    text = content if isinstance(content, str) else content[-1].get("text", "") if content else ""
    if message["role"] == "assistant" and text != text.rstrip():
        return "messages: final assistant content cannot end with trailing whitespace"
    return None


def _form(body: dict[str, Any]) -> str | None:
    wanted = (body.get("output_config") or {}).get("format") or {}
    left: list[Any] = [wanted.get("schema")]
    while left:
        schema = left.pop()
        if isinstance(schema, list):
            left += schema
        if not isinstance(schema, dict):
            continue
        kind = schema.get("type")
        if kind == "object" and schema.get("additionalProperties") is not False:
            return (
                "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
            )
        bound = next((name for name in _BOUNDS if name in schema and isinstance(kind, str)), None)
        if bound is not None:
            return f"output_config.format.schema: For '{kind}' type, property '{bound}' is not supported"
        left += schema.values()
    return None

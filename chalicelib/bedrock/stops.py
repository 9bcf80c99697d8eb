"""Why a model stopped and what it cost, in OpenAI's words; the same for whole answers and for streams."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.chat.shapes import FinishReason, TokenUsage

log = logging.getLogger("rolecall")

_FINISH: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "tool_use": "tool_calls",
}
_BROKEN: Final = frozenset({"malformed_model_output", "malformed_tool_use"})
"""Reasons that leave no answer."""


def finish_reason(stop_reason: str, *, calls: bool = False) -> FinishReason:
    """Return OpenAI's word; raises `upstream_error` for an answer that the model broke off.

    `calls`: tools of the client's are called. Without, `tool_use` is of ours, made to have the model answer JSON. With
    them, some models say `end_turn` all the same (github.com/strands-agents/harness-sdk/issues/644 and pull/1827), and
    an agent that reads `stop` never runs its tools.
    """
    if stop_reason in _BROKEN:
        raise ServiceError("upstream_error", f"Bedrock ended the answer with {stop_reason}.", fix="Try again.")
    finish = _FINISH.get(stop_reason)
    if finish is None:
        finish = unknown(stop_reason)
    if finish in {"stop", "tool_calls"}:
        return "tool_calls" if calls else "stop"
    return finish


def unknown(stop_reason: str) -> FinishReason:
    """Log a reason that nobody knows yet, a provider's as well, and return the word to use for it."""
    # The answer is there and whole; a new word for why it ended is no reason to keep it from the caller.
    log.warning("unknown stop reason", extra={"reason": ascii(stop_reason[:50])})
    return "stop"


def usage_of(usage: Mapping[str, object]) -> TokenUsage:
    """Return OpenAI's count of Converse's `usage`."""
    # inputTokens leaves out what was read from or written to a prompt cache; OpenAI's prompt_tokens does not.
    cached = _count(usage, "cacheReadInputTokens")
    written = _count(usage, "cacheWriteInputTokens")
    prompt = _count(usage, "inputTokens") + cached + written
    completion = _count(usage, "outputTokens")
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
    }


def _count(usage: Mapping[str, object], name: str) -> int:
    value = usage.get(name)
    return value if type(value) is int and value > 0 else 0


def is_of_bedrock(tool_use: Mapping[str, object]) -> bool:
    """Whether a call is of a tool that Bedrock runs itself: its result is in the same answer, and nobody else's affair.

    API reference, ToolUseBlock: `server_tool_use`, which the web search and the code interpreter of Nova are.
    """
    return tool_use.get("type") == "server_tool_use"

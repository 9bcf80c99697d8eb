"""What Google's surface of OpenAI's shape says otherwise than OpenAI does, put as OpenAI's clients read it.

Seen of it, as of 2026-11: streams that call tools end with `stop` (github.com/googleapis/python-genai/issues/2868), and
each of several calls in them has index 0 (github.com/NousResearch/hermes-agent/issues/62940); reasons to stop are those
of Google's own API (github.com/HKUDS/Vibe-Trading/pull/308), or have its word behind OpenAI's: `content_filter:
PROHIBITED_CONTENT` in a choice without a message, `function_call_filter: MALFORMED_FUNCTION_CALL` in one without a
word, which would pass for an answer that says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.stops import unknown
from chalicelib.providers.failures import broken_off, ended_early
from chalicelib.providers.foreign import number, rows, text

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPENAIS: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_GOOGLES: Final = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"),
        "content_filter",
    ),
}
"""Gemini API reference, FinishReason."""
_BROKEN: Final = ("function_call_filter", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL")
"""Reasons that leave no answer."""


def whole(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole answer as OpenAI has it. Raises `ServiceError` for one that the model broke off."""
    return {**document, "choices": [_answered(choice) for choice in rows(document, "choices")]}


class Calls:
    """The calls of one stream, which are counted here."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, str], int] = {}
        self._counts: dict[int, int] = {}

    def chunk(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a chunk as OpenAI has it. Raises `ServiceError` for an answer that the model broke off."""
        if not isinstance(document.get("choices"), list):
            return {**document}
        return {**document, "choices": [self._choice(choice) for choice in rows(document, "choices")]}

    def _choice(self, choice: Mapping[str, Any]) -> dict[str, Any]:
        answer = number(choice, "index") or 0
        delta = choice["delta"] if isinstance(choice.get("delta"), dict) else {}
        if rows(delta, "tool_calls"):
            delta = {**delta, "tool_calls": [self._call(answer, call) for call in rows(delta, "tool_calls")]}
        reason = _reason(choice, calls=answer in self._counts)
        return {**choice, "delta": delta, "finish_reason": reason}

    def _call(self, answer: int, call: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call, or more of one, with its own place; what has a name and no known id begins one."""
        function = call.get("function")
        known = self._places.get((answer, text(call, "id")))
        begins = known is None and isinstance(function, dict) and bool(text(function, "name"))
        if not begins:
            return {**call, "index": known if known is not None else max(0, self._counts.get(answer, 0) - 1)}
        place = self._counts.get(answer, 0)
        self._counts[answer] = place + 1
        if text(call, "id"):
            self._places[answer, text(call, "id")] = place
        return {"type": "function", **call, "index": place}


def _answered(choice: Mapping[str, Any]) -> dict[str, Any]:
    message = choice["message"] if isinstance(choice.get("message"), dict) else {}
    reason = _reason(choice, calls=bool(rows(message, "tool_calls")))
    if reason is None:
        raise ended_early("google")
    return {
        **choice,
        "message": {"role": "assistant", "content": None, "refusal": None, **message},
        "finish_reason": reason,
    }


def _reason(choice: Mapping[str, Any], *, calls: bool) -> str | None:
    """Return OpenAI's word for why a choice ended; None while it goes on. `calls`: it has called tools."""
    told = text(choice, "finish_reason")
    if not told:
        return None
    if any(word in told for word in _BROKEN):
        raise broken_off("google", told)
    word = told.partition(":")[0].strip()
    reason = word if word in _OPENAIS else _GOOGLES.get(word) or unknown(told)
    if calls and reason == "stop":
        # An agent that reads `stop` never runs its tools.
        return "tool_calls"
    return reason

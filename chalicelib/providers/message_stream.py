"""Anthropic's events, and how they become chunks of a chat. Source: Anthropic's API reference, "Streaming messages"."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.signing import LEFT_OUT
from chalicelib.providers.answers import events_of
from chalicelib.providers.failures import ended_early, explain, read_error
from chalicelib.providers.foreign import number, text
from chalicelib.providers.messages import finish_reason, usage_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from chalicelib.providers.outgoing import Pieces

_STATUSES: Final = {
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "authentication_error": 401,
    "permission_error": 403,
}
"""Statuses of the errors that come within a stream, which has none."""


def read_events(pieces: Pieces, secret: str) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """Yield name and object of each event, `message_stop` being the last. Raises `ServiceError` unless that came.

    `secret` is left out of an error wherever it is repeated.
    """
    with closing(events_of("anthropic", pieces)) as told:
        for name, data in told:
            document = _object(data.replace(secret, LEFT_OUT) if name == "error" else data)
            if name == "error":
                error = document.get("error")
                kind = text(error, "type") if isinstance(error, dict) else ""
                raise explain(read_error("anthropic", _STATUSES.get(kind, 500), document))
            yield name, document
            if name == "message_stop":
                return


def chunks(
    pieces: Pieces, created: int, *, include_usage: bool, secret: str, answer_tool: str | None = None
) -> Generator[dict[str, Any], None, None]:
    """Yield a stream's chunks; raises `ServiceError` unless `message_stop` came after a reason to stop.

    The input of `answer_tool` is the answer.
    """
    state = _State(created, answer_tool)
    with closing(read_events(pieces, secret)) as told:
        for name, document in told:
            delta, reason = state.take(name, document)
            if delta is not None or reason is not None:
                yield state.chunk(delta or {}, reason)
    if not state.stopped:
        raise ended_early("anthropic")
    if include_usage:
        yield state.chunk(None) | {"usage": usage_of(state.usage, state.output)}


class _State:
    """What earlier events said that later chunks need."""

    def __init__(self, created: int, answer_tool: str | None) -> None:
        self.stopped = False
        self.usage: Mapping[str, Any] = {}
        self.output = 0
        self._created = created
        self._id = self._model = ""
        self._calls = -1
        self._arguments = False
        self._answer_tool = answer_tool
        self._answer: str | None = None
        """The first piece of the answer that comes as a tool's input, once that has begun."""
        self._answering = False
        self._passing_over = False
        self._thought: list[str] = []
        """What was thought since the last signature, which covers it."""
        self._aside: list[str] = []
        """What was said beside an answer by tool; the answer, if that tool is never called."""

    def take(self, name: str, document: Mapping[str, object]) -> tuple[dict[str, Any] | None, str | None]:
        """Return the delta and the reason to stop that an event brings, None for what it does not."""
        part = document.get({"message_start": "message", "content_block_start": "content_block"}.get(name, "delta"))
        if name == "content_block_stop" and (self._answering or self._passing_over):
            empty = self._answering and not self._answer
            self._answering = self._passing_over = False
            return ({"content": "{}"} if empty else None), None
        if name == "content_block_stop" and self._calls >= 0 and not self._arguments:
            # A call without arguments: clients parse what they were given, and nothing is not JSON.
            self._arguments = True
            return {"tool_calls": [{"index": self._calls, "function": {"arguments": "{}"}}]}, None
        if not isinstance(part, dict):
            return None, None
        if name == "message_start":
            self._id, self._model = text(part, "id"), text(part, "model")
            self.usage = part["usage"] if isinstance(part.get("usage"), dict) else {}
            return {"role": "assistant", "content": "", "refusal": None}, None
        if name == "content_block_start" and part.get("type") == "tool_use":
            if self._answer_tool is not None and text(part, "name") == self._answer_tool:
                # A second answer is none.
                self._answering, self._passing_over = self._answer is None, self._answer is not None
                self._answer = self._answer or ""
                self._aside.clear()
                return None, None
            self._calls += 1
            self._arguments = False
            function = {"name": text(part, "name"), "arguments": ""}
            call = {"index": self._calls, "id": text(part, "id"), "type": "function", "function": function}
            return {"tool_calls": [call]}, None
        if name == "content_block_start" and part.get("type") == "redacted_thinking":
            return {"thinking_blocks": [{"type": "redacted_thinking", "data": text(part, "data")}]}, None
        if name == "content_block_delta":
            return self._thoughts(part) or self._delta(part), None
        if name == "message_delta" and part.get("stop_reason"):
            usage = document.get("usage")
            self.output = (number(usage, "output_tokens") if isinstance(usage, dict) else None) or 0
            self.stopped = True
            answered = self._answer is not None and self._calls < 0
            said = {"content": "".join(self._aside)} if self._aside else None
            return said, finish_reason(text(part, "stop_reason"), answered=answered)
        return None, None

    def _thoughts(self, part: Mapping[str, object]) -> dict[str, Any] | None:
        if part.get("type") == "thinking_delta" and text(part, "thinking"):
            self._thought.append(text(part, "thinking"))
            return {"reasoning_content": self._thought[-1]}
        if part.get("type") == "signature_delta":
            block = {"type": "thinking", "thinking": "".join(self._thought), "signature": text(part, "signature")}
            self._thought.clear()
            return {"thinking_blocks": [block]}
        return None

    def _delta(self, part: Mapping[str, object]) -> dict[str, Any] | None:
        if part.get("type") == "text_delta":
            if self._answer_tool is None:
                return {"content": text(part, "text")}
            if self._answer is None:
                self._aside.append(text(part, "text"))
            return None
        if part.get("type") == "input_json_delta" and text(part, "partial_json"):
            if self._passing_over:
                return None
            if self._answering:
                self._answer = self._answer or text(part, "partial_json")
                return {"content": text(part, "partial_json")}
            self._arguments = True
            return {"tool_calls": [{"index": self._calls, "function": {"arguments": text(part, "partial_json")}}]}
        return None

    def chunk(self, delta: dict[str, object] | None, reason: str | None = None) -> dict[str, Any]:
        """Return a chunk; None for a delta: one without choices."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": [] if delta is None else [choice],
        }


def _object(data: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ended_early("anthropic")
    return document

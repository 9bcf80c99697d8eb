"""Events of ConverseStream become OpenAI's chunks, as lines of server-sent events. Pure: events in, texts out.

`[DONE]` is written after `messageStop` alone. Whatever else ends a stream is an event that clients raise as an error:
one that just stops would be taken for a whole answer (OpenAI's own clients do).
"""

from __future__ import annotations

import json
import logging
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.extensions import answered_extension, answered_tier
from chalicelib.bedrock.stops import finish_reason, is_of_bedrock, usage_of
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from chalicelib.bedrock.events import Event
    from chalicelib.chat.shapes import TokenUsage

log = logging.getLogger("rolecall")

PING: Final = ": ping\n\n"
"""A comment: clients pass over it, and proxies see that the connection lives."""
DONE: Final = "data: [DONE]\n\n"


class Chunks:
    """The chunks of one answer. `finished` says whether the model came to its end; `usage` what it cost, once known."""

    def __init__(
        self,
        *,
        completion_id: str,
        created: int,
        model: str,
        include_usage: bool,
        tool_names: Mapping[str, str],
        answer_tool: str | None,
        extended: bool = False,
    ) -> None:
        """Prepare what every chunk has in common.

        `tool_names` leads from Converse's names of tools to the client's; the input of `answer_tool` is the answer;
        `extended`: what Bedrock answers beyond OpenAI's words was asked for.
        """
        self.finished = False
        self.usage: TokenUsage | None = None
        common = {"id": completion_id, "object": "chat.completion.chunk", "created": created, "model": model}
        head = json.dumps(common)[:-1]
        self._head = f"data: {head}"
        self._before = f'{self._head}, "choices": [{{"index": 0, "delta": '
        self._tail = ', "usage": null' if include_usage else ""
        self._after = f', "logprobs": null, "finish_reason": null}}]{self._tail}}}\n\n'
        self._last = f"]{self._tail}}}\n\n"
        self._include_usage = include_usage
        self._tool_names = tool_names
        self._answer_tool = answer_tool
        self._tools: dict[int, int] = {}
        """Places of tool calls by the index of their content block: OpenAI counts calls, Bedrock all blocks."""
        self._empty: set[int] = set()
        self._answering: int | None = None
        self._answered = False
        self._aside: list[str] = []
        """What was said beside an answer by tool; the answer, if that tool is never called."""
        self._thought: list[str] = []
        """What was thought since the last signature, which covers it."""
        self._extended = extended
        self._tier: str | None = None
        self._beyond: dict[str, object] = {}
        self._take: dict[str, Callable[[dict[str, Any]], str]] = {
            "messageStart": self._start,
            "contentBlockStart": self._block_start,
            "contentBlockDelta": self._delta,
            "contentBlockStop": self._block_stop,
            "messageStop": self._stop,
            "metadata": self._metadata,
        }

    def lines(self, events: Iterable[Event | None]) -> Iterator[str]:
        """Yield the lines of the events, a comment for each silence, and at the end usage (when asked for) and [DONE].

        Raises what the events raise, and `ServiceError` for an answer that the model broke off. Without `messageStop`
        it ends without [DONE]: `finished` is then False.
        """
        for event in events:
            if event is None:
                yield PING
                continue
            if event.type == "messageStop":
                yield from self._before_stop()
            take = self._take.get(event.type)
            line = "" if take is None else take(event.body)
            if line:
                yield line
        if self.finished:
            if self._extended and self._beyond:
                yield f'{self._head}, "choices": [], "bedrock": {json.dumps(self._beyond)}{self._tail}}}\n\n'
            if self._include_usage and self.usage is not None:
                # Bedrock tells the tier with the usage, after all that was said.
                tier = "" if self._tier is None else f', "service_tier": {json.dumps(self._tier)}'
                yield f'{self._head}, "choices": [], "usage": {json.dumps(self.usage)}{tier}}}\n\n'
            yield DONE

    def _before_stop(self) -> Iterator[str]:
        """Yield what must not be missing when the answer ends: words without the tool for them, arguments of calls."""
        if self._aside:
            yield self._content("".join(self._aside))
        if self._answering is not None and not self._answered:
            # An object without members, of which Bedrock sends no part; whole answers say it so.
            yield self._content("{}")
        for block in sorted(self._empty):
            yield self._block_stop({"contentBlockIndex": block})

    def log(self, request_id: str, *, seconds: float) -> None:
        """Write what the stream came to: counts and times, nothing that was said."""
        extra: dict[str, object] = {"request_id": request_id, "finished": self.finished}
        if self.usage is not None:
            extra |= {name: self.usage[name] for name in ("prompt_tokens", "completion_tokens")}
        log.info("stream ended", extra=extra | {"ms": round(seconds * 1000, 1)})

    def _line(self, delta: str) -> str:
        return self._before + delta + self._after

    def _start(self, _: dict[str, object]) -> str:
        return self._line('{"role": "assistant", "content": "", "refusal": null}')

    def _block_start(self, body: dict[str, object]) -> str:
        match body:
            case {"start": {"toolUse": dict() as used}} if is_of_bedrock(used):
                return ""
            case {"contentBlockIndex": int(block), "start": {"toolUse": {"toolUseId": str(call), "name": str(name)}}}:
                if name == self._answer_tool:
                    if self._answering is None:
                        self._answering = block
                        self._aside.clear()
                    return ""
                place = self._tools[block] = len(self._tools)
                self._empty.add(block)
                function = {"name": self._tool_names.get(name, name), "arguments": ""}
                return self._tool_line({"index": place, "id": call, "type": "function", "function": function})
            case {"start": {"toolUse": _}}:
                raise ServiceError(
                    "upstream_error", "The model called a tool in a way that can't be read.", fix="Try again."
                )
        return ""

    def _delta(self, body: dict[str, object]) -> str:
        delta = body.get("delta")
        if not isinstance(delta, dict):
            return ""
        text = delta.get("text")
        if isinstance(text, str):
            if self._answer_tool is None:
                return self._content(text)
            # What the model says beside the JSON that was asked for is no part of it.
            if self._answering is None:
                self._aside.append(text)
            return ""
        match delta:
            case {"toolUse": {"input": str(part)}}:
                return self._tool_part(body.get("contentBlockIndex"), part)
            case {"reasoningContent": {"text": str(thought)}}:
                self._thought.append(thought)
                return self._line('{"reasoning_content": ' + encode_basestring_ascii(thought) + "}") if thought else ""
            case {"reasoningContent": {"signature": str(signature)}}:
                block = {"type": "thinking", "thinking": "".join(self._thought), "signature": signature}
                self._thought.clear()
                return self._line(json.dumps({"thinking_blocks": [block]}))
            case {"reasoningContent": {"redactedContent": str(data)}}:
                return self._line(json.dumps({"thinking_blocks": [{"type": "redacted_thinking", "data": data}]}))
        return ""

    def _content(self, text: str) -> str:
        return self._line('{"content": ' + encode_basestring_ascii(text) + "}") if text else ""

    def _tool_part(self, block: object, part: str) -> str:
        if block == self._answering and block is not None:
            self._answered = self._answered or bool(part)
            return self._content(part)
        if not part or not isinstance(block, int) or block not in self._tools:
            return ""
        self._empty.discard(block)
        return self._tool_line({"index": self._tools[block], "function": {"arguments": part}})

    def _block_stop(self, body: dict[str, object]) -> str:
        block = body.get("contentBlockIndex")
        if isinstance(block, int) and block in self._empty:
            # A call without arguments: clients parse them as JSON, and nothing is no JSON.
            self._empty.discard(block)
            return self._tool_line({"index": self._tools[block], "function": {"arguments": "{}"}})
        return ""

    def _tool_line(self, call: dict[str, object]) -> str:
        return self._line(json.dumps({"tool_calls": [call]}))

    def _stop(self, body: dict[str, object]) -> str:
        reason = body.get("stopReason")
        if not isinstance(reason, str):
            raise ServiceError("upstream_error", "Bedrock ended the answer and did not say why.", fix="Try again.")
        if reason == "tool_use" and not self._tools and self._answering is None:
            raise ServiceError("upstream_error", "The model called a tool and named none.", fix="Try again.")
        finish = finish_reason(reason, calls=bool(self._tools))
        self.finished = True
        self._keep(body)
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}
        return f'{self._head}, "choices": [{json.dumps(choice)}{self._last}'

    def _metadata(self, body: dict[str, object]) -> str:
        usage = body.get("usage")
        if isinstance(usage, dict):
            self.usage = usage_of(usage)
        self._tier = answered_tier(body)
        self._keep(body)
        return ""

    def _keep(self, body: dict[str, object]) -> None:
        if self._extended:
            self._beyond |= answered_extension(body)

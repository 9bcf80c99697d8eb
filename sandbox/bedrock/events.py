"""A reply as ConverseStream's events, in Bedrock's order: text has no contentBlockStart, a tool call has one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sandbox.bedrock.tokens import compact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.bedrock.parrot import Reply

Event = tuple[str, dict[str, Any]]
_INPUT_PIECE: Final = 12


def events_of(reply: Reply, closing: dict[str, object], ending: dict[str, object]) -> list[Event]:
    """Return all events; `closing` is added to messageStop, `ending` to metadata."""
    events: list[Event] = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(reply.content):
        events += [(name, {**body, "contentBlockIndex": index}) for name, body in _block(block)]
        events.append(("contentBlockStop", {"contentBlockIndex": index}))
    events.append(("messageStop", {"stopReason": reply.stop_reason, **closing}))
    events.append(("metadata", {"usage": reply.usage(), **ending}))
    return events


def _block(block: dict[str, Any]) -> Iterator[Event]:
    if "text" in block:
        for piece in _words(block["text"]):
            yield "contentBlockDelta", {"delta": {"text": piece}}
    elif "toolUse" in block:
        call = block["toolUse"]
        yield "contentBlockStart", {"start": {"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}}}
        # A call without arguments streams an empty text and nothing else: clients have to make {} of it.
        for piece in ("", *_pieces(compact(call["input"]) if call["input"] else "")):
            yield "contentBlockDelta", {"delta": {"toolUse": {"input": piece}}}
    else:
        reasoning = block["reasoningContent"]["reasoningText"]
        for piece in _words(reasoning["text"]):
            yield "contentBlockDelta", {"delta": {"reasoningContent": {"text": piece}}}
        if "signature" in reasoning:
            yield "contentBlockDelta", {"delta": {"reasoningContent": {"signature": reasoning["signature"]}}}


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def _pieces(text: str) -> list[str]:
    return [text[at : at + _INPUT_PIECE] for at in range(0, len(text), _INPUT_PIECE)]

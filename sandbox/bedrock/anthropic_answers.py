"""The fake model's reply in Anthropic's words: a message, or its events, each in the `bytes` of one of Bedrock's."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

from sandbox.bedrock.anthropic_bodies import signature_of
from sandbox.bedrock.tokens import compact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.bedrock.catalog import Model
    from sandbox.bedrock.events import Event
    from sandbox.bedrock.parrot import Reply

GUARDRAIL: Final = "amazon-bedrock-guardrailAction"
METRICS: Final = "amazon-bedrock-invocationMetrics"
_PIECE: Final = 12


def message_of(reply: Reply, model: Model) -> dict[str, Any]:
    """Return the reply as a message. A guardrail's words come as the model's own, with `end_turn`, as Bedrock does."""
    content = [_block(block) for block in reply.content]
    digest = hashlib.sha256(compact([content, reply.input_tokens]).encode()).hexdigest()
    intervened = reply.stop_reason == "guardrail_intervened"
    return {
        "model": re.sub(r"-v\d+:\d+(:\w+)?$", "", model.id).removeprefix("anthropic."),
        "id": f"msg_bdrk_{digest[:24]}",
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": "end_turn" if intervened else reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
        "usage": {
            "input_tokens": reply.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": reply.output_tokens,
        },
    }


def chunks_of(reply: Reply, model: Model, extra: dict[str, Any]) -> list[Event]:
    """Return the events of Bedrock; `extra` is added to the last, and the last is the one that ends the message."""
    return [
        ("chunk", {"bytes": base64.b64encode(compact(event).encode()).decode()})
        for event in _events(reply, model, extra)
    ]


def _events(reply: Reply, model: Model, extra: dict[str, object]) -> Iterator[dict[str, Any]]:
    whole = message_of(reply, model)
    begun: dict[str, Any] = {"stop_reason": None, "stop_sequence": None, "content": []}
    yield {"type": "message_start", "message": {**whole, **begun, "usage": {**whole["usage"], "output_tokens": 1}}}
    for index, block in enumerate(whole["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _begun(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"]}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": reply.output_tokens}}
    yield {"type": "message_stop", **extra}


def _block(block: dict[str, Any]) -> dict[str, Any]:
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    if "toolUse" in block:
        call = block["toolUse"]
        identifier = call["toolUseId"].replace("tooluse_", "toolu_bdrk_")
        return {"type": "tool_use", "id": identifier, "name": call["name"], "input": call["input"]}
    thought = block["reasoningContent"]["reasoningText"]["text"]
    return {"type": "thinking", "thinking": thought, "signature": signature_of(thought)}


def _begun(block: dict[str, object]) -> dict[str, Any]:
    empty = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {name: empty.get(name, value) for name, value in block.items()}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        for piece in re.findall(r"\s*\S+|\s+$", block["text"]):
            yield {"type": "text_delta", "text": piece}
    elif block["type"] == "thinking":
        for piece in re.findall(r"\s*\S+|\s+$", block["thinking"]):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        text = compact(block["input"]) if block["input"] else ""
        for at in range(0, len(text) or 1, _PIECE):
            yield {"type": "input_json_delta", "partial_json": text[at : at + _PIECE]}

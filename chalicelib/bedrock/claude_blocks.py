"""What Bedrock's Claude and Anthropic's API say otherwise of the same message: fields that one has and the other lacks.

Anthropic's published schema requires them of every answer, most of them as null; Bedrock leaves them out, and refuses
some of them when an answer is sent back: "messages.1.content.0.text.citations: Extra inputs are not permitted"
(github.com/anthropics/anthropic-sdk-go/issues/186).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_MESSAGE: Final[dict[str, object]] = {"stop_sequence": None, "stop_details": None, "container": None}
_OF_USAGE: Final[dict[str, object]] = {
    "cache_creation": None,
    "cache_creation_input_tokens": None,
    "cache_read_input_tokens": None,
    "inference_geo": None,
    "output_tokens_details": None,
    "server_tool_use": None,
    "service_tier": None,
}
_DIRECT: Final = {"type": "direct"}
_OF_BLOCKS: Final[dict[str, dict[str, object]]] = {"text": {"citations": []}, "tool_use": {"caller": _DIRECT}}
"""Anthropic's published OpenAPI document, as of 2026-11: Message, Usage, ResponseTextBlock, ResponseToolUseBlock.

Of citations it takes null as well, and @ai-sdk/anthropic (3.0) does not: no list is an answer that it can't read.
"""
_SAYING_NOTHING: Final[dict[str, tuple[object, ...]]] = {"citations": (None, []), "caller": (None, _DIRECT)}


def as_anthropic_has_it(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole answer with every field that Anthropic's schema requires; what Bedrock said of them stays."""
    # Twice: what is added comes last, as people read it, and takes nothing's place.
    made = {**message, **_OF_MESSAGE, **message}
    usage = message.get("usage")
    if isinstance(usage, dict):
        made["usage"] = {**_OF_USAGE, **usage}
    made["content"] = [
        {**block, **_OF_BLOCKS.get(str(block.get("type")), {}), **block} if isinstance(block, dict) else block
        for block in message["content"]
    ]
    return made


def as_bedrock_takes_it(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message of the history without those of them that say nothing."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [_without_nothing(block) for block in content]}


def _without_nothing(block: object) -> object:
    if not isinstance(block, dict) or not any(name in block for name in _SAYING_NOTHING):
        return block
    return {name: value for name, value in block.items() if value not in _SAYING_NOTHING.get(name, ())}

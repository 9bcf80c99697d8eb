"""How the fake model counts: about four characters a token, alike in Converse, ConverseStream and CountTokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

CHARACTERS: Final = 4
IMAGE_TOKENS: Final = 1_500
"""Any image; AWS's figure depends on the size in pixels."""
_TEXT_DOCUMENTS: Final = frozenset({"txt", "md", "csv", "html"})


def tokens_of(text: str) -> int:
    """Return how many tokens a text is."""
    return -(-len(text) // CHARACTERS)


def compact(value: object) -> str:
    """Return JSON as a model would write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def input_tokens(request: dict[str, Any]) -> int:
    """Count what a Converse request asks the model to read: system, messages and tools; at least one token."""
    blocks = [*request.get("system", []), *(b for m in request.get("messages", []) for b in m["content"])]
    tools = [t["toolSpec"] for t in request.get("toolConfig", {}).get("tools", []) if "toolSpec" in t]
    counted = sum(_of_block(block) for block in blocks)
    counted += sum(
        tokens_of(tool["name"] + tool.get("description", "") + compact(tool["inputSchema"].get("json")))
        for tool in tools
    )
    return max(1, counted)


def _of_block(block: dict[str, Any]) -> int:
    if "toolResult" in block:
        return sum(_of_block(part) for part in block["toolResult"]["content"])
    if "image" in block or "video" in block or "audio" in block:
        return IMAGE_TOKENS
    if "document" in block:
        return _of_document(block["document"])
    return sum(tokens_of(text) for text in _texts(block))


def _texts(block: dict[str, Any]) -> Iterator[str]:
    if "text" in block:
        yield block["text"]
    elif "toolUse" in block:
        yield block["toolUse"]["name"] + compact(block["toolUse"]["input"])
    elif "json" in block:
        yield compact(block["json"])
    elif "reasoningContent" in block:
        yield block["reasoningContent"].get("reasoningText", {}).get("text", "")
    elif "guardContent" in block:
        yield block["guardContent"].get("text", {}).get("text", "")
    elif "searchResult" in block:
        yield from (part["text"] for part in block["searchResult"]["content"])


def _of_document(document: dict[str, Any]) -> int:
    source = document["source"]
    if "bytes" in source and document.get("format", "txt") not in _TEXT_DOCUMENTS:
        return IMAGE_TOKENS
    if "bytes" in source:
        return tokens_of(source["bytes"].decode("utf-8", "replace"))
    return tokens_of(source.get("text", "")) + sum(tokens_of(part["text"]) for part in source.get("content", []))

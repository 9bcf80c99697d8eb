"""Chats of millions of characters whose parts are tiny: the time that they take grows with their size alone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chalicelib.bedrock.converse import to_converse
from chalicelib.chat import ChatRequest

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
KEPT = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}


def _calls(*ids: str, name: str) -> list[dict[str, Any]]:
    calls = [
        {"id": one, "type": "function", "function": {"name": name.format(place), "arguments": "{}"}}
        for place, one in enumerate(ids)
    ]
    results = [{"role": "tool", "tool_call_id": one, "content": "x"} for one in ids]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]


IDS = tuple(f"call{number}" for number in range(1900))
LARGE: dict[str, list[dict[str, Any]]] = {
    "parts that are each worth keeping": [{"role": "user", "content": [KEPT] * 80_000}],
    "tools whose names become alike": _calls(*IDS, name="a" * 60 + "!{}"),
    "calls whose ids become alike": _calls(*("a" * 60 + f"!{one}" for one in IDS), name="f"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("messages", LARGE.values(), ids=LARGE)
def test_a_large_chat_is_translated_in_time(messages: list[dict[str, Any]]) -> None:
    """Anyone who may chat may send 6 MB; each of these took seconds or minutes of a whole processor."""
    request = ChatRequest.model_validate({"model": CLAUDE, "messages": messages})
    started = time.process_time()
    body = to_converse(request).body
    took = time.process_time() - started
    uses = [block["toolUse"] for turn in body["messages"] for block in turn["content"] if "toolUse" in block]

    assert took < 1.3
    assert len({(use["name"], use["toolUseId"]) for use in uses}) == len(uses)
    assert sum(len(turn["content"]) for turn in body["messages"]) >= len(IDS)

"""Chats of millions of characters whose parts are tiny: what they cost grows with their size alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.bedrock.converse import to_converse
from chalicelib.chat import ChatRequest
from tests.growth import is_linear

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.bedrock.converse import Translation

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
KEPT = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}


def _calls(*ids: str, name: str) -> list[dict[str, Any]]:
    calls = [
        {"id": one, "type": "function", "function": {"name": name.format(place), "arguments": "{}"}}
        for place, one in enumerate(ids)
    ]
    results = [{"role": "tool", "tool_call_id": one, "content": "x"} for one in ids]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]


LARGE: dict[str, tuple[Callable[[int], list[dict[str, Any]]], int]] = {
    "parts that are each worth keeping": (lambda size: [{"role": "user", "content": [KEPT] * size}], 16_000),
    "tools whose names become alike": (
        lambda size: _calls(*(f"call{number}" for number in range(size)), name="a" * 60 + "!{}"),
        1600,
    ),
    "calls whose ids become alike": (
        lambda size: _calls(*("a" * 60 + f"!call{number}" for number in range(size)), name="f"),
        1600,
    ),
}


@pytest.mark.parametrize(("chat", "size"), LARGE.values(), ids=LARGE)
def test_what_a_large_chat_costs_grows_with_its_size(chat: Callable[[int], list[dict[str, Any]]], size: int) -> None:
    """Anyone who may chat may send 6 MB; each of these took seconds or minutes of a whole processor."""

    def translated(size: int) -> Callable[[], Translation]:
        return partial(to_converse, ChatRequest.model_validate({"model": CLAUDE, "messages": chat(size)}))

    assert is_linear(translated, size)
    body = translated(size)().body
    uses = [block["toolUse"] for turn in body["messages"] for block in turn["content"] if "toolUse" in block]
    assert len({(use["name"], use["toolUseId"]) for use in uses}) == len(uses)
    assert sum(len(turn["content"]) for turn in body["messages"]) >= size

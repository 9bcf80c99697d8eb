"""Cache points stay behind what they were put behind, wherever that goes on its way to Converse."""

from __future__ import annotations

from typing import Any

from chalicelib.bedrock.converse import to_converse
from chalicelib.chat import ChatRequest
from tests.bedrock.converse_shape import hold

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PDF = "JVBERi0xLjQ="
POINT = {"cachePoint": {"type": "default"}}
MARK = {"cache_control": {"type": "ephemeral"}}
ASK = {"role": "user", "content": "Weather?"}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}


def _turns(*messages: dict[str, Any], **fields: Any) -> list[Any]:
    body = to_converse(ChatRequest.model_validate({"model": MODEL, "messages": [*messages], **fields})).body
    hold(body, MODEL)
    return [turn["content"] for turn in body["messages"]]


def test_a_point_goes_with_its_part_where_results_are_sent_apart() -> None:
    """Claude takes no document beside results; a point behind the question would keep nothing but the results."""
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}
    turns = _turns(
        ASK,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "Sunny", **MARK},
        {"role": "user", "content": [file, {"type": "text", "text": "And this?", **MARK}]},
        tools=[{"type": "function", "function": {"name": "weather"}}],
    )

    assert [next(iter(block)) for block in turns[2]] == ["toolResult", "cachePoint"]
    assert turns[3] == [{"text": "."}]
    assert [next(iter(block)) for block in turns[4]] == ["document", "text", "cachePoint"]


def test_a_beginning_of_the_answer_ends_without_white_space_before_a_point_too() -> None:
    """Claude refuses it otherwise, and the point is no text that stands behind it."""
    marked = {"role": "assistant", "content": [{"type": "text", "text": "It is \n", **MARK}]}

    assert _turns(ASK, marked)[1] == [{"text": "It is"}, POINT]

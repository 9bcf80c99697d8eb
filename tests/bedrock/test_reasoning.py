"""How much a model thinks, for models that say it in different ways, and its thoughts on their way back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.bedrock.converse import from_converse, to_converse
from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError
from tests.bedrock.converse_shape import hold

BUDGET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ASK = {"role": "user", "content": "Weather?"}
TOOL = {"type": "function", "function": {"name": "weather"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
HIDDEN = {"type": "redacted_thinking", "data": "eA=="}


def _translated(model: str = BUDGET, **fields: Any) -> Any:
    translation = to_converse(ChatRequest.model_validate({"model": model, "messages": [ASK], **fields}))
    hold(translation.body, model)
    return translation


EFFORTS = {
    "Claude by a budget": (BUDGET, "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    "Claude by a large budget": (BUDGET, "xhigh", {"thinking": {"type": "enabled", "budget_tokens": 24576}}),
    "Claude that judges itself": (
        "global.anthropic.claude-sonnet-4-6",
        "medium",
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}},
    ),
    "an effort that it calls otherwise": (
        "global.anthropic.claude-sonnet-4-6",
        "xhigh",
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
    ),
    "a newer Claude": (
        "us.anthropic.claude-opus-4-7",
        "xhigh",
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
    ),
    "Nova 2": (
        "us.amazon.nova-2-lite-v1:0",
        "xhigh",
        {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
    ),
    "gpt-oss": ("openai.gpt-oss-120b-1:0", "minimal", {"reasoning_effort": "low"}),
    "DeepSeek": ("deepseek.v3-v1:0", "high", {"reasoning_config": "high"}),
}


@pytest.mark.parametrize(("model", "effort", "fields"), EFFORTS.values(), ids=EFFORTS)
def test_each_family_is_told_in_its_own_words(model: str, effort: str, fields: dict[str, Any]) -> None:
    """OpenAI has one field, Converse none."""
    assert _translated(model, reasoning_effort=effort).body["additionalModelRequestFields"] == fields


def test_none_asks_for_nothing() -> None:
    """Whatever the model."""
    assert _translated("amazon.nova-lite-v1:0", reasoning_effort="none").body.keys() == {"messages"}


def test_a_model_that_cant_be_told_says_so() -> None:
    """An effort that changes nothing would be paid for and not had."""
    with pytest.raises(ServiceError) as refused:
        _translated("amazon.nova-lite-v1:0", reasoning_effort="high")

    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "reasoning_effort")


@pytest.mark.parametrize(("limit", "budget"), [(1025, 1024), (5000, 4999), (100_000, 16384)])
def test_the_budget_leaves_room_for_the_answer(limit: int, budget: int) -> None:
    """Claude counts both within the limit."""
    fields = _translated(reasoning_effort="high", max_completion_tokens=limit).body["additionalModelRequestFields"]

    assert fields["thinking"]["budget_tokens"] == budget


def test_a_limit_that_leaves_no_room_is_refused() -> None:
    """Here, with the number that it must be above."""
    with pytest.raises(ServiceError) as refused:
        _translated(reasoning_effort="low", max_tokens=1024)

    assert (refused.value.code, refused.value.param) == ("invalid_value", "max_completion_tokens")


def test_what_a_thinking_claude_refuses_is_left_out_and_named() -> None:
    """No sampling, and no tool that must be called: it is asked for in words."""
    translation = _translated(reasoning_effort="low", temperature=0.5, top_p=0.9, tools=[TOOL], tool_choice="required")

    assert "inferenceConfig" not in translation.body
    assert "toolChoice" not in translation.body["toolConfig"]
    assert set(translation.changed) == {"temperature", "top_p", "tool_choice"}
    assert translation.body["system"]


def _loop(**answer: Any) -> list[Any]:
    said = {"role": "assistant", "content": None, "tool_calls": [CALL], **answer}
    return [ASK, said, {"role": "tool", "tool_call_id": "c1", "content": "Sunny"}]


def test_signed_thoughts_go_back_before_what_they_led_to() -> None:
    """Claude wants to see them in a loop of tools; its hidden ones as they came."""
    messages = _loop(thinking_blocks=[THOUGHT, HIDDEN], reasoning_content="Hm.")
    translation = _translated(messages=messages, tools=[TOOL], reasoning_effort="low")
    turn = translation.body["messages"][1]["content"]

    assert turn[:2] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "eA=="}},
    ]
    assert translation.changed == ()


@pytest.mark.parametrize(
    "own",
    [
        {"thinking": {"type": "enabled", "budget_tokens": 2048}},
        {"thinking": {"type": "adaptive"}},
        {"reasoning_config": {"type": "enabled", "budget_tokens": 2048}},
    ],
    ids=json.dumps,
)
def test_a_claude_that_is_told_to_think_in_its_own_words_thinks(own: dict[str, Any]) -> None:
    """Its thoughts go back and nothing goes that it then refuses, as with an effort; what it was told stays."""
    messages = _loop(thinking_blocks=[THOUGHT])
    fields: Any = {"tools": [TOOL], "tool_choice": "required", "temperature": 0.5}
    translation = _translated(messages=messages, bedrock={"additionalModelRequestFields": own}, **fields)

    assert "reasoningContent" in translation.body["messages"][1]["content"][0]
    assert "inferenceConfig" not in translation.body
    assert "toolChoice" not in translation.body["toolConfig"]
    assert translation.body["additionalModelRequestFields"] == own
    assert set(translation.changed) == {"temperature", "tool_choice"}


@pytest.mark.parametrize(
    ("model", "own"),
    [
        pytest.param(BUDGET, {"thinking": {"type": "disabled"}}, id="not to think"),
        pytest.param("deepseek.v3-v1:0", {"reasoning_config": "high"}, id="another model"),
        pytest.param("amazon.nova-lite-v1:0", {"thinking": {"type": "enabled"}}, id="a model that does not know it"),
    ],
)
def test_what_rules_nothing_out_changes_nothing(model: str, own: dict[str, Any]) -> None:
    """Sampling is for whoever takes it."""
    translation = _translated(model, bedrock={"additionalModelRequestFields": own}, temperature=0.5)

    assert (translation.body["inferenceConfig"], translation.changed) == ({"temperature": 0.5}, ())


def test_a_loop_whose_thoughts_were_dropped_goes_on_without_thinking() -> None:
    """Most of OpenAI's clients drop them, and Claude refuses to think on; the field is named."""
    translation = _translated(messages=_loop(), tools=[TOOL], reasoning_effort="low")
    unsigned = _loop(thinking_blocks=[{**THOUGHT, "signature": None}])
    in_vain = _translated(messages=unsigned, tools=[TOOL], reasoning_effort="low")

    assert "additionalModelRequestFields" not in translation.body
    assert translation.changed == ("reasoning_effort",)
    assert "additionalModelRequestFields" not in in_vain.body
    assert set(in_vain.changed) == {"reasoning_effort", "messages.thinking_blocks"}


NOT_SENT = {
    "thoughts without a signature": ({"reasoning_content": "Hm."}, {"reasoning_effort": "low"}, "reasoning_content"),
    "a block without a signature": (
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm."}]},
        {"reasoning_effort": "low"},
        "thinking_blocks",
    ),
    "a block whose signature is empty": (
        {"thinking_blocks": [{**THOUGHT, "signature": ""}]},
        {"reasoning_effort": "low"},
        "thinking_blocks",
    ),
    "thoughts for a model that does not think now": ({"thinking_blocks": [THOUGHT]}, {}, "thinking_blocks"),
}


@pytest.mark.parametrize(("answer", "fields", "name"), NOT_SENT.values(), ids=NOT_SENT)
def test_thoughts_that_are_not_sent_are_named(answer: dict[str, Any], fields: dict[str, Any], name: str) -> None:
    """What a client sends back in vain, it learns."""
    translation = _translated(messages=[ASK, {"role": "assistant", "content": "Sun", **answer}, ASK], **fields)

    assert translation.changed == (f"messages.{name}",)
    assert "reasoningContent" not in str(translation.body)


def test_thoughts_come_back_with_their_signatures() -> None:
    """As other gateways have them: a text to read, and blocks to send back."""
    content = [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "eA=="}},
        {"text": "Sun"},
    ]
    answer = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1},
    }
    document: Any = from_converse(answer, completion_id="c", created=1, model="m").document()
    message = document["choices"][0]["message"]

    assert (message["reasoning_content"], message["thinking_blocks"]) == ("Hm.", [THOUGHT, HIDDEN])


@pytest.mark.parametrize("block", [{**HIDDEN, "data": "%"}, {**HIDDEN, "data": "\u00e9"}])
def test_thoughts_that_are_no_base64_are_refused(block: dict[str, Any]) -> None:
    """With the field."""
    with pytest.raises(ServiceError) as refused:
        _translated(messages=_loop(thinking_blocks=[block]), tools=[TOOL], reasoning_effort="low")

    assert refused.value.param == "messages.thinking_blocks.data"

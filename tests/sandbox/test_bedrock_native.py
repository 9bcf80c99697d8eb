"""InvokeModel for Claude on the local AWS, by plain boto3: the same model in Anthropic's words, by the same rules."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EventStreamError

from sandbox.aws.switches import FAULTS
from tests.sandbox.bedrock_world import HAIKU, NOVA, US_HAIKU, BedrockWorld, Customer, Refusal, play, refusal, said

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATION = "InvokeModelWithResponseStream"
BODY: dict[str, Any] = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "Tell me of the river."}],
}
THINKING = {"type": "enabled", "budget_tokens": 1024}


@pytest.fixture(scope="module")
def world() -> Iterator[BedrockWorld]:
    """Give a running local AWS."""
    with BedrockWorld() as running:
        yield running


@pytest.fixture(scope="module")
def customer(world: BedrockWorld) -> Customer:
    """Give an administrator of an account."""
    return world.customer()


@pytest.fixture(autouse=True)
def _no_faults() -> Iterator[None]:
    yield
    FAULTS.clear()


def _invoke(customer: Customer, body: dict[str, Any] | None = None, model: str = US_HAIKU, **more: Any) -> Any:
    answer = customer.client("bedrock-runtime").invoke_model(modelId=model, body=json.dumps(body or BODY), **more)
    return json.loads(answer["body"].read())


def _stream(customer: Customer, body: dict[str, Any] | None = None, **more: Any) -> list[Any]:
    runtime = customer.client("bedrock-runtime")
    answer = runtime.invoke_model_with_response_stream(modelId=US_HAIKU, body=json.dumps(body or BODY), **more)
    with closing(answer["body"]) as events:
        return [json.loads(event["chunk"]["bytes"]) for event in events]


def test_it_says_what_converse_says(customer: Customer) -> None:
    """One model behind three doors: the same words and the same count of tokens."""
    runtime = customer.client("bedrock-runtime")
    conversed = runtime.converse(modelId=US_HAIKU, messages=[said("Tell me of the river.")])
    whole = _invoke(customer)
    counted = runtime.count_tokens(modelId=HAIKU, input={"invokeModel": {"body": json.dumps(BODY)}})

    assert whole["content"] == [{"type": "text", **conversed["output"]["message"]["content"][0]}]
    assert whole["usage"]["input_tokens"] == conversed["usage"]["inputTokens"] == counted["inputTokens"]
    assert (whole["type"], whole["model"]) == ("message", "claude-haiku-4-5-20251001")


@pytest.mark.parametrize("more", [{}, {"max_tokens": 2000, "thinking": THINKING}])
def test_its_stream_puts_the_same_message_together(customer: Customer, more: dict[str, Any]) -> None:
    """Events in Anthropic's order; the last has Bedrock's metrics, which the whole answer has in headers."""
    whole = _invoke(customer, {**BODY, **more})
    events = _stream(customer, {**BODY, **more})
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]

    assert events[0]["message"]["id"] == whole["id"]
    assert "".join(delta.get("text", "") for delta in deltas) == whole["content"][-1]["text"]
    assert "".join(delta.get("thinking", "") for delta in deltas) == whole["content"][0].get("thinking", "")
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    assert events[-2]["delta"]["stop_reason"] == whole["stop_reason"] == "end_turn"
    assert events[-1]["amazon-bedrock-invocationMetrics"]["inputTokenCount"] == whole["usage"]["input_tokens"]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no version": ({"anthropic_version": None}, "anthropic_version: Field required"),
    "another version": ({"anthropic_version": "2023-06-01"}, "anthropic_version: Input should be 'bedrock-2023-05-31'"),
    "no max_tokens": ({"max_tokens": None}, "max_tokens: Field required"),
    "a model in the body": ({"model": HAIKU}, "model: Extra inputs are not permitted"),
    "stream in the body": ({"stream": True}, "stream: Extra inputs are not permitted"),
    "automatic caching": ({"cache_control": {"type": "ephemeral"}}, "cache_control: Extra inputs are not permitted"),
    "a flag that Bedrock has not": ({"anthropic_beta": ["oauth-2025-04-20"]}, "invalid beta flag"),
    "context management without its flag": (
        {"context_management": {"edits": []}},
        "context_management: Extra inputs are not permitted",
    ),
    "a tool that Anthropic runs": (
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "Input tag 'web_search_20250305' found",
    ),
    "a cache point with a scope": (
        {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "scope": "global"}}]},
        "system.0.cache_control.ephemeral.scope: Extra inputs are not permitted",
    ),
    "a field of tools that Bedrock has not": (
        {"tools": [{"name": "a", "input_schema": {"type": "object"}, "eager_input_streaming": True}]},
        "tools.0.custom.eager_input_streaming: Extra inputs are not permitted",
    ),
    "an image by its address": (
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]}]},
        "messages.0.content.0.source: Input tag does not match any of the expected tags: 'base64'",
    ),
    "a thought of somebody else": (
        {
            "messages": [
                *BODY["messages"],
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "made up"}]},
                {"role": "user", "content": "Go on."},
            ]
        },
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "an empty text": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
        "text content blocks must be non-empty",
    ),
    "a call without its result": (
        {
            "messages": [
                *BODY["messages"],
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "x", "input": {}}]},
                {"role": "user", "content": "Go on."},
            ]
        },
        "t1",
    ),
}


@pytest.mark.parametrize(("changed", "text"), BAD.values(), ids=BAD)
def test_what_claude_does_not_take_is_refused(customer: Customer, changed: dict[str, Any], text: str) -> None:
    """In a ValidationException with the place, and alike for whole answers, streams and counts."""
    body = {name: value for name, value in {**BODY, **changed}.items() if value is not None}
    whole = refusal(lambda: _invoke(customer, body))
    streamed = refusal(lambda: _stream(customer, body))
    question = {"invokeModel": {"body": json.dumps(body)}}
    counted = refusal(lambda: customer.client("bedrock-runtime").count_tokens(modelId=HAIKU, input=question))

    assert (whole.status, whole.code) == (400, "ValidationException")
    assert text in whole.message
    assert streamed == counted == whole


def test_who_may_not_is_told_so(world: BedrockWorld, customer: Customer) -> None:
    """Both actions are asked about, of the role and of the session's own policy."""
    whole_alone = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for session in (customer.assume([whole_alone]), customer.assume([anything], whole_alone)):
        assert _invoke(session)["type"] == "message"
        refused = refusal(lambda session=session: _stream(session))  # type: ignore[misc]
        assert (refused.status, refused.code) == (403, "AccessDeniedException")
        assert "bedrock:InvokeModelWithResponseStream" in refused.message


def test_a_guardrail_speaks_in_the_models_place(customer: Customer) -> None:
    """With `end_turn`, as Bedrock does; who sends none is not told of any."""
    made = customer.client("bedrock").create_guardrail(
        name="g",
        blockedInputMessaging="No.",
        blockedOutputsMessaging="No.",
        wordPolicyConfig={"wordsConfig": [{"text": "river"}]},
    )
    named = {"guardrailIdentifier": made["guardrailId"], "guardrailVersion": "DRAFT"}
    blocked, streamed = _invoke(customer, **named), _stream(customer, **named)
    other = {**BODY, "messages": [{"role": "user", "content": "Tell me of mills."}]}

    assert (blocked["content"], blocked["stop_reason"]) == ([{"type": "text", "text": "No."}], "end_turn")
    assert blocked["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert streamed[-1]["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert _invoke(customer, other, **named)["amazon-bedrock-guardrailAction"] == "NONE"
    assert "amazon-bedrock-guardrailAction" not in _invoke(customer)


def test_a_guardrail_must_be_allowed(customer: Customer) -> None:
    """InvokeModel with a guardrail asks for ApplyGuardrail too."""
    invoking = {"Effect": "Allow", "Action": "bedrock:InvokeModel*", "Resource": "*"}
    refused = refusal(
        lambda: _invoke(customer.assume([invoking]), guardrailIdentifier="abc123", guardrailVersion="DRAFT")
    )

    assert (refused.status, refused.code) == (403, "AccessDeniedException")
    assert "bedrock:ApplyGuardrail" in refused.message


def test_a_fault_strikes_within_its_stream(customer: Customer) -> None:
    """An exception after some events, as botocore raises it; a clean end that comes too early, as it does not."""
    play(operation=OPERATION, kind="exception_frame", code="ThrottlingException", after_events=4)
    with pytest.raises(EventStreamError) as raised:
        _stream(customer)
    play(operation=OPERATION, kind="early_end", after_events=999)
    early = _stream(customer)

    assert raised.value.response["Error"]["Code"] == "throttlingException"
    assert [event["type"] for event in early][-1] == "message_delta"


def test_other_models_that_talk_are_asked_through_converse(customer: Customer) -> None:
    """What the sandbox does not play it says so, instead of making something up."""
    text = f"The local AWS answers InvokeModel for Claude and for text embeddings; ask {NOVA} through Converse."

    assert refusal(lambda: _invoke(customer, model=NOVA)) == Refusal(400, "ValidationException", text)

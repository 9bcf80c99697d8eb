"""Any chat that we translate is one that Bedrock takes: its model and the strict local Bedrock say so."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.bedrock.converse import to_converse
from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError
from sandbox.aws.authentication import AwsError
from sandbox.bedrock.catalog import catalog
from sandbox.bedrock.constraints import checked
from sandbox.bedrock.features import check_conversation
from tests.bedrock.converse_shape import hold

MODELS: Final = [model for model in catalog().models.values() if model.chat is not None]
CANT: Final = (
    "doesn't support",
    "does not support",
    "unsupported",
    "requires the last turn",
    "maximum tokens you requested",
    "A maximum of 4 blocks",
    "one text block must be provided",
)
"""What a model can't do, in its own words: the caller's choice of model, and no fault of the translation."""

texts = st.text(max_size=12) | st.sampled_from(["", " ", "Hi", "Hi \n"])
marks = st.sampled_from([None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])
names = st.sampled_from(["weather", "my.tool", "answer_in_json", "é", "t" * 80, "my_tool_1"])
schemas = st.sampled_from(
    [
        None,
        {},
        {"type": "object"},
        {"properties": {"a": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}},
    ]
)
parts = st.fixed_dictionaries({"type": st.just("text"), "text": texts}, optional={"cache_control": marks})
contents = texts | st.lists(parts, min_size=1, max_size=3)
tools = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {"name": names},
                optional={"description": texts, "parameters": schemas, "strict": st.booleans() | st.none()},
            ),
        },
        optional={"cache_control": marks},
    ),
    max_size=3,
    unique_by=lambda tool: str(tool["function"]["name"]),  # type: ignore[index]  # drawn as one type
)
thoughts = st.lists(
    st.sampled_from(
        [
            {"type": "thinking", "thinking": "Hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "eA=="},
        ]
    ),
    max_size=2,
)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw messages in which every call has its result."""
    made: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 4))):
        role = draw(st.sampled_from(["system", "developer", "user", "assistant", "calls"]))
        if role != "calls":
            made.append({"role": role, "content": draw(contents)})
            continue
        ids = draw(
            st.lists(st.sampled_from(["c1", "call/2", "x" * 80, "abc123def"]), min_size=1, max_size=3, unique=True)
        )
        # An id is used once in a chat: Bedrock takes none twice.
        ids = [f"{one}{len(made)}" for one in ids]
        calls = [
            {
                "id": one,
                "type": "function",
                "function": {"name": draw(names), "arguments": draw(st.sampled_from(["", "{}", '{"a": 1}']))},
            }
            for one in ids
        ]
        made.append(
            {
                "role": "assistant",
                "content": draw(st.none() | contents),
                "tool_calls": calls,
                "thinking_blocks": draw(thoughts),
            }
        )
        made += [{"role": "tool", "tool_call_id": one, "content": draw(contents)} for one in draw(st.permutations(ids))]
    return [*made, {"role": "user", "content": "Well?"}]


@st.composite
def chats(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a chat that keeps OpenAI's rules."""
    offered: Any = draw(tools)
    choices: list[Any] = ["none", "auto", None]
    if offered:
        choices += ["required", {"type": "function", "function": {"name": offered[0]["function"]["name"]}}]
    schema = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": draw(schemas.filter(bool)), "strict": draw(st.booleans())},
    }
    fields = {
        "tools": offered,
        "tool_choice": draw(st.sampled_from(choices)),
        "response_format": draw(st.sampled_from([None, {"type": "text"}, {"type": "json_object"}, schema])),
        "parallel_tool_calls": draw(st.sampled_from([None, True, False])),
        "temperature": draw(st.sampled_from([None, 0.0, 0.7, 2.0])),
        "top_p": draw(st.sampled_from([None, 0.5])),
        "stop": draw(st.sampled_from([None, "", "X", [" ", "Y"]])),
        "max_tokens": draw(st.sampled_from([None, 1, 1500])),
        "reasoning_effort": draw(st.sampled_from([None, "none", "low", "xhigh"])),
        "service_tier": draw(st.sampled_from([None, "auto", "flex"])),
    }
    return {"messages": draw(conversations()), **{name: value for name, value in fields.items() if value is not None}}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chat=chats())
def test_what_is_translated_bedrock_takes(model: Any, chat: dict[str, Any]) -> None:
    """Each chat is refused here with a code and a field, or is a request that the model has nothing to say against.

    But for what the model can't do at all: that it says itself.
    """
    body = _body(model.id, chat)
    if body is not None:
        hold(body, model.id)
        said = _refusal(model, body)
        assert not said or any(words in said for words in CANT), said


def _body(model: str, chat: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the chat becomes; None where it is refused, which names a field."""
    try:
        return to_converse(ChatRequest.model_validate({"model": model, **chat})).body
    except ServiceError as refused:
        if not refused.param:
            raise
        return None


def _refusal(model: Any, body: dict[str, Any]) -> str:
    try:
        request = checked("bedrock-runtime", "Converse", {**body, "modelId": model.id})
        check_conversation(request, model, streaming=False)
    except AwsError as refusal:
        return refusal.message
    return ""

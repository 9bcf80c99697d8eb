"""Chats become requests of Converse, and answers completions: tables of both, held against the service's own model."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from openai.types.chat import ChatCompletion
from pydantic import ValidationError

from chalicelib.bedrock.converse import from_converse, probe, to_converse
from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError

MODEL = "amazon.nova-lite-v1:0"
SHAPE: Any = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape


def _user(text: Any = "Hello") -> dict[str, Any]:
    return {"role": "user", "content": text}


def _turn(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"text": text} for text in texts]}


def _body(**request: Any) -> dict[str, Any]:
    return to_converse(ChatRequest.model_validate({"model": MODEL, "messages": [_user()], **request})).body


MESSAGES = [
    pytest.param([_user()], {"messages": [_turn("user", "Hello")]}, id="one question"),
    pytest.param(
        [{"role": "system", "content": "Be brief."}, _user()],
        {"messages": [_turn("user", "Hello")], "system": [{"text": "Be brief."}]},
        id="a system text",
    ),
    pytest.param(
        [{"role": "developer", "content": "Be brief."}, _user()],
        {"messages": [_turn("user", "Hello")], "system": [{"text": "Be brief."}]},
        id="a developer's text is a system text",
    ),
    pytest.param(
        [{"role": "system", "content": "A"}, _user(), {"role": "system", "content": "B"}, _user("More")],
        {"messages": [_turn("user", "Hello", "More")], "system": [{"text": "A"}, {"text": "B"}]},
        id="system texts go to the front, in order",
    ),
    pytest.param(
        [_user([{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}])],
        {"messages": [_turn("user", "One", "Two")]},
        id="parts keep their order",
    ),
    pytest.param(
        [_user(), {"role": "assistant", "content": "Hi"}, _user("And?")],
        {"messages": [_turn("user", "Hello"), _turn("assistant", "Hi"), _turn("user", "And?")]},
        id="a conversation",
    ),
    pytest.param([_user("A"), _user("B")], {"messages": [_turn("user", "A", "B")]}, id="neighbors of one role merge"),
    pytest.param(
        [_user("A"), {"role": "assistant", "content": ""}, _user("B")],
        {"messages": [_turn("user", "A", "B")]},
        id="an empty answer is dropped",
    ),
    pytest.param(
        [_user("A"), {"role": "assistant", "content": None}, _user("B")],
        {"messages": [_turn("user", "A", "B")]},
        id="an answer without content is dropped",
    ),
    pytest.param(
        [{"role": "system", "content": "  "}, _user()],
        {"messages": [_turn("user", "Hello")]},
        id="a blank system text is none",
    ),
    pytest.param(
        [{"role": "assistant", "content": "Welcome"}, _user()],
        {"messages": [_turn("user", "."), _turn("assistant", "Welcome"), _turn("user", "Hello")]},
        id="the user must begin",
    ),
    pytest.param(
        [_user(), {"role": "assistant", "content": "The answer is \n"}],
        {"messages": [_turn("user", "Hello"), _turn("assistant", "The answer is")]},
        id="a begun answer loses the white space at its end",
    ),
    pytest.param(
        [_user(), {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, _user("Why?")],
        {"messages": [_turn("user", "Hello"), _turn("assistant", "No."), _turn("user", "Why?")]},
        id="an earlier refusal is text",
    ),
    pytest.param(
        [{"role": "user", "content": "Hello", "name": "Ann"}],
        {"messages": [_turn("user", "Hello")]},
        id="a name has no place",
    ),
]


@pytest.mark.parametrize(("messages", "body"), MESSAGES)
def test_messages_become_turns(messages: list[dict[str, Any]], body: dict[str, Any]) -> None:
    """Turns alternate, begin with the user and hold no blank text, whatever a client sends."""
    assert _body(messages=messages) == body


SETTINGS = [
    pytest.param({"max_tokens": 5}, {"maxTokens": 5}, id="max_tokens"),
    pytest.param({"max_completion_tokens": 5}, {"maxTokens": 5}, id="max_completion_tokens"),
    pytest.param({"max_tokens": 5, "max_completion_tokens": 7}, {"maxTokens": 7}, id="the newer name wins"),
    pytest.param({"temperature": 0}, {"temperature": 0.0}, id="temperature 0"),
    pytest.param({"temperature": 0.7}, {"temperature": 0.7}, id="a temperature"),
    pytest.param({"temperature": 1.7}, {"temperature": 1.0}, id="a temperature over Converse's scale"),
    pytest.param({"top_p": 0.5}, {"topP": 0.5}, id="top_p"),
    pytest.param({"stop": "END"}, {"stopSequences": ["END"]}, id="one stop"),
    pytest.param({"stop": ["A", "", "B"]}, {"stopSequences": ["A", "B"]}, id="an empty stop is none"),
    pytest.param({"stop": [""]}, None, id="only empty stops"),
    pytest.param({"stop": None}, None, id="no stop"),
    pytest.param({"stream": False, "n": 1, "tools": [], "seed": None}, None, id="neutral values"),
]


@pytest.mark.parametrize(("fields", "expected"), SETTINGS)
def test_settings_become_inference_config(fields: dict[str, Any], expected: dict[str, Any] | None) -> None:
    """Each setting has its place in Converse; what is absent stays absent."""
    assert _body(**fields).get("inferenceConfig") == expected


def test_a_changed_temperature_is_named() -> None:
    """What was not done as asked is told."""
    request = ChatRequest.model_validate({"model": MODEL, "messages": [_user()], "temperature": 2})

    assert to_converse(request).changed == ("temperature",)


REFUSED = [
    pytest.param({"tools": [{"type": "function"}]}, "tools", id="tools"),
    pytest.param({"stream": True}, "stream", id="a stream"),
    pytest.param({"n": 2}, "n", id="two answers"),
    pytest.param({"response_format": {"type": "json_object"}}, "response_format", id="JSON output"),
    pytest.param({"logprobs": True}, "logprobs", id="log probabilities"),
    pytest.param({"modalities": ["text", "audio"]}, "modalities", id="audio"),
    pytest.param({"audio": {"voice": "x"}}, "audio", id="a voice"),
    pytest.param({"reasoning_effort": "high"}, "reasoning_effort", id="reasoning effort"),
    pytest.param({"functions": [{"name": "x"}]}, "functions", id="functions"),
]


@pytest.mark.parametrize(("fields", "param"), REFUSED)
def test_what_is_not_built_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """A field that would change the answer is never ignored in silence."""
    with pytest.raises(ServiceError) as refused:
        ChatRequest.model_validate({"model": MODEL, "messages": [_user()], **fields}).ignored_fields()

    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", param)


def test_what_is_ignored_is_named() -> None:
    """Fields without effect, and those that nobody knows, are listed; neutral ones are not worth a word."""
    fields = {"seed": 5, "user": "u", "presence_penalty": 0, "store": False, "service_tier": "auto", "made_up": 1}
    request = ChatRequest.model_validate({"model": MODEL, "messages": [_user()], **fields})

    assert sorted(request.ignored_fields()) == ["made_up", "seed", "user"]


MALFORMED = [
    pytest.param({"model": None}, ("model",), id="no model"),
    pytest.param({"model": ""}, ("model",), id="an empty model"),
    pytest.param({"model": "x" * 3000}, ("model",), id="a long model"),
    pytest.param({"messages": []}, ("messages",), id="no messages"),
    pytest.param({"messages": None}, ("messages",), id="null messages"),
    pytest.param({"messages": "hi"}, ("messages",), id="a text for messages"),
    pytest.param({"messages": [{"role": "tool", "content": "x"}]}, ("messages", 0, "role"), id="a tool's result"),
    pytest.param({"messages": [{"role": "user", "content": 5}]}, ("messages", 0, "content"), id="a number for content"),
    pytest.param({"messages": [_user([{"type": "image_url"}])]}, ("messages", 0, "content"), id="an image"),
    pytest.param({"messages": [_user([])]}, ("messages", 0, "content"), id="no parts"),
    pytest.param({"max_tokens": 0}, ("max_tokens",), id="no tokens"),
    pytest.param({"max_tokens": 1.5}, ("max_tokens",), id="half a token"),
    pytest.param({"max_tokens": True}, ("max_tokens",), id="a boolean for tokens"),
    pytest.param({"temperature": -1}, ("temperature",), id="a negative temperature"),
    pytest.param({"temperature": 2.1}, ("temperature",), id="a temperature over OpenAI's scale"),
    pytest.param({"temperature": float("nan")}, ("temperature",), id="a temperature that is no number"),
    pytest.param({"top_p": 1.1}, ("top_p",), id="a probability over one"),
    pytest.param({"stop": ["a"] * 5}, ("stop",), id="five stops"),
]


@pytest.mark.parametrize(("fields", "place"), MALFORMED)
def test_a_malformed_chat_is_refused_at_its_place(fields: dict[str, Any], place: tuple[Any, ...]) -> None:
    """The error names the field."""
    with pytest.raises(ValidationError) as refused:
        ChatRequest.model_validate({"model": MODEL, "messages": [_user()], **fields})

    assert refused.value.errors()[0]["loc"][: len(place)] == place


@pytest.mark.parametrize("messages", [[{"role": "system", "content": "x"}], [_user(" ")], [_user("")]])
def test_a_chat_without_a_word_to_answer_is_refused(messages: list[dict[str, Any]]) -> None:
    """Nothing is sent to a model that nobody has said anything to."""
    with pytest.raises(ServiceError) as refused:
        _body(messages=messages)
    assert (refused.value.code, refused.value.param) == ("invalid_value", "messages")


def _violations(shape: Any, value: Any, path: str = "") -> list[str]:
    """Return what botocore's model says of a value and botocore does not check: patterns, enums and upper bounds."""
    found: list[str] = []
    bounds = shape.metadata
    if shape.type_name == "structure":
        for name, item in value.items():
            found += _violations(shape.members[name], item, f"{path}.{name}")
    elif shape.type_name == "list":
        found += [] if len(value) <= bounds.get("max", len(value)) else [path]
        for item in value:
            found += _violations(shape.member, item, f"{path}[]")
    elif shape.type_name == "string":
        if not bounds.get("min", 0) <= len(value) <= bounds.get("max", len(value)):
            found.append(path)
        if "pattern" in bounds and not re.fullmatch(bounds["pattern"], value):
            found.append(path)
        if shape.enum and value not in shape.enum:
            found.append(path)
    elif shape.type_name in {"integer", "float"} and not bounds.get("min", 0) <= value <= bounds.get("max", value):
        found.append(path)
    return found


@pytest.mark.parametrize("body", [*(param.values[1] for param in MESSAGES), probe()], ids=str)
def test_every_body_fits_the_service_model(body: Any) -> None:
    """Botocore's validator agrees, and so do the bounds that it does not look at."""
    report = ParamValidator().validate({"modelId": MODEL, **body}, SHAPE)

    assert report.generate_report() == ""
    assert _violations(SHAPE, {"modelId": MODEL, **body}) == []


ANSWER: dict[str, Any] = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Good "}, {"text": "day"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 10, "outputTokens": 3, "totalTokens": 13},
}


def _completion(answer: dict[str, Any]) -> dict[str, Any]:
    document: Any = from_converse(answer, completion_id="chatcmpl-1", created=5, model="bedrock/x").document()
    return dict(document)


def test_an_answer_becomes_a_completion() -> None:
    """Texts are joined, and everything that OpenAI's schema requires is there."""
    assert _completion(ANSWER) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 5,
        "model": "bedrock/x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Good day", "refusal": None},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 3,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }
    assert ChatCompletion.model_validate(_completion(ANSWER), strict=True).choices[0].message.content == "Good day"


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("content_filtered", "content_filter"),
        ("guardrail_intervened", "content_filter"),
    ],
)
def test_stop_reasons_become_finish_reasons(stop_reason: str, finish_reason: str) -> None:
    """Why the model stopped, in OpenAI's words."""
    assert _completion({**ANSWER, "stopReason": stop_reason})["choices"][0]["finish_reason"] == finish_reason


def test_a_prompt_cache_counts_as_prompt() -> None:
    """InputTokens leaves cached ones out; prompt_tokens does not."""
    usage = {"inputTokens": 10, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20, "outputTokens": 3}

    assert _completion({**ANSWER, "usage": usage})["usage"] == {
        "prompt_tokens": 130,
        "completion_tokens": 3,
        "total_tokens": 133,
        "prompt_tokens_details": {"cached_tokens": 100},
    }


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="nothing"),
        *[pytest.param({k: v for k, v in ANSWER.items() if k != name}, id=f"no {name}") for name in ANSWER],
        pytest.param({**ANSWER, "output": {}}, id="no message"),
        pytest.param({**ANSWER, "stopReason": "malformed_model_output"}, id="malformed output"),
        pytest.param({**ANSWER, "stopReason": "something_new"}, id="a reason that nobody knows"),
    ],
)
def test_an_answer_that_is_not_whole_is_an_error(answer: dict[str, Any]) -> None:
    """A 200 without output, reason or usage is no answer: a client would take it for an empty one."""
    with pytest.raises(ServiceError) as refused:
        _completion(answer)
    assert refused.value.code == "upstream_error"

"""Chats become requests of Converse, and answers completions: tables of both, held against the service's own model."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from openai.types.chat import ChatCompletion

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


QUIRKY: dict[str, Any] = {
    "messages": [{"role": "system", "content": "Be brief."}, _user()],
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": ["\n", "END"],
}
_BRIEF: dict[str, Any] = {"system": [{"text": "Be brief."}], "messages": [_turn("user", "Hello")]}
_SAMPLED: dict[str, Any] = {"temperature": 0.5, "topP": 0.9}
_ALL_STOPS: dict[str, Any] = {"stopSequences": ["\n", "END"]}
_END: dict[str, Any] = {"stopSequences": ["END"]}
QUIRKS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    MODEL: ({**_BRIEF, "inferenceConfig": {**_SAMPLED, **_ALL_STOPS}}, ()),
    "amazon.titan-text-premier-v1:0": (
        {"messages": [_turn("user", "Be brief.", "Hello")], "inferenceConfig": {**_SAMPLED, **_ALL_STOPS}},
        ("system",),
    ),
    "mistral.mixtral-8x7b-instruct-v0:1": (
        {"messages": [_turn("user", "Be brief.", "Hello")], "inferenceConfig": {**_SAMPLED, **_ALL_STOPS}},
        ("system",),
    ),
    "anthropic.claude-3-haiku-20240307-v1:0": ({**_BRIEF, "inferenceConfig": {**_SAMPLED, **_END}}, ("stop",)),
    "eu.anthropic.claude-haiku-4-5-20251001-v1:0": (
        {**_BRIEF, "inferenceConfig": {"temperature": 0.5, **_END}},
        ("top_p", "stop"),
    ),
    "bedrock/us.anthropic.claude-opus-4-7": (
        {**_BRIEF, "inferenceConfig": _END},
        ("temperature", "top_p", "stop"),
    ),
    "arn:aws:bedrock:us-east-1:444455556666:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0": (
        {**_BRIEF, "inferenceConfig": {"temperature": 0.5, **_END}},
        ("top_p", "stop"),
    ),
    "arn:aws:bedrock:us-east-1:444455556666:application-inference-profile/a1b2c3": (
        {**_BRIEF, "inferenceConfig": {**_SAMPLED, **_ALL_STOPS}},
        (),
    ),
}


@pytest.mark.parametrize("model", QUIRKS)
def test_what_a_model_refuses_is_left_out_or_moved_and_named(model: str) -> None:
    """The same chat for each model, as far as that model takes it; where the id does not tell the model, as it is."""
    translation = to_converse(ChatRequest.model_validate({"model": model, **QUIRKY}))

    assert (translation.body, translation.changed) == QUIRKS[model]


def test_one_sampling_setting_alone_is_kept() -> None:
    """A model that takes either takes top_p when it comes alone."""
    request = {"model": "anthropic.claude-sonnet-4-5-20250929-v1:0", "messages": [_user()], "top_p": 0.9}
    translation = to_converse(ChatRequest.model_validate(request))

    assert (translation.body["inferenceConfig"], translation.changed) == ({"topP": 0.9}, ())


GUARDRAIL = {"guardrailIdentifier": "abc123", "guardrailVersion": "DRAFT"}


def test_a_guardrail_is_the_connections_and_no_requests() -> None:
    """The connection's guardrail is on the call, whatever fields a request invents."""
    invented = {"guardrailConfig": None, "guardrail": {"identifier": "none"}}
    request = ChatRequest.model_validate({"model": MODEL, "messages": [_user()], **invented})

    assert to_converse(request, GUARDRAIL).body["guardrailConfig"] == GUARDRAIL
    assert "guardrailConfig" not in to_converse(request).body


def test_a_changed_temperature_is_named() -> None:
    """What was not done as asked is told."""
    request = ChatRequest.model_validate({"model": MODEL, "messages": [_user()], "temperature": 2})

    assert to_converse(request).changed == ("temperature",)


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


EMITTED = [
    *(pytest.param({"messages": param.values[0]}, id=f"messages: {param.id}") for param in MESSAGES),
    *(pytest.param(param.values[0], id=f"settings: {param.id}") for param in SETTINGS),
    *(pytest.param({"model": model, **QUIRKY}, id=f"quirks: {model}") for model in QUIRKS),
]


@pytest.mark.parametrize("fields", EMITTED)
def test_every_body_fits_the_service_model(fields: dict[str, Any]) -> None:
    """Botocore's validator agrees, and so do the bounds that it does not look at."""
    request = ChatRequest.model_validate({"model": MODEL, "messages": [_user()], **fields})
    assert _misfits(to_converse(request, GUARDRAIL).body) == []


def test_the_probe_fits_the_service_model() -> None:
    """The smallest request is a valid one, and can't cost more than one token of answer."""
    assert _misfits(probe()) == []
    assert probe()["inferenceConfig"] == {"maxTokens": 1}


def test_the_judge_of_bodies_judges() -> None:
    """What botocore overlooks is seen: an enum, a pattern, a length."""
    bad: dict[str, Any] = {
        "messages": [{"role": "nobody", "content": []}],
        "guardrailConfig": {"guardrailIdentifier": "N O", "guardrailVersion": "1", "trace": "loud"},
        "inferenceConfig": {"temperature": 2},
    }
    assert _misfits(bad) == [
        ".messages[].role",
        ".guardrailConfig.guardrailIdentifier",
        ".guardrailConfig.trace",
        ".inferenceConfig.temperature",
    ]


def _misfits(body: dict[str, Any]) -> list[str]:
    """Return what is wrong with a body, by botocore's validator and by the rest of its model."""
    report = ParamValidator().validate({"modelId": MODEL, **body}, SHAPE).generate_report()
    return [*report.splitlines(), *_violations(SHAPE, {"modelId": MODEL, **body})]


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
                "message": {"role": "assistant", "content": "Good day", "refusal": None, "annotations": []},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 3,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
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
        ("something_new", "stop"),
    ],
)
def test_stop_reasons_become_finish_reasons(stop_reason: str, finish_reason: str) -> None:
    """Why the model stopped, in OpenAI's words."""
    assert _completion({**ANSWER, "stopReason": stop_reason})["choices"][0]["finish_reason"] == finish_reason


WEATHER = {"toolUse": {"toolUseId": "t", "name": "weather", "input": {}, "type": "tool_use"}}
THEIRS = [
    {"toolUse": {"toolUseId": "s", "name": "nova_grounding", "input": {"query": "x"}, "type": "server_tool_use"}},
    {"toolResult": {"toolUseId": "s", "status": "success", "content": [{"text": "found"}]}},
]
CALLS: dict[str, tuple[list[Any], str, int, str]] = {
    "a call": ([WEATHER], "tool_use", 1, "tool_calls"),
    "a call that the model ends as a turn": ([WEATHER], "end_turn", 1, "tool_calls"),
    "a call for which the tokens did not suffice": ([WEATHER], "max_tokens", 1, "length"),
    "a tool that Bedrock runs itself": ([*THEIRS, {"text": "It is so."}], "end_turn", 0, "stop"),
    "one beside the client's": ([*THEIRS, WEATHER], "tool_use", 1, "tool_calls"),
}


@pytest.mark.parametrize(("blocks", "stop_reason", "calls", "finish"), CALLS.values(), ids=CALLS)
def test_calls_are_those_that_a_client_must_answer(
    blocks: list[Any], stop_reason: str, calls: int, finish: str
) -> None:
    """And the reason says so, whatever word the model has for it."""
    output = {"message": {"role": "assistant", "content": blocks}}
    choice = _completion({**ANSWER, "output": output, "stopReason": stop_reason})["choices"][0]

    assert (len(choice["message"].get("tool_calls", [])), choice["finish_reason"]) == (calls, finish)


def test_a_prompt_cache_counts_as_prompt() -> None:
    """InputTokens leaves cached ones out; prompt_tokens does not."""
    usage = {"inputTokens": 10, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20, "outputTokens": 3}

    assert _completion({**ANSWER, "usage": usage})["usage"] == {
        "prompt_tokens": 130,
        "completion_tokens": 3,
        "total_tokens": 133,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20},
    }


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="nothing"),
        *[pytest.param({k: v for k, v in ANSWER.items() if k != name}, id=f"no {name}") for name in ANSWER],
        pytest.param({**ANSWER, "output": {}}, id="no message"),
        pytest.param({**ANSWER, "stopReason": "malformed_model_output"}, id="malformed output"),
        pytest.param({**ANSWER, "stopReason": "malformed_tool_use"}, id="a malformed call of a tool"),
        pytest.param({**ANSWER, "stopReason": "tool_use"}, id="a call of a tool that nobody offered"),
        pytest.param({**ANSWER, "stopReason": 5}, id="a number for a reason"),
        pytest.param({**ANSWER, "output": []}, id="a list for the output"),
        pytest.param({**ANSWER, "output": {"message": {"role": "assistant"}}}, id="no content"),
        pytest.param({**ANSWER, "usage": {}}, id="a usage without counts"),
        pytest.param({**ANSWER, "usage": {"inputTokens": "5", "outputTokens": 5}}, id="a text for a count"),
        pytest.param({**ANSWER, "usage": "much"}, id="a text for the usage"),
    ],
)
def test_an_answer_that_is_not_whole_is_an_error(answer: dict[str, Any]) -> None:
    """A 200 without output, reason or usage is no answer: a client would take it for an empty one."""
    with pytest.raises(ServiceError) as refused:
        _completion(answer)
    assert refused.value.code == "upstream_error"


def test_a_new_stop_reason_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A whole answer is handed on whatever ended it; the operator learns of the word, bounded and escaped."""
    _completion({**ANSWER, "stopReason": "new\n" + "x" * 100})

    assert [vars(record)["reason"] for record in caplog.records] == [ascii("new\n" + "x" * 46)]


CONTENTS = [
    pytest.param([], "", None, id="nothing"),
    pytest.param([{"text": "a"}, {"somethingNew": {}}, {"text": "b"}], "ab", None, id="a block that nobody knows"),
    pytest.param([None, "x", {"text": None}, {"text": "a"}], "a", None, id="blocks of other types"),
    pytest.param(
        [
            {"reasoningContent": {"reasoningText": {"text": "Hm. ", "signature": "s"}}},
            {"reasoningContent": {"redactedContent": "AAAA"}},
            {"reasoningContent": {"reasoningText": {"text": "So."}}},
            {"text": "Yes"},
        ],
        "Yes",
        "Hm. So.",
        id="thoughts",
    ),
    pytest.param(
        [{"text": "It is "}, {"citationsContent": {"content": [{"text": "blue"}], "citations": []}}, {"text": "."}],
        "It is blue.",
        None,
        id="what is said with citations",
    ),
]


@pytest.mark.parametrize(("blocks", "content", "reasoning"), CONTENTS)
def test_texts_are_joined_and_thoughts_kept_apart(blocks: list[Any], content: str, reasoning: str | None) -> None:
    """All text blocks are the content; what a model thought aloud stands beside it, when there is any."""
    answer = {**ANSWER, "output": {"message": {"role": "assistant", "content": blocks}}}
    message = _completion(answer)["choices"][0]["message"]

    expected: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    message.pop("thinking_blocks", None)
    assert message == (expected if reasoning is None else {**expected, "reasoning_content": reasoning})

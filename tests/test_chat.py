"""OpenAI's chat vocabulary: what is taken, what is refused by name, and what is ignored and said so."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError

MODEL = "amazon.nova-lite-v1:0"


def _user(text: Any = "Hello") -> dict[str, Any]:
    return {"role": "user", "content": text}


def _chat(**fields: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": MODEL, "messages": [_user()], **fields})


REFUSED = [
    pytest.param({"n": 2}, "n", id="two answers"),
    pytest.param({"logprobs": True}, "logprobs", id="log probabilities"),
    pytest.param({"modalities": ["text", "audio"]}, "modalities", id="audio"),
    pytest.param({"audio": {"voice": "x"}}, "audio", id="a voice"),
    pytest.param({"functions": [{"name": "x"}]}, "functions", id="functions"),
    pytest.param({"function_call": {"name": "x"}}, "function_call", id="a function to call"),
    pytest.param({"top_logprobs": 2}, "top_logprobs", id="top log probabilities"),
    pytest.param({"prediction": {"type": "content", "content": "x"}}, "prediction", id="a predicted answer"),
    pytest.param({"web_search_options": {}}, "web_search_options", id="a search"),
    pytest.param({"n": True}, "n", id="a boolean for a number of answers"),
    pytest.param(
        {"messages": [_user(), {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "messages.1.content.0",
        id="an image of the assistant",
    ),
    pytest.param({"messages": [_user([{"type": "input_audio"}])]}, "messages.0.content.0", id="a sound"),
    pytest.param({"messages": [_user(), {"role": "function"}]}, "messages.1.role", id="a function's result"),
    pytest.param(
        {"messages": [_user(), {"role": "assistant", "function_call": {"name": "x"}}]},
        "messages.1.function_call",
        id="an earlier call of a function",
    ),
    pytest.param(
        {"messages": [_user(), {"role": "assistant", "audio": {"id": "x"}}]}, "messages.1.audio", id="an earlier sound"
    ),
]


@pytest.mark.parametrize(("fields", "param"), REFUSED)
def test_what_is_not_built_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """A field that would change the answer is never ignored in silence."""
    with pytest.raises(ServiceError) as refused:
        _chat(**fields).ignored_fields()

    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", param)
    assert refused.value.fix == f"Leave {param} out."


NEUTRAL = [
    {"stream": False, "stream_options": None, "n": 1, "tools": [], "tool_choice": "auto", "functions": []},
    {"tool_choice": "none", "function_call": "none", "response_format": {"type": "text"}, "logprobs": False},
    {"top_logprobs": 0, "modalities": ["text"], "audio": None, "prediction": None, "reasoning_effort": None},
    {"seed": None, "frequency_penalty": 0.0, "presence_penalty": 0, "logit_bias": {}, "metadata": {}, "store": False},
    {"service_tier": "default", "parallel_tool_calls": True, "verbosity": "medium", "user": None},
    {"messages": [{"role": "assistant", "content": "Hi", "tool_calls": [], "function_call": None}, _user()]},
    {"messages": [_user(), {"role": "assistant", "content": "Hi", "refusal": None, "annotations": [], "audio": None}]},
]


@pytest.mark.parametrize("fields", NEUTRAL, ids=", ".join)
def test_what_asks_for_nothing_is_not_worth_a_word(fields: dict[str, Any]) -> None:
    """Clients send defaults along; those change nothing, so nothing is said of them."""
    assert _chat(**fields).ignored_fields() == []


IGNORED = {
    "seed": 0,
    "user": "u",
    "presence_penalty": 0.5,
    "frequency_penalty": -1,
    "logit_bias": {"1": 1},
    "metadata": {"a": "b"},
    "store": True,
    "prompt_cache_key": "x",
    "safety_identifier": "x",
    "verbosity": "low",
    "moderation": {},
    "made_up": None,
    "Stream": True,
}


@pytest.mark.parametrize("name", IGNORED)
def test_what_is_ignored_is_named(name: str) -> None:
    """Fields that Converse has nothing for, and those that nobody knows, are listed."""
    assert _chat(**{name: IGNORED[name]}).ignored_fields() == [name]


MALFORMED = [
    pytest.param({"model": None}, ("model",), id="no model"),
    pytest.param({"model": ""}, ("model",), id="an empty model"),
    pytest.param({"model": "x" * 3000}, ("model",), id="a long model"),
    pytest.param({"messages": []}, ("messages",), id="no messages"),
    pytest.param({"messages": None}, ("messages",), id="null messages"),
    pytest.param({"messages": "hi"}, ("messages",), id="a text for messages"),
    pytest.param({"messages": [{"role": "nobody", "content": "x"}]}, ("messages", 0, "role"), id="a made-up role"),
    pytest.param({"messages": [{"content": "x"}]}, ("messages", 0, "role"), id="no role"),
    pytest.param({"messages": [{"role": "user", "content": 5}]}, ("messages", 0, "content"), id="a number for content"),
    pytest.param({"messages": [_user([{"type": "video"}])]}, ("messages", 0, "content", 0), id="a made-up part"),
    pytest.param(
        {"messages": [_user([{"type": "text"}])]}, ("messages", 0, "content", 0), id="a text part without text"
    ),
    pytest.param({"messages": [_user([])]}, ("messages", 0, "content"), id="no parts"),
    pytest.param({"max_tokens": 0}, ("max_tokens",), id="no tokens"),
    pytest.param({"max_tokens": 1.5}, ("max_tokens",), id="half a token"),
    pytest.param({"max_tokens": True}, ("max_tokens",), id="a boolean for tokens"),
    pytest.param({"temperature": -1}, ("temperature",), id="a negative temperature"),
    pytest.param({"temperature": 2.1}, ("temperature",), id="a temperature over OpenAI's scale"),
    pytest.param({"temperature": True}, ("temperature",), id="a boolean for a temperature"),
    pytest.param({"temperature": "0.5"}, ("temperature",), id="a text for a temperature"),
    pytest.param({"temperature": float("nan")}, ("temperature",), id="a temperature that is no number"),
    pytest.param({"top_p": 1.1}, ("top_p",), id="a probability over one"),
    pytest.param({"stop": ["a"] * 5}, ("stop",), id="five stops"),
    pytest.param({"stop": 5}, ("stop",), id="a number for a stop"),
]


@pytest.mark.parametrize(("fields", "place"), MALFORMED)
def test_a_malformed_chat_is_refused_at_its_place(fields: dict[str, Any], place: tuple[Any, ...]) -> None:
    """The error names the field."""
    with pytest.raises(ValidationError) as refused:
        _chat(**fields)

    assert refused.value.errors()[0]["loc"][: len(place)] == place


PLACES = {
    "a speaker's name": ([{"role": "user", "content": "Hi", "name": "Ada"}], ["messages.name"]),
    "a field that nobody knows": ([{"role": "user", "content": "Hi", "mood": "good"}], ["messages.mood"]),
    "a field of a part": (
        [{"role": "user", "content": [{"type": "text", "text": "Hi", "lang": "en"}]}],
        ["messages.content.lang"],
    ),
    "calls of the user": (
        [
            {
                "role": "user",
                "content": "Hi",
                "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
            }
        ],
        ["messages.tool_calls"],
    ),
}


@pytest.mark.parametrize(("messages", "named"), PLACES.values(), ids=PLACES)
def test_what_a_message_holds_for_nobody_is_named(messages: list[Any], named: list[str]) -> None:
    """Once for all messages, without its number."""
    assert _chat(messages=messages * 2).ignored_fields() == named

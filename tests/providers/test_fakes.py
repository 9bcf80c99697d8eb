"""The fakes are faithful: each company's own library talks to its fake and finds nothing amiss, errors included."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import openai
import pytest
from google import genai
from google.genai import errors as google_errors
from google.genai import types as google_types

from sandbox.providers import Providers

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAT: list[Any] = [{"role": "user", "content": "Tell me of orchards."}]
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: list[Any] = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]


@pytest.fixture(scope="module")
def fakes() -> Iterator[Providers]:
    """Give the fakes by themselves."""
    running = Providers().start()
    yield running
    running.stop()


def _openai(fakes: Providers, switch: str | None = None) -> openai.OpenAI:
    fake = fakes.openai
    key = fake.key if switch is None else fake.key_for(switch)
    return openai.OpenAI(base_url=f"{fake.url}/v1", api_key=key, max_retries=0)


def _gemini(fakes: Providers, switch: str | None = None) -> openai.OpenAI:
    fake = fakes.google
    key = fake.key if switch is None else fake.key_for(switch)
    return openai.OpenAI(base_url=f"{fake.url}/v1beta/openai/", api_key=key, max_retries=0)


def _azure(fakes: Providers, switch: str | None = None) -> openai.OpenAI:
    fake = fakes.azure
    key = fake.key if switch is None else fake.key_for(switch)
    return openai.AzureOpenAI(azure_endpoint=fake.url, api_key=key, api_version="2024-10-21", max_retries=0)


def _claude(fakes: Providers, switch: str | None = None) -> anthropic.Anthropic:
    fake = fakes.anthropic
    key = fake.key if switch is None else fake.key_for(switch)
    return anthropic.Anthropic(base_url=fake.url, api_key=key, max_retries=0)


def _genai(fakes: Providers, key: str) -> genai.Client:
    return genai.Client(api_key=key, http_options=google_types.HttpOptions(base_url=fakes.google.url))


OF_OPENAIS_SHAPE = [(_openai, "gpt-4o"), (_gemini, "gemini-2.5-flash"), (_azure, "team-chat")]


@pytest.mark.parametrize(("connect", "model"), OF_OPENAIS_SHAPE)
def test_openais_library_chats_streams_and_calls_tools(fakes: Providers, connect: Any, model: str) -> None:
    """On all three surfaces of OpenAI's shape."""
    with connect(fakes) as client:
        whole = client.chat.completions.create(model=model, messages=CHAT)
        assert "orchards" in whole.choices[0].message.content
        assert whole.choices[0].finish_reason == "stop"

        chunks = list(
            client.chat.completions.create(
                model=model, messages=CHAT, stream=True, stream_options={"include_usage": True}
            )
        )
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == whole.choices[0].message.content
        assert chunks[-1].usage.total_tokens == whole.usage.total_tokens

        called = client.chat.completions.create(model=model, messages=CHAT, tools=TOOLS, tool_choice="required")
        [call] = called.choices[0].message.tool_calls
        assert (call.function.name, list(json.loads(call.function.arguments))) == ("weather", ["city"])


@pytest.mark.parametrize(
    ("switch", "error"),
    [
        ("no-credit", openai.RateLimitError),
        ("rate-limited", openai.RateLimitError),
        ("down", openai.InternalServerError),
        ("strange", openai.APIStatusError),
    ],
)
@pytest.mark.parametrize(("connect", "model"), OF_OPENAIS_SHAPE)
def test_openais_library_raises_what_it_would(
    fakes: Providers, connect: Any, model: str, switch: str, error: type[Exception]
) -> None:
    """Each state of a key is the exception that it is with the real company."""
    with connect(fakes, switch) as client, pytest.raises(error):
        client.chat.completions.create(model=model, messages=CHAT)


@pytest.mark.parametrize(("connect", "model"), OF_OPENAIS_SHAPE)
def test_openais_library_meets_broken_streams(fakes: Providers, connect: Any, model: str) -> None:
    """A broken connection is raised; an early end, and Google's errors, which come in a list, look like success."""

    def chunks(switch: str) -> list[Any]:
        with connect(fakes, switch) as client:
            return list(client.chat.completions.create(model=model, messages=CHAT, stream=True))

    with pytest.raises((openai.APIError, httpx2.HTTPError)):
        chunks("cut")
    if connect is _gemini:
        assert not [c for c in chunks("error-event") if getattr(c, "choices", None) and c.choices[0].finish_reason]
    else:
        with pytest.raises(openai.APIError):
            chunks("error-event")
    assert not [c for c in chunks("early-end") if c.choices and c.choices[0].finish_reason]


def test_openais_library_lists_and_is_refused(fakes: Providers) -> None:
    """A list, a bad key, a key without the scope, a model that nobody has."""
    with _openai(fakes) as client:
        assert "gpt-4o" in {model.id for model in client.models.list()}
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(model="gpt-0", messages=CHAT)
        assert missing.value.code == "model_not_found"
    with _openai(fakes, "restricted") as client, pytest.raises(openai.AuthenticationError, match="Missing scopes"):
        client.models.list()
    with openai.OpenAI(base_url=f"{fakes.openai.url}/v1", api_key="sk-x", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as bad:
            client.models.list()
        assert bad.value.code == "invalid_api_key"


def test_anthropics_library_lists_every_page(fakes: Providers) -> None:
    """Paging by after_id, and a model's fields."""
    with _claude(fakes) as client:
        models = list(client.models.list())
    assert len(models) == 5
    assert models[0].lifecycle == "active"
    assert models[0].max_tokens == 64000


def test_anthropics_library_chats_streams_and_calls_tools(fakes: Providers) -> None:
    """The message that its stream helper gathers is the whole one."""
    model = "claude-haiku-4-5-20251001"
    with _claude(fakes) as client:
        whole = client.messages.create(model=model, max_tokens=300, messages=CHAT)
        assert "orchards" in whole.content[0].text  # type: ignore[union-attr]
        with client.messages.stream(model=model, max_tokens=300, messages=CHAT) as stream:
            gathered = stream.get_final_message()
        assert (gathered.content[0].text, gathered.stop_reason) == (whole.content[0].text, "end_turn")  # type: ignore[union-attr]
        tools: list[Any] = [{"name": "weather", "input_schema": TOOL}]
        with client.messages.stream(model=model, max_tokens=300, messages=CHAT, tools=tools) as stream:
            called = stream.get_final_message()
        assert called.stop_reason == "tool_use"
        assert [(b.name, list(b.input)) for b in called.content if b.type == "tool_use"] == [("weather", ["city"])]
        assert client.messages.count_tokens(model=model, messages=CHAT).input_tokens > 0


@pytest.mark.parametrize(
    ("switch", "error"),
    [
        ("no-credit", anthropic.BadRequestError),
        ("rate-limited", anthropic.RateLimitError),
        ("down", anthropic.InternalServerError),
        ("strange", anthropic.APIStatusError),
    ],
)
def test_anthropics_library_raises_what_it_would(fakes: Providers, switch: str, error: type[Exception]) -> None:
    """Each state of a key is the exception that it is with Anthropic."""
    with _claude(fakes, switch) as client, pytest.raises(error):
        client.messages.create(model="claude-haiku-4-5-20251001", max_tokens=10, messages=CHAT)


def _used(call_id: str) -> list[dict[str, Any]]:
    """Return a call and its result."""
    block = {"type": "tool_use", "id": call_id, "name": "weather", "input": {}}
    result = {"type": "tool_result", "tool_use_id": call_id, "content": "Sun."}
    return [{"role": "assistant", "content": [block]}, {"role": "user", "content": [result]}]


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


BOUND = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "additionalProperties": False}
NOT_TAKEN: dict[str, tuple[dict[str, Any], str]] = {
    "an id that is there twice": ({"messages": [*CHAT, *_used("a"), *_used("a")]}, "ids must be unique"),
    "an id with a colon": ({"messages": [*CHAT, *_used("functions.now:0")]}, "should match pattern"),
    "a call without its result": ({"messages": [*CHAT, _used("a")[0], *CHAT]}, "without `tool_result` blocks"),
    "white space at the end": (
        {"messages": [*CHAT, {"role": "assistant", "content": "It is "}]},
        "trailing whitespace",
    ),
    "an open schema": (_form(TOOL), "must be explicitly set to false"),
    "a bound": (_form(BOUND), "'minimum' is not supported"),
}


@pytest.mark.parametrize(("asked", "words"), NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_anthropics_fake_refuses_what_anthropic_does(fakes: Providers, asked: dict[str, Any], words: str) -> None:
    """What it takes and the real one refuses, nobody here would notice being sent."""
    create: Any = _claude(fakes).messages.create
    with pytest.raises(anthropic.BadRequestError, match=words):
        create(**{"model": "claude-haiku-4-5-20251001", "max_tokens": 50, "messages": CHAT, **asked})


def test_anthropics_library_meets_an_error_within_a_stream(fakes: Providers) -> None:
    """`event: error` is raised."""
    model = "claude-haiku-4-5-20251001"
    with (
        _claude(fakes, "error-event") as client,
        client.messages.stream(model=model, max_tokens=300, messages=CHAT) as stream,
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
    ):
        stream.get_final_message()


def test_googles_library_lists_generates_and_streams(fakes: Providers) -> None:
    """Its own surface, paging included."""
    client = _genai(fakes, fakes.google.key)
    names = [model.name for model in client.models.list(config={"page_size": 3})]
    assert "models/gemini-2.5-flash" in names
    assert len(names) == 12
    whole = client.models.generate_content(model="gemini-2.5-flash", contents="Tell me of orchards.")
    assert "orchards" in (whole.text or "")
    pieces = client.models.generate_content_stream(model="gemini-2.5-flash", contents="Tell me of orchards.")
    assert "".join(piece.text or "" for piece in pieces) == whole.text


def test_googles_library_raises_what_it_would(fakes: Providers) -> None:
    """A bad key is a 400 there, and no credit a 429."""
    nobody, client = _genai(fakes, "AIzaNobodys"), _genai(fakes, fakes.google.key_for("no-credit"))
    with pytest.raises(google_errors.ClientError) as bad:
        list(nobody.models.list())
    assert (bad.value.code, bad.value.status) == (400, "INVALID_ARGUMENT")
    with pytest.raises(google_errors.ClientError) as poor:
        client.models.generate_content(model="gemini-2.5-flash", contents="x")
    assert (poor.value.code, poor.value.status) == (429, "RESOURCE_EXHAUSTED")


def test_the_record_of_calls_shows_kinds_of_keys_and_no_key(fakes: Providers) -> None:
    """What tests ask, anyone may ask over HTTP."""
    with _openai(fakes, "down") as client, pytest.raises(openai.InternalServerError):
        client.models.list()
    with urllib.request.urlopen(f"{fakes.openai.url}/_sandbox/calls", timeout=60) as answer:  # noqa: S310
        text = answer.read().decode()

    assert json.loads(text)[-1] | {"body": None} == {
        "method": "GET",
        "path": "/v1/models",
        "key": "down",
        "status": 503,
        "body": None,
    }
    assert fakes.openai.key not in text

"""Tools, JSON and images end to end, with the openai client and the sandbox's model."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from pydantic import BaseModel

from tests.far_customer import Api, Onboarding
from tests.own_keys import of_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World

MODEL = "bedrock/amazon.nova-lite-v1:0"
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather.now",
            "description": "",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city", "days"],
            },
        },
    }
]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[openai.OpenAI]:
    """Give OpenAI's client with an active connection."""
    tenant = Onboarding(world)
    tenant.make_role()
    assert tenant.verify()["usable"]
    with openai.OpenAI(base_url=f"{tenant.api.url}/v1", api_key=tenant.api.token, max_retries=0) as made:
        yield made


@pytest.mark.parametrize("question", ["What is the weather in Rome?", "The weather in both cities?"])
def test_the_loop_of_tools_comes_to_an_answer(client: openai.OpenAI, question: str) -> None:
    """The model calls one tool or two, gets the results in another order, and answers."""
    messages: list[Any] = [{"role": "user", "content": question}]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0]
    calls: Any = first.message.tool_calls
    messages.append(first.message)
    said = "Sunny, 24 degrees"
    messages += [{"role": "tool", "tool_call_id": call.id, "content": said} for call in reversed(calls)]
    last = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0]

    assert (first.finish_reason, len(calls)) == ("tool_calls", 2 if "both" in question else 1)
    assert {call.function.name for call in calls} == {"weather.now"}
    assert all(isinstance(json.loads(call.function.arguments)["days"], int) for call in calls)
    assert last.finish_reason == "stop"
    assert last.message.content


@pytest.mark.parametrize("question", ["What is the weather in Rome?", "The weather in both cities?"])
def test_streamed_calls_are_those_of_a_whole_answer(client: openai.OpenAI, question: str) -> None:
    """OpenAI's helper puts the pieces together to the same calls."""
    chat: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": question}], "tools": TOOLS}
    whole: Any = client.chat.completions.create(**chat).choices[0].message.tool_calls
    with client.chat.completions.stream(**chat) as stream:
        final: Any = stream.get_final_completion().choices[0]

    assert final.finish_reason == "tool_calls"
    assert [(call.function.name, json.loads(call.function.arguments)) for call in final.message.tool_calls] == [
        (call.function.name, json.loads(call.function.arguments)) for call in whole
    ]


NO_NUMBERS = {
    "NaN in a schema": b'"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": NaN}}}]',
    "1e999 in a schema": b'"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1e999}}}]',
    "NaN in arguments": b'"tools": []',
}


@pytest.mark.parametrize("what", NO_NUMBERS)
def test_numbers_that_json_has_not_are_the_callers_fault(client: openai.OpenAI, what: str) -> None:
    """What parsers take and JSON can't say is refused before anything is sent, and is no failure of ours."""
    messages = b'[{"role": "user", "content": "Hi"}]'
    if what == "NaN in arguments":
        call = b'{"id": "c", "function": {"name": "f", "arguments": "{\\"a\\": NaN}"}}'
        messages = messages[:-1] + b', {"role": "assistant", "tool_calls": [%s]}' % call
        messages += b', {"role": "tool", "tool_call_id": "c", "content": "x"}]'
    body = b'{"model": "%s", "messages": %s, %s}' % (MODEL.encode(), messages, NO_NUMBERS[what])
    api = Api(str(client.base_url).removesuffix("/v1/"), client.api_key)
    answer = api.call("POST", "/v1/chat/completions", raw=body)

    code = "invalid_value" if what == "NaN in arguments" else "invalid_json"
    assert (answer.status, answer.error["code"]) == (400, code)


class Person(BaseModel):
    """A form that an answer is asked for in."""

    name: str
    age: int


def test_an_answer_of_a_form_is_parsed(client: openai.OpenAI) -> None:
    """`parse` gives the typed value, whole and streamed."""
    ask: Any = [{"role": "user", "content": "Who?"}]
    whole = client.chat.completions.parse(model=MODEL, messages=ask, response_format=Person)
    with client.chat.completions.stream(model=MODEL, messages=ask, response_format=Person) as stream:
        final = stream.get_final_completion()

    assert isinstance(whole.choices[0].message.parsed, Person)
    assert final.choices[0].message.parsed == whole.choices[0].message.parsed
    assert (whole.choices[0].finish_reason, final.choices[0].finish_reason) == ("stop", "stop")


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("own", [False, True], ids=["by role", "by keys"])
def test_a_model_that_can_be_held_to_no_form_says_so_of_the_form(
    world: World, client: openai.OpenAI, own: bool, streams: bool
) -> None:
    """What it refuses is a tool, which stands for the answer and which nobody has sent."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    asked: dict[str, Any] = {"model": "us.deepseek.r1-v1:0", "messages": [{"role": "user", "content": "Hi"}]}
    with_keys = client.with_options(default_headers=of_aws(world)) if own else client
    create: Any = with_keys.chat.completions.create
    with pytest.raises(openai.BadRequestError) as refused:
        create(**asked, response_format=form, stream=streams)
    with pytest.raises(openai.BadRequestError) as tools:
        create(**asked, response_format=form, tools=TOOLS, stream=streams)

    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "response_format")
    assert tools.value.param is None


def test_a_tool_can_be_asked_for_and_forbidden(client: openai.OpenAI) -> None:
    """`required` and a name make the model call; `none` keeps it from it."""
    chat: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Rome?"}], "tools": TOOLS}
    named: Any = {"type": "function", "function": {"name": "weather.now"}}
    choices: list[Any] = ["required", named, "none"]
    reasons = [
        client.chat.completions.create(**chat, tool_choice=choice).choices[0].finish_reason for choice in choices
    ]

    assert reasons == ["tool_calls", "tool_calls", "stop"]


def test_an_image_is_seen(client: openai.OpenAI) -> None:
    """A data URL reaches the model; an address is refused, and nobody fetches it."""
    parts: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    parts[1]["image_url"]["url"] = "http://127.0.0.1:9/x.png"
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])

    assert answer.choices[0].message.content
    assert refused.value.param == "messages.0.content.1.image_url.url"


def test_a_file_is_read(client: openai.OpenAI) -> None:
    """A PDF with its data reaches the model."""
    data = base64.b64encode(b"%PDF-1.7 a river").decode()
    part: Any = {"type": "file", "file": {"filename": "x.pdf", "file_data": f"data:application/pdf;base64,{data}"}}
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [part]}])

    assert answer.choices[0].finish_reason == "stop"

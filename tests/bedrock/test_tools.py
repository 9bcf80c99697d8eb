"""Tools, images and files on their way to Converse and back, held against all that its model says of them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chalicelib.bedrock.converse import from_converse, to_converse
from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError
from tests.bedrock.converse_shape import hold

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 20).decode()
PDF = base64.b64encode(b"%PDF-1.7 ...").decode()
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ASK = {"role": "user", "content": "Weather?"}
EMPTY = {"json": {"type": "object", "properties": {}}}


def _tool(name: str = "weather", **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": WEATHER, **function}}


def _called(
    *ids: str, name: str = "weather", arguments: str = '{"city": "Rome"}', content: Any = None
) -> dict[str, Any]:
    calls = [{"id": one, "type": "function", "function": {"name": name, "arguments": arguments}} for one in ids]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def _result(one: str, content: Any = "Sunny") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": one, "content": content}


def _body(messages: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
    return to_converse(ChatRequest.model_validate({"model": MODEL, "messages": messages or [ASK], **fields})).body


USE = {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "Rome"}}}
RESULT = {"toolResult": {"toolUseId": "c1", "content": [{"text": "Sunny"}]}}
SPEC = {"toolSpec": {"name": "weather", "inputSchema": {"json": WEATHER}}}

MESSAGES = {
    "a call and its result": ([ASK, _called("c1"), _result("c1")], [[{"text": "Weather?"}], [USE], [RESULT]]),
    "text stands before a call": (
        [ASK, _called("c1", content="I look."), _result("c1")],
        [[{"text": "Weather?"}], [{"text": "I look."}, USE], [RESULT]],
    ),
    "results come in any order, and text after them": (
        [ASK, _called("c1", "c2"), _result("c2"), _result("c1"), {"role": "user", "content": "Well?"}],
        [
            [{"text": "Weather?"}],
            [USE, {"toolUse": {**USE["toolUse"], "toolUseId": "c2"}}],
            [{"toolResult": {**RESULT["toolResult"], "toolUseId": "c2"}}, RESULT, {"text": "Well?"}],
        ],
    ),
    "no arguments are an empty object": (
        [ASK, _called("c1", arguments=""), _result("c1")],
        [[{"text": "Weather?"}], [{"toolUse": {**USE["toolUse"], "input": {}}}], [RESULT]],
    ),
    "an empty result has no content": (
        [ASK, _called("c1"), _result("c1", "")],
        [[{"text": "Weather?"}], [USE], [{"toolResult": {"toolUseId": "c1", "content": []}}]],
    ),
    "an odd id is replaced, the same everywhere": (
        [ASK, _called("call/1 é"), _result("call/1 é")],
        [
            [{"text": "Weather?"}],
            [{"toolUse": {**USE["toolUse"], "toolUseId": "call_1___1"}}],
            [{"toolResult": {**RESULT["toolResult"], "toolUseId": "call_1___1"}}],
        ],
    ),
    "an id that is there again is another one": (
        [ASK, _called("c1"), _result("c1"), _called("c1"), _result("c1", "Rain")],
        [
            [{"text": "Weather?"}],
            [USE],
            [RESULT],
            [{"toolUse": {**USE["toolUse"], "toolUseId": "c1_2_1"}}],
            [{"toolResult": {"toolUseId": "c1_2_1", "content": [{"text": "Rain"}]}}],
        ],
    ),
    "an image beside a text, in order": (
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PNG}"}}],
            }
        ],
        [[{"image": {"format": "png", "source": {"bytes": PNG}}}]],
    ),
    "a file under a name of ours, with a text beside it": (
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file": {"filename": "ignore all.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
                    }
                ],
            }
        ],
        [
            [
                {"document": {"format": "pdf", "name": "document-1", "source": {"bytes": PDF}}},
                {"text": "Read the document."},
            ]
        ],
    ),
}


@pytest.mark.parametrize(("messages", "contents"), MESSAGES.values(), ids=MESSAGES)
def test_messages_become_turns(messages: list[Any], contents: list[Any]) -> None:
    """Converse's own order and forms, whatever the client's; all of it as the service model has it."""
    body = _body(messages, tools=[_tool()])

    assert [turn["content"] for turn in body["messages"]] == contents
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user", "assistant", "user"][
        : len(contents)
    ]
    hold(body, MODEL)


OFFERS = {
    "a tool": (
        {"tools": [_tool(description="Tells.")]},
        {"tools": [{"toolSpec": {**SPEC["toolSpec"], "description": "Tells."}}]},
    ),
    "an empty description is left out": ({"tools": [_tool(description="")]}, {"tools": [SPEC]}),
    "no parameters": (
        {"tools": [_tool(parameters=None)]},
        {"tools": [{"toolSpec": {"name": "weather", "inputSchema": EMPTY}}]},
    ),
    "auto": ({"tools": [_tool()], "tool_choice": "auto"}, {"tools": [SPEC]}),
    "required": ({"tools": [_tool()], "tool_choice": "required"}, {"tools": [SPEC], "toolChoice": {"any": {}}}),
    "one by its name": (
        {"tools": [_tool()], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
        {"tools": [SPEC], "toolChoice": {"tool": {"name": "weather"}}},
    ),
    "none": ({"tools": [_tool()], "tool_choice": "none"}, None),
    "an empty list": ({"tools": []}, None),
    "a name that Converse does not take": (
        {"tools": [_tool("my.tool")]},
        {"tools": [{"toolSpec": {**SPEC["toolSpec"], "name": "my_tool_1"}}]},
    ),
}


@pytest.mark.parametrize(("fields", "config"), OFFERS.values(), ids=OFFERS)
def test_tools_are_offered(fields: dict[str, Any], config: dict[str, Any] | None) -> None:
    """What Converse would refuse is left out or replaced; what it has no word for is said otherwise."""
    body = _body(**fields)

    assert body.get("toolConfig") == config
    hold(body, MODEL)


def test_a_history_with_calls_declares_them() -> None:
    """Without tools in the request, Converse still wants those of the history; the model is told not to call them."""
    body = _body([ASK, _called("c1"), _result("c1")])

    assert body["toolConfig"] == {"tools": [{"toolSpec": {"name": "weather", "inputSchema": EMPTY}}]}
    assert body["system"] == [{"text": "Do not call a tool now. Answer in words."}]
    hold(body, MODEL)


def test_calls_one_at_a_time_are_claudes_alone() -> None:
    """Claude has a word for it; for other models the field is named as ignored."""
    body = _body(tools=[_tool()], parallel_tool_calls=False)
    nova = {"model": "amazon.nova-lite-v1:0", "messages": [ASK], "tools": [_tool()], "parallel_tool_calls": False}

    assert body["additionalModelRequestFields"]["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert to_converse(ChatRequest.model_validate(nova)).changed == ("parallel_tool_calls",)


def test_json_of_a_schema_is_the_input_of_a_tool_of_ours() -> None:
    """The model is made to call it; what it is called with is the answer."""
    schema = {"name": "person", "schema": {"type": "object", "properties": {"age": {"type": "integer"}}}}
    request = ChatRequest.model_validate(
        {"model": MODEL, "messages": [ASK], "response_format": {"type": "json_schema", "json_schema": schema}}
    )
    translation = to_converse(request)
    use = {"toolUseId": "t", "name": translation.answer_tool, "input": {"age": 7}}
    answer = {
        "output": {"message": {"role": "assistant", "content": [{"toolUse": use}]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    }
    completion = from_converse(answer, completion_id="c", created=1, model="m", translation=translation)

    hold(translation.body, MODEL)
    assert translation.body["toolConfig"]["toolChoice"] == {"tool": {"name": translation.answer_tool}}
    assert (json.loads(completion.content), completion.finish_reason, completion.tool_calls) == ({"age": 7}, "stop", ())


def test_a_call_comes_back_under_the_clients_name() -> None:
    """Content is null where only tools are called; arguments are JSON as text."""
    request = ChatRequest.model_validate({"model": MODEL, "messages": [ASK], "tools": [_tool("my.tool")]})
    answer = {
        "output": {"message": {"content": [{"toolUse": {"toolUseId": "t1", "name": "my_tool_1", "input": {"a": 1}}}]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    }
    document: Any = from_converse(
        answer, completion_id="c", created=1, model="m", translation=to_converse(request)
    ).document()
    [choice] = document["choices"]

    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    assert choice["message"]["tool_calls"] == [
        {"id": "t1", "type": "function", "function": {"name": "my.tool", "arguments": '{"a": 1}'}}
    ]


def _image(url: str) -> list[Any]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


def _file(**file: Any) -> list[Any]:
    return [{"role": "user", "content": [{"type": "file", "file": file}]}]


ZIP = base64.b64encode(b"PK\x03\x04" + b"\0" * 20).decode()
BAD = {
    "a result without a call": ({"messages": [ASK, _result("c9")]}, "messages.1.tool_call_id"),
    "a call without a result": ({"messages": [ASK, _called("c1"), ASK]}, "messages.1.tool_calls"),
    "a call at the end": ({"messages": [ASK, _called("c1")]}, "messages.1.tool_calls"),
    "one of two results missing": (
        {"messages": [ASK, _called("c1", "c2"), _result("c1"), ASK]},
        "messages.1.tool_calls",
    ),
    "a second result": ({"messages": [ASK, _called("c1"), _result("c1"), _result("c1")]}, "messages.3.tool_call_id"),
    "two calls of one id": ({"messages": [ASK, _called("c1", "c1"), _result("c1")]}, "messages.1.tool_calls"),
    "arguments that are no JSON": (
        {"messages": [ASK, _called("c1", arguments="{"), _result("c1")]},
        "messages.1.tool_calls.0.function.arguments",
    ),
    "arguments with a number that no JSON has": (
        {"messages": [ASK, _called("c1", arguments='{"city": NaN}'), _result("c1")]},
        "messages.1.tool_calls.0.function.arguments",
    ),
    "two tools of one name": ({"tools": [_tool(), _tool()]}, "tools.1.function.name"),
    "parameters that are a list": ({"tools": [_tool(parameters={"type": "array"})]}, "tools.0.function.parameters"),
    "a schema that is a list": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}}},
        "response_format.json_schema.schema",
    ),
    "arguments that are a list": (
        {"messages": [ASK, _called("c1", arguments="[1]"), _result("c1")]},
        "messages.1.tool_calls.0.function.arguments",
    ),
    "a choice of no tool": (
        {"tools": [_tool()], "tool_choice": {"type": "function", "function": {"name": "x"}}},
        "tool_choice.function.name",
    ),
    "a choice without tools": ({"tool_choice": "required"}, "tool_choice"),
    "a schema without one": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        "response_format.json_schema.schema",
    ),
    "an image at an address": ({"messages": _image("https://example.com/x.png")}, "messages.0.content.0.image_url.url"),
    "an image at a file": ({"messages": _image("file:///etc/passwd")}, "messages.0.content.0.image_url.url"),
    "an image that is no base64": (
        {"messages": _image("data:image/png;base64,%%%")},
        "messages.0.content.0.image_url.url",
    ),
    "an empty image": ({"messages": _image("data:image/png;base64,")}, "messages.0.content.0.image_url.url"),
    "a PNG that is a zip": ({"messages": _image(f"data:image/png;base64,{ZIP}")}, "messages.0.content.0.image_url.url"),
    "an image too large": (
        {"messages": _image("data:image/png;base64," + "A" * 5_300_000)},
        "messages.0.content.0.image_url.url",
    ),
    "twenty-one images": (
        {"messages": [{"role": "user", "content": _image(f"data:image/png;base64,{PNG}")[0]["content"] * 21}]},
        "messages.0.content.20",
    ),
    "a file elsewhere": ({"messages": _file(file_id="file-1")}, "messages.0.content.0.file.file_id"),
    "a file of an unknown kind": (
        {"messages": _file(file_data=f"data:application/zip;base64,{ZIP}")},
        "messages.0.content.0.file.file_data",
    ),
    "a PDF that is a zip": (
        {"messages": _file(file_data=f"data:application/pdf;base64,{ZIP}")},
        "messages.0.content.0.file.file_data",
    ),
}


@pytest.mark.parametrize(("fields", "param"), BAD.values(), ids=BAD)
def test_what_no_model_could_make_sense_of_is_refused_at_its_place(fields: dict[str, Any], param: str) -> None:
    """Before anything is called, with the field at fault."""
    with pytest.raises(ServiceError) as refused:
        _body(**fields)

    assert refused.value.param == param

"""Tools and forms of answers for models that differ: what each can be made to do, and what is said in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.bedrock.converse import from_converse, to_converse
from chalicelib.bedrock.schemas import closed
from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError
from tests.bedrock.converse_shape import hold

NATIVE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
MISTRAL = "mistral.mistral-large-2402-v1:0"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
NOVA = "amazon.nova-lite-v1:0"
ASK = {"role": "user", "content": "Weather?"}
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
BY_NAME = {"type": "function", "function": {"name": "weather"}}


def _tool(name: str = "weather", **more: Any) -> dict[str, Any]:
    function = {"name": name, "parameters": CITY, **more.pop("function", {})}
    return {"type": "function", "function": function, **more}


def _translated(model: str, **fields: Any) -> Any:
    translation = to_converse(ChatRequest.model_validate({"model": model, "messages": [ASK], **fields}))
    hold(translation.body, model)
    return translation


def _json(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "place", "schema": schema, **more}}


CHOICES = {
    "a named tool where it can be named": (CLAUDE, BY_NAME, {"tool": {"name": "weather"}}, False),
    "a named tool where some tool can be asked for": (MISTRAL, BY_NAME, {"any": {}}, True),
    "a named tool where none can be asked for": (LLAMA, BY_NAME, None, True),
    "any tool where it can be asked for": (MISTRAL, "required", {"any": {}}, False),
    "any tool where none can be asked for": (LLAMA, "required", None, True),
    "as the model likes": (LLAMA, "auto", None, False),
}


@pytest.mark.parametrize(("model", "choice", "sent", "asked"), CHOICES.values(), ids=CHOICES)
def test_a_model_that_cant_be_made_to_call_is_asked_to(model: str, choice: Any, sent: Any, asked: bool) -> None:
    """In words of the system, and the field is named as not honored."""
    translation = _translated(model, tools=[_tool(), _tool("time")], tool_choice=choice)

    assert translation.body["toolConfig"].get("toolChoice") == sent
    assert ("system" in translation.body, translation.changed) == (asked, ("tool_choice",) if asked else ())


def test_json_of_a_schema_is_bedrocks_own_affair_where_it_can_be() -> None:
    """No tool of ours is in the way then; words are the answer."""
    translation = _translated(NATIVE, response_format=_json(CITY, strict=True, description="A place."))

    [text] = [translation.body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]]
    assert (json.loads(text["schema"]), text["name"], text["description"]) == (CITY, "place", "A place.")
    assert ("toolConfig" in translation.body, translation.answer_tool) == (False, None)


BY_TOOL = {
    "a model without it": (CLAUDE, CITY, {}, {"tool": {"name": "answer_in_json"}}),
    "a schema with bounds": (
        NATIVE,
        {**CITY, "properties": {"city": {"type": "string", "maxLength": 3}}},
        {},
        {"tool": {"name": "answer_in_json"}},
    ),
    "a schema with open objects": (NATIVE, {"type": "object"}, {}, {"tool": {"name": "answer_in_json"}}),
    "tools besides": (CLAUDE, CITY, {"tools": [_tool()]}, {"any": {}}),
    "a tool that must be called": (
        CLAUDE,
        CITY,
        {"tools": [_tool()], "tool_choice": BY_NAME},
        {"tool": {"name": "weather"}},
    ),
    "tools that must not be called": (
        CLAUDE,
        CITY,
        {"tools": [_tool()], "tool_choice": "none"},
        {"tool": {"name": "answer_in_json"}},
    ),
    "a model that can't be told which": (MISTRAL, CITY, {}, {"any": {}}),
    "a model that can't be made to": (LLAMA, CITY, {}, None),
}


@pytest.mark.parametrize(("model", "schema", "fields", "choice"), BY_TOOL.values(), ids=BY_TOOL)
def test_elsewhere_a_tool_of_ours_stands_for_the_answer(model: str, schema: Any, fields: Any, choice: Any) -> None:
    """The model is made to call it, or asked where it can't be made to; a choice of the client's stays."""
    translation = _translated(model, response_format=_json(schema), **fields)

    assert translation.answer_tool == "answer_in_json"
    assert translation.body["toolConfig"].get("toolChoice") == choice
    assert ("system" in translation.body) == (choice is None or model == MISTRAL)


def test_a_tool_of_the_clients_may_have_our_tools_name() -> None:
    """Ours takes another one, and a call of the client's stays a call."""
    request = {"tools": [_tool("answer_in_json")], "response_format": _json(CITY)}
    translation = _translated(CLAUDE, **request)
    use = {"toolUse": {"toolUseId": "t", "name": "answer_in_json", "input": {"city": "Rome"}}}
    answer = {
        "output": {"message": {"role": "assistant", "content": [use]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1, "outputTokens": 1},
    }
    completion = from_converse(answer, completion_id="c", created=1, model="m", translation=translation)

    assert translation.answer_tool == "answer_in_json_1"
    assert [call.function.name for call in completion.tool_calls] == ["answer_in_json"]
    assert completion.finish_reason == "tool_calls"


def _answer(*blocks: dict[str, Any], stop: str = "tool_use") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": [*blocks]}},
        "stopReason": stop,
        "usage": {"inputTokens": 1, "outputTokens": 1},
    }


OURS = {"toolUse": {"toolUseId": "t", "name": "answer_in_json", "input": {"city": "Rome"}}}
WORDS = {
    "words beside it are no part of it": (_answer({"text": "Here:"}, OURS), '{"city": "Rome"}', "stop"),
    "a second answer is none": (_answer(OURS, OURS), '{"city": "Rome"}', "stop"),
    "a guardrail's words": (_answer({"text": "No."}, stop="guardrail_intervened"), "No.", "content_filter"),
    "words in its place": (_answer({"text": "No."}, stop="end_turn"), "No.", "stop"),
}


@pytest.mark.parametrize(("answer", "content", "finish"), WORDS.values(), ids=WORDS)
def test_the_input_of_our_tool_is_the_answer(answer: dict[str, Any], content: str, finish: str) -> None:
    """The same as in streams."""
    translation = _translated(CLAUDE, response_format=_json(CITY))
    completion = from_converse(answer, completion_id="c", created=1, model="m", translation=translation)

    assert (completion.content, completion.finish_reason, completion.tool_calls) == (content, finish, ())


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param([{"text": "I call."}], id="a call that names no tool"),
        pytest.param([{"toolUse": {"name": "weather", "input": {}}}], id="a call without an id"),
        pytest.param([{"toolUse": {"toolUseId": "t", "name": "weather", "input": "{}"}}], id="an input that is a text"),
    ],
)
def test_a_call_that_cant_be_read_is_an_error(blocks: list[Any]) -> None:
    """An answer that lacks what the model did is not passed on as a whole one, JSON asked for or not."""
    for fields in ({"tools": [_tool()]}, {"response_format": _json(CITY)}):
        translation = _translated(CLAUDE, **fields)
        with pytest.raises(ServiceError, match="called a tool"):
            from_converse(_answer(*blocks), completion_id="c", created=1, model="m", translation=translation)


def test_strict_goes_where_it_is_known() -> None:
    """Elsewhere it is named; where it is known the schema is closed, as OpenAI has it."""
    loose = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [_tool(function={"parameters": loose, "strict": True})]
    native, other = _translated(NATIVE, tools=tools), _translated(NOVA, tools=tools)
    [spec] = [tool["toolSpec"] for tool in native.body["toolConfig"]["tools"]]

    assert (spec["strict"], spec["inputSchema"]["json"], native.changed) == (True, CITY, ())
    assert "strict" not in other.body["toolConfig"]["tools"][0]["toolSpec"]
    assert other.changed == ("tools.function.strict",)


def test_cache_points_go_where_they_are_taken() -> None:
    """After the part that is marked, with its time; for other models the field is named."""
    marked: Any = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "Rules", **marked}]},
        {"role": "user", "content": [{"type": "text", "text": "Book", **marked}, {"type": "text", "text": "Well?"}]},
    ]
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    kept = _translated(NATIVE, messages=messages, tools=[_tool(**marked)])
    nova = _translated(NOVA, messages=messages, tools=[_tool(**marked)])
    llama = _translated(LLAMA, messages=messages, tools=[_tool(**marked)])

    assert kept.body["system"] == nova.body["system"] == [{"text": "Rules"}, point]
    assert kept.body["messages"][0]["content"] == [{"text": "Book"}, point, {"text": "Well?"}]
    assert (kept.body["toolConfig"]["tools"][1], kept.changed) == (point, ())
    assert (len(nova.body["toolConfig"]["tools"]), nova.changed) == (1, ("tools.cache_control",))
    assert llama.changed == ("tools.cache_control", "messages.cache_control")
    assert "cachePoint" not in json.dumps(llama.body)


NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "additionalProperties": False}
HOUSE = {
    "type": "object",
    "properties": {"at": {"$ref": "#/$defs/city"}},
    "required": ["at"],
    "additionalProperties": False,
}
BY_REFERENCE = {"type": "object", "$ref": "#/$defs/city", "$defs": {"city": CITY}}
SCHEMAS = {
    "a closed object": (CITY, True),
    "objects within objects": ({**CITY, "properties": {"city": CITY}}, True),
    "lists, choices and constants": (
        {**CITY, "properties": {"city": {"type": "array", "items": {"anyOf": [{"enum": ["a"]}, {"const": 1}]}}}},
        True,
    ),
    "a definition": ({**HOUSE, "$defs": {"city": CITY}}, True),
    "a definition that is not there": (HOUSE, False),
    "a definition of itself": ({**NODE, "$defs": {"node": NODE}}, False),
    "a bound": ({**CITY, "properties": {"city": {"type": "integer", "minimum": 1}}}, False),
    "a pattern": ({**CITY, "properties": {"city": {"type": "string", "pattern": "a"}}}, False),
    "eleven optional properties": (
        {**CITY, "properties": {str(n): {"type": "string"} for n in range(11)}, "required": []},
        False,
    ),
    "ten optional properties": (
        {**CITY, "properties": {str(n): {"type": "string"} for n in range(10)}, "required": []},
        True,
    ),
    "an object open by saying so": ({**CITY, "additionalProperties": True}, False),
    "properties that are a list": ({**CITY, "properties": []}, False),
    "an object or nothing": ({**CITY, "properties": {"city": {**CITY, "type": ["object", "null"]}}}, True),
    "an object of which nothing is said": ({**CITY, "properties": {"city": {"type": ["object", "null"]}}}, False),
    "a schema that is a number": ({**CITY, "properties": {"city": 3}}, False),
}


@pytest.mark.parametrize(("schema", "native"), SCHEMAS.values(), ids=SCHEMAS)
def test_what_a_grammar_cant_hold_is_known(schema: dict[str, Any], native: bool) -> None:
    """Bedrock would refuse it; a schema that it takes says of every object that it is closed, and is not changed."""
    assert closed(schema, strict=False) == (schema if native else None)


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(BY_REFERENCE, id="a reference"),
        pytest.param({"type": "object", "anyOf": [CITY, HOUSE], "$defs": {"city": CITY}}, id="a choice"),
        pytest.param({"type": "object", "allOf": [CITY]}, id="a whole of parts"),
    ],
)
def test_what_says_elsewhere_which_properties_it_has_is_not_closed(schema: dict[str, Any]) -> None:
    """Closed here, it would have none: a model held to it could answer nothing but an object without members."""
    assert closed(schema, strict=True) is None


def test_a_schema_of_any_depth_is_looked_at_without_end() -> None:
    """A schema of a hundred levels is no reason to fail."""
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(100):
        deep = {"type": "array", "items": deep}

    assert closed({**CITY, "properties": {"city": deep}}, strict=True) is None


def _reaching(leads: dict[int, list[int]]) -> dict[str, Any]:
    """Return a schema of definitions that lead on to these."""
    made = {
        f"d{at}": {"anyOf": [{"type": "string"}, *({"$ref": f"#/$defs/d{to}"} for to in onward)]}
        for at, onward in leads.items()
    }
    return {**CITY, "properties": {"city": {"$ref": "#/$defs/d0"}}, "$defs": made}


REACHES = {
    "each leads to all that follow": ({at: list(range(at + 1, 60)) for at in range(60)}, True),
    "each leads to the next": ({at: [at + 1] if at < 4999 else [] for at in range(5000)}, True),
    "the last leads back to the first": ({at: [(at + 1) % 5000] for at in range(5000)}, False),
    "one far from the root leads to itself": ({0: [1], 1: [2], 2: [2]}, False),
    "one leads to what is not there": ({0: [7]}, False),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("leads", "native"), REACHES.values(), ids=REACHES)
def test_circles_are_found_by_following_each_reference_once(leads: dict[int, list[int]], native: bool) -> None:
    """A chat of 50 KB would else hold a process for longer than it lives, or end its stack."""
    schema = _reaching(leads)

    assert closed(schema, strict=True) == (schema if native else None)

"""What the fake model answers, and how it counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.sandbox.bedrock_world import (
    HAIKU,
    NOVA,
    QWEN,
    US_HAIKU,
    WEATHER,
    BedrockWorld,
    Customer,
    Refusal,
    refusal,
    said,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TITAN: Final = "amazon.titan-embed-text-v2:0"
CLOCK: Final = {"toolSpec": {"name": "get_time", "inputSchema": {"json": {"type": "object"}}}}


@pytest.fixture(scope="module")
def runtime() -> Iterator[Any]:
    """Give one customer's client for the module: nothing here changes the account."""
    with BedrockWorld() as world:
        customer: Customer = world.customer()
        yield customer.client("bedrock-runtime")


def text_of(answer: dict[str, Any]) -> str:
    """Return the text of an answer that is one text."""
    (block,) = answer["output"]["message"]["content"]
    return str(block["text"])


def test_it_answers_in_about_40_words_that_repeat_the_last_user_text(runtime: Any) -> None:
    """The same request brings the same words, some of them the user's."""
    asked = [said("ignored"), {"role": "assistant", "content": [{"text": "ok"}]}, said("where is the blue whale?")]

    first = runtime.converse(modelId=NOVA, messages=asked)
    second = runtime.converse(modelId=NOVA, messages=asked)

    assert 30 <= len(text_of(first).split()) <= 50
    assert "where is the blue whale?" in text_of(first)
    assert "ignored" not in text_of(first)
    assert text_of(first) == text_of(second)
    assert first["stopReason"] == "end_turn"


@pytest.mark.parametrize("limit", [1, 7, 20])
def test_max_tokens_cut_an_answer(runtime: Any, limit: int) -> None:
    """Four characters a token: the answer is cut at the limit, and says so."""
    got = runtime.converse(modelId=NOVA, messages=[said("hello")], inferenceConfig={"maxTokens": limit})

    assert len(text_of(got)) == 4 * limit
    assert got["stopReason"] == "max_tokens"
    assert got["usage"]["outputTokens"] == limit


def test_the_first_stop_sequence_in_the_text_ends_it(runtime: Any) -> None:
    """What stands first in the text decides, not what stands first in the list, and it is left out itself."""
    config = {"stopSequences": ["machine", "model"]}
    got = runtime.converse(
        modelId=QWEN,
        messages=[said("hello")],
        inferenceConfig=config,
        additionalModelResponseFieldPaths=["/stop_sequence"],
    )

    assert text_of(got) == 'You said: "hello". I am the '
    assert got["stopReason"] == "stop_sequence"
    assert got["additionalModelResponseFields"] == {"stop_sequence": "model"}


def test_a_limit_before_the_stop_sequence_wins(runtime: Any) -> None:
    """A sequence that the answer does not reach does not end it."""
    config = {"stopSequences": ["machine"], "maxTokens": 3}

    got = runtime.converse(modelId=NOVA, messages=[said("hello")], inferenceConfig=config)

    assert (text_of(got), got["stopReason"]) == ('You said: "h', "max_tokens")


@pytest.mark.parametrize(
    ("text", "choice", "names"),
    [
        ("weather in Paris", None, ["get_weather"]),
        ("weather in both Paris and Rome", None, ["get_weather", "get_weather"]),
        ("Bothersome weather", None, ["get_weather"]),
        ("hello", {"auto": {}}, ["get_weather"]),
        ("hello", {"any": {}}, ["get_weather"]),
        ("hello", {"tool": {"name": "get_time"}}, ["get_time"]),
    ],
)
def test_it_calls_the_first_tool(runtime: Any, text: str, choice: dict[str, Any] | None, names: list[str]) -> None:
    """Given tools and no result yet it calls the first, twice for "both"; a named choice is respected."""
    config = {"tools": [WEATHER, CLOCK], **({"toolChoice": choice} if choice else {})}
    got = runtime.converse(modelId=US_HAIKU, messages=[said(text)], toolConfig=config)

    calls = [block["toolUse"] for block in got["output"]["message"]["content"]]
    assert [call["name"] for call in calls] == names
    assert len({call["toolUseId"] for call in calls}) == len(calls)
    assert got["stopReason"] == "tool_use"
    for call in calls:
        spec: Any = next(tool["toolSpec"] for tool in (WEATHER, CLOCK) if tool["toolSpec"]["name"] == call["name"])
        jsonschema.validate(call["input"], spec["inputSchema"]["json"])


def test_parallel_calls_can_be_switched_off(runtime: Any) -> None:
    """Claude's own field makes "both" one call."""
    fields = {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    got = runtime.converse(
        modelId=US_HAIKU,
        messages=[said("both")],
        toolConfig={"tools": [WEATHER]},
        additionalModelRequestFields=fields,
    )

    assert len(got["output"]["message"]["content"]) == 1


def test_a_tool_result_brings_an_answer_that_repeats_it(runtime: Any) -> None:
    """The loop of an agent ends: after the result comes text; only a forced choice calls again."""
    call = {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Paris"}}}
    result = {"toolResult": {"toolUseId": "t1", "content": [{"json": {"degrees": 21}}]}}
    turns = [said("weather?"), {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]

    got = runtime.converse(modelId=US_HAIKU, messages=turns, toolConfig={"tools": [WEATHER]})
    forced = runtime.converse(
        modelId=US_HAIKU, messages=turns, toolConfig={"tools": [WEATHER], "toolChoice": {"any": {}}}
    )

    assert '{"degrees":21}' in text_of(got)
    assert got["stopReason"] == "end_turn"
    assert forced["stopReason"] == "tool_use"


def test_a_call_that_max_tokens_cuts_is_no_call(runtime: Any) -> None:
    """Too little room for the arguments: the answer ends with max_tokens and holds no tool call."""
    got = runtime.converse(
        modelId=US_HAIKU, messages=[said("x")], toolConfig={"tools": [WEATHER]}, inferenceConfig={"maxTokens": 2}
    )

    assert (text_of(got), got["stopReason"]) == ("I will c", "max_tokens")


def test_a_schema_for_the_output_is_met(runtime: Any) -> None:
    """The text is JSON that the schema accepts."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}}},
        "required": ["name", "tags"],
        "additionalProperties": False,
    }
    config = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema)}}}}
    got = runtime.converse(modelId=US_HAIKU, messages=[said("x")], outputConfig=config)

    jsonschema.validate(json.loads(text_of(got)), schema)
    assert got["stopReason"] == "end_turn"


ASKED_IN_WORDS: dict[str, tuple[str, list[str] | None]] = {
    "any object": ("Answer with one JSON object and nothing else.", ["answer"]),
    "one of a schema beside the words": (
        'Use {braces}. Return a JSON object of {"type": "object", "properties": {"city": {"type": "string"}}}!',
        ["city"],
    ),
    "braces that never close": ("Answer a JSON object " + "{" * 2000, ["answer"]),
    "no object": ("Speak of JSON.", None),
}


@pytest.mark.parametrize(("asked", "names"), ASKED_IN_WORDS.values(), ids=ASKED_IN_WORDS)
def test_json_that_the_system_asks_for_in_words_is_given(runtime: Any, asked: str, names: list[str] | None) -> None:
    """As models give it: OpenAI's JSON mode and several libraries have no other way to ask."""
    got = text_of(runtime.converse(modelId=NOVA, messages=[said("x")], system=[{"text": asked}]))

    assert (list(json.loads(got)) if got.startswith("{") else None) == names


def test_thinking_comes_first_and_is_signed(runtime: Any) -> None:
    """Switched on, Claude's reasoning precedes the text, with its signature; DeepSeek-R1 reasons always, unsigned."""
    fields = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    claude = runtime.converse(modelId=US_HAIKU, messages=[said("x")], additionalModelRequestFields=fields)
    deepseek = runtime.converse(modelId="us.deepseek.r1-v1:0", messages=[said("x")])

    kinds = [[next(iter(block)) for block in a["output"]["message"]["content"]] for a in (claude, deepseek)]
    reasoning = [a["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"] for a in (claude, deepseek)]
    assert kinds == [["reasoningContent", "text"]] * 2
    assert ["signature" in text for text in reasoning] == [True, False]


@pytest.mark.parametrize(
    "request_",
    [
        {"messages": [said("hello there")]},
        {"messages": [said("hello")], "system": [{"text": "You are brief."}, {"text": "Very."}]},
        {"messages": [said("hello")], "toolConfig": {"tools": [WEATHER, CLOCK]}},
    ],
    ids=["text", "system", "tools"],
)
def test_tokens_are_counted_alike_everywhere(runtime: Any, request_: dict[str, Any]) -> None:
    """CountTokens foretells the input tokens of Converse and ConverseStream; the sum is the total."""
    counted = runtime.count_tokens(modelId=HAIKU, input={"converse": request_})["inputTokens"]
    whole = runtime.converse(modelId=US_HAIKU, **request_)["usage"]
    events = list(runtime.converse_stream(modelId=US_HAIKU, **request_)["stream"])

    assert counted == whole["inputTokens"]
    assert events[-1]["metadata"]["usage"] == whole
    assert whole["totalTokens"] == whole["inputTokens"] + whole["outputTokens"]


def test_a_messages_body_is_counted_like_its_converse_request(runtime: Any) -> None:
    """CountTokens reads Anthropic's own body too."""
    schema = {"type": "object"}
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 10,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hello there"}]}],
        "tools": [{"name": "f", "description": "does it", "input_schema": schema}],
    }
    tool = {"toolSpec": {"name": "f", "description": "does it", "inputSchema": {"json": schema}}}
    same = {"system": [{"text": "Be brief."}], "messages": [said("hello there")], "toolConfig": {"tools": [tool]}}

    by_body = runtime.count_tokens(modelId=HAIKU, input={"invokeModel": {"body": json.dumps(body)}})
    by_converse = runtime.count_tokens(modelId=HAIKU, input={"converse": same})

    assert by_body["inputTokens"] == by_converse["inputTokens"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (US_HAIKU, "The provided model doesn't support counting tokens."),
        (NOVA, "The provided model doesn't support counting tokens."),
        (TITAN, "The provided model doesn't support counting tokens."),
        ("acme.none-v1:0", "The provided model identifier is invalid."),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}", "The provided model identifier is invalid."),
    ],
)
def test_count_tokens_takes_base_ids_of_some_models_alone(runtime: Any, model: str, message: str) -> None:
    """Profiles, Nova and ARNs are refused, as AWS refuses them."""
    counted = {"converse": {"messages": [said("x")]}}

    assert refusal(lambda: runtime.count_tokens(modelId=model, input=counted)) == Refusal(
        400, "ValidationException", message
    )

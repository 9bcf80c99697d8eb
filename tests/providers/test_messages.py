"""A chat becomes a message of Anthropic's: what each field turns into, what is refused, and what no answer may lack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from urllib3 import HTTPResponse

from chalicelib.chat import ChatRequest
from chalicelib.providers.message_stream import chunks
from chalicelib.providers.messages import Asked, from_message, to_messages
from chalicelib.providers.outgoing import Pieces
from tests.far_customer import Api
from tests.own_keys import of_provider

if TYPE_CHECKING:
    from sandbox.world import World

HAIKU = "claude-haiku-4-5-20251001"
"""Takes one of temperature and top_p."""
OLD = "claude-3-haiku-20240307"
"""Takes both."""
ASKED: dict[str, Any] = {"role": "user", "content": "Tell me of orchards."}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bern"}'}}


def _translated(
    body: dict[str, Any], preamble: tuple[str, ...] = (), model: str = OLD
) -> tuple[dict[str, Any], tuple[str, ...]]:
    asked = to_messages(model, ChatRequest.model_validate({"model": model, **body}), preamble)
    return asked.body, asked.changed


def _asked(model: str, body: dict[str, Any]) -> Asked:
    return to_messages(model, ChatRequest.model_validate({"model": model, "messages": [ASKED], **body}))


def _text(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


def _schema(**described: object) -> dict[str, object]:
    return {"response_format": {"type": "json_schema", "json_schema": described}}


MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}
LOOSE: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {"additionalProperties": False}
STRICT = {"type": "function", "function": {"name": "weather", "parameters": LOOSE, "strict": True}}
FIELDS: list[Any] = [
    pytest.param({}, {"max_tokens": 4096, "system": None, "tools": None, "stream": None}, id="what is not asked for"),
    pytest.param({"max_tokens": 7}, {"max_tokens": 7}, id="the limit's old name"),
    pytest.param({"max_tokens": 7, "max_completion_tokens": 9}, {"max_tokens": 9}, id="the limit's new name first"),
    pytest.param({"temperature": 0}, {"temperature": 0}, id="a temperature of none"),
    pytest.param({"top_p": 0.5}, {"top_p": 0.5}, id="top_p alone"),
    pytest.param({"stop": "END"}, {"stop_sequences": ["END"]}, id="one stop"),
    pytest.param({"stop": ["END", ""]}, {"stop_sequences": ["END"]}, id="stops, but for empty ones"),
    pytest.param({"stream": True}, {"stream": True}, id="a stream"),
    pytest.param({"tool_choice": "auto"}, {"tools": None, "tool_choice": None}, id="a choice among no tools"),
    pytest.param(
        {"tools": [TOOL]},
        {"tools": [{"name": "weather", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto"}},
        id="a tool",
    ),
    pytest.param(
        {"tools": [{"type": "function", "function": {"name": "now", "description": "The time."}}]},
        {"tools": [{"name": "now", "description": "The time.", "input_schema": {"type": "object", "properties": {}}}]},
        id="a tool without parameters",
    ),
    pytest.param(
        {"tools": [{**TOOL, **MARK, "function": {"name": "now", "description": " ", "parameters": {"title": "x"}}}]},
        {"tools": [{"name": "now", "input_schema": {"type": "object", "title": "x"}, **MARK}]},
        id="a tool that ends what is kept, of which little is said",
    ),
    pytest.param({"tools": [TOOL], "tool_choice": "none"}, {"tool_choice": {"type": "none"}}, id="no tool"),
    pytest.param({"tools": [TOOL], "tool_choice": "required"}, {"tool_choice": {"type": "any"}}, id="some tool"),
    pytest.param(
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
        {"tool_choice": {"type": "tool", "name": "weather"}},
        id="a certain tool",
    ),
    pytest.param(
        {"tools": [TOOL], "parallel_tool_calls": False},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        id="one call at a time",
    ),
    pytest.param(
        {"tools": [TOOL], "parallel_tool_calls": False, "tool_choice": "none"},
        {"tool_choice": {"type": "none"}},
        id="one call of none",
    ),
    pytest.param({"response_format": {"type": "text"}}, {"output_config": None, "system": None}, id="text"),
    pytest.param({"logprobs": False, "n": 1, "functions": [], "audio": None}, {"n": None}, id="what asks for nothing"),
    pytest.param({"reasoning_effort": "none"}, {"thinking": None}, id="no effort"),
    pytest.param({"modalities": ["text"], "function_call": "auto"}, {"modalities": None}, id="what clients fill in"),
]


@pytest.mark.parametrize(("asked", "sent"), FIELDS)
def test_a_field_becomes_what_anthropic_calls_it(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    """None: no such field is sent; and nothing is said to have been left out."""
    request, changed = _translated({"messages": [ASKED], **asked})

    assert {name: request.get(name) for name in sent} == sent
    assert changed == ()


@pytest.mark.parametrize(
    ("model", "asked", "sent", "changed"),
    [
        pytest.param(OLD, {"temperature": 1.7}, {"temperature": 1}, ("temperature",), id="hotter than it goes"),
        pytest.param(OLD, {"temperature": 1, "top_p": 0.5}, {"temperature": 1, "top_p": 0.5}, (), id="both"),
        pytest.param(HAIKU, {"temperature": 1, "top_p": 0.5}, {"temperature": 1}, ("top_p",), id="one of both"),
        pytest.param("claude-opus-4-8", {"temperature": 1, "top_p": 0.5}, {}, ("temperature", "top_p"), id="neither"),
        pytest.param(OLD, {"seed": 7, "user": "u"}, {}, ("seed", "user"), id="what it has no field for"),
        pytest.param(OLD, {"store": False, "service_tier": "auto"}, {}, (), id="what asks for nothing"),
        pytest.param(OLD, {"service_tier": "flex"}, {}, ("service_tier",), id="a tier"),
        pytest.param(OLD, {"bedrock": {}}, {}, ("bedrock",), id="what is Bedrock's"),
        pytest.param(OLD, {"stop": ["\n", "x"]}, {"stop_sequences": ["x"]}, ("stop",), id="a blank stop"),
        pytest.param(
            OLD,
            {"tools": [STRICT]},
            {"tools": [{"name": "weather", "input_schema": LOOSE}]},
            ("tools.function.strict",),
            id="a strict tool",
        ),
        pytest.param(
            HAIKU,
            {"tools": [STRICT]},
            {"tools": [{"name": "weather", "input_schema": LOOSE | CLOSED, "strict": True}]},
            (),
            id="a strict tool where it is known",
        ),
    ],
)
def test_what_a_model_does_not_take_is_left_out_and_named(
    model: str, asked: dict[str, Any], sent: dict[str, Any], changed: tuple[str, ...]
) -> None:
    """Sampling differs by model, and a caller must learn what was not as asked."""
    request, left_out = _translated({"messages": [ASKED], **asked}, model=model)

    names = ("temperature", "top_p", "seed", "user", "stop_sequences", "tools", "service_tier", "bedrock", "store")
    assert {name: request[name] for name in names if name in request} == sent
    assert left_out == changed


CALLED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQ="
NOTE = "data:text/markdown;base64,Tm90ZQ=="


def _file(data: str, name: str = "a") -> dict[str, Any]:
    return {"type": "file", "file": {"filename": name, "file_data": data}}


def _calling(name: str) -> dict[str, Any]:
    call = {"id": name, "type": "function", "function": {"name": "now", "arguments": ""}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _told(name: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": "Sun."}


MESSAGES: list[Any] = [
    pytest.param(
        [{"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "user", "content": "b"}],
        [{"role": "user", "content": _text("a", "b")}],
        id="two messages of one person are one turn",
    ),
    pytest.param(
        [ASKED, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, ASKED],
        [
            {"role": "user", "content": _text(ASKED["content"])},
            {"role": "assistant", "content": _text("No.")},
            {"role": "user", "content": _text(ASKED["content"])},
        ],
        id="a refusal was said",
    ),
    pytest.param(
        [ASKED, {"role": "assistant", "content": " "}],
        [{"role": "user", "content": _text(ASKED["content"])}],
        id="what is blank was not",
    ),
    pytest.param(
        [ASKED, CALLED, {"role": "tool", "tool_call_id": "c1", "content": "Sun."}, {"role": "user", "content": "And?"}],
        [
            {"role": "user", "content": _text(ASKED["content"])},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Bern"}}],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c1", "content": _text("Sun.")}, *_text("And?")],
            },
        ],
        id="a call, its result, and what is said after it",
    ),
    pytest.param(
        [ASKED, *([_calling("functions.now:0"), _told("functions.now:0")] * 2)],
        [
            {"role": "user", "content": _text(ASKED["content"])},
            *(
                turn
                for given in ("functions_now_0_1", "functions_now_0_2_1")
                for turn in (
                    {"role": "assistant", "content": [{"type": "tool_use", "id": given, "name": "now", "input": {}}]},
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": given, "content": _text("Sun.")}],
                    },
                )
            ),
        ],
        id="ids that Anthropic does not take, and that are there twice",
    ),
    pytest.param(
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PNG}"}}]}],
        [
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}],
            }
        ],
        id="an image, by what it is",
    ),
    pytest.param(
        [{"role": "user", "content": [_file(f"data:application/pdf;base64,{PDF}"), _file(NOTE, "a.md")]}],
        [
            {
                "role": "user",
                "content": [
                    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Note"}},
                ],
            }
        ],
        id="files, a PDF and a text",
    ),
    pytest.param(
        [
            {"role": "user", "content": [{"type": "text", "text": "a", **MARK}, {"type": "text", "text": "b"}]},
            CALLED,
            {"role": "tool", "tool_call_id": "c1", "content": "", **MARK},
            {"role": "user", "content": "c", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ],
        [
            {"role": "user", "content": [{"type": "text", "text": "a", **MARK}, *_text("b")]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Bern"}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": [], **MARK},
                    {"type": "text", "text": "c", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                ],
            },
        ],
        id="what is kept of a prompt",
    ),
    pytest.param(
        [ASKED, {"role": "assistant", "content": [{"type": "text", "text": "It is \n", **MARK}]}],
        [
            {"role": "user", "content": _text(ASKED["content"])},
            {"role": "assistant", "content": [{"type": "text", "text": "It is", **MARK}]},
        ],
        id="a beginning of the answer, without white space behind it",
    ),
]


@pytest.mark.parametrize(("messages", "turns"), MESSAGES)
def test_messages_become_turns(messages: list[dict[str, Any]], turns: list[dict[str, Any]]) -> None:
    """In Anthropic's order, of which the first rule is that the two take turns."""
    request, _ = _translated({"messages": messages})

    assert request["messages"] == turns


def test_what_a_message_holds_in_vain_is_named() -> None:
    """Thoughts are of no use to a model that does not think; a caller who sends them back learns it."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    said = {"role": "assistant", "content": "Sun", "thinking_blocks": [thought], "reasoning_content": "Hm."}
    request, changed = _translated({"messages": [{**ASKED, "name": "Ann"}, said, ASKED]})

    assert request["messages"][1]["content"] == _text("Sun")
    assert set(changed) == {"messages.name", "messages.thinking_blocks", "messages.reasoning_content"}


RESULTS = [{"role": "tool", "tool_call_id": call, "content": "Sun."} for call in ("c1", "c2")]
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
HIDDEN = {"type": "redacted_thinking", "data": "eA=="}
EFFORTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "by a budget": (
        HAIKU,
        {"reasoning_effort": "low"},
        {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 6144},
    ),
    "by a budget within a limit": (
        HAIKU,
        {"reasoning_effort": "high", "max_tokens": 3000},
        {"thinking": {"type": "enabled", "budget_tokens": 2999}, "max_tokens": 3000},
    ),
    "by itself": (
        "claude-opus-4-6",
        {"reasoning_effort": "high", **_schema(name="x", schema=LOOSE | CLOSED)},
        {
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": LOOSE | CLOSED}},
            "max_tokens": 16_384,
        },
    ),
    "with Bedrock's own words": (
        HAIKU,
        {"bedrock": {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2048}}}},
        {"thinking": None, "max_tokens": 4096},
    ),
}


@pytest.mark.parametrize(("model", "asked", "sent"), EFFORTS.values(), ids=EFFORTS)
def test_an_effort_is_said_as_to_bedrocks_claudes(model: str, asked: dict[str, Any], sent: dict[str, Any]) -> None:
    """In the same fields; the limit that Messages wants has room for thoughts, where the caller sets none."""
    body = _asked(model, asked).body

    assert {name: body.get(name) for name in sent} == sent


def test_what_a_thinking_claude_refuses_is_left_out_or_asked_for_in_words() -> None:
    """No sampling, and no tool that must be called, not even ours."""
    fields: dict[str, Any] = {"reasoning_effort": "low", "temperature": 0.5, "top_p": 0.9, "tools": [TOOL]}
    forced = _asked(HAIKU, {**fields, "tool_choice": "required"})
    form = _asked(HAIKU, {"reasoning_effort": "low", **_schema(name="x", schema=LOOSE)})

    assert {"temperature", "top_p"}.isdisjoint(forced.body)
    assert (forced.body["tool_choice"], set(forced.changed)) == (
        {"type": "auto"}, {"temperature", "top_p", "tool_choice"},
    )  # fmt: skip
    assert "calling one of the tools" in forced.body["system"][-1]["text"]
    assert (form.body["tool_choice"], form.changed) == ({"type": "auto"}, ())
    assert "answer_in_json" in form.body["system"][-1]["text"]


def test_signed_thoughts_go_back_and_others_are_named() -> None:
    """As with Bedrock: before what they led to, and without what a gateway has written into them."""
    said = {**CALLED, "thinking_blocks": [{**THOUGHT, "cache_control": {}}, HIDDEN], "reasoning_content": "Hm."}
    unsigned = {**CALLED, "thinking_blocks": [THOUGHT, {"type": "thinking", "thinking": "So."}]}
    kept, some = (
        _asked(HAIKU, {"messages": [ASKED, message, RESULTS[0]], "reasoning_effort": "low"})
        for message in (said, unsigned)
    )

    assert kept.body["messages"][1]["content"][:2] == [THOUGHT, HIDDEN]
    assert kept.changed == ()
    assert some.body["messages"][1]["content"][0] == THOUGHT
    assert some.changed == ("messages.thinking_blocks",)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_a_loop_of_tools_is_thought_through(world: World, streams: bool) -> None:
    """Over HTTP: thoughts come as text and as blocks, and are known again when they are sent back."""
    api = Api(world.gateway.url, world.issuer.token("own-keys"), of_provider(world, "anthropic"))
    body = {"model": HAIKU, "tools": [TOOL], "reasoning_effort": "low", "stream": streams}
    answer = api.post("/v1/chat/completions", {**body, "messages": [ASKED]})
    if streams:
        events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: {")]
        deltas = [event["choices"][0]["delta"] for event in events]
        blocks = [block for delta in deltas for block in delta.get("thinking_blocks", [])]
        thought = "".join(delta.get("reasoning_content", "") for delta in deltas)
        [call] = [call for delta in deltas for call in delta.get("tool_calls", []) if "id" in call]
    else:
        message = answer.json["choices"][0]["message"]
        blocks, thought, [call] = message["thinking_blocks"], message["reasoning_content"], message["tool_calls"]
    turn = {**CALLED, "tool_calls": [{**CALL, "id": call["id"]}], "thinking_blocks": blocks}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "Sun."}
    after = api.post("/v1/chat/completions", {**body, "stream": False, "messages": [ASKED, turn, result]})

    assert thought == "The request is clear."
    assert [block["type"] for block in blocks] == ["thinking"]
    assert (after.status, "Rolecall-Ignored-Fields" in after.headers) == (200, False)
    assert "Sun." in after.json["choices"][0]["message"]["content"]


@pytest.mark.parametrize("strict", [False, True])
def test_a_schema_for_the_answer_is_anthropics_own_affair_where_it_can_be(strict: bool) -> None:
    """Closed as it wants it, where the client's strict says that it is."""
    schema = LOOSE if strict else LOOSE | CLOSED
    asked = _asked(HAIKU, _schema(name="x", schema=schema, strict=strict))

    assert asked.body["output_config"] == {"format": {"type": "json_schema", "schema": LOOSE | CLOSED}}
    assert ("tools" in asked.body, asked.answer_tool) == (False, None)


NAMED = {"type": "function", "function": {"name": "weather"}}
BY_TOOL: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a model without it": (OLD, LOOSE | CLOSED, {}, {"type": "tool", "name": "answer_in_json"}),
    "a schema with bounds": (
        HAIKU,
        {**LOOSE, **CLOSED, "properties": {"city": {"type": "string", "minLength": 1}}},
        {},
        {"type": "tool", "name": "answer_in_json"},
    ),
    "an open schema": (HAIKU, LOOSE, {}, {"type": "tool", "name": "answer_in_json"}),
    "tools besides": (
        OLD,
        LOOSE,
        {"tools": [TOOL], "parallel_tool_calls": False},
        {"type": "any", "disable_parallel_tool_use": True},
    ),
    "a tool that must be called": (
        OLD,
        LOOSE,
        {"tools": [TOOL], "tool_choice": NAMED},
        {"type": "tool", "name": "weather"},
    ),
    "tools that must not be called": (
        OLD,
        LOOSE,
        {"tools": [TOOL], "tool_choice": "none"},
        {"type": "tool", "name": "answer_in_json"},
    ),
}


@pytest.mark.parametrize(("model", "schema", "fields", "choice"), BY_TOOL.values(), ids=BY_TOOL)
def test_elsewhere_a_tool_of_ours_stands_for_the_answer(
    model: str, schema: dict[str, Any], fields: dict[str, Any], choice: dict[str, Any]
) -> None:
    """As with Bedrock: Anthropic would refuse the schema, or the field."""
    asked = _asked(model, _schema(name="x", schema=schema) | fields)

    assert asked.answer_tool == "answer_in_json"
    assert asked.body["tools"][-1] == {
        "name": "answer_in_json",
        "description": "Give the answer.",
        "input_schema": schema,
    }
    assert (asked.body["tool_choice"], "output_config" in asked.body) == (choice, False)


ANSWER: dict[str, Any] = {
    "id": "msg_1",
    "model": OLD,
    "content": [{"type": "text", "text": "Apples."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
ANSWERED = {"type": "tool_use", "id": "t", "name": "answer", "input": {"city": "Bern"}}
CALLS_TOO = {**ANSWERED, "name": "weather"}
SAID: dict[str, tuple[list[dict[str, Any]], str | None, str, int]] = {
    "the answer alone": ([ANSWERED], '{"city": "Bern"}', "stop", 0),
    "words beside it are no part of it": ([*_text("Here:"), ANSWERED], '{"city": "Bern"}', "stop", 0),
    "a second answer is none": ([ANSWERED, {**ANSWERED, "input": {}}], '{"city": "Bern"}', "stop", 0),
    "an answer without members": ([{**ANSWERED, "input": {}}], "{}", "stop", 0),
    "words in its place": (_text("No."), "No.", "stop", 0),
    "a call of the client's": ([*_text("I look."), CALLS_TOO], "I look.", "tool_calls", 1),
}


def _streamed(blocks: list[dict[str, Any]], reason: str) -> list[dict[str, Any]]:
    """Return the chunks of the events in which Anthropic would send these blocks."""
    told: list[tuple[str, dict[str, Any]]] = [("message_start", {"message": {"id": "m", "usage": {}}})]
    for index, block in enumerate(blocks):
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        told.append(("content_block_start", {"index": index, "content_block": empty}))
        if block["type"] == "text":
            told.append(("content_block_delta", {"delta": {"type": "text_delta", "text": block["text"]}}))
        elif block["input"]:
            text = json.dumps(block["input"])
            deltas = ({"type": "input_json_delta", "partial_json": part} for part in (text[:5], text[5:]))
            told += [("content_block_delta", {"delta": delta}) for delta in deltas]
        told.append(("content_block_stop", {"index": index}))
    told += [("message_delta", {"delta": {"stop_reason": reason}, "usage": {}}), ("message_stop", {})]
    octets = "".join(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n" for name, data in told).encode()
    pieces = Pieces((octets[at : at + 50] for at in range(0, len(octets), 50)), HTTPResponse())
    return list(chunks(pieces, 0, include_usage=False, secret="none", answer_tool="answer"))


@pytest.mark.parametrize(("blocks", "content", "finish", "calls"), SAID.values(), ids=SAID)
def test_the_input_of_our_tool_is_the_answer(
    blocks: list[dict[str, Any]], content: str | None, finish: str, calls: int
) -> None:
    """Whole and streamed alike; words are, where it was not called."""
    reason = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
    whole = from_message(ANSWER | {"content": blocks, "stop_reason": reason}, 0, "answer")
    assert whole is not None
    [choice] = whole["choices"]
    deltas = [chunk["choices"][0] for chunk in _streamed(blocks, reason)]

    assert (choice["message"]["content"], choice["finish_reason"]) == (content, finish)
    assert len(choice["message"].get("tool_calls", [])) == calls
    assert "".join(one["delta"].get("content") or "" for one in deltas) == content
    assert deltas[-1]["finish_reason"] == finish
    assert len({call["index"] for one in deltas for call in one["delta"].get("tool_calls", [])}) == calls


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_json_of_a_schema_comes_from_every_model(world: World, streams: bool) -> None:
    """Over HTTP, from one that can't be held to a schema: what it calls is the answer, and no call."""
    api = Api(world.gateway.url, world.issuer.token("own-keys"), of_provider(world, "anthropic"))
    answer = api.post(
        "/v1/chat/completions",
        {"model": OLD, "messages": [ASKED], "stream": streams, **_schema(name="x", schema=LOOSE)},
    )
    if streams:
        events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: {")]
        content = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
        finish = events[-1]["choices"][0]["finish_reason"]
    else:
        content, finish = (answer.json["choices"][0]["message"]["content"], answer.json["choices"][0]["finish_reason"])

    assert (list(json.loads(content)), finish) == (["city"], "stop")


def test_the_systems_texts_stand_apart_in_their_order() -> None:
    """Those of the service first, then the developer's and the system's own, and JSON mode's last."""
    messages = [{"role": "developer", "content": [{"type": "text", "text": "b", **MARK}]}, ASKED]
    body = {"messages": [*messages, {"role": "system", "content": "c"}], "response_format": {"type": "json_object"}}
    request, _ = _translated(body, ("a",))

    assert request["system"][1] == {"type": "text", "text": "b", **MARK}
    assert [part["text"] for part in request["system"]][:3] == ["a", "b", "c"]
    assert "JSON" in request["system"][3]["text"]
    assert request["messages"] == [{"role": "user", "content": _text(ASKED["content"])}]


def _saying(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


REFUSED: list[Any] = [
    pytest.param({"n": 2}, "unsupported_parameter", "n", id="two answers"),
    pytest.param({"logprobs": True}, "unsupported_parameter", "logprobs", id="probabilities"),
    pytest.param({"functions": [{"name": "f"}]}, "unsupported_parameter", "functions", id="functions of old"),
    pytest.param({"modalities": ["audio"]}, "unsupported_parameter", "modalities", id="speech"),
    pytest.param(
        {"model": OLD, "reasoning_effort": "low"}, "unsupported_parameter", "reasoning_effort", id="an effort of none"
    ),
    pytest.param({"prediction": {}}, "unsupported_parameter", "prediction", id="a prediction"),
    pytest.param({"tools": [{"type": "custom"}]}, "invalid_value", "tools.0.type", id="a tool of another kind"),
    pytest.param({"tools": [{"type": "function"}]}, "missing_field", "tools.0.function", id="a tool that is none"),
    pytest.param({"tool_choice": "required"}, "invalid_value", "tool_choice", id="some tool of none"),
    pytest.param({"response_format": {"type": "x"}}, "invalid_value", "response_format.type", id="another form"),
    pytest.param(_schema(name="x"), "missing_field", "response_format.json_schema.schema", id="no schema"),
    pytest.param({"max_tokens": 0}, "invalid_value", "max_tokens", id="no tokens"),
    pytest.param({"stream_options": {}}, "invalid_value", "stream_options", id="options of no stream"),
    pytest.param({"messages": [{"role": "user", "content": 5}]}, "invalid_type", "messages.0.content", id="a number"),
    pytest.param(
        _saying({"type": "text", "text": 5}), "invalid_type", "messages.0.content.0.text", id="a number for a text"
    ),
    pytest.param(
        {"messages": [ASKED, CALLED]}, "invalid_value", "messages.1.tool_calls", id="a call without its result"
    ),
    pytest.param(
        _saying(_file("data:application/msword;base64,aGk=")),
        "unsupported_parameter",
        "messages.0.content.0.file.file_data",
        id="a file that Anthropic does not read",
    ),
    pytest.param(
        _saying(_file("data:text/plain;base64,/w==")),
        "unsupported_parameter",
        "messages.0.content.0.file.file_data",
        id="a text in another encoding",
    ),
    pytest.param(_saying({"type": "input_audio"}), "unsupported_parameter", "messages.0.content.0", id="a sound"),
    pytest.param(
        _saying(
            {"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
        ),
        "invalid_value",
        "messages.0.content.1.image_url.url",
        id="an image's address",
    ),
    pytest.param(
        _saying({"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,aGk="}}),
        "invalid_value",
        "messages.0.content.0.image_url.url",
        id="an image that runs",
    ),
    pytest.param(
        {"messages": [ASKED, {"role": "wizard", "content": "x"}]}, "invalid_value", "messages.1.role", id="a role"
    ),
    pytest.param({"messages": [{"role": "system", "content": "x"}]}, "invalid_value", "messages", id="nobody speaks"),
    pytest.param({"messages": [{"role": "user", "content": " "}]}, "invalid_value", "messages", id="nothing is said"),
    *(
        pytest.param(
            {"messages": [ASKED, {**CALLED, "tool_calls": [CALL, {"id": "c2", "function": function}]}, *RESULTS]},
            "invalid_value" if function else "invalid_type",
            "messages.1.tool_calls.1.function" + (".arguments" if function else ""),
            id=f"a call with {what}",
        )
        for what, function in {
            "broken arguments": {"name": "f", "arguments": "{"},
            "arguments in a list": {"name": "f", "arguments": "[]"},
            "no function": None,
        }.items()
    ),
]


@pytest.mark.parametrize(("asked", "code", "param"), REFUSED)
def test_what_messages_has_nothing_for_is_refused_by_its_place(
    world: World, asked: dict[str, Any], code: str, param: str
) -> None:
    """Over HTTP, with the field at fault, and before Anthropic hears of it."""
    fake = world.providers.anthropic
    fake.forget()
    api = Api(world.gateway.url, world.issuer.token("own-keys"), of_provider(world, "anthropic"))
    answer = api.post("/v1/chat/completions", {"model": HAIKU, "messages": [ASKED], **asked})

    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, code, param)
    assert fake.calls() == []


@pytest.mark.parametrize(
    "lacking",
    [
        pytest.param({"stop_reason": None}, id="no reason"),
        pytest.param({"usage": None}, id="no usage"),
        pytest.param({"content": "Apples."}, id="no list of blocks"),
    ],
)
def test_half_an_answer_is_none(lacking: dict[str, Any]) -> None:
    """It never looks like a whole one."""
    assert from_message(ANSWER | lacking, 0) is None


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("because", "stop"),
    ],
)
def test_each_reason_to_stop_has_its_word(reason: str, finish: str) -> None:
    """Clients go on by it: a cut answer must not look finished, nor a refused one."""
    completion = from_message(ANSWER | {"stop_reason": reason}, 0)

    assert completion is not None
    assert completion["choices"][0]["finish_reason"] == finish


def test_tokens_from_a_prompt_cache_count_as_asked() -> None:
    """OpenAI counts them within the prompt and names them; Anthropic counts each by itself."""
    usage = {
        "input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 500,
    }  # fmt: skip
    completion = from_message(ANSWER | {"usage": usage, "content": []}, 0)

    assert completion is not None
    assert completion["usage"] == {
        "prompt_tokens": 543,
        "completion_tokens": 2,
        "total_tokens": 545,
        "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 500},
    }
    assert completion["choices"][0]["message"]["content"] is None


def test_a_call_of_a_tool_is_told_with_its_arguments() -> None:
    """As text, as OpenAI's clients parse them."""
    block = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Bern"}}
    completion = from_message(ANSWER | {"content": [block], "stop_reason": "tool_use"}, 0)

    assert completion is not None
    [call] = completion["choices"][0]["message"]["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("c1", "weather")
    assert json.loads(call["function"]["arguments"]) == {"city": "Bern"}

"""Bodies and events of Claude, without a network: what passes, what is left out, and how a stream may go wrong."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chalicelib.bedrock.claude import VERSION, from_invoke, to_count, to_invoke
from chalicelib.bedrock.claude_stream import PING, MessageEvents
from chalicelib.bedrock.events import Event
from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.errors import ServiceError

BODY: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
ACTION = "amazon-bedrock-guardrailAction"
MESSAGE: dict[str, Any] = {"id": "1", "model": "claude", "usage": {"input_tokens": 3}}
START: dict[str, Any] = {"type": "message_start", "message": MESSAGE}
TEXT: dict[str, Any] = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
END: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
STOP: dict[str, Any] = {"type": "message_stop"}


def _chunk(document: object) -> Event:
    return Event("chunk", {"bytes": base64.b64encode(json.dumps(document).encode()).decode(), "p": "abc"})


def _documents(*events: Event | None) -> list[dict[str, Any]]:
    lines = MessageEvents("asked-for").lines(events)
    return [json.loads(line.partition("data: ")[2]) for line in lines]


def test_model_version_and_stream_are_never_the_bodys() -> None:
    """The model is in the path, the version ours; everything else that passes is the very value that came."""
    thinking = {"type": "adaptive", "made_up_tomorrow": [1, {"a": None}]}
    body, ignored = to_invoke({**BODY, "stream": True, "anthropic_version": "x", "thinking": thinking, "top_k": None})

    assert body == {
        "anthropic_version": VERSION, "max_tokens": 5, "messages": BODY["messages"], "thinking": thinking,
    }  # fmt: skip
    assert ignored == ("anthropic_version",)


def test_flags_of_several_headers_are_one_list_without_repetition() -> None:
    """In the order of their first mention; unknown ones are named, and blanks are nothing."""
    betas = ["context-1m-2025-08-07, ,made-up", "made-up,effort-2025-11-24,context-1m-2025-08-07"]
    body, ignored = to_invoke(BODY, betas)

    assert body["anthropic_beta"] == ["context-1m-2025-08-07", "effort-2025-11-24"]
    assert ignored == ("anthropic-beta made-up",)


def test_a_field_of_tools_becomes_the_feature_that_bedrock_has_for_it() -> None:
    """Once, however many tools ask for it; false asks for nothing, and the caller's own object stays as it was."""
    eager = {"eager_input_streaming": True}
    tools: list[dict[str, Any]] = [{"name": "a", **eager}, {"name": "b", **eager}, {"name": "c"}]
    body, ignored = to_invoke({**BODY, "tools": tools})
    off, _ = to_invoke({**BODY, "tools": [{"name": "a", "eager_input_streaming": False}]})

    assert body["tools"] == [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    assert (body["anthropic_beta"], ignored) == (["fine-grained-tool-streaming-2025-05-14"], ())
    assert (off["tools"], off.get("anthropic_beta")) == ([{"name": "a"}], None)
    assert "eager_input_streaming" in tools[0]


def test_deferring_needs_its_feature() -> None:
    """With it the field passes; without, it is left out and named once."""
    tools = [{"name": "a", "defer_loading": True}, {"name": "b", "defer_loading": True}]
    kept, _ = to_invoke({**BODY, "tools": tools}, ["tool-search-tool-2025-10-19"])
    body, ignored = to_invoke({**BODY, "tools": tools})

    assert kept["tools"] == tools
    assert (body["tools"], ignored) == ([{"name": "a"}, {"name": "b"}], ("tools.defer_loading",))


def test_the_scope_of_a_cache_point_is_left_out_wherever_one_stands() -> None:
    """In the system's text, in tools, in messages and in what tools answered; only there, and only with its feature."""
    point = {"type": "ephemeral", "ttl": "1h"}
    scoped, plain = {"cache_control": {**point, "scope": "global"}}, {"cache_control": point}

    def asked(cached: dict[str, Any]) -> dict[str, Any]:
        call = {"type": "tool_use", "id": "1", "name": "a", "input": {"cache_control": {"scope": "mine"}}, **cached}
        result = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "x", **cached}]}
        messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": [call]}]
        return {
            "max_tokens": 5,
            "messages": [*messages, {"role": "user", "content": [result]}],
            "system": [{"type": "text", "text": "x", **cached}],
            "tools": [{"name": "a", **cached}],
        }

    body, ignored = to_invoke(asked(scoped), ["prompt-caching-scope-2026-01-05"])
    without, _ = to_invoke(asked(scoped))

    assert body == {"anthropic_version": VERSION, **asked(plain)}
    assert ignored == ("anthropic-beta prompt-caching-scope-2026-01-05",)
    assert without == {"anthropic_version": VERSION, **asked(scoped)}


@pytest.mark.parametrize("betas", [["a b"], ["x" * 101], ["a\r\nb"], [",".join(f"a{n}" for n in range(51))]])
def test_what_is_no_flag_is_refused(betas: list[str]) -> None:
    """A header is as foreign as a body."""
    with pytest.raises(ServiceError) as raised:
        to_invoke(BODY, betas)

    assert (raised.value.code, raised.value.param) == ("invalid_value", "anthropic-beta")


def test_a_count_asks_for_more_than_thinking_may_take() -> None:
    """Anthropic refuses `max_tokens` below the budget, and CountTokens wants the field; the caller gives none."""
    asked = {**BODY, "thinking": {"type": "enabled", "budget_tokens": 2000}, "temperature": 1}
    body, ignored = to_count(asked)
    counted = json.loads(base64.b64decode(body["input"]["invokeModel"]["body"]))

    assert counted["max_tokens"] == 2001
    assert counted["thinking"] == asked["thinking"]
    assert ignored == ("max_tokens", "temperature")


def test_a_message_is_returned_without_what_is_bedrocks() -> None:
    """Under the id that was asked for, with what Anthropic's schema requires besides, all else as it came."""
    message = {"type": "message", "model": "claude", "content": [], "stop_reason": "end_turn", "new": {"a": 1}}
    required = {"stop_sequence": None, "stop_details": None, "container": None}

    answered = from_invoke({**message, ACTION: "NONE", "amazon-bedrock-trace": {}}, "m")
    assert answered == {**message, **required, "model": "m"}
    assert from_invoke({**message, ACTION: "INTERVENED"}, "m")["stop_reason"] == "refusal"


@pytest.mark.parametrize("body", [{}, {"type": "error"}, {"type": "message"}, {"type": "message", "content": "x"}])
def test_an_answer_that_is_no_message_is_an_error(body: dict[str, Any]) -> None:
    """Half an answer never looks like a whole one."""
    with pytest.raises(ServiceError) as raised:
        from_invoke(body, "m")

    assert raised.value.code == "upstream_error"


def test_events_pass_as_they_came_but_for_the_model() -> None:
    """Also events and fields that nobody knows today; silence is a ping."""
    new = {"type": "something_new", "deep": {"er": [1]}}
    events = [_chunk(START), None, _chunk(TEXT), _chunk(new), Event("other", {}), _chunk(END), _chunk(STOP)]
    lines = list(MessageEvents("asked-for").lines(events))

    assert lines[1] == PING
    assert [json.loads(line.partition("data: ")[2]) for line in lines if line != PING] == [
        {**START, "message": {**MESSAGE, "model": "asked-for"}}, TEXT, new, END, STOP,
    ]  # fmt: skip


@pytest.mark.parametrize("place", ["message_start", "its message", "a delta", "message_delta", "message_stop"])
def test_a_guardrail_is_told_of_wherever_bedrock_says_so(place: str) -> None:
    """Which event says so is not documented: it is seen in each, and the reason to stop becomes `refusal`."""
    flag = {ACTION: "INTERVENED"}
    start = {**START, "message": {**MESSAGE, **flag}} if place == "its message" else START
    rows = {"message_start": start, "a delta": TEXT, "message_delta": END, "message_stop": STOP}
    events = [_chunk({**row, **(flag if name == place else {})}) for name, row in rows.items()]
    documents = _documents(*events)

    assert documents[-2]["delta"] == {"stop_reason": "refusal", "stop_sequence": None}
    assert ACTION not in json.dumps(documents)


def test_no_line_can_be_smuggled_into_a_stream() -> None:
    """A line break between two tokens of JSON, or a type that is none, would begin an event of the model's own."""
    octets = b'{"type":\n\n"content_block_delta", "index": 0,\r\n"delta": {"text": "a\\n\\nevent: x"}}'
    spread = Event("chunk", {"bytes": base64.b64encode(octets).decode()})
    events = [spread, _chunk({"type": "x\ny"}), _chunk({"type": 5}), _chunk(END), _chunk(STOP)]
    lines = list(MessageEvents("m").lines(events))

    assert len(lines) == 3
    assert all(line.count("\n") == 3 for line in lines)


def test_half_a_character_is_still_written() -> None:
    """Arguments of a tool that are cut within an escape leave half a surrogate pair, which UTF-8 can't hold."""
    document = {"type": "content_block_delta", "delta": {"partial_json": "\ud83d"}}
    (line, *_) = MessageEvents("m").lines([_chunk(document), _chunk(END), _chunk(STOP)])

    assert line.encode("utf-8")


BROKEN: dict[str, list[Event]] = {
    "nothing at all": [],
    "no end": [_chunk(START), _chunk(TEXT)],
    "a reason to stop and no stop": [_chunk(START), _chunk(END)],
    "no base64": [Event("chunk", {"bytes": "%%%"})],
    "no JSON": [Event("chunk", {"bytes": base64.b64encode(b"{").decode()})],
    "a list": [_chunk([1])],
    "no bytes": [Event("chunk", {})],
    "bytes that are a number": [Event("chunk", {"bytes": 5})],
}


@pytest.mark.parametrize("events", BROKEN.values(), ids=BROKEN)
def test_a_stream_that_is_none_or_has_no_end_is_an_error(events: list[Event]) -> None:
    """And `message_delta` was not written: clients take its reason to stop for the end."""
    message = MessageEvents("m")
    lines: list[str] = []
    with pytest.raises(Unreachable):
        lines.extend(message.lines(events))

    assert not message.finished
    assert not any("message_delta" in line for line in lines)


def test_an_error_among_the_events_is_raised() -> None:
    """As the model's own failure, with what it says."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(AwsError) as raised:
        list(MessageEvents("m").lines([_chunk(START), _chunk(error)]))

    assert raised.value.message == "Overloaded"


def test_usage_is_that_of_the_last_word() -> None:
    """Both events that count are read, for the log alone."""
    message = MessageEvents("m")
    list(message.lines([_chunk(START), _chunk(END), _chunk(STOP)]))

    assert message.usage == {"input_tokens": 3, "output_tokens": 7}

"""Events to chunks: tools, thoughts and ends, on events as Bedrock sends them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.bedrock.events import Event
from chalicelib.bedrock.stops import usage_of
from chalicelib.bedrock.stream import DONE, PING, Chunks
from chalicelib.errors import ServiceError

START = Event("messageStart", {"role": "assistant"})
STOP = Event("messageStop", {"stopReason": "end_turn"})


def _chunks(*, usage: bool = False, answer_tool: str | None = None, names: dict[str, str] | None = None) -> Chunks:
    return Chunks(
        completion_id="chatcmpl-1",
        created=1,
        model="m",
        include_usage=usage,
        tool_names=names or {},
        answer_tool=answer_tool,
    )


def _deltas(events: list[Event | None], **more: Any) -> list[dict[str, Any]]:
    lines = [line for line in _chunks(**more).lines(events) if line not in {DONE, PING}]
    choices = [json.loads(line.removeprefix("data: "))["choices"][0] for line in lines]
    return [
        choice["delta"] | ({"end": choice["finish_reason"]} if choice["finish_reason"] else {}) for choice in choices
    ]


@pytest.mark.parametrize("odd", [-5, True, 1.5, "5", None, [5]])
def test_what_is_no_count_counts_as_nothing(odd: object) -> None:
    """What a tenant used of the operator's model is what its day's limit is settled by: it never grows by an answer."""
    assert usage_of({"inputTokens": 7, "outputTokens": odd}) == {
        "prompt_tokens": 7,
        "completion_tokens": 0,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    }


def _tool(block: int, name: str, *parts: str) -> list[Event | None]:
    start = {"toolUse": {"toolUseId": f"call-{block}", "name": name}}
    return [
        Event("contentBlockStart", {"contentBlockIndex": block, "start": start}),
        *(Event("contentBlockDelta", {"contentBlockIndex": block, "delta": {"toolUse": {"input": p}}}) for p in parts),
        Event("contentBlockStop", {"contentBlockIndex": block}),
    ]


def _text(text: str, block: int = 0) -> Event:
    return Event("contentBlockDelta", {"contentBlockIndex": block, "delta": {"text": text}})


def test_calls_of_tools_are_counted_by_themselves() -> None:
    """Blocks 1 and 2 are calls 0 and 1; a call without input gets {}, names are the client's, text goes beside."""
    stop = Event("messageStop", {"stopReason": "tool_use"})
    events = [START, _text("Wait."), *_tool(1, "a_b", "", '{"x"', ": 1}"), *_tool(2, "c", ""), stop]
    deltas = _deltas(events, names={"a_b": "a.b"})

    assert deltas[1] == {"content": "Wait."}
    assert [call for delta in deltas for call in delta.get("tool_calls", [])] == [
        {"index": 0, "id": "call-1", "type": "function", "function": {"name": "a.b", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"x"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
        {"index": 1, "id": "call-2", "type": "function", "function": {"name": "c", "arguments": ""}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]
    assert deltas[-1] == {"end": "tool_calls"}


def test_a_tool_that_bedrock_runs_is_no_call() -> None:
    """Nova's web search and code interpreter: a client that saw a call of theirs would have to answer it."""
    theirs = {"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}}
    result = {"toolResult": {"toolUseId": "s", "status": "success", "type": "nova_grounding_result"}}
    searched: list[Event | None] = [
        START,
        *_block(0, theirs, {"toolUse": {"input": '{"query": "x"}'}}),
        *_block(1, result, {"toolResult": [{"text": "found"}]}),
    ]
    used = Event("messageStop", {"stopReason": "tool_use"})

    assert _deltas([*searched, _text("It is so.", 2), STOP])[1:] == [{"content": "It is so."}, {"end": "stop"}]
    calls = _deltas([*searched, *_tool(2, "weather", "{}"), used])[1:]
    assert [call["index"] for delta in calls for call in delta.get("tool_calls", [])] == [0, 0]
    assert calls[-1] == {"end": "tool_calls"}


def test_calls_that_end_as_a_turn_are_calls() -> None:
    """Some models say end_turn after them; an agent that reads stop would never run its tools."""
    assert _deltas([START, *_tool(0, "weather", "{}"), STOP])[-1] == {"end": "tool_calls"}
    cut = Event("messageStop", {"stopReason": "max_tokens"})
    assert _deltas([START, *_tool(0, "weather", '{"pl'), cut])[-1] == {"end": "length"}


def test_the_input_of_our_own_tool_is_the_answer() -> None:
    """JSON that was asked for comes as content, ends as stop, and has no chatter beside it."""
    stop = Event("messageStop", {"stopReason": "tool_use"})
    deltas = _deltas([START, _text("Here:"), *_tool(1, "json", '{"a":', "1}"), stop], answer_tool="json")

    assert [delta["content"] for delta in deltas[1:-1]] == ['{"a":', "1}"]
    assert deltas[-1] == {"end": "stop"}


def test_a_call_without_arguments_has_an_empty_object() -> None:
    """Clients parse them as JSON; also where Bedrock does not say that the block is at its end."""
    named = {"toolUse": {"toolUseId": "t", "name": "now"}}
    start = Event("contentBlockStart", {"contentBlockIndex": 1, "start": named})
    stop = Event("contentBlockStop", {"contentBlockIndex": 1})
    used = Event("messageStop", {"stopReason": "tool_use"})
    whole: list[Event | None] = [START, start, stop, used]
    short: list[Event | None] = [START, start, used]
    for events in (whole, short):
        calls = [call for delta in _deltas(events) for call in delta.get("tool_calls", [])]

        assert "".join(call["function"].get("arguments", "") for call in calls) == "{}"


def test_thoughts_are_kept_apart() -> None:
    """What a model thinks is no content; with the signature comes all that it covers, to be sent back."""
    thoughts = [{"text": "Hm"}, {"text": "."}, {"signature": "x"}, {"text": "So."}, {"signature": "y"}]
    events = [Event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": t}}) for t in thoughts]
    hidden = Event(
        "contentBlockDelta", {"contentBlockIndex": 1, "delta": {"reasoningContent": {"redactedContent": "eA=="}}}
    )
    deltas = _deltas([START, *events, hidden, STOP])

    assert deltas[1:] == [
        {"reasoning_content": "Hm"},
        {"reasoning_content": "."},
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "x"}]},
        {"reasoning_content": "So."},
        {"thinking_blocks": [{"type": "thinking", "thinking": "So.", "signature": "y"}]},
        {"thinking_blocks": [{"type": "redacted_thinking", "data": "eA=="}]},
        {"end": "stop"},
    ]


def _block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[Event | None]:
    return [
        Event("contentBlockStart", {"contentBlockIndex": index, "start": start}),
        *(Event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta}) for delta in deltas),
        Event("contentBlockStop", {"contentBlockIndex": index}),
    ]


def _used(name: str, arguments: str = "{}", index: int = 1) -> list[Event | None]:
    return _block(index, {"toolUse": {"toolUseId": "t1", "name": name}}, {"toolUse": {"input": arguments}})


USED = Event("messageStop", {"stopReason": "tool_use"})
ASIDES: dict[str, tuple[list[Event | None], str, str]] = {
    "the answer alone": ([*_used("answer", '{"a": 1}'), USED], '{"a": 1}', "stop"),
    "an answer without members": ([*_used("answer", ""), USED], "{}", "stop"),
    "words before it are no part of it": (
        [_text("Here it is:"), *_used("answer", '{"a": 1}'), USED],
        '{"a": 1}',
        "stop",
    ),
    "words after it neither": ([*_used("answer", '{"a": 1}'), _text("Done."), USED], '{"a": 1}', "stop"),
    "a second answer is none": ([*_used("answer", '{"a": 1}'), *_used("answer", "{}", 2), USED], '{"a": 1}', "stop"),
    "a guardrail's words are the answer": (
        [_text("Blocked."), Event("messageStop", {"stopReason": "guardrail_intervened"})],
        "Blocked.",
        "content_filter",
    ),
    "words without the tool are the answer": ([_text("No."), STOP], "No.", "stop"),
    "words before a call of the client's": ([_text("I look."), *_used("weather"), USED], "I look.", "tool_calls"),
}


@pytest.mark.parametrize(("events", "content", "finish"), ASIDES.values(), ids=ASIDES)
def test_what_is_said_beside_json_is_kept_apart(events: list[Event | None], content: str, finish: str) -> None:
    """With a tool that stands for the answer its input is the content; words are, where it was not called."""
    deltas = _deltas([START, *events], answer_tool="answer")

    assert "".join(delta.get("content", "") for delta in deltas) == content
    assert deltas[-1] == {"end": finish}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([USED], id="a call that names no tool"),
        pytest.param(_block(0, {"toolUse": {"name": "weather"}}), id="a call without an id"),
    ],
)
def test_a_call_that_cant_be_read_is_an_error(events: list[Event | None]) -> None:
    """An answer that lacks what the model did is not passed on as a whole one."""
    chunks = _chunks()
    with pytest.raises(ServiceError, match="called a tool"):
        list(chunks.lines([START, *events]))

    assert not chunks.finished


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("content_filtered", "content_filter"),
        ("guardrail_intervened", "content_filter"),
        ("a_new_reason", "stop"),
    ],
)
def test_every_reason_has_openais_word(reason: str, finish: str) -> None:
    """One that is not known yet ends a whole answer all the same."""
    assert _deltas([START, Event("messageStop", {"stopReason": reason})])[-1] == {"end": finish}


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use", None])
def test_an_answer_that_the_model_broke_off_is_an_error(reason: str | None) -> None:
    """Nor one whose end has no reason, as for whole answers. It is not finished, so no [DONE] follows."""
    chunks = _chunks()
    with pytest.raises(ServiceError):
        list(chunks.lines([START, Event("messageStop", {"stopReason": reason})]))

    assert not chunks.finished


def test_without_an_end_there_is_no_done() -> None:
    """[DONE] follows messageStop alone; silence is told by a comment; unknown events change nothing."""
    events = [START, None, _text("So"), Event("somethingNew", {"x": 1})]
    lines = list(_chunks().lines(events))

    assert PING in lines
    assert DONE not in lines
    assert list(_chunks().lines([*events, STOP]))[-1] == DONE


@pytest.mark.parametrize("text", ['"\\\n\r\t', "\x00\x1f", "日本 🎉", "\ud83d", "</script>", "data: [DONE]\n\n"])
def test_any_text_stays_in_its_place(text: str) -> None:
    """Quotes, line breaks, half characters and lines that look like ours are within one JSON string of one line."""
    [line] = list(_chunks().lines([_text(text)]))

    assert line.count("\n\n") == 1
    assert line.encode()
    assert json.loads(line.removeprefix("data: "))["choices"][0]["delta"]["content"] == text


def test_usage_counts_what_the_cache_gave() -> None:
    """As for whole answers; other chunks then have null."""
    usage = {"inputTokens": 3, "outputTokens": 2, "cacheReadInputTokens": 5, "totalTokens": 10}
    lines = list(_chunks(usage=True).lines([START, STOP, Event("metadata", {"usage": usage})]))
    last = json.loads(lines[-2].removeprefix("data: "))

    assert (last["choices"], last["usage"]["prompt_tokens"], last["usage"]["total_tokens"]) == ([], 8, 10)
    assert json.loads(lines[0].removeprefix("data: "))["usage"] is None
    assert "service_tier" not in last


def test_the_tier_of_an_answer_comes_with_what_it_cost() -> None:
    """Bedrock tells it with the usage; of whole answers it is a field beside it, too."""
    usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
    told = Event("metadata", {"usage": usage, "serviceTier": {"type": "flex"}})
    lines = list(_chunks(usage=True).lines([START, STOP, told]))

    assert json.loads(lines[-2].removeprefix("data: "))["service_tier"] == "flex"

"""Streams and errors of other companies, octet by octet: what is whole, and what only looks like it."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from urllib3 import HTTPResponse

from chalicelib.errors import ServiceError
from chalicelib.providers import message_stream
from chalicelib.providers.failures import clean, error_of, explain
from chalicelib.providers.openai import chunks
from chalicelib.providers.outgoing import Pieces, Received
from chalicelib.providers.sse import events
from tests.growth import is_linear


def _pieces(text: str, size: int = 7) -> Pieces:
    octets = text.encode()
    return Pieces((octets[at : at + size] for at in range(0, len(octets), size)), HTTPResponse())


def _chunk(reason: str | None = None, index: int = 0) -> str:
    choice = {"index": index, "delta": {"content": "ä"}, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}\n\n"


DONE = "data: [DONE]\n\n"
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_read_however_the_octets_come(size: int) -> None:
    """Comments, line ends of both kinds, several data lines, and no event for what stands after the last blank line."""
    text = ": ping\n\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\nid: 7\ndata: ä\n\ndata: half"

    assert list(events(_pieces(text, size))) == [("a", "1\n2"), ("", "ä")]


def test_a_stream_that_finished_is_passed_on() -> None:
    """Every chunk, and then the end."""
    assert len(list(chunks("openai", _pieces(_chunk() + _chunk("stop") + DONE), secret=SECRET))) == 2


BROKEN = {
    "nothing at all": "",
    "done and nothing before": DONE,
    "done without a reason to stop": _chunk() + DONE,
    "a reason to stop and no done": _chunk() + _chunk("stop"),
    "one of two choices not finished": _chunk() + _chunk(index=1) + _chunk("stop") + DONE,
    "half an event": _chunk() + _chunk("stop")[:20],
    "a chunk that is no JSON": _chunk() + "data: {\n\n" + DONE,
    "an error as an object": _chunk() + 'data: {"error": {"message": "no"}}\n\n' + DONE,
    "an error in a list": _chunk() + 'data: [{"error": {"code": 503, "message": "no"}}]\n\n' + DONE,
    "an event without end": "data: " + "x" * 5_000_000,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_stream_that_did_not_finish_is_an_error(text: str) -> None:
    """Whatever came before: the iterator never ends as if all were well."""
    with pytest.raises(ServiceError):
        list(chunks("openai", _pieces(text, 4096), secret=SECRET))


def _event(name: str, **data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n"


START = _event("message_start", message={"id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 3}})
STOP = _event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(START + STOP, id="no message_stop"),
        pytest.param(START + _event("message_stop"), id="no reason to stop"),
        pytest.param(START + "event: message_delta\ndata: nonsense\n\n", id="no JSON"),
        pytest.param(START + _event("error", error={"type": "api_error", "message": "no"}), id="an error"),
    ],
)
def test_a_message_that_did_not_finish_is_an_error(text: str) -> None:
    """As for OpenAI's shape."""
    with pytest.raises(ServiceError):
        list(message_stream.chunks(_pieces(text), 0, include_usage=False, secret=SECRET))


def test_a_message_with_a_call_without_arguments_is_given_empty_ones() -> None:
    """Clients parse the arguments, and nothing is no JSON."""
    block = {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}}
    text = START + _event("content_block_start", index=0, content_block=block) + _event("content_block_stop", index=0)
    made = list(
        message_stream.chunks(_pieces(text + STOP + _event("message_stop")), 0, include_usage=True, secret=SECRET)
    )
    calls = [call for c in made for choice in c["choices"] for call in choice["delta"].get("tool_calls", [])]

    assert "".join(call["function"].get("arguments", "") for call in calls) == "{}"
    assert made[-1]["usage"]["total_tokens"] == 5


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "azure"])
def test_a_key_that_a_provider_repeats_is_left_out(provider: str, status: int) -> None:
    """Whatever it looks like: an Azure key is mere hexadecimal, which no pattern would know."""
    key = "0123456789abcdef0123456789abcdef"
    body = {"error": {"message": f"The key {key} is odd.", "code": key, "param": key}}
    told = explain(error_of(provider, Received(status, {}, json.dumps(body).encode()), key))

    assert key not in repr(told.__dict__)


def test_a_stream_that_turns_into_an_error_repeats_no_key() -> None:
    """A key of Azure's looks like nothing in particular: it is known by what was sent."""
    said = {"error": {"type": "overloaded_error", "message": f"The quota of {SECRET} is used up."}}
    with pytest.raises(ServiceError) as of_azure:
        list(chunks("azure", _pieces(_chunk() + f"data: {json.dumps(said)}\n\n"), secret=SECRET))
    with pytest.raises(ServiceError) as of_anthropic:
        list(message_stream.chunks(_pieces(START + _event("error", **said)), 0, include_usage=False, secret=SECRET))

    for told in (of_azure, of_anthropic):
        assert "The quota of [left out] is used up." in told.value.message


def test_a_long_text_of_a_providers_costs_little() -> None:
    """An error may repeat whatever a caller sent, and no work grows with the square of it."""
    assert is_linear(lambda size: partial(clean, "x" * size), 40_000)
    assert clean("x" * 40_000) == "x" * 400
    assert clean("key sk" + "*" * 1500 + "end of it").startswith("key [left out]")

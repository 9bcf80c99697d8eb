"""Google's surface of OpenAI's shape: what it says in words of its own reaches OpenAI's clients in theirs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest

from chalicelib.errors import ServiceError
from chalicelib.providers import gemini
from chalicelib.providers.failures import error_of, explain
from chalicelib.providers.outgoing import Received
from tests.bedrock.far_side import Step
from tests.own_keys import of_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.world import World
    from tests.bedrock.conftest import Start

MODEL = "gemini-2.5-flash"
MESSAGES: list[Any] = [{"role": "user", "content": "Hi"}]
HOST = "generativelanguage.googleapis.com"


def _call(city: str, name: str = "function-call-1") -> dict[str, Any]:
    arguments = json.dumps({"city": city})
    return {"index": 0, "id": name, "type": "function", "function": {"name": "weather", "arguments": arguments}}


def _choice(reason: str | None, **more: Any) -> dict[str, Any]:
    return {"index": 0, "finish_reason": reason, **more}


REASONS = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "content_filter: PROHIBITED_CONTENT": "content_filter",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "MAX_TOKENS": "length",
    "STOP": "stop",
    "SOMETHING_NEW": "stop",
}


@pytest.mark.parametrize(("told", "read"), REASONS.items())
def test_every_reason_to_stop_is_one_of_openais(told: str, read: str) -> None:
    """Google's own words, and its word behind OpenAI's: OpenAI's schema has neither, and agents branch on it."""
    [choice] = gemini.whole({"choices": [_choice(told, message={"content": "Yes"})]})["choices"]
    [chunk] = gemini.Calls().chunk({"choices": [_choice(told, delta={})]})["choices"]

    assert (choice["finish_reason"], chunk["finish_reason"]) == (read, read)


def test_a_choice_without_a_message_has_one_that_says_nothing() -> None:
    """Clients read the message's content without looking whether there is one."""
    [choice] = gemini.whole({"choices": [_choice("content_filter: PROHIBITED_CONTENT")]})["choices"]

    assert choice["message"] == {"role": "assistant", "content": None, "refusal": None}


@pytest.mark.parametrize("reason", ["function_call_filter: MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
def test_a_call_that_google_gave_up_is_an_error(reason: str) -> None:
    """There is no text and no call in it: as a finished answer it would end an agent's work."""
    with pytest.raises(ServiceError, match=reason) as of_whole:
        gemini.whole({"choices": [_choice(reason, message={"role": "assistant"})]})
    with pytest.raises(ServiceError, match=reason) as of_stream:
        gemini.Calls().chunk({"choices": [_choice(reason, delta={"role": "assistant"})]})

    assert of_whole.value.code == of_stream.value.code == "upstream_error"


def test_a_whole_answer_without_a_reason_is_none() -> None:
    """Google has sent such a one, whose message has nothing but a role."""
    with pytest.raises(ServiceError, match="before it was complete"):
        gemini.whole({"choices": [_choice(None, message={"role": "assistant"})]})


STREAMS: dict[str, list[list[dict[str, Any]]]] = {
    "each call in a chunk": [[_call("Bern", "a")], [_call("Rome", "b")]],
    "both in one chunk": [[_call("Bern", "a"), _call("Rome", "b")]],
    "calls without ids": [[_call("Bern", "")], [_call("Rome", "")]],
    "calls in pieces": [
        [_call("Bern", "a") | {"function": {"name": "weather", "arguments": '{"city": '}}],
        [{"index": 0, "function": {"arguments": '"Bern"}'}}],
        [_call("Rome", "b") | {"function": {"name": "weather", "arguments": '{"city": "Ro'}}],
        [_call("", "b") | {"function": {"name": "weather", "arguments": 'me"}'}}],
    ],
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_several_calls_of_a_stream_are_counted(stream: list[list[dict[str, Any]]]) -> None:
    """All have index 0, and clients that join them by it make one call of two, whose arguments are no JSON."""
    calls = gemini.Calls()
    joined: dict[int, str] = {}
    for part in stream:
        [choice] = calls.chunk({"choices": [_choice(None, delta={"tool_calls": part})]})["choices"]
        for call in choice["delta"]["tool_calls"]:
            joined[call["index"]] = joined.get(call["index"], "") + call["function"]["arguments"]
    [last] = calls.chunk({"choices": [_choice("stop", delta={})]})["choices"]

    assert [json.loads(text)["city"] for _, text in sorted(joined.items())] == ["Bern", "Rome"]
    assert last["finish_reason"] == "tool_calls"


def _quota(quota: str, delay: str | None = "36.5s") -> Received:
    """Return Google's 429, as its OpenAI surface has it."""
    violation = {"quotaMetric": f"{HOST}/generate_content_free_tier_requests", "quotaId": quota, "quotaValue": "20"}
    details: list[Any] = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}]
    if delay is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    error = {"code": 429, "message": "You exceeded your current quota.", "status": "RESOURCE_EXHAUSTED"}
    return Received(429, {}, json.dumps([{"error": {**error, "details": details}}]).encode())


PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
QUOTAS = {
    "of a minute": (_quota(PER_MINUTE), "rate_limit_exceeded", 37, True),
    "of a minute, in whole seconds": (_quota(PER_MINUTE, "9s"), "rate_limit_exceeded", 9, True),
    "of a minute, for who knows how long": (_quota(PER_MINUTE, None), "rate_limit_exceeded", 5, True),
    "of a minute, for no time that anybody has": (_quota(PER_MINUTE, "99999999999s"), "rate_limit_exceeded", 5, True),
    "of a day": (_quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), "insufficient_quota", 37, False),
}


@pytest.mark.parametrize(("received", "code", "seconds", "again"), QUOTAS.values(), ids=QUOTAS)
def test_google_says_in_details_how_long_to_wait(received: Received, code: str, seconds: int, again: bool) -> None:
    """In no header; and a quota of a day is none that a client should wait for."""
    told = explain(error_of("google", received, "AIzaX"))

    assert (told.code, told.retry_after, told.should_retry) == (code, seconds, again)


@pytest.fixture
def app(world: World, start: Start, elsewhere: Callable[..., str]) -> Iterator[Callable[[Step], openai.OpenAI]]:
    """Give OpenAI's client, with one answer in the place of Google's."""
    made: list[openai.OpenAI] = []

    def client(step: Step) -> openai.OpenAI:
        url = elsewhere(local_addresses={HOST: start(step).url})
        made.append(
            openai.OpenAI(
                base_url=f"{url}/v1",
                api_key=world.issuer.token("gemini"),
                max_retries=0,
                default_headers=of_provider(world, "google"),
            )
        )
        return made[-1]

    yield client
    for one in made:
        one.close()


def test_openais_client_reads_it(app: Callable[[Step], openai.OpenAI]) -> None:
    """Over HTTP, whole and streamed: a choice that Google blocked, and a call that it gave up."""
    blocked = json.dumps({"id": "g", "choices": [_choice("content_filter: PROHIBITED_CONTENT")]}).encode()
    answer = app(Step(200, blocked)).chat.completions.create(model=MODEL, messages=MESSAGES)
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("content_filter", None)

    broken = _choice("function_call_filter: MALFORMED_FUNCTION_CALL", message={"role": "assistant"})
    with pytest.raises(openai.InternalServerError, match="MALFORMED_FUNCTION_CALL"):
        app(Step(200, json.dumps({"choices": [broken]}).encode())).chat.completions.create(
            model=MODEL, messages=MESSAGES
        )

    chunk = {"id": "g", "choices": [_choice(broken["finish_reason"], delta={"role": "assistant"})]}
    events = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    with pytest.raises(openai.APIError, match="MALFORMED_FUNCTION_CALL"):
        list(app(Step(200, events)).chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))

"""Streams end to end: the openai client over HTTP, and every way in which Bedrock may break one off."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import openai
import pytest
from langchain_openai import ChatOpenAI

from tests.on_lambda import Context, proxy_event
from tests.routes.leaving import abandoned_by_leaving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World
    from tests.far_customer import Onboarding

MODEL = "bedrock/amazon.nova-lite-v1:0"
SAID = "Tell me of the river and the two mills beside it."
CHAT: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": SAID}]}


@pytest.fixture
def client(tenant: Onboarding) -> Iterator[openai.OpenAI]:
    """Give OpenAI's client, without retries of its own."""
    with openai.OpenAI(base_url=f"{tenant.api.url}/v1", api_key=tenant.api.token, max_retries=0) as made:
        yield made


def _fault(world: World, **fault: object) -> None:
    world.aws.faults.add({"service": "bedrock-runtime", "operation": "ConverseStream", **fault})


def _text(client: openai.OpenAI, **more: Any) -> str:
    chunks = client.chat.completions.create(**CHAT, stream=True, **more)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_stream_says_what_a_whole_answer_says(client: openai.OpenAI) -> None:
    """The same words, in many chunks under one id, ended by one reason and [DONE]."""
    whole = client.chat.completions.create(**CHAT)
    chunks = list(client.chat.completions.create(**CHAT, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    assert text == whole.choices[0].message.content
    assert len(chunks) > 10
    assert {(chunk.id, chunk.object, chunk.model, chunk.created) for chunk in chunks} == {
        (chunks[0].id, "chat.completion.chunk", MODEL, chunks[0].created)
    }
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert {chunk.choices[0].index for chunk in chunks} == {0}


def test_usage_comes_when_asked_for_and_not_otherwise(client: openai.OpenAI) -> None:
    """With include_usage a last chunk without choices has it, and all others have null, as OpenAI's do."""
    asked = list(client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}))
    plain = list(client.chat.completions.create(**CHAT, stream=True))
    whole = client.chat.completions.create(**CHAT).usage

    assert (asked[-1].choices, asked[-1].usage) == ([], whole)
    assert all(chunk.usage is None for chunk in [*asked[:-1], *plain])
    assert len(asked) == len(plain) + 1


def test_what_goes_over_the_wire(tenant: Onboarding) -> None:
    """Lines of `data:`, each JSON, then [DONE]; nothing may be cached; AWS's request id is in a header."""
    answer = tenant.api.post("/v1/chat/completions", {**CHAT, "stream": True})
    lines = answer.text.strip().split("\n\n")

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Rolecall-AWS-Request-Id"]
    assert lines[-1] == "data: [DONE]"
    assert all(json.loads(line.removeprefix("data: ")) for line in lines[:-1])


def test_chunks_come_as_they_are_made(world: World, client: openai.OpenAI) -> None:
    """The first words are there long before the last."""
    _fault(world, kind="slow", after_events=4, seconds=0.1)
    started = time.monotonic()
    times = [time.monotonic() - started for _ in client.chat.completions.create(**CHAT, stream=True)]

    assert times[-1] - times[1] > 1


def test_the_async_client_and_the_helper_read_it(tenant: Onboarding) -> None:
    """OpenAI's own ways of putting a stream together end in the whole answer."""

    async def run() -> str:
        url = f"{tenant.api.url}/v1"
        async with (
            openai.AsyncOpenAI(base_url=url, api_key=tenant.api.token, max_retries=0) as client,
            client.chat.completions.stream(**CHAT) as stream,
        ):
            parts = [event.delta async for event in stream if event.type == "content.delta"]
            final = await stream.get_final_completion()
        assert "".join(parts) == final.choices[0].message.content
        return "".join(parts)

    assert "river" in asyncio.run(run())


def test_langchain_reads_it(tenant: Onboarding) -> None:
    """LangChain streams through the same client in its own way."""
    model = ChatOpenAI(model=MODEL, base_url=f"{tenant.api.url}/v1", api_key=tenant.api.token, max_retries=0)

    assert "river" in "".join(str(part.content) for part in model.stream(SAID))


BROKEN = {
    "throttled": ({"kind": "exception_frame", "code": "throttlingException"}, "rate_limit_exceeded"),
    "unavailable": ({"kind": "exception_frame", "code": "serviceUnavailableException"}, "service_unavailable"),
    "an internal error": ({"kind": "exception_frame", "code": "internalServerException"}, "upstream_error"),
    "a model's error": ({"kind": "exception_frame", "code": "modelStreamErrorException"}, "model_error"),
    "a model's timeout": ({"kind": "exception_frame", "code": "modelTimeoutException"}, "model_timeout"),
    "refused after all": ({"kind": "exception_frame", "code": "validationException"}, "invalid_value"),
    "an exception that nobody knows": ({"kind": "exception_frame", "code": "somethingNewException"}, "unrecognised"),
    "a cut connection": ({"kind": "cut", "after_events": 5}, "upstream_unreachable"),
    "a clean end too early": ({"kind": "early_end"}, "upstream_unreachable"),
    "half a frame": ({"kind": "half_frame"}, "upstream_unreachable"),
}


@pytest.mark.parametrize(("fault", "code"), BROKEN.values(), ids=BROKEN)
def test_a_broken_stream_is_an_error_to_its_client(
    world: World, tenant: Onboarding, client: openai.OpenAI, fault: dict[str, object], code: str
) -> None:
    """OpenAI's client raises with our code; the text has no [DONE]; the next chat works."""
    _fault(world, **fault)
    with pytest.raises(openai.APIError) as raised:
        _text(client)
    _fault(world, **fault)
    raw = tenant.api.post("/v1/chat/completions", {**CHAT, "stream": True})

    assert raised.value.code == code
    assert raw.status == 200
    assert "[DONE]" not in raw.text
    last = json.loads(raw.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == code
    assert "river" in _text(client)


BEFORE = {
    "throttled": ("ThrottlingException", 429, "rate_limit_exceeded"),
    "refused": ("ValidationException", 400, "invalid_value"),
    "denied": ("AccessDeniedException", 403, "role_permission_denied"),
    "not there": ("ResourceNotFoundException", 404, "model_not_found"),
    "broken": ("InternalServerException", 502, "upstream_error"),
}


@pytest.mark.parametrize(("aws_code", "status", "code"), BEFORE.values(), ids=BEFORE)
def test_what_goes_wrong_before_the_first_word_keeps_its_status(
    world: World, client: openai.OpenAI, aws_code: str, status: int, code: str
) -> None:
    """No 200 is sent before the first event is there."""
    _fault(world, kind="error", code=aws_code, times=2)
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(**CHAT, stream=True)

    assert (raised.value.status_code, raised.value.code) == (status, code)


def test_an_exception_in_the_first_frame_keeps_its_status(world: World, client: openai.OpenAI) -> None:
    """Bedrock answers 200 and then throttles at once: to us that is still before the first event."""
    _fault(world, kind="exception_frame", code="throttlingException", after_events=0, times=2)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(**CHAT, stream=True)


def test_one_passing_fault_before_the_stream_is_not_seen(world: World, client: openai.OpenAI) -> None:
    """Throttled once, it is asked for again; the client never knows."""
    _fault(world, kind="error", code="ThrottlingException")

    assert "river" in _text(client)


def test_a_session_that_aws_no_longer_takes_is_replaced(world: World, client: openai.OpenAI) -> None:
    """Before the first event the role is assumed anew, once."""
    _fault(world, kind="error", code="ExpiredTokenException")

    assert "river" in _text(client)


def test_who_goes_away_ends_the_call_upstream(world: World, tenant: Onboarding) -> None:
    """A client that closes its connection ends Bedrock's stream soon after, and no reader is left behind."""
    _fault(world, kind="slow", after_events=3, seconds=0.2)
    headers = {"Authorization": f"Bearer {tenant.api.token}"}
    body = {**CHAT, "stream": True}

    assert abandoned_by_leaving(tenant.api.url, "/v1/chat/completions", headers, body) == 1


def _buffered(world: World, tenant: Onboarding, seconds: float) -> str:
    headers = {"Authorization": f"Bearer {tenant.api.token}", "Content-Type": "application/json"}
    event = proxy_event("POST", "/v1/chat/completions", headers, {**CHAT, "stream": True})
    answer: dict[str, Any] = world.app(event, Context(seconds))
    assert answer["statusCode"] == 200
    return str(answer["body"])


def test_where_nothing_can_be_streamed_the_same_text_comes_at_once(world: World, tenant: Onboarding) -> None:
    """Without a runtime that streams, the events are one text."""
    text = _buffered(world, tenant, 300)

    assert text.endswith("data: [DONE]\n\n")


def test_a_stream_ends_with_an_error_before_lambda_ends_it(world: World, tenant: Onboarding) -> None:
    """Seconds before the deadline the client is told, instead of being left with half an answer."""
    _fault(world, kind="silence", after_events=4, seconds=30)
    text = _buffered(world, tenant, 6.5)

    assert "[DONE]" not in text
    assert '"upstream_timeout"' in text


def test_options_without_a_stream_are_refused(client: openai.OpenAI) -> None:
    """As OpenAI refuses them."""
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**CHAT, stream_options={"include_usage": True})

    assert raised.value.param == "stream_options"

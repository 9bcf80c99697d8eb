"""Errors of Anthropic's Messages, in Anthropic's shape: bodies, refusals of AWS, and streams that break off."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from tests.far_customer import Answer, Api, Onboarding
from tests.on_lambda import Context, proxy_event
from tests.routes.leaving import abandoned_by_leaving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
MESSAGES: list[Any] = [{"role": "user", "content": "Tell me of the river and the two mills beside it."}]
MESSAGE: dict[str, Any] = {"model": HAIKU, "max_tokens": 300, "messages": MESSAGES}
INVALID = "invalid_request_error"


@pytest.fixture
def client(tenant: Onboarding) -> Iterator[anthropic.Anthropic]:
    """Give Anthropic's client, without retries of its own."""
    with anthropic.Anthropic(base_url=tenant.api.url, api_key=tenant.api.token, max_retries=0) as made:
        yield made


def _fault(world: World, operation: str = "InvokeModelWithResponseStream", **fault: object) -> None:
    world.aws.faults.add({"service": "bedrock-runtime", "operation": operation, **fault})


def _shape(answer: Answer, status: int, kind: str, code: str, param: str | None) -> None:
    """Assert the whole form of an error, as Anthropic's API has it."""
    body = answer.json
    assert answer.status == status
    assert set(body) == {"type", "error", "request_id"}
    assert body["type"] == "error"
    assert body["request_id"] == answer.headers["Request-Id"] == answer.headers["X-Request-Id"]
    error = body["error"]
    assert (error["type"], error["code"], error["param"]) == (kind, code, param)
    assert error["details"] == {"error_code": code}
    assert error["message"]


BODIES: dict[str, tuple[object, str, str | None]] = {
    "no JSON": (b"{", "invalid_json", None),
    "not in UTF-8": (b'{"model": "\xff"}', "invalid_json", None),
    "half a surrogate pair": (b'{"model": "\\ud800"}', "invalid_json", None),
    "a number that is none": (b'{"model": NaN}', "invalid_json", None),
    "a number without end": (b'{"model": "x", "metadata": {"a": 1e999}}', "invalid_json", None),
    "a list": ([], "invalid_type", None),
    "nested without end": (b'{"messages":' * 100_000, "invalid_json", None),
    "nested too deeply": (b'{"metadata":' * 300 + b"1" + b"}" * 300, "invalid_json", None),
    "no model": ({**MESSAGE, "model": None}, "missing_field", "model"),
    "a model that is a number": ({**MESSAGE, "model": 5}, "invalid_type", "model"),
    "an empty model": ({**MESSAGE, "model": ""}, "invalid_type", "model"),
    "a model of another provider": ({**MESSAGE, "model": "openai/gpt-4o"}, "provider_mismatch", "model"),
    "no max_tokens": ({"model": HAIKU, "messages": MESSAGES}, "missing_field", "max_tokens"),
    "max_tokens in words": ({**MESSAGE, "max_tokens": "300"}, "invalid_type", "max_tokens"),
    "max_tokens with a fraction": ({**MESSAGE, "max_tokens": 1.5}, "invalid_type", "max_tokens"),
    "max_tokens that is true": ({**MESSAGE, "max_tokens": True}, "invalid_type", "max_tokens"),
    "max_tokens below zero": ({**MESSAGE, "max_tokens": -1}, "invalid_type", "max_tokens"),
    "no messages": ({"model": HAIKU, "max_tokens": 3}, "missing_field", "messages"),
    "messages as a text": ({**MESSAGE, "messages": "Hello"}, "invalid_type", "messages"),
    "an empty list of messages": ({**MESSAGE, "messages": []}, "invalid_value", "messages"),
    "a message that is a text": ({**MESSAGE, "messages": ["Hello"]}, "invalid_type", "messages"),
    "a message of nobody": ({**MESSAGE, "messages": [{"content": "x"}]}, "missing_field", "messages.0.role"),
    "a message of a tool": (
        {**MESSAGE, "messages": [*MESSAGES, {"role": "tool", "content": "x"}]}, "invalid_value", "messages.1.role",
    ),
    "a role that is a list": (
        {**MESSAGE, "messages": [{"role": [], "content": "x"}]}, "invalid_value", "messages.0.role",
    ),
    "a message without content": ({**MESSAGE, "messages": [{"role": "user"}]}, "missing_field", "messages.0.content"),
    "content that is a number": (
        {**MESSAGE, "messages": [{"role": "user", "content": 5}]}, "invalid_type", "messages.0.content",
    ),
    "a block without a type": (
        {**MESSAGE, "messages": [{"role": "user", "content": [{"text": "x"}]}]}, "invalid_type", "messages.0.content",
    ),
    "stream in words": ({**MESSAGE, "stream": "yes"}, "invalid_type", "stream"),
    "a system that is an object": ({**MESSAGE, "system": {"text": "x"}}, "invalid_type", "system"),
    "tools by name": ({**MESSAGE, "tools": ["weather"]}, "invalid_type", "tools"),
    "a thousand tools and one": ({**MESSAGE, "tools": [{}] * 1001}, "invalid_type", "tools"),
    "tool_choice in OpenAI's words": ({**MESSAGE, "tool_choice": "auto"}, "invalid_type", "tool_choice"),
    "thinking that is true": ({**MESSAGE, "thinking": True}, "invalid_type", "thinking"),
    "a stop sequence without a list": ({**MESSAGE, "stop_sequences": "end"}, "invalid_type", "stop_sequences"),
    "a temperature in words": ({**MESSAGE, "temperature": "hot"}, "invalid_type", "temperature"),
    "metadata as a text": ({**MESSAGE, "metadata": "me"}, "invalid_type", "metadata"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "code", "param"), BODIES.values(), ids=BODIES)
def test_a_bad_body_is_told_in_anthropics_shape(
    world: World, tenant: Onboarding, body: object, code: str, param: str | None
) -> None:
    """With the place of the fault, before anything is asked of AWS."""
    world.aws.calls.clear()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = tenant.api.call("POST", "/v1/messages", raw=raw)

    _shape(answer, 400, INVALID, code, param)
    assert world.aws.calls.count("bedrock-runtime") == 0


def test_counting_wants_messages_and_no_limit(tenant: Onboarding) -> None:
    """The same checks as for an answer, but that `max_tokens` has no meaning there."""
    path = "/v1/messages/count_tokens"
    answer = tenant.api.post(path, {"model": HAIKU, "messages": MESSAGES, "max_tokens": 5})
    without = tenant.api.post(path, {"model": HAIKU})

    assert (answer.status, answer.headers["Rolecall-Ignored-Fields"]) == (200, "max_tokens")
    _shape(without, 400, INVALID, "missing_field", "messages")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_whatever_goes_wrong_at_the_edge_has_the_same_shape(world: World, tenant: Onboarding, path: str) -> None:
    """Tokens, scopes, sizes, media types, methods and connections, each with Anthropic's type for its status."""
    api, nobody = tenant.api, Api(tenant.api.url, None)
    unscoped = Api(tenant.api.url, world.issuer.token(tenant.tenant, scopes="connections:read"))
    alone = Api(tenant.api.url, world.issuer.token("messages-of-nobody"))

    _shape(nobody.post(path, MESSAGE), 401, "authentication_error", "missing_token", "Authorization")
    _shape(Api(api.url, "a.b.c").post(path, MESSAGE), 401, "authentication_error", "invalid_token", "Authorization")
    _shape(unscoped.post(path, MESSAGE), 403, "permission_error", "insufficient_scope", None)
    _shape(alone.post(path, MESSAGE), 400, INVALID, "connection_required", "Rolecall-Connection")
    _shape(api.call("POST", path, raw=b"x" * (6 * 1024 * 1024 + 1)), 413, "request_too_large", "body_too_large", None)
    text = api.call("POST", path, raw=b"{}", headers={"Content-Type": "text/plain"})
    _shape(text, 415, INVALID, "unsupported_media_type", "Content-Type")
    _shape(api.post(path, {**MESSAGE, "model": "claude-2"}), 404, "not_found_error", "model_not_found", "model")
    _shape(api.post(path, {**MESSAGE, "model": "arn:aws:x"}), 422, INVALID, "invalid_model_id", "model")
    _shape(api.post(path, {**MESSAGE, "model": "amazon.nova-lite-v1:0"}), 400, INVALID, "model_not_supported", "model")
    imported = f"arn:aws:bedrock:us-east-1:{world.accounts.customer.account}:imported-model/abc"
    _shape(api.post(path, {**MESSAGE, "model": imported}), 400, INVALID, "model_not_supported", "model")
    beta = api.call("POST", path, MESSAGE, headers={"anthropic-beta": "x" * 200})
    _shape(beta, 400, INVALID, "invalid_value", "anthropic-beta")


def test_a_method_that_the_path_has_not_is_told_in_the_same_shape(world: World, tenant: Onboarding) -> None:
    """Chalice's own answer takes the manner of the path."""
    headers = {"Authorization": f"Bearer {tenant.api.token}"}
    answer: dict[str, Any] = world.app(proxy_event("GET", "/v1/messages", headers), None)
    body = json.loads(answer["body"])

    told = (body["type"], body["error"]["type"], body["error"]["code"])
    assert answer["statusCode"] == 405
    assert told == ("error", "invalid_request_error", "method_not_allowed")


def test_two_headers_of_one_name_are_two_tokens(world: World, tenant: Onboarding) -> None:
    """Even when they are the same: what reads the first and what reads the last must never be able to differ."""
    token = str(tenant.api.token)
    for name, value in (("x-api-key", token), ("Authorization", f"Bearer {token}")):
        event = proxy_event("POST", "/v1/messages", {"Content-Type": "application/json"}, MESSAGE)
        event["multiValueHeaders"][name] = [value, value]
        answer: dict[str, Any] = world.app(event, None)
        error = json.loads(answer["body"])["error"]

        assert (answer["statusCode"], error["code"]) == (400, "several_authorization_headers")


REFUSALS = {
    "throttled": ("ThrottlingException", 429, "rate_limit_error", "rate_limit_exceeded"),
    "refused": ("ValidationException", 400, INVALID, "invalid_value"),
    "denied": ("AccessDeniedException", 403, "permission_error", "role_permission_denied"),
    "not there": ("ResourceNotFoundException", 404, "not_found_error", "model_not_found"),
    "broken": ("InternalServerException", 502, "api_error", "upstream_error"),
    "busy": ("ServiceUnavailableException", 503, "overloaded_error", "service_unavailable"),
    "too slow": ("ModelTimeoutException", 504, "timeout_error", "model_timeout"),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("aws_code", "status", "kind", "code"), REFUSALS.values(), ids=REFUSALS)
def test_what_aws_refuses_is_told_with_its_status(
    world: World, tenant: Onboarding, aws_code: str, status: int, kind: str, code: str, streamed: bool
) -> None:
    """Whole or streamed: no 200 is sent before the first event is there."""
    _fault(world, "InvokeModelWithResponseStream" if streamed else "InvokeModel", kind="error", code=aws_code, times=2)
    answer = tenant.api.post("/v1/messages", {**MESSAGE, "stream": streamed})

    _shape(answer, status, kind, code, answer.error["param"])
    assert answer.headers["Rolecall-AWS-Request-Id"]


def test_who_is_throttled_is_told_when_to_come_again(world: World, client: anthropic.Anthropic) -> None:
    """Anthropic's client raises its own kind of error, and finds the headers that it obeys."""
    _fault(world, "InvokeModel", kind="error", code="ThrottlingException", times=2)
    with pytest.raises(anthropic.RateLimitError) as raised:
        client.messages.create(**MESSAGE)

    assert raised.value.error_code == "rate_limit_exceeded"
    assert raised.value.response.headers["retry-after"] == "2"
    assert raised.value.response.headers["x-should-retry"] == "true"


def test_anthropics_client_comes_again_by_itself(world: World, tenant: Onboarding) -> None:
    """Two tries of ours, then one of the client's, which succeeds; what can't succeed is tried once."""
    with anthropic.Anthropic(base_url=tenant.api.url, api_key=tenant.api.token, max_retries=1) as client:
        _fault(world, "InvokeModel", kind="error", code="ThrottlingException", times=2)
        assert client.messages.create(**MESSAGE).stop_reason == "end_turn"
        world.aws.calls.clear()
        _fault(world, "InvokeModel", kind="error", code="AccessDeniedException", times=None)
        with pytest.raises(anthropic.PermissionDeniedError):
            client.messages.create(**MESSAGE)

    assert world.aws.calls.count("bedrock-runtime", "InvokeModel") == 1


def test_a_body_cut_short_is_no_message(world: World, client: anthropic.Anthropic) -> None:
    """And it is not asked for again: the model has run."""
    _fault(world, "InvokeModel", kind="cut", times=2)
    with pytest.raises(anthropic.InternalServerError) as raised:
        client.messages.create(**MESSAGE)

    assert raised.value.error_code == "upstream_unreachable"


def _frame(code: str) -> dict[str, object]:
    return {"kind": "exception_frame", "code": code}


CUT = ("api_error", "upstream_unreachable")
BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "throttled": (_frame("throttlingException"), "rate_limit_error", "rate_limit_exceeded"),
    "unavailable": (_frame("serviceUnavailableException"), "overloaded_error", "service_unavailable"),
    "an internal error": (_frame("internalServerException"), "api_error", "upstream_error"),
    "a model's error": (_frame("modelStreamErrorException"), "api_error", "model_error"),
    "a model's timeout": (_frame("modelTimeoutException"), "timeout_error", "model_timeout"),
    "refused after all": (_frame("validationException"), INVALID, "invalid_value"),
    "an unknown exception": (_frame("somethingNew"), "api_error", "unrecognised"),
    "a cut connection": ({"kind": "cut", "after_events": 5}, *CUT),
    "a clean end too early": ({"kind": "early_end"}, *CUT),
    "a clean end before the last event": ({"kind": "early_end", "after_events": 999}, *CUT),
    "half a frame": ({"kind": "half_frame"}, *CUT),
}


@pytest.mark.parametrize(("fault", "kind", "code"), BROKEN.values(), ids=BROKEN)
def test_a_broken_stream_is_an_error_to_its_client(
    world: World, tenant: Onboarding, client: anthropic.Anthropic, fault: dict[str, Any], kind: str, code: str
) -> None:
    """Anthropic's client raises; the last event is `error` in Anthropic's shape, and no `message_stop` came."""
    _fault(world, **fault)
    with pytest.raises(anthropic.APIStatusError) as raised, client.messages.stream(**MESSAGE) as stream:
        stream.until_done()
    _fault(world, **fault)
    raw = tenant.api.post("/v1/messages", {**MESSAGE, "stream": True})
    name, _, data = raw.text.strip().split("\n\n")[-1].partition("\ndata: ")
    body = json.loads(data)

    assert (raised.value.type, raised.value.error_code) == (kind, code)
    assert (raw.status, name) == (200, "event: error")
    assert (body["type"], body["error"]["type"], body["error"]["code"]) == ("error", kind, code)
    assert body["request_id"] == raw.headers["Request-Id"]
    assert "message_stop" not in raw.text
    assert "message_delta" not in raw.text


def test_what_goes_over_the_wire(tenant: Onboarding) -> None:
    """Each event under its name, in Anthropic's order, with nothing of Bedrock's among it."""
    answer = tenant.api.post("/v1/messages", {**MESSAGE, "stream": True})
    events = [event.split("\ndata: ") for event in answer.text.strip().split("\n\n")]
    names = [name.removeprefix("event: ") for name, _ in events]

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Rolecall-AWS-Request-Id"]
    assert [json.loads(data)["type"] for _, data in events] == names
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert "amazon-bedrock" not in answer.text


def test_events_come_as_they_are_made(world: World, client: anthropic.Anthropic) -> None:
    """The first words are there long before the last."""
    _fault(world, kind="slow", after_events=4, seconds=0.1)
    started = time.monotonic()
    times = [time.monotonic() - started for _ in client.messages.create(**MESSAGE, stream=True)]

    assert times[-1] - times[1] > 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_session_that_aws_no_longer_takes_is_replaced_once(world: World, tenant: Onboarding, streamed: bool) -> None:
    """The role is assumed anew; refused again, it is no 401, which would send the caller looking for a fault."""
    operation = "InvokeModelWithResponseStream" if streamed else "InvokeModel"
    body = {**MESSAGE, "stream": streamed}
    assert tenant.api.post("/v1/messages", MESSAGE).status == 200  # there is a session now
    _fault(world, operation, kind="error", code="ExpiredTokenException")
    world.aws.calls.clear()
    once = tenant.api.post("/v1/messages", body)
    assumed = world.aws.calls.count("sts", "AssumeRole")
    _fault(world, operation, kind="error", code="ExpiredTokenException", times=2)
    twice = tenant.api.post("/v1/messages", body)

    assert (once.status, assumed) == (200, 1)
    _shape(twice, 502, "api_error", "expired_credentials", None)


def test_who_goes_away_ends_the_call_upstream(world: World, tenant: Onboarding) -> None:
    """A client that closes its connection ends Bedrock's stream soon after, and no reader is left behind."""
    _fault(world, kind="slow", after_events=3, seconds=0.2)
    headers = {"x-api-key": str(tenant.api.token)}
    body = {**MESSAGE, "stream": True}

    assert abandoned_by_leaving(tenant.api.url, "/v1/messages", headers, body) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_ends_with_an_error_before_lambda_ends_it(world: World, tenant: Onboarding, streamed: bool) -> None:
    """Seconds before the deadline the client is told, instead of being left with nothing or with half an answer."""
    if streamed:
        _fault(world, kind="silence", after_events=4, seconds=30)
    else:
        _fault(world, "InvokeModel", kind="slow", seconds=30)
    headers = {"x-api-key": str(tenant.api.token), "Content-Type": "application/json"}
    event = proxy_event("POST", "/v1/messages", headers, {**MESSAGE, "stream": streamed})
    answer: dict[str, Any] = world.app(event, Context(6.5))

    assert answer["statusCode"] == (200 if streamed else 504)
    assert '"upstream_timeout"' in answer["body"]
    assert "message_stop" not in answer["body"]

"""Anthropic's Messages with a key in the headers: to Anthropic as it came, to Bedrock, or nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from tests.far_customer import Answer, Api
from tests.on_lambda import Context, proxy_event
from tests.own_keys import of_aws, of_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World

MODEL = "claude-haiku-4-5-20251001"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
MESSAGE: dict[str, Any] = {"max_tokens": 300, "messages": [{"role": "user", "content": "Tell me of orchards."}]}


@pytest.fixture(scope="module")
def api(world: World) -> Api:
    """Give the API of a tenant without a connection: what is answered is answered by the key."""
    return Api(world.gateway.url, world.issuer.token("own-messages"))


@pytest.fixture
def client(api: Api) -> Iterator[anthropic.Anthropic]:
    """Give Anthropic's client as an app of the tenant would make it."""
    with anthropic.Anthropic(base_url=api.url, api_key=api.token, max_retries=0) as made:
        yield made


def _post(api: Api, headers: dict[str, str], path: str = "/v1/messages", **body: object) -> Answer:
    return api.call("POST", path, {**MESSAGE, **body}, headers=headers)


@pytest.mark.parametrize("model", [MODEL, f"anthropic/{MODEL}"])
def test_a_key_of_anthropics_goes_to_anthropic(world: World, client: anthropic.Anthropic, model: str) -> None:
    """Whole, streamed and counted, with what Anthropic alone takes: the body goes on as it came."""
    headers = of_provider(world, "anthropic")
    whole = client.messages.create(**MESSAGE, model=model, service_tier="auto", extra_headers=headers)
    with client.messages.stream(**MESSAGE, model=model, extra_headers=headers) as stream:
        streamed = stream.get_final_message()
    counted = client.messages.count_tokens(model=model, messages=MESSAGE["messages"], extra_headers=headers)

    assert isinstance(whole.content[0], anthropic.types.TextBlock)
    assert isinstance(streamed.content[0], anthropic.types.TextBlock)
    assert "orchards" in whole.content[0].text == streamed.content[0].text
    assert whole.stop_reason == streamed.stop_reason == "end_turn"
    assert counted.input_tokens > 0


def test_keys_of_aws_ask_bedrock(world: World, client: anthropic.Anthropic) -> None:
    """As a connection does, and without one."""
    headers = of_aws(world)
    whole = client.messages.create(**MESSAGE, model=HAIKU, extra_headers=headers)
    with client.messages.stream(**MESSAGE, model=HAIKU, extra_headers=headers) as stream:
        streamed = stream.get_final_message()
    counted = client.messages.count_tokens(model=HAIKU, messages=MESSAGE["messages"], extra_headers=headers)

    assert (whole.id, whole.stop_reason) == (streamed.id, "end_turn")
    assert counted.input_tokens == whole.usage.input_tokens


REFUSED: dict[str, tuple[str, int, str, str]] = {
    "a key that is none": ("bad", 401, "authentication_error", "provider_key_rejected"),
    "an account without credit": ("no-credit", 429, "rate_limit_error", "insufficient_quota"),
    "one that is throttled": ("rate-limited", 429, "rate_limit_error", "rate_limit_exceeded"),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("switch", "status", "kind", "code"), REFUSED.values(), ids=REFUSED)
def test_what_anthropic_refuses_is_told_as_ours(
    world: World, api: Api, switch: str, status: int, kind: str, code: str, streamed: bool
) -> None:
    """With our code, in Anthropic's shape, before any event is sent."""
    bad = {**of_provider(world, "anthropic"), "Rolecall-Provider-Key": "sk-ant-api03-made-up"}
    key = bad if switch == "bad" else of_provider(world, "anthropic", switch)
    answer = _post(api, key, model=MODEL, stream=streamed)

    assert (answer.status, answer.json["type"]) == (status, "error")
    assert (answer.error["type"], answer.error["code"]) == (kind, code)
    assert key["Rolecall-Provider-Key"] not in answer.text


@pytest.mark.parametrize("switch", ["cut", "early-end", "error-event"])
def test_a_stream_of_anthropics_that_breaks_off_is_an_error(
    world: World, client: anthropic.Anthropic, api: Api, switch: str
) -> None:
    """Anthropic's own client raises, and no `message_stop` was sent."""
    headers = of_provider(world, "anthropic", switch)
    with (
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(**MESSAGE, model=MODEL, extra_headers=headers) as stream,
    ):
        stream.until_done()
    raw = _post(api, headers, model=MODEL, stream=True)
    last = raw.text.strip().split("\n\n")[-1]

    assert raw.status == 200
    assert last.startswith("event: error\ndata: ")
    assert json.loads(last.partition("data: ")[2])["type"] == "error"
    assert "message_stop" not in raw.text


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_of_anthropics_ends_before_lambda_does(world: World, api: Api, streamed: bool) -> None:
    """A key that makes it slow: the client is told, instead of being left with nothing."""
    headers = {
        "x-api-key": str(api.token),
        "Content-Type": "application/json",
        **of_provider(world, "anthropic", "slow"),
    }
    event = proxy_event("POST", "/v1/messages", headers, {**MESSAGE, "model": MODEL, "stream": streamed})
    context = Context(6.0)
    answer: dict[str, Any] = world.app(event, context)

    assert context.get_remaining_time_in_millis() > 0
    assert '"upstream_timeout"' in answer["body"]


def test_keys_of_aws_that_are_none_are_told_so(world: World, api: Api) -> None:
    """401 with our code: it is the caller's own key here, other than with a connection."""
    answer = _post(api, of_aws(world, **{"Rolecall-AWS-Secret-Access-Key": "x" * 40}), model=HAIKU)

    assert (answer.status, answer.error["type"]) == (401, "authentication_error")
    assert answer.error["code"] == "provider_key_rejected"


NOWHERE: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "a key of another provider": (
        {"Rolecall-Provider": "openai", "Rolecall-Provider-Key": "sk-proj-abcdefghijklmnopqrst"},
        {"model": "gpt-4o"},
        "provider_not_supported",
    ),
    "a key of Anthropic's for a model of Bedrock": (
        {"Rolecall-Provider": "anthropic", "Rolecall-Provider-Key": "sk-ant-api03-x"},
        {"model": f"bedrock/{HAIKU}"},
        "provider_mismatch",
    ),
    "a key of Anthropic's for a model that is no Claude": (
        {"Rolecall-Provider": "anthropic", "Rolecall-Provider-Key": "sk-ant-api03-x"},
        {"model": "gpt-4o"},
        "model_not_supported",
    ),
    "a key and a connection": (
        {"Rolecall-Provider": "anthropic", "Rolecall-Provider-Key": "sk-ant-api03-x", "Rolecall-Connection": "con_x"},
        {"model": MODEL},
        "two_credentials",
    ),
    "a body without messages": (
        {"Rolecall-Provider": "anthropic", "Rolecall-Provider-Key": "sk-ant-api03-x"},
        {"model": MODEL, "messages": None},
        "missing_field",
    ),
}


@pytest.mark.parametrize(("headers", "body", "code"), NOWHERE.values(), ids=NOWHERE)
def test_a_key_that_can_go_nowhere_goes_nowhere(
    api: Api, headers: dict[str, str], body: dict[str, Any], code: str
) -> None:
    """Refused before anything is opened, on both routes."""
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        answer = _post(api, headers, path, **body)
        assert (answer.status, answer.json["type"], answer.error["code"]) == (400, "error", code)


def test_our_own_token_never_reaches_anthropic(world: World, api: Api) -> None:
    """The token in `x-api-key` is ours, and the key that Anthropic sees is the one for Anthropic."""
    token = str(api.token)
    headers = {"x-api-key": token, "Content-Type": "application/json", **of_provider(world, "anthropic")}
    body = json.dumps({**MESSAGE, "model": MODEL}).encode()

    assert Answer.sent("POST", f"{api.url}/v1/messages", body, headers).status == 200

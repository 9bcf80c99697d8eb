"""Models and chats over HTTP with a key in the headers: each provider, whole and streamed, and each way to break."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.bedrock.far_side import Step
from tests.far_customer import Answer, Api
from tests.own_keys import of_aws, of_bedrock, of_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.world import World
    from tests.bedrock.conftest import Start

MODELS = {
    "openai": "gpt-4o",
    "anthropic": "claude-haiku-4-5-20251001",
    "google": "gemini-2.5-flash",
    "azure": "team-chat",
}
MESSAGES: list[Any] = [{"role": "user", "content": "Tell me of orchards."}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS: list[Any] = [{"type": "function", "function": {"name": "weather", "description": "", "parameters": SCHEMA}}]
PUPPY = "\ud83d\udc36"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
)


@pytest.fixture(scope="module")
def api(world: World) -> Api:
    """Give the API of a tenant without a connection: what is answered is answered by the key."""
    return Api(world.gateway.url, world.issuer.token("own-keys"))


@pytest.fixture(scope="module")
def app(world: World) -> Iterator[openai.OpenAI]:
    """Give OpenAI's client as an app of the tenant would make it."""
    token = world.issuer.token("own-keys")
    with openai.OpenAI(base_url=f"{world.gateway.url}/v1", api_key=token, max_retries=0) as client:
        yield client


def _chat(api: Api, headers: dict[str, str], **body: object) -> Answer:
    return api.call("POST", "/v1/chat/completions", {"messages": MESSAGES, **body}, headers=headers)


@pytest.mark.parametrize("provider", list(MODELS))
def test_openais_client_goes_the_whole_way(world: World, app: openai.OpenAI, provider: str) -> None:
    """List, a whole answer, the same streamed with usage, a tool's call and its result, an image."""
    headers = of_provider(world, provider)
    model = f"{provider}/{MODELS[provider]}"
    assert model in {row.id for row in app.models.list(extra_headers=headers)}
    assert app.models.retrieve(model, extra_headers=headers).id == model

    create: Any = app.chat.completions.create
    whole = create(model=model, messages=MESSAGES, max_tokens=300, extra_headers=headers)
    assert "orchards" in whole.choices[0].message.content
    assert (whole.model, whole.choices[0].finish_reason) == (model, "stop")

    chunks = list(
        create(
            model=model,
            messages=MESSAGES,
            max_tokens=300,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=headers,
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert {c.model for c in chunks} == {model}
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens

    called = create(model=model, messages=MESSAGES, tools=TOOLS, tool_choice="required", extra_headers=headers)
    [call] = called.choices[0].message.tool_calls
    assert (called.choices[0].finish_reason, call.function.name) == ("tool_calls", "weather")
    assert list(json.loads(call.function.arguments)) == ["city"]
    turn = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call.id, "type": "function", "function": call.function.model_dump()}],
    }
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny among the orchards."}
    after = create(model=model, messages=[*MESSAGES, turn, result], tools=TOOLS, extra_headers=headers)
    assert "Sunny" in after.choices[0].message.content

    image = [{"type": "text", "text": "And this?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    seen = create(model=model, messages=[{"role": "user", "content": image}], extra_headers=headers)
    assert "And this?" in seen.choices[0].message.content


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", list(MODELS))
def test_an_answer_says_what_the_provider_calls_it(world: World, api: Api, provider: str, streams: bool) -> None:
    """Whoever asks the provider's support about an answer is asked for its id."""
    answer = _chat(api, of_provider(world, provider), model=MODELS[provider], stream=streams)

    assert (answer.status, bool(answer.headers["Rolecall-Provider-Request-Id"])) == (200, True)


@pytest.mark.parametrize("provider", list(MODELS))
def test_a_streamed_call_is_the_whole_call(world: World, app: openai.OpenAI, provider: str) -> None:
    """The pieces of the arguments make the JSON that a whole answer has; two calls keep apart."""
    create: Any = app.chat.completions.create
    both = [{"role": "user", "content": "Weather in both cities?"}]
    headers = of_provider(world, provider)
    chunks = list(create(model=MODELS[provider], messages=both, tools=TOOLS, stream=True, extra_headers=headers))
    gathered: dict[int, str] = {}
    names: dict[int, str] = {}
    for call in [call for c in chunks if c.choices for call in c.choices[0].delta.tool_calls or []]:
        gathered[call.index] = gathered.get(call.index, "") + (call.function.arguments or "")
        names |= {call.index: call.function.name} if call.function.name else {}

    assert names == {0: "weather", 1: "weather"}
    assert [list(json.loads(text)) for text in gathered.values()] == [["city"], ["city"]]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


ERRORS = [
    ("rate-limited", 429, "rate_limit_exceeded"),
    ("down", 503, "service_unavailable"),
    ("strange", 502, "unrecognised"),
]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("switch", "status", "code"), ERRORS)
@pytest.mark.parametrize("provider", list(MODELS))
def test_a_refusal_keeps_its_status(
    world: World, api: Api, provider: str, switch: str, status: int, code: str, streams: bool
) -> None:
    """In the one envelope, before a stream as without one."""
    answer = _chat(api, of_provider(world, provider, switch), model=MODELS[provider], stream=streams)

    assert (answer.status, answer.error["code"]) == (status, code)
    assert answer.headers["X-Should-Retry"] == ("false" if switch == "strange" else "true")
    assert answer.headers["Rolecall-Provider-Request-Id"]
    assert switch != "rate-limited" or int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
def test_no_credit_and_a_bad_key_are_told_apart(world: World, api: Api, provider: str) -> None:
    """One is a matter of billing, the other of copying."""
    poor = _chat(api, of_provider(world, provider, "no-credit"), model=MODELS[provider])
    key = {"openai": "sk-nobodys", "anthropic": "sk-ant-nobodys", "google": "AIzaNobodys"}[provider]
    bad = _chat(api, of_provider(world, provider) | {"Rolecall-Provider-Key": key}, model=MODELS[provider])

    assert (poor.status, poor.error["code"], poor.error["type"]) == (429, "insufficient_quota", "insufficient_quota")
    assert (bad.status, bad.error["code"]) == (401, "provider_key_rejected")
    assert key not in bad.text


@pytest.mark.parametrize("switch", ["cut", "early-end", "error-event"])
@pytest.mark.parametrize("provider", list(MODELS))
def test_a_stream_that_breaks_ends_with_an_error_and_no_done(
    world: World, api: Api, app: openai.OpenAI, provider: str, switch: str
) -> None:
    """Cut off, ended early or turned into an error: OpenAI's client raises, and nobody takes half for the whole."""
    headers = of_provider(world, provider, switch)
    text = _chat(api, headers, model=MODELS[provider], stream=True).text
    last = json.loads(text.strip().split("\n\n")[-1].removeprefix("data: "))

    assert "[DONE]" not in text
    assert last["error"]["code"] in {"upstream_error", "upstream_unreachable", "service_unavailable"}
    create: Any = app.chat.completions.create
    with pytest.raises(openai.APIError):
        list(create(model=MODELS[provider], messages=MESSAGES, stream=True, extra_headers=headers))


@pytest.mark.parametrize("provider", list(MODELS))
def test_a_whole_answer_that_is_cut_is_an_error(world: World, api: Api, provider: str) -> None:
    """Half a body is no answer."""
    answer = _chat(api, of_provider(world, provider, "cut"), model=MODELS[provider])

    assert (answer.status, answer.error["code"]) == (502, "upstream_unreachable")


@pytest.mark.parametrize(
    ("provider", "model", "status", "code"),
    [
        ("openai", "o3-mini", 400, "model_not_supported"),
        ("openai", "gpt-5.1", 400, "model_not_supported"),
        ("openai", "gpt-4o-audio-preview", 400, "model_not_supported"),
        ("openai", "gpt-4o-2099-01-01", 404, "model_not_found"),
        ("google", "gemini-2.5-flash-image", 400, "model_not_supported"),
        ("google", "gemini-0", 404, "model_not_found"),
        ("anthropic", "gpt-4o", 400, "model_not_supported"),
        ("anthropic", "claude-0", 404, "model_not_found"),
        ("azure", "nobodys", 404, "model_not_found"),
        ("azure", "../x", 422, "invalid_model_id"),
        ("azure", "..", 422, "invalid_model_id"),
        ("azure", "a/b", 422, "invalid_model_id"),
        ("azure", "a?x=1", 422, "invalid_model_id"),
        ("azure", "a%2Fb", 422, "invalid_model_id"),
        ("openai", "anthropic/claude-haiku-4-5-20251001", 400, "provider_mismatch"),
        ("anthropic", "openai/gpt-4o", 400, "provider_mismatch"),
        ("google", "Bedrock/amazon.nova-lite-v1:0", 400, "provider_mismatch"),
        ("azure", "openai%2Fgpt-4o", 400, "provider_mismatch"),
    ],
)
def test_a_model_that_cannot_be_called_is_refused(
    world: World, api: Api, provider: str, model: str, status: int, code: str
) -> None:
    """With the field at fault; a name of another provider's goes nowhere."""
    fake = getattr(world.providers, provider)
    fake.forget()
    answer = _chat(api, of_provider(world, provider), model=model)

    assert (answer.status, answer.error["code"], answer.error["param"]) == (status, code, "model")
    assert (fake.calls() == []) == (status != 404)


REFUSED: list[Any] = [
    pytest.param({"Rolecall-Connection": "conn-" + "a" * 20}, {}, "two_credentials", id="a connection as well"),
    pytest.param({}, {"Rolecall-Provider": None}, "provider_required", id="no provider"),
    pytest.param({}, {"Rolecall-Provider-Key": None}, "provider_key_incomplete", id="no key"),
    pytest.param({"Rolecall-Provider-Key": ""}, {}, "malformed_provider_key", id="an empty key"),
    pytest.param({"Rolecall-Provider": "anthropic"}, {}, "provider_mismatch", id="another provider's key"),
    pytest.param({"Rolecall-Region": "us-east-1"}, {}, "provider_mismatch", id="a region"),
    pytest.param({"Rolecall-AWS-Secret-Access-Key": "s" * 40}, {}, "provider_mismatch", id="a secret of AWS"),
    pytest.param({"Rolecall-Azure-Endpoint": "https://x"}, {}, "provider_mismatch", id="an endpoint"),
    pytest.param({"Rolecall-OpenAI-Key": "sk-x"}, {}, "unknown_field", id="a key in a header of another name"),
    pytest.param({"Rolecall-Provider": "OPENAI"}, {}, "unknown_provider", id="capitals"),
]


@pytest.mark.parametrize(("more", "less", "code"), REFUSED)
def test_headers_that_leave_open_whose_key_it_is_reach_nobody(
    world: World, api: Api, more: dict[str, str], less: dict[str, None], code: str
) -> None:
    """On every route that takes them, before any connection is opened."""
    headers = {name: text for name, text in of_provider(world, "openai").items() if name not in less} | more
    for fake in world.providers.all:
        fake.forget()
    for answer in (
        _chat(api, headers, model="gpt-4o"),
        api.call("GET", "/v1/models", headers=headers),
        api.call("GET", "/v1/models/openai/gpt-4o", headers=headers),
    ):
        assert (answer.status, answer.error["code"]) == (400, code)
    assert [call for fake in world.providers.all for call in fake.calls()] == []


def test_a_name_of_a_provider_without_its_key_is_no_way_around_a_role(world: World, api: Api) -> None:
    """Without a key the tenant's connection is used, and a model of somebody else's is refused by name."""
    answer = _chat(api, {}, model="openai/gpt-4o")

    assert (answer.status, answer.error["code"]) == (400, "provider_mismatch")


def test_made_up_fields_are_named_and_not_sent_on(world: World, api: Api) -> None:
    """An address or a key in the body goes to nobody."""
    for provider, model in MODELS.items():
        fake = getattr(world.providers, provider)
        fake.forget()
        body = {"model": model, "api_key": "sk-x", "base_url": "http://evil.example", "guardrailConfig": {}}
        answer = _chat(api, of_provider(world, provider), **body)

        assert answer.status == 200, answer.text
        assert set(answer.headers["Rolecall-Ignored-Fields"].split(", ")) == {
            "api_key", "base_url", "guardrailConfig",
        }  # fmt: skip
        assert not {"api_key", "base_url", "guardrailConfig"} & set(fake.calls()[-1]["body"])


def test_aws_keys_and_bedrock_keys_chat_through_converse(world: World, api: Api) -> None:
    """The same translation that roles use, signed by the customer's own key, and by nobody else's."""
    for headers, user in ((of_aws(world), "administrator"), (of_bedrock(world), "BedrockAPIKey-sandbox")):
        world.aws.calls.clear()
        answer = _chat(api, headers, model="bedrock/amazon.nova-lite-v1:0")
        assert answer.status == 200, answer.text
        assert "orchards" in answer.json["choices"][0]["message"]["content"]
        streamed = _chat(api, headers, model="bedrock/amazon.nova-lite-v1:0", stream=True)
        lines = streamed.text.strip().split("\n\n")
        deltas = [json.loads(line.removeprefix("data: "))["choices"][0]["delta"] for line in lines[:-1]]
        said = "".join(delta.get("content") or "" for delta in deltas)
        assert (lines[-1], said) == ("data: [DONE]", answer.json["choices"][0]["message"]["content"])
        converse = [call for call in world.aws.calls.rows() if call["operation"].startswith("Converse")]
        assert [call["principal"].rpartition("/")[2] for call in converse] == [user, user]
        assert world.aws.calls.count("sts") == 0


def test_a_stream_with_an_aws_key_that_breaks_off_is_an_error(world: World, api: Api) -> None:
    """The same rule as for roles: no [DONE], and an error that clients raise."""
    headers = of_aws(world)
    for kind in ("early_end", "half_frame", "exception_frame"):
        fault = {"service": "bedrock-runtime", "operation": "ConverseStream", "kind": kind}
        world.aws.faults.add(fault | ({"code": "throttlingException"} if kind == "exception_frame" else {}))
        answer = _chat(api, headers, model="bedrock/amazon.nova-lite-v1:0", stream=True)
        assert answer.status == 200
        assert "[DONE]" not in answer.text
        assert "error" in json.loads(answer.text.strip().split("\n\n")[-1].removeprefix("data: "))


@pytest.mark.parametrize(
    ("provider", "model", "more", "code"),
    [
        pytest.param("openai", "gpt-4o", b'"temperature": 1e999', "invalid_json", id="a number without end"),
        pytest.param("openai", "gpt-4o", b'"stream": 1', "invalid_type", id="a stream by number"),
        pytest.param("openai", "gpt-4o", b'"stream": 0.0', "invalid_type", id="no stream by number"),
        pytest.param("bedrock", "bedrock/", b'"stream": false', "invalid_model_id", id="no name behind the provider"),
        pytest.param("bedrock", "bedrock/", b'"stream": true', "invalid_model_id", id="none, in a stream"),
    ],
)
def test_what_nobody_can_be_asked_is_the_callers_fault(
    world: World, api: Api, provider: str, model: str, more: bytes, code: str
) -> None:
    """It is refused before anything is sent, and is no failure of ours."""
    headers = of_bedrock(world) if provider == "bedrock" else of_provider(world, provider)
    body = b'{"model": "%s", "messages": %s, %s}' % (model.encode(), json.dumps(MESSAGES).encode(), more)
    answer = api.call("POST", "/v1/chat/completions", raw=body, headers=headers)

    assert (answer.status // 100, answer.error["code"]) == (4, code)


def test_bad_aws_keys_are_the_callers_own_fault(world: World, api: Api) -> None:
    """401, and none of AWS's words about what was signed."""
    headers = of_aws(world, **{"Rolecall-AWS-Secret-Access-Key": "s" * 40})
    answer = _chat(api, headers, model="amazon.nova-lite-v1:0")

    assert (answer.status, answer.error["code"]) == (401, "provider_key_rejected")
    assert "anonical" not in answer.text


def test_half_a_character_is_passed_on_as_it_came(world: World, start: Start, elsewhere: Callable[..., str]) -> None:
    """Streams cut characters in two, as escapes. No half has UTF-8; together they are what was said."""
    head: dict[str, Any] = {"id": "c", "created": 1, "model": "gpt-4o"}
    chunk = head | {"object": "chat.completion.chunk"}
    halves = [
        {**chunk, "choices": [{"index": 0, "delta": {"content": half}, "finish_reason": "stop"}]} for half in PUPPY
    ]
    streamed = "".join(f"data: {json.dumps(half)}\n\n" for half in halves) + "data: [DONE]\n\n"
    choice = {"index": 0, "message": {"role": "assistant", "content": PUPPY[0]}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    whole_answer = head | {"object": "chat.completion", "choices": [choice], "usage": usage}
    far = start(Step(body=streamed.encode()), Step(body=json.dumps(whole_answer).encode()))
    url = elsewhere(local_addresses={"api.openai.com": far.url})
    api = Api(url, world.issuer.token("own-keys"), of_provider(world, "openai"))
    events = _chat(api, {}, model="gpt-4o", stream=True).text.split("\n\n")
    whole = _chat(api, {}, model="gpt-4o")

    said = [json.loads(event.removeprefix("data: "))["choices"][0]["delta"]["content"] for event in events[:2]]
    assert (said, events[2]) == ([*PUPPY], "data: [DONE]")
    assert whole.json["choices"][0]["message"]["content"] == PUPPY[0]


def test_azure_is_sent_what_its_version_knows(world: World, api: Api) -> None:
    """It refuses the rest as unknown, and LangChain has no other name for the limit than the newer one."""
    fake = world.providers.azure
    fake.forget()
    body = {"max_tokens": 7, "max_completion_tokens": 9, "store": False, "metadata": {"a": "b"}, "seed": 1}
    answer = _chat(api, of_provider(world, "azure"), model="team-chat", **body)
    [call] = fake.calls()

    assert answer.status == 200, answer.text
    assert call["body"] == {"model": "team-chat", "messages": MESSAGES, "max_tokens": 9, "seed": 1}
    assert set(answer.headers["Rolecall-Ignored-Fields"].split(", ")) == {"store", "metadata"}


def test_geminis_are_told_how_much_to_think(world: World, api: Api) -> None:
    """Those that think do it unless they are told not to, at the price of the answer's tokens."""
    world.providers.google.forget()
    answer = _chat(api, of_provider(world, "google"), model=MODELS["google"], reasoning_effort="none")
    [call] = world.providers.google.calls()

    assert (answer.status, call["body"]["reasoning_effort"]) == (200, "none")


@pytest.mark.parametrize(("provider", "role"), [("openai", "developer"), ("google", "system"), ("azure", "system")])
def test_a_developers_message_goes_by_the_name_that_is_known(world: World, api: Api, provider: str, role: str) -> None:
    """OpenAI's newer word for the system's messages is refused by others, though they know the thing."""
    fake = getattr(world.providers, provider)
    fake.forget()
    messages = [{"role": "developer", "content": "Be brief."}, *MESSAGES]
    answer = _chat(api, of_provider(world, provider), model=MODELS[provider], messages=messages)
    [call] = fake.calls()

    assert answer.status == 200
    assert call["body"]["messages"] == [{"role": role, "content": "Be brief."}, *MESSAGES]


def test_json_mode_is_asked_of_anthropic_in_words(world: World, api: Api) -> None:
    """Its API has no such mode: the instruction stands after the system's own."""
    world.providers.anthropic.forget()
    messages = [{"role": "system", "content": "Be brief."}, *MESSAGES]
    body = {"model": MODELS["anthropic"], "messages": messages, "response_format": {"type": "json_object"}}
    answer = api.call("POST", "/v1/chat/completions", body, headers=of_provider(world, "anthropic"))
    [call] = world.providers.anthropic.calls()

    assert answer.status == 200
    assert [part["text"] for part in call["body"]["system"]] == [
        "Be brief.",
        "Answer with one JSON object and nothing else.",
    ]

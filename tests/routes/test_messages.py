"""Anthropic's Messages through a connection, with Anthropic's own client over HTTP."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from tests.far_customer import Answer, Onboarding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
SAID = "Tell me of the river and the two mills beside it."
MESSAGE: dict[str, Any] = {"model": HAIKU, "max_tokens": 300, "messages": [{"role": "user", "content": SAID}]}
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "Tells the weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_numbers = itertools.count()


@pytest.fixture
def client(tenant: Onboarding) -> Iterator[anthropic.Anthropic]:
    """Give Anthropic's client, without retries of its own."""
    with anthropic.Anthropic(base_url=tenant.api.url, api_key=tenant.api.token, max_retries=0) as made:
        yield made


def _post(tenant: Onboarding, body: object, path: str = "/v1/messages", **headers: str) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return tenant.api.call("POST", path, body, headers=sent)


def test_a_message_is_answered_whole_and_streamed_alike(client: anthropic.Anthropic) -> None:
    """The same message, under the model's id that was asked for, with what it cost."""
    whole = client.messages.create(**MESSAGE)
    with client.messages.stream(**MESSAGE) as stream:
        text = "".join(stream.text_stream)
        streamed = stream.get_final_message()

    assert isinstance(whole.content[0], anthropic.types.TextBlock)
    assert "river" in whole.content[0].text == text
    assert (whole.model, whole.role, whole.stop_reason) == (HAIKU, "assistant", "end_turn")
    assert whole.usage.input_tokens > 0
    assert streamed.usage.output_tokens == whole.usage.output_tokens > 0
    assert (streamed.id, streamed.model, streamed.stop_reason) == (whole.id, HAIKU, "end_turn")


def test_the_async_client_reads_both(tenant: Onboarding) -> None:
    """As the other one does."""

    async def run() -> tuple[str, str]:
        async with anthropic.AsyncAnthropic(base_url=tenant.api.url, api_key=tenant.api.token, max_retries=0) as client:
            whole = await client.messages.create(**MESSAGE)
            async with client.messages.stream(**MESSAGE) as stream:
                streamed = "".join([text async for text in stream.text_stream])
        assert isinstance(whole.content[0], anthropic.types.TextBlock)
        return whole.content[0].text, streamed

    whole, streamed = asyncio.run(run())

    assert "river" in whole == streamed


def test_a_request_id_is_where_anthropics_clients_look(client: anthropic.Anthropic) -> None:
    """In `request-id`, which is this service's own; AWS's is beside it."""
    raw = client.messages.with_raw_response.create(**MESSAGE)

    assert raw.headers["request-id"] == raw.headers["x-request-id"]
    assert raw.parse()._request_id == raw.headers["request-id"]
    assert raw.headers["rolecall-aws-request-id"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_twice_at_once_and_answered(client: anthropic.Anthropic, streamed: bool) -> None:
    """The loop of every agent: calls beside each other, their results in any order, then words."""
    asked: dict[str, Any] = {**MESSAGE, "tools": [WEATHER]}
    asked["messages"] = [{"role": "user", "content": "What is the weather in both towns?"}]
    if streamed:
        with client.messages.stream(**asked) as stream:
            called = stream.get_final_message().to_param()
    else:
        called = client.messages.create(**asked).to_param()
    calls: list[Any] = [block for block in called["content"] if block.type == "tool_use"]  # type: ignore[union-attr]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "Sunny."} for call in reversed(calls)]
    after = [*asked["messages"], called, {"role": "user", "content": results}]
    final = client.messages.create(**{**asked, "messages": after})

    assert [call.name for call in calls] == ["get_weather", "get_weather"]
    assert len({call.id for call in calls}) == 2
    assert all(isinstance(call.input["city"], str) for call in calls)
    assert (final.stop_reason, "Sunny." in final.content[0].text) == ("end_turn", True)


CHOICES: dict[str, tuple[Any, list[str]]] = {
    "none": ({"type": "none"}, []),
    "any": ({"type": "any"}, ["get_weather", "get_weather"]),
    "one by name": ({"type": "tool", "name": "get_time"}, ["get_time", "get_time"]),
    "one at a time": ({"type": "auto", "disable_parallel_tool_use": True}, ["get_weather"]),
}


@pytest.mark.parametrize(("choice", "called"), CHOICES.values(), ids=CHOICES)
def test_a_choice_of_tools_reaches_the_model(client: anthropic.Anthropic, choice: Any, called: list[str]) -> None:
    """Also those that Converse has no word for."""
    messages = [{"role": "user", "content": "The weather in both towns, please."}]
    tools: list[Any] = [WEATHER, {**WEATHER, "name": "get_time"}]
    answer = client.messages.create(**{**MESSAGE, "messages": messages}, tools=tools, tool_choice=choice)

    assert [block.name for block in answer.content if block.type == "tool_use"] == called


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_come_with_their_signature_and_go_back_with_it(
    tenant: Onboarding, client: anthropic.Anthropic, streamed: bool
) -> None:
    """What is sent back untouched is taken; a thought that was changed is refused by its signature."""
    asked: dict[str, Any] = {**MESSAGE, "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    if streamed:
        with client.messages.stream(**asked) as stream:
            said = stream.get_final_message()
    else:
        said = client.messages.create(**asked)
    thought = said.content[0]
    assert isinstance(thought, anthropic.types.ThinkingBlock)
    assert thought.thinking
    turn = [*asked["messages"], said.to_param(), {"role": "user", "content": "Go on."}]
    again = client.messages.create(**{**asked, "messages": turn})
    thought.thinking += " Or not."
    changed = _post(tenant, json.loads(json.dumps({**asked, "messages": turn}, default=lambda block: block.to_dict())))

    assert again.stop_reason == "end_turn"
    assert changed.status == 400
    assert "signature" in changed.error["message"]


def test_images_documents_cache_points_and_the_rest_reach_the_model(client: anthropic.Anthropic) -> None:
    """All that Claude takes is passed on as it came; the fake model refuses what it can't read."""
    pdf = base64.b64encode(b"%PDF-1.4 of the mills").decode()
    content: list[Any] = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": pdf}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Old papers."}},
        {"type": "text", "text": SAID, "cache_control": {"type": "ephemeral"}},
    ]
    answer = client.messages.create(
        **{**MESSAGE, "messages": [{"role": "user", "content": content}]},
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        stop_sequences=["two", "never said"],
        metadata={"user_id": "u-1"},
        extra_body={"temperature": 0.3, "top_k": 5},
    )

    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "two")
    # The picture counts 1,500 tokens in the fake model, and so does the PDF.
    assert answer.usage.input_tokens > 3000


def test_a_schema_is_answered_by_an_instance_of_it(client: anthropic.Anthropic) -> None:
    """`output_config` is among what passes."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    answer = client.messages.create(**MESSAGE, output_config={"format": {"type": "json_schema", "schema": schema}})

    assert isinstance(answer.content[0], anthropic.types.TextBlock)
    assert list(json.loads(answer.content[0].text)) == ["name"]


COUNTED: dict[str, dict[str, Any]] = {
    "a question": {},
    "with a system's text": {"system": "Be brief."},
    "with tools": {"tools": [WEATHER]},
    "with thinking": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
}


@pytest.mark.parametrize("more", COUNTED.values(), ids=COUNTED)
def test_what_is_counted_is_what_is_paid_for(client: anthropic.Anthropic, more: dict[str, Any]) -> None:
    """count_tokens says of a profile's model what the answer's usage says later."""
    counted = client.messages.count_tokens(model=HAIKU, messages=MESSAGE["messages"], **more)
    answer = client.messages.create(**{**MESSAGE, "max_tokens": 2000}, **more)

    assert counted.input_tokens == answer.usage.input_tokens


def test_a_profile_of_the_customers_own_is_called_and_counted_for(
    world: World, tenant: Onboarding, client: anthropic.Anthropic
) -> None:
    """By its ARN or its name. Neither tells the model, so AWS is asked, once; one of another maker's is refused."""
    bedrock = tenant.customer.client("bedrock")
    account = world.accounts.customer.account
    name = f"messages-{next(_numbers)}"

    def profile(name: str, source: str) -> str:
        made = bedrock.create_inference_profile(inferenceProfileName=name, modelSource={"copyFrom": source})
        return str(made["inferenceProfileArn"])

    own = profile(name, f"arn:aws:bedrock:us-east-1:{account}:inference-profile/{HAIKU}")
    nova = profile(f"{name}-nova", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0")
    world.aws.calls.clear()
    for asked_for in (own, own, name, f"bedrock/{name}"):
        assert client.messages.create(**{**MESSAGE, "model": asked_for}).model == asked_for
    counted = client.messages.count_tokens(model=f"bedrock/{own}", messages=MESSAGE["messages"])
    asked = world.aws.calls.count("bedrock", "GetInferenceProfile")
    with pytest.raises(anthropic.BadRequestError) as raised:
        client.messages.create(**{**MESSAGE, "model": nova})

    assert (counted.input_tokens, asked) == (13, 1)
    assert raised.value.error_code == "model_not_supported"


IGNORED: dict[str, tuple[dict[str, Any], str]] = {
    "a version of the API": ({"anthropic_version": "bedrock-1999-01-01"}, "anthropic_version"),
    "beta features in the body": ({"anthropic_beta": ["made-up"]}, "anthropic_beta"),
    "what the guardrail looks at": (
        {"amazon-bedrock-guardrailConfig": {"tagSuffix": "x"}},
        "amazon-bedrock-guardrailC",
    ),
    "another model in another spelling": ({"modelId": "anthropic.claude-v2"}, "modelId"),
    "a tier of Anthropic's": ({"service_tier": "auto"}, "service_tier"),
    "automatic caching": ({"cache_control": {"type": "ephemeral"}}, "cache_control"),
    "a made-up field": ({"made_up": {"key": 1}}, "made_up"),
}


@pytest.mark.parametrize(("more", "named"), IGNORED.values(), ids=IGNORED)
def test_what_is_not_among_the_fields_is_left_out_and_named(
    tenant: Onboarding, more: dict[str, Any], named: str
) -> None:
    """The fake Bedrock refuses a field too many, so an answer shows that none went out."""
    whole = _post(tenant, {**MESSAGE, **more})
    streamed = _post(tenant, {**MESSAGE, **more, "stream": True})

    assert (whole.status, streamed.status) == (200, 200)
    assert named in whole.headers["Rolecall-Ignored-Fields"]
    assert named in streamed.headers["Rolecall-Ignored-Fields"]


def test_beta_features_that_bedrock_knows_go_on_and_others_are_named(tenant: Onboarding) -> None:
    """Bedrock refuses a request for one flag that it does not know; context_management needs its own to be there."""
    flags = "context-management-2025-06-27, oauth-2025-04-20,claude-code-20250219"
    body = {**MESSAGE, "context_management": {"edits": []}}
    answer = _post(tenant, body, anthropic_beta=flags)
    without = _post(tenant, body)

    assert answer.status == 200
    assert answer.headers["Rolecall-Ignored-Fields"] == "anthropic-beta oauth-2025-04-20"
    assert (without.status, without.error["code"]) == (400, "invalid_value")


def test_the_beta_half_of_the_client_works_as_well(client: anthropic.Anthropic) -> None:
    """It names its features in a header and adds a query, as coding agents do."""
    answer = client.beta.messages.create(**MESSAGE, betas=["interleaved-thinking-2025-05-14", "made-up-2099-01-01"])
    with client.beta.messages.stream(**MESSAGE, betas=["context-1m-2025-08-07"]) as stream:
        streamed = stream.get_final_message()

    assert answer.stop_reason == streamed.stop_reason == "end_turn"


def test_hints_of_tools_that_bedrock_refuses_reach_it_as_it_takes_them(tenant: Onboarding) -> None:
    """Coding agents give them to every tool: one has a beta feature in its place, the other spares tokens alone."""
    tools = [{**WEATHER, "eager_input_streaming": True, "defer_loading": True}]
    plain = _post(tenant, {**MESSAGE, "tools": tools})
    named = _post(tenant, {**MESSAGE, "tools": tools}, anthropic_beta="tool-search-tool-2025-10-19")
    counted = _post(tenant, {**MESSAGE, "max_tokens": None, "tools": tools}, "/v1/messages/count_tokens")

    assert (plain.status, plain.headers["Rolecall-Ignored-Fields"]) == (200, "tools.defer_loading")
    assert (named.status, named.headers.get("Rolecall-Ignored-Fields")) == (200, None)
    assert counted.status == 200


AGENTS_FLAGS = (
    "claude-code-20250219,oauth-2025-04-20,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "prompt-caching-scope-2026-01-05,structured-outputs-2025-12-15,fast-mode-2026-02-01,redact-thinking-2026-02-12"
)
"""What a coding agent names in each request (github.com/router-for-me/CLIProxyAPI/issues/4750)."""


def test_a_request_as_coding_agents_make_it_is_answered(tenant: Onboarding) -> None:
    """With all that they send unasked: nothing of it is refused, and what has no effect is named."""
    body = {
        "model": HAIKU,
        "max_tokens": 32000,
        "stream": True,
        "system": [
            {"type": "text", "text": "You are an agent."},
            {"type": "text", "text": "Be exact.", "cache_control": {"type": "ephemeral", "scope": "global"}},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>Be kind.</system-reminder>"},
                    {"type": "text", "text": "Read the file.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                ],
            }
        ],
        "tools": [{**WEATHER, "name": "Read", "eager_input_streaming": True}, {**WEATHER, "defer_loading": True}],
        "metadata": {"user_id": "user_1_account__session_2"},
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "speed": "standard",
    }
    answer = _post(tenant, body, "/v1/messages?beta=true", anthropic_beta=AGENTS_FLAGS)

    assert answer.status == 200
    assert answer.text.rstrip().endswith('data: {"type":"message_stop"}')
    assert '"name":"Read"' in answer.text
    assert answer.headers["Rolecall-Ignored-Fields"] == (
        "speed, anthropic-beta oauth-2025-04-20, anthropic-beta prompt-caching-scope-2026-01-05,"
        " anthropic-beta fast-mode-2026-02-01, anthropic-beta redact-thinking-2026-02-12, tools.defer_loading"
    )


REFUSED_FIELDS = ["mcp_servers", "container", "fallbacks"]


@pytest.mark.parametrize("field", REFUSED_FIELDS)
def test_what_would_change_the_answer_and_cant_be_done_is_refused(tenant: Onboarding, field: str) -> None:
    """Leaving it out would answer another question than was asked."""
    answer = _post(tenant, {**MESSAGE, field: [{"type": "url", "url": "https://example.com"}]})

    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "unsupported_parameter", field)


@anthropic.beta_tool
def get_weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"Rain in {city}"


def test_a_tool_runner_goes_on_without_the_thread_that_bedrock_has_not(client: anthropic.Anthropic) -> None:
    """Anthropic's client begins a thread unasked, and sends the whole conversation once it hears this code."""
    runner = client.beta.messages.tool_runner(**MESSAGE, tools=[get_weather])
    with pytest.raises(anthropic.BadRequestError) as raised:
        client.beta.messages.create(**MESSAGE, thread={"type": "create"})

    assert "Rain in" in str(runner.until_done().content)
    assert (raised.value.error_code, raised.value.type) == ("thread_unsupported_request", "invalid_request_error")


REQUIRED = {
    "message": {
        "id", "type", "role", "content", "model", "stop_reason", "stop_sequence", "stop_details", "usage", "container",
    },
    "usage": {
        "cache_creation", "cache_creation_input_tokens", "cache_read_input_tokens", "inference_geo", "input_tokens",
        "output_tokens", "output_tokens_details", "server_tool_use", "service_tier",
    },
    "text": {"type", "text", "citations"},
    "tool_use": {"type", "id", "name", "input", "caller"},
}  # fmt: skip
"""What Anthropic's published OpenAPI document requires of an answer (2026-11)."""


@pytest.mark.parametrize("more", [{}, {"tools": [WEATHER]}], ids=["words", "a call"])
def test_a_whole_answer_has_what_anthropics_schema_requires(tenant: Onboarding, more: dict[str, Any]) -> None:
    """Null where Bedrock says nothing; tools that test an endpoint's conformance look for it."""
    answer = _post(tenant, {**MESSAGE, **more}).json
    [block] = answer["content"]

    assert REQUIRED["message"] <= set(answer)
    assert REQUIRED["usage"] <= set(answer["usage"])
    assert set(block) == REQUIRED[block["type"]]
    # @ai-sdk/anthropic reads a list or nothing.
    assert block.get("citations", []) == []


def test_an_answer_can_be_sent_back_as_it_came(tenant: Onboarding) -> None:
    """Bedrock refuses fields that Anthropic's answers have; those that say nothing do not reach it."""
    asked = {**MESSAGE, "tools": [WEATHER]}
    called = _post(tenant, asked).json
    result = {"type": "tool_result", "tool_use_id": called["content"][0]["id"], "content": "Rain"}
    history = [*MESSAGE["messages"], {"role": "assistant", "content": called["content"]}]
    told = _post(tenant, {**asked, "messages": [*history, {"role": "user", "content": [result]}]})
    listed = {"type": "text", "text": "It rains.", "citations": []}
    again = [{"role": "assistant", "content": [*told.json["content"], listed]}, {"role": "user", "content": "And now?"}]
    final = _post(tenant, {**MESSAGE, "messages": [*MESSAGE["messages"], *again]})

    assert (told.status, final.status) == (200, 200)
    assert "Rain" in told.json["content"][0]["text"]


def test_the_older_place_of_a_format_is_read_as_well(tenant: Onboarding) -> None:
    """LiteLLM sends output_format to every Claude; Bedrock takes it within output_config alone."""
    schema = {"type": "object", "properties": {"river": {"type": "string"}}, "required": ["river"]}
    wanted = {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}
    answer = _post(tenant, {**MESSAGE, "output_format": wanted, "output_config": {"effort": "low"}})
    twice = _post(tenant, {**MESSAGE, "output_format": wanted, "output_config": {"format": wanted}})
    misshapen = _post(tenant, {**MESSAGE, "output_format": "json"})

    assert list(json.loads(answer.json["content"][0]["text"])) == ["river"]
    assert (twice.status, twice.error["param"]) == (400, "output_format")
    assert (misshapen.status, misshapen.error["code"]) == (400, "invalid_type")


TOKENS = {
    "x-api-key alone": (None, "{token}", 200, None),
    "x-api-key and the same in Authorization": ("Bearer {token}", "{token}", 200, None),
    "the same, spelt otherwise": ("bearer  {token} ", " {token}", 200, None),
    "two tokens that differ": ("Bearer {token}", "{token}x", 400, "several_authorization_headers"),
    "a key beside a token": ("Bearer {token}", "sk-ant-api03-x", 400, "several_authorization_headers"),
    "another kind of authorization": ("Basic {token}", "{token}", 400, "several_authorization_headers"),
    "a key of Anthropic's": (None, "sk-ant-api03-secret", 401, "invalid_token"),
    "an empty x-api-key": (None, "", 401, "missing_token"),
}


@pytest.mark.parametrize(("authorization", "key", "status", "code"), TOKENS.values(), ids=TOKENS)
def test_the_token_may_be_in_x_api_key(
    tenant: Onboarding, authorization: str | None, key: str, status: int, code: str | None
) -> None:
    """Where most of Anthropic's clients put it; which of two counts is never left open."""
    token = str(tenant.api.token)
    headers = {"x-api-key": key.format(token=token)}
    if authorization is not None:
        headers["Authorization"] = authorization.format(token=token)
    headers["Content-Type"] = "application/json"
    answer = Answer.sent("POST", f"{tenant.api.url}/v1/messages", json.dumps(MESSAGE).encode(), headers)

    assert answer.status == status
    assert "secret" not in answer.text
    if code is not None:
        assert (answer.json["type"], answer.error["code"]) == ("error", code)


def test_x_api_key_opens_no_other_route(tenant: Onboarding) -> None:
    """Elsewhere it is a header like any other: OpenAI's routes have one place for the token."""
    headers = {"x-api-key": str(tenant.api.token)}
    answer = Answer.sent("GET", f"{tenant.api.url}/v1/models", None, headers)

    assert (answer.status, answer.error["code"]) == (401, "missing_token")


def test_a_model_out_of_scope_is_refused_at_once(world: World) -> None:
    """And one in scope answers; the scope counts for counting as well."""
    scoped = Onboarding(world, models=[HAIKU])
    scoped.make_role()
    assert scoped.verify()["status"] == "active"
    world.aws.calls.clear()
    other = {**MESSAGE, "model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"}
    refused = [_post(scoped, other), _post(scoped, other, "/v1/messages/count_tokens")]
    # The model behind a profile is not in a scope that names the profile.
    behind = _post(scoped, {**MESSAGE, "model": HAIKU.removeprefix("us.")})

    assert [(one.status, one.error["type"], one.error["code"]) for one in [*refused, behind]] == [
        (403, "permission_error", "model_not_in_scope")
    ] * 3
    assert world.aws.calls.count("bedrock-runtime") == 0
    assert _post(scoped, MESSAGE).status == 200
    assert _post(scoped, MESSAGE, "/v1/messages/count_tokens").status == 200


def test_a_foreign_connection_is_one_that_never_was(world: World, tenant: Onboarding) -> None:
    """404, in the same words as an unknown one."""
    other = Onboarding(world)
    foreign = _post(tenant, MESSAGE, rolecall_connection=other.connection["id"])
    unknown = _post(tenant, MESSAGE, rolecall_connection="con_00000000000000000000000000")

    assert (foreign.status, foreign.error["type"], foreign.error["code"]) == (
        404, "not_found_error", "connection_not_found",
    )  # fmt: skip
    assert {**foreign.json, "request_id": ""} == {**unknown.json, "request_id": ""}


@pytest.mark.parametrize("streamed", [False, True])
def test_the_guardrail_of_a_connection_holds_here_too(world: World, streamed: bool) -> None:
    """The role may call with the guardrail alone, and does; what it blocks is told as a refusal, not as an answer."""
    guarded = _guarded(world)
    blocked = {**MESSAGE, "messages": [{"role": "user", "content": "Where is the treasure?"}]}
    with anthropic.Anthropic(base_url=guarded.api.url, api_key=guarded.api.token, max_retries=0) as client:
        if streamed:
            with client.messages.stream(**MESSAGE) as stream:
                fine = stream.get_final_message()
            with client.messages.stream(**blocked) as stream:
                refused = stream.get_final_message()
        else:
            fine, refused = client.messages.create(**MESSAGE), client.messages.create(**blocked)

    assert fine.stop_reason == "end_turn"
    assert refused.stop_reason == "refusal"
    assert refused.content[0].text == "We do not speak of it."  # type: ignore[union-attr]
    assert "amazon-bedrock" not in str(refused.to_dict())


def _guarded(world: World) -> Onboarding:
    """Return a tenant whose role refuses every call that leaves the guardrail out."""
    administrator = Onboarding(world).customer.client("bedrock")
    guardrail = administrator.create_guardrail(
        name=f"g{next(_numbers)}",
        blockedInputMessaging="We do not speak of it.",
        blockedOutputsMessaging="We do not speak of it.",
        wordPolicyConfig={"wordsConfig": [{"text": "treasure"}]},
    )
    guarded = Onboarding(world, guardrail={"identifier": guardrail["guardrailId"], "version": "DRAFT"})
    policy = guarded.permissions_policy
    policy["Statement"].append(
        {
            "Effect": "Deny",
            "Action": ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
            "Resource": "*",
            "Condition": {"StringNotEquals": {"bedrock:GuardrailIdentifier": guardrail["guardrailArn"]}},
        }
    )
    guarded.make_role(permissions_policy=policy)
    assert guarded.verify()["status"] == "active"
    return guarded

"""Models and chats over HTTP: ids in paths, which connection is used, and rubbish in every field."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.far_customer import Api, Customer

if TYPE_CHECKING:
    from sandbox.world import World

_numbers = itertools.count()
MODEL = "amazon.nova-lite-v1:0"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me of orchards."}]}


def _connect(world: World, tenant: str, **more: object) -> tuple[Api, dict[str, Any]]:
    """Return the API of a tenant and an active connection of it."""
    keys = world.accounts.customer
    customer = Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)
    api = Api(world.gateway.url, world.issuer.token(tenant))
    connection = api.post("/v1/connections", {"name": "x", "region": "us-east-1", **more}).json
    files = api.get(f"/v1/connections/{connection['id']}/documents").json["files"]
    role = customer.create_role(
        f"Inference-{next(_numbers)}", files["trust-policy.json"], files["permissions-policy.json"]
    )
    report = api.post(f"/v1/connections/{connection['id']}/verification", {"role_arn": role, "invoke": False}).json
    assert report["status"] == "active"
    return api, connection


@pytest.fixture(scope="module")
def api(world: World) -> Api:
    """Give the API of a tenant with one active connection."""
    return _connect(world, "inference")[0]


def test_a_listed_model_is_openais_object_and_more(api: Api) -> None:
    """OpenAI's fields, and what is known besides in an object of our own."""
    rows = {model["id"]: model for model in api.get("/v1/models").json["data"]}
    profile = rows["bedrock/us.amazon.nova-pro-v1:0"]

    assert {name: profile[name] for name in ("object", "owned_by")} == {"object": "model", "owned_by": "Amazon"}
    assert profile["rolecall"]["profile"] is True
    assert profile["rolecall"]["foundation_model"] == "amazon.nova-pro-v1:0"
    assert set(profile["rolecall"]["regions"]) == {"us-east-1", "us-east-2", "us-west-2"}
    assert sorted(rows) == list(rows)
    assert all(row["rolecall"]["output_modalities"].count("TEXT") for row in rows.values())


@pytest.mark.parametrize("form", ["{}", "bedrock/{}", "bedrock%2F{}"])
def test_a_model_is_found_under_every_spelling_of_its_id(api: Api, form: str) -> None:
    """With our prefix or without, its slash encoded or not."""
    for model_id in (MODEL, MODEL.replace(":", "%3A")):
        answer = api.get(f"/v1/models/{form.format(model_id)}")
        assert (answer.status, answer.json["id"]) == (200, f"bedrock/{MODEL}")


def test_an_application_profile_is_called_by_its_arn(world: World, api: Api) -> None:
    """A profile that the customer made is listed by its ARN, found in a path and called by it, or by its own name."""
    keys = world.accounts.customer
    customer = Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)
    name = f"team-{next(_numbers)}"
    api.get("/v1/models")  # the catalog that is remembered lacks the profile
    arn = customer.client("bedrock").create_inference_profile(
        inferenceProfileName=name,
        modelSource={"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"},
    )["inferenceProfileArn"]

    fresh = api.call("GET", "/v1/models", headers={"Cache-Control": "no-cache"}).json["data"]
    assert (f"bedrock/{arn}", name) in [(model["id"], model["rolecall"]["name"]) for model in fresh]
    assert api.get(f"/v1/models/bedrock/{arn}").json["id"] == f"bedrock/{arn}"
    assert api.get(f"/v1/models/{name}").json["id"] == f"bedrock/{arn}"
    assert api.post("/v1/chat/completions", {**CHAT, "model": f"bedrock/{name}"}).json["model"] == f"bedrock/{name}"
    assert api.get(f"/v1/models/{arn.replace('/', '%2F')}").json["id"] == f"bedrock/{arn}"
    assert api.post("/v1/chat/completions", {**CHAT, "model": f"bedrock/{arn}"}).status == 200


@pytest.mark.parametrize("name", ["nope", "a/b", "a/b/c", "%00", "..", "bedrock/", "x" * 3000])
def test_a_model_that_is_not_there_is_not_found(api: Api, name: str) -> None:
    """Whatever stands in the path, it is compared with the list and nothing else."""
    answer = api.get(f"/v1/models/{name}")

    assert (answer.status, answer.error["code"]) in {(404, "model_not_found"), (404, "unknown_route")}


def test_the_answer_names_the_model_as_it_was_asked_for(api: Api) -> None:
    """Clients compare the name with what they sent."""
    for model in (MODEL, f"bedrock/{MODEL}"):
        answer = api.post("/v1/chat/completions", {**CHAT, "model": model})
        assert answer.json["model"] == model
        assert "orchards" in answer.json["choices"][0]["message"]["content"]
        assert answer.headers["Rolecall-AWS-Request-Id"]


def test_the_length_and_the_stops_are_honored(api: Api) -> None:
    """max_tokens ends an answer with `length`; a stop sequence ends it with `stop`."""
    short = api.post("/v1/chat/completions", {**CHAT, "max_tokens": 3}).json
    stopped = api.post("/v1/chat/completions", {**CHAT, "stop": ["orchards"]}).json

    assert (short["choices"][0]["finish_reason"], short["usage"]["completion_tokens"]) == ("length", 3)
    assert stopped["choices"][0]["finish_reason"] == "stop"
    assert "orchards" not in stopped["choices"][0]["message"]["content"]


def test_what_was_ignored_is_named_in_a_header(api: Api) -> None:
    """Unknown fields are no error in a chat, and no secret either."""
    answer = api.post("/v1/chat/completions", {**CHAT, "seed": 7, "made_up": {"a": 1}, "temperature": 1.5})

    assert answer.status == 200
    assert sorted(answer.headers["Rolecall-Ignored-Fields"].split(", ")) == ["made_up", "seed", "temperature"]


BAD = [
    pytest.param({}, 400, "missing_field", "model", id="nothing"),
    pytest.param({"model": MODEL}, 400, "missing_field", "messages", id="no messages"),
    pytest.param({**CHAT, "stream": 1}, 400, "invalid_type", "stream", id="a number for stream"),
    pytest.param({**CHAT, "stream_options": {}}, 400, "invalid_value", "stream_options", id="options of no stream"),
    pytest.param({**CHAT, "model": None}, 400, "invalid_type", "model", id="a null model"),
    pytest.param({**CHAT, "model": ["x"]}, 400, "invalid_type", "model", id="a list for a model"),
    pytest.param({**CHAT, "model": "../../x"}, 404, "model_not_found", "model", id="a path for a model"),
    pytest.param({**CHAT, "model": "gpt-4o"}, 404, "model_not_found", "model", id="another maker's model"),
    pytest.param({**CHAT, "model": "acme.none-v1:0"}, 404, "model_not_found", None, id="a model of nobody"),
    pytest.param(
        {**CHAT, "model": f"arn:aws:bedrock:us-east-1:777788889999:inference-profile/us.{MODEL}"},
        422,
        "invalid_model_id",
        "model",
        id="another account's profile",
    ),
    pytest.param(
        {**CHAT, "model": f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"},
        422,
        "invalid_model_id",
        "model",
        id="another region's model",
    ),
    pytest.param({**CHAT, "messages": "hi"}, 400, "invalid_type", "messages", id="a text for messages"),
    pytest.param({**CHAT, "messages": []}, 400, "invalid_value", "messages", id="no message"),
    pytest.param({**CHAT, "messages": [{}]}, 400, "missing_field", "messages.0.role", id="an empty message"),
    pytest.param(
        {**CHAT, "messages": [{"role": "user", "content": " "}]}, 400, "invalid_value", "messages", id="a blank message"
    ),
    pytest.param({**CHAT, "max_tokens": 0}, 400, "invalid_value", "max_tokens", id="no tokens"),
    pytest.param({**CHAT, "max_tokens": "5"}, 400, "invalid_type", "max_tokens", id="a text for a number"),
    pytest.param({**CHAT, "temperature": 3}, 400, "invalid_value", "temperature", id="too hot"),
    pytest.param({"model": MODEL, "input": "hi"}, 400, "missing_field", "messages", id="a body of another API"),
]


@pytest.mark.parametrize(("body", "status", "code", "param"), BAD)
def test_a_bad_chat_is_refused_at_its_place(api: Api, body: object, status: int, code: str, param: str | None) -> None:
    """The error has OpenAI's shape, a stable code and the field."""
    answer = api.post("/v1/chat/completions", body)

    assert (answer.status, answer.error["code"], answer.error["param"]) == (status, code, param)
    assert answer.error["type"] == "invalid_request_error"


UNNAMED: list[tuple[dict[str, object], str]] = [
    ({}, "model"),
    ({**CHAT, "max_tokens": 0}, "max_tokens"),
    ({**CHAT, "messages": [{"role": "nobody", "content": "x"}]}, "messages.0.role"),
    ({**CHAT, "response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
    ({**CHAT, "tool_choice": "any"}, "tool_choice"),
    ({**CHAT, "messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
    ({**CHAT, "messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages.0.content.0.text"),
    (
        {**CHAT, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages.0.content.0.image_url.url",
    ),
    (
        {**CHAT, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        "messages.0.content.0.image_url",
    ),
]


@pytest.mark.parametrize(("body", "field"), UNNAMED)
def test_the_text_alone_says_which_field_is_wrong(api: Api, body: object, field: str) -> None:
    """OpenAI's clients show `message` and nothing else when they raise, so the field stands in it as well."""
    error = api.post("/v1/chat/completions", body).error

    assert error["message"].startswith(f"{field}: ")
    assert error["param"] == field
    assert "body" not in error["message"]


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        pytest.param(b"", 400, "invalid_json", id="nothing"),
        pytest.param(b"{", 400, "invalid_json", id="cut short"),
        pytest.param(b"\xff", 400, "invalid_json", id="not UTF-8"),
        pytest.param(b'{"model": "\\ud800"}', 400, "invalid_json", id="a lone surrogate"),
        pytest.param(b"[" * 200_000, 400, "invalid_json", id="two hundred thousand brackets"),
        pytest.param(b'{"x":' * 100_000, 400, "invalid_json", id="a hundred thousand objects"),
        pytest.param(b"x" * 7_000_000, 413, "body_too_large", id="seven megabytes"),
    ],
)
def test_a_chat_that_is_no_json_is_refused(api: Api, raw: bytes, status: int, code: str) -> None:
    """Broken and oversized bodies get their 4xx too."""
    answer = api.call("POST", "/v1/chat/completions", raw=raw)

    assert (answer.status, answer.error["code"]) == (status, code)


def test_a_body_of_the_responses_api_is_told_as_such(api: Api) -> None:
    """Some editors send it to this address for models of certain names."""
    answer = api.post("/v1/chat/completions", {"model": "m", "input": "Hello", "store": False})

    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "missing_field", "messages")
    assert "Responses" in answer.error["message"]


def test_a_long_chat_is_taken(api: Api) -> None:
    """A megabyte of text is no reason to refuse."""
    long = {"model": MODEL, "messages": [{"role": "user", "content": "word " * 200_000}]}
    answer = api.post("/v1/chat/completions", long)

    assert answer.status in {200, 400}
    assert answer.status == 200 or answer.error["code"] == "context_length_exceeded"


def test_without_a_connection_there_is_nothing_to_call_with(world: World) -> None:
    """No tenant is ever served with somebody else's role, nor with the service's own."""
    api = Api(world.gateway.url, world.issuer.token("inference-nobody"))
    before = world.aws.calls.count("bedrock-runtime")

    for answer in (api.get("/v1/models"), api.post("/v1/chat/completions", CHAT)):
        assert (answer.status, answer.error["code"]) == (400, "connection_required")
    assert world.aws.calls.count("bedrock-runtime") == before


def test_of_several_connections_one_must_be_named(world: World) -> None:
    """With two active connections the header decides; another tenant's id is an unknown one."""
    api, first = _connect(world, "inference-two", models=[MODEL])
    _, second = _connect(world, "inference-two")
    theirs = _connect(world, "inference-three")[1]

    assert api.get("/v1/models").error["code"] == "connection_ambiguous"
    counts = [
        len(api.call("GET", "/v1/models", headers={"Rolecall-Connection": connection["id"]}).json["data"])
        for connection in (first, second)
    ]
    assert counts[0] == 1 < counts[1]
    for other in (theirs["id"], "conn-" + "a" * 20, "nonsense", ""):
        answer = api.call("POST", "/v1/chat/completions", CHAT, headers={"Rolecall-Connection": other})
        assert (answer.status, answer.error["code"], answer.error["param"]) == (
            404, "connection_not_found", "Rolecall-Connection",
        )  # fmt: skip
        in_path = api.get(f"/v1/connections/{other or 'x'}/models")
        assert (in_path.status, in_path.error["param"]) == (404, "connection_id")


def test_a_connection_that_is_not_served_is_named_as_the_caller_named_it(world: World) -> None:
    """By the header or in the path: a `param` that the request does not hold helps nobody."""
    api = Api(world.gateway.url, world.issuer.token("inference-pending"))
    made = api.post("/v1/connections", {"name": "x", "region": "us-east-1"}).json["id"]
    by_header = api.call("POST", "/v1/chat/completions", CHAT, headers={"Rolecall-Connection": made})
    in_path = api.get(f"/v1/connections/{made}/models")

    assert (by_header.error["code"], by_header.error["param"]) == ("connection_not_active", "Rolecall-Connection")
    assert (in_path.error["code"], in_path.error["param"]) == ("connection_not_active", "connection_id")


def test_no_call_looks_through_connections_without_end(world: World) -> None:
    """Pending ones are never taken away, and each call read them all. Past five hundred the call must name one."""
    api = Api(world.gateway.url, world.issuer.token("hoarder"))
    made = api.post("/v1/connections", {"name": "x", "region": "us-east-1"}).json["id"]
    dynamodb, table = world.services.dynamodb, world.settings.table_name
    key = {"pk": {"S": "TENANT#hoarder"}, "sk": {"S": f"CONNECTION#{made}"}}
    item = dynamodb.get_item(TableName=table, Key=key)["Item"]
    for number in range(900):
        copy = "conn-" + f"{number:020d}".translate(str.maketrans("0123456789", "abcdefghij"))
        dynamodb.put_item(TableName=table, Item={**item, "sk": {"S": f"CONNECTION#{copy}"}, "id": {"S": copy}})
    world.aws.calls.clear()

    assert api.get("/v1/models").error["code"] == "connection_ambiguous"
    # Five pages of nine, and on a busy machine one of them asked for again.
    assert world.aws.calls.count("dynamodb", "Query") in {5, 6, 7}
    named = api.call("GET", "/v1/models", headers={"Rolecall-Connection": made})
    assert named.error["code"] == "connection_not_active"


def test_a_session_is_fetched_once_for_many_chats(world: World) -> None:
    """Ten chats of one connection cost one AssumeRole, and no read of the table but the first."""
    api, _ = _connect(world, "inference-session")
    world.aws.calls.clear()
    for _ in range(10):
        assert api.post("/v1/chat/completions", CHAT).status == 200
    operations = [(call["service"], call["operation"]) for call in world.aws.calls.rows()]

    assert operations.count(("sts", "AssumeRole")) == 1
    assert operations.count(("bedrock-runtime", "Converse")) == 10
    assert len([service for service, _ in operations if service == "dynamodb"]) <= 2


@pytest.mark.parametrize(
    ("aws_code", "status", "code", "retry"),
    [
        ("ThrottlingException", 429, "rate_limit_exceeded", "true"),
        ("ServiceUnavailableException", 503, "service_unavailable", "true"),
        ("InternalServerException", 502, "upstream_error", "true"),
        ("ModelTimeoutException", 504, "model_timeout", "false"),
        ("ModelErrorException", 502, "model_error", "true"),
        ("ModelNotReadyException", 503, "model_not_ready", "true"),
        ("AccessDeniedException", 403, "role_permission_denied", "false"),
        ("ValidationException", 400, "invalid_value", "false"),
        ("ResourceNotFoundException", 404, "model_not_found", "false"),
        ("ServiceQuotaExceededException", 429, "insufficient_quota", "false"),
    ],
)
def test_an_error_of_bedrocks_reaches_the_client_as_what_it_is(
    world: World, api: Api, aws_code: str, status: int, code: str, retry: str
) -> None:
    """Status, code, AWS's request id, and whether to try again: never a 500 of ours."""
    fault = {"service": "bedrock-runtime", "operation": "Converse", "kind": "error", "code": aws_code, "times": 2}
    world.aws.faults.add(fault)
    answer = api.post("/v1/chat/completions", CHAT)

    assert (answer.status, answer.error["code"], answer.headers["X-Should-Retry"]) == (status, code, retry)
    assert answer.headers["Rolecall-AWS-Request-Id"]
    assert aws_code in answer.error["message"]


@pytest.mark.parametrize("aws_code", ["ExpiredTokenException", "UnrecognizedClientException"])
def test_a_session_that_aws_no_longer_takes_is_replaced_once(world: World, api: Api, aws_code: str) -> None:
    """One such answer is not seen; one after the other is an error of ours, never a 401 of the caller's."""
    fault = {"service": "bedrock-runtime", "operation": "Converse", "kind": "error", "code": aws_code}
    world.aws.faults.add(fault)
    world.aws.calls.clear()
    assert api.post("/v1/chat/completions", CHAT).status == 200
    assert world.aws.calls.count("sts", "AssumeRole") == 1

    world.aws.faults.add({**fault, "times": 2})
    answer = api.post("/v1/chat/completions", CHAT)
    assert (answer.status, answer.error["code"]) == (502, "expired_credentials")
    assert world.aws.calls.count("sts", "AssumeRole") == 2


def test_a_passing_fault_is_not_seen(world: World, api: Api) -> None:
    """One throttled answer is tried again by us."""
    world.aws.faults.add(
        {"service": "bedrock-runtime", "operation": "Converse", "kind": "error", "code": "ThrottlingException"}
    )
    assert api.post("/v1/chat/completions", CHAT).status == 200


def test_a_guardrail_of_the_connection_is_on_every_chat(world: World) -> None:
    """What the connection's guardrail blocks is blocked, whatever the request says."""
    keys = world.accounts.customer
    customer = Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)
    made = customer.client("bedrock").create_guardrail(
        name=f"no-orchards-{next(_numbers)}",
        blockedInputMessaging="Not about that.",
        blockedOutputsMessaging="Not about that.",
        wordPolicyConfig={"wordsConfig": [{"text": "orchards"}]},
    )
    guardrail = {"identifier": made["guardrailId"], "version": "DRAFT"}
    api, connection = _connect(world, "inference-guarded", guardrail=guardrail)

    assert connection["guardrail"] == guardrail
    answer = api.post("/v1/chat/completions", {**CHAT, "guardrailConfig": None, "guardrail": "none"}).json
    assert answer["choices"][0]["finish_reason"] == "content_filter"
    assert json.dumps(answer).count("Not about that.") == 1

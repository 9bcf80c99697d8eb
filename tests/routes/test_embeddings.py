"""Embeddings in OpenAI's shape, with OpenAI's own client, held against what the fake models compute."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import struct
from typing import TYPE_CHECKING, Any

import openai
import pytest
from langchain_openai import OpenAIEmbeddings

from sandbox.bedrock.embeddings import vector
from sandbox.bedrock.tokens import tokens_of
from tests.far_customer import Api, Onboarding
from tests.own_keys import of_aws, of_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World

TITAN = "amazon.titan-embed-text-v2:0"
COHERE = "cohere.embed-english-v3"
TEXTS = ["The river", "and two mills", "beside it."]
MODELS = {
    "amazon.titan-embed-text-v1": 1536,
    TITAN: 1024,
    COHERE: 1024,
    "cohere.embed-multilingual-v3": 1024,
    "cohere.embed-v4:0": 1536,
    "us.cohere.embed-v4:0": 1536,
    f"bedrock/{TITAN}": 1024,
    f"arn:aws:bedrock:us-east-1::foundation-model/{COHERE}": 1024,
}
_numbers = itertools.count()


@pytest.fixture
def client(tenant: Onboarding) -> Iterator[openai.OpenAI]:
    """Give OpenAI's client, without retries of its own."""
    with openai.OpenAI(base_url=f"{tenant.api.url}/v1", api_key=tenant.api.token, max_retries=0) as made:
        yield made


@pytest.mark.parametrize(("model", "size"), MODELS.items(), ids=MODELS)
def test_each_model_gives_the_vectors_that_it_computes(client: openai.OpenAI, model: str, size: int) -> None:
    """In float exactly, and in base64, which the client asks for by itself, to the precision of 32 bits."""
    exact = client.embeddings.create(model=model, input=TEXTS, encoding_format="float")
    packed = client.embeddings.create(model=model, input=TEXTS)

    assert [row.embedding for row in exact.data] == [vector(text, size) for text in TEXTS]
    assert [row.index for row in packed.data] == [0, 1, 2]
    for row, text in zip(packed.data, TEXTS, strict=True):
        assert row.embedding == pytest.approx(vector(text, size), rel=1e-6, abs=1e-9)
    assert (exact.model, exact.object, exact.data[0].object) == (model, "list", "embedding")
    assert exact.usage.prompt_tokens == exact.usage.total_tokens == sum(map(tokens_of, TEXTS))


def test_base64_is_32_bit_floats_with_the_lowest_octet_first(tenant: Onboarding) -> None:
    """As OpenAI sends it; without a word about the encoding it is float."""
    body = {"model": TITAN, "input": "The river", "dimensions": 256}
    packed = tenant.api.post("/v1/embeddings", {**body, "encoding_format": "base64"}).json
    plain = tenant.api.post("/v1/embeddings", body).json
    octets = base64.b64decode(packed["data"][0]["embedding"])

    assert struct.unpack("<256f", octets) == pytest.approx(plain["data"][0]["embedding"], rel=1e-6, abs=1e-9)
    assert packed["usage"] == plain["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


DIMENSIONS = [(TITAN, 256), (TITAN, 512), (TITAN, 1024), ("cohere.embed-v4:0", 256), (COHERE, 1024)]


@pytest.mark.parametrize(("model", "size"), DIMENSIONS)
def test_a_length_that_the_model_gives_may_be_chosen(client: openai.OpenAI, model: str, size: int) -> None:
    """Also its only one."""
    made = client.embeddings.create(model=model, input="The river", dimensions=size, encoding_format="float")

    assert made.data[0].embedding == vector("The river", size)


def test_the_async_client_and_langchain_read_them(tenant: Onboarding) -> None:
    """LangChain must be told to send texts instead of OpenAI's tokens."""
    url = f"{tenant.api.url}/v1"

    async def run() -> list[float]:
        async with openai.AsyncOpenAI(base_url=url, api_key=tenant.api.token, max_retries=0) as client:
            return (await client.embeddings.create(model=TITAN, input="The river")).data[0].embedding

    there: dict[str, Any] = {"base_url": url, "api_key": tenant.api.token}
    chain = OpenAIEmbeddings(model=TITAN, check_embedding_ctx_length=False, max_retries=0, **there)

    assert asyncio.run(run()) == pytest.approx(vector("The river", 1024), rel=1e-6, abs=1e-9)
    assert chain.embed_documents(TEXTS)[2] == pytest.approx(vector(TEXTS[2], 1024), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("model", "calls"), [(TITAN, 200), (COHERE, 3)])
def test_many_texts_are_as_many_calls_as_the_model_needs(
    world: World, client: openai.OpenAI, model: str, calls: int
) -> None:
    """Titan takes one text in a call, Cohere 96; the order is that of the texts."""
    texts = [f"Text number {number}" for number in range(200)]
    world.aws.calls.clear()
    made = client.embeddings.create(model=model, input=texts, encoding_format="float")

    assert [row.embedding for row in made.data] == [vector(text, 1024) for text in texts]
    assert world.aws.calls.count("bedrock-runtime", "InvokeModel") == calls


def test_what_a_text_is_for_reaches_cohere_and_is_named_elsewhere(world: World, tenant: Onboarding) -> None:
    """Titan's and Cohere v3's vectors do not tell, so what counts is that it is taken, ignored, or refused."""
    body = {"input": "The river", "input_type": "search_query", "user": "u-1"}
    cohere = tenant.api.post("/v1/embeddings", {**body, "model": COHERE})
    titan = tenant.api.post("/v1/embeddings", {**body, "model": TITAN})

    assert (cohere.status, cohere.headers["Rolecall-Ignored-Fields"]) == (200, "user")
    assert (titan.status, titan.headers["Rolecall-Ignored-Fields"]) == (200, "user, input_type")
    assert titan.headers["Rolecall-AWS-Request-Id"]


BAD: dict[str, tuple[dict[str, Any], int, str, str | None]] = {
    "no model": ({"model": None}, 400, "missing_field", "model"),
    "a model that is a number": ({"model": 5}, 400, "invalid_type", "model"),
    "no input": ({"input": None}, 400, "missing_field", "input"),
    "an empty text": ({"input": ""}, 400, "invalid_value", "input.0"),
    "an empty text among others": ({"input": ["a", ""]}, 400, "invalid_value", "input.1"),
    "an empty list": ({"input": []}, 400, "invalid_value", "input"),
    "a list of nothing": ({"input": [None]}, 400, "invalid_type", "input.0"),
    "an object": ({"input": {"text": "a"}}, 400, "invalid_type", "input"),
    "tokens": ({"input": [1, 2, 3]}, 400, "unsupported_parameter", "input"),
    "lists of tokens": ({"input": [[1, 2], [3]]}, 400, "unsupported_parameter", "input"),
    "too many texts": ({"input": ["a"] * 2049}, 400, "invalid_value", "input"),
    "more than an answer holds": ({"input": ["a"] * 300}, 400, "invalid_value", "input"),
    "an encoding that is none": ({"encoding_format": "hex"}, 400, "invalid_value", "encoding_format"),
    "an encoding that is a list": ({"encoding_format": ["float"]}, 400, "invalid_value", "encoding_format"),
    "a length in words": ({"dimensions": "256"}, 400, "invalid_type", "dimensions"),
    "a length that is true": ({"dimensions": True}, 400, "invalid_type", "dimensions"),
    "a length that the model has not": ({"dimensions": 100}, 400, "invalid_value", "dimensions"),
    "a length for a model that has one": ({"model": COHERE, "dimensions": 256}, 400, "invalid_value", "dimensions"),
    "an input type that is none": ({"input_type": "poem"}, 400, "invalid_value", "input_type"),
    "a model that chats": ({"model": "amazon.nova-lite-v1:0"}, 400, "model_not_supported", "model"),
    "a model for images": ({"model": "amazon.titan-embed-image-v1"}, 400, "model_not_supported", "model"),
    "a model of OpenAI's": ({"model": "openai/text-embedding-3-small"}, 400, "provider_mismatch", "model"),
    "no id of a model": ({"model": "text-embedding-3-small"}, 422, "invalid_model_id", "model"),
    "a text that is too long": ({"input": "word " * 9000}, 400, "context_length_exceeded", None),
}


@pytest.mark.parametrize(("changed", "status", "code", "param"), BAD.values(), ids=BAD)
def test_what_cant_be_embedded_is_refused_by_its_place(
    tenant: Onboarding, changed: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    """In OpenAI's shape, as for chats."""
    body = {name: value for name, value in {"model": TITAN, "input": "a", **changed}.items() if value is not None}
    answer = tenant.api.post("/v1/embeddings", body)

    assert (answer.status, answer.error["code"], answer.error["param"]) == (status, code, param)
    assert answer.error["type"] == "invalid_request_error"
    # OpenAI's client for Node shows the message alone.
    assert param is None or param == "model" or answer.error["message"].startswith(f"{param}: ")


def test_base64_lets_more_texts_into_one_answer(client: openai.OpenAI) -> None:
    """Three hundred vectors are too many in JSON, and not in base64; either stays below what Lambda can answer."""
    texts = ["a"] * 300
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=COHERE, input=texts, encoding_format="float")

    assert len(client.embeddings.create(model=COHERE, input=texts).data) == 300


FAULTS = {
    "throttled": ({"kind": "error", "code": "ThrottlingException"}, 429, "rate_limit_exceeded"),
    "denied": ({"kind": "error", "code": "AccessDeniedException"}, 403, "role_permission_denied"),
    "broken": ({"kind": "error", "code": "InternalServerException"}, 502, "upstream_error"),
    "cut": ({"kind": "cut"}, 502, "upstream_unreachable"),
}


@pytest.mark.parametrize(("fault", "status", "code"), FAULTS.values(), ids=FAULTS)
def test_one_call_that_fails_fails_them_all(
    world: World, client: openai.OpenAI, fault: dict[str, Any], status: int, code: str
) -> None:
    """No answer lacks a vector; the status and headers are those of chats."""
    world.aws.faults.add({"service": "bedrock-runtime", "operation": "InvokeModel", "times": None, **fault})
    with pytest.raises(openai.APIStatusError) as raised:
        client.embeddings.create(model=TITAN, input=TEXTS)

    assert (raised.value.status_code, raised.value.code) == (status, code)
    assert raised.value.response.headers["x-should-retry"] in {"true", "false"}


def test_a_call_that_is_refused_stops_those_that_have_not_begun(world: World, client: openai.OpenAI) -> None:
    """Two hundred texts whose first is refused are not two hundred calls."""
    world.aws.faults.add(
        {"service": "bedrock-runtime", "operation": "InvokeModel", "kind": "error", "code": "AccessDeniedException"}
    )
    for _ in range(8):
        world.aws.faults.add(
            {"service": "bedrock-runtime", "operation": "InvokeModel", "kind": "slow", "seconds": 0.3, "times": 8}
        )
    world.aws.calls.clear()
    with pytest.raises(openai.PermissionDeniedError):
        client.embeddings.create(model=TITAN, input=["a"] * 200, encoding_format="float")

    assert world.aws.calls.count("bedrock-runtime", "InvokeModel") < 60


def test_a_session_that_aws_no_longer_takes_is_replaced(world: World, client: openai.OpenAI) -> None:
    """Once, for all texts together."""
    world.aws.faults.add(
        {"service": "bedrock-runtime", "operation": "InvokeModel", "kind": "error", "code": "ExpiredTokenException"}
    )
    world.aws.calls.clear()

    assert len(client.embeddings.create(model=TITAN, input=TEXTS).data) == 3
    assert world.aws.calls.count("sts", "AssumeRole") == 1


def test_a_profile_of_the_customers_own_is_asked_in_its_models_way(
    world: World, tenant: Onboarding, client: openai.OpenAI
) -> None:
    """Its ARN does not tell whether it is Titan's or Cohere's, so AWS is asked."""
    made = tenant.customer.client("bedrock").create_inference_profile(
        inferenceProfileName=f"embeddings-{next(_numbers)}",
        modelSource={"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{COHERE}"},
    )
    answer = client.embeddings.create(model=made["inferenceProfileArn"], input=TEXTS, encoding_format="float")

    assert [row.embedding for row in answer.data] == [vector(text, 1024) for text in TEXTS]


def test_scope_and_connection_hold_as_for_chats(world: World, tenant: Onboarding) -> None:
    """A model out of scope, and another tenant's connection."""
    scoped = Onboarding(world, models=[TITAN])
    scoped.make_role()
    assert scoped.verify(invoke=False)["status"] == "active"
    body = {"model": TITAN, "input": "a"}
    foreign = tenant.api.call("POST", "/v1/embeddings", body, headers={"Rolecall-Connection": scoped.connection["id"]})
    outside = scoped.api.post("/v1/embeddings", {**body, "model": COHERE})

    assert scoped.api.post("/v1/embeddings", body).status == 200
    assert (outside.status, outside.error["code"]) == (403, "model_not_in_scope")
    assert (foreign.status, foreign.error["code"]) == (404, "connection_not_found")


def test_keys_of_aws_embed_through_bedrock(world: World) -> None:
    """In the account of the keys, and without a connection."""
    api = Api(world.gateway.url, world.issuer.token("own-embeddings"))
    answer = api.call("POST", "/v1/embeddings", {"model": TITAN, "input": "The river"}, headers=of_aws(world))

    assert answer.json["data"][0]["embedding"] == vector("The river", 1024)


OWN = {"openai": "text-embedding-3-small", "google": "gemini-embedding-001", "azure": "vectors"}


@pytest.mark.parametrize(("provider", "model"), OWN.items(), ids=OWN)
def test_a_key_of_another_provider_embeds_there(world: World, provider: str, model: str) -> None:
    """By OpenAI's own client, in its encoding; what the provider has not is named and not sent on."""
    token = world.issuer.token("own-embeddings")
    headers = of_provider(world, provider)
    with openai.OpenAI(base_url=f"{world.gateway.url}/v1", api_key=token, max_retries=0) as client:
        raw = client.embeddings.with_raw_response.create(
            model=f"{provider}/{model}",
            input=TEXTS,
            dimensions=256,
            extra_headers=headers,
            extra_body={"input_type": "search_query"},
        )
    made = raw.parse()

    for row, text in zip(made.data, TEXTS, strict=True):
        assert row.embedding == pytest.approx(vector(text, 256), rel=1e-6, abs=1e-9)
    assert made.model == f"{provider}/{model}"
    assert made.usage.total_tokens == sum(map(tokens_of, TEXTS))
    assert raw.headers["rolecall-ignored-fields"] == "input_type"


@pytest.mark.parametrize("provider", OWN)
def test_what_another_provider_refuses_is_told_as_ours(world: World, provider: str) -> None:
    """A model that it has not, a key that it throttles, and a name that would lead elsewhere in its address."""
    api = Api(world.gateway.url, world.issuer.token("own-embeddings"))

    def asked(model: object, switch: str | None = None) -> tuple[int, str]:
        body = {"model": model, "input": "a"}
        answer = api.call("POST", "/v1/embeddings", body, headers=of_provider(world, provider, switch))
        return answer.status, answer.error["code"]

    assert asked("made-up")[0] == 404
    assert asked(OWN[provider], "rate-limited") == (429, "rate_limit_exceeded")
    assert asked("../../v1/files") == asked("a?b=c") == (422, "invalid_model_id")
    assert asked(5) == (400, "invalid_type")
    assert asked(None) == (400, "missing_field")


def test_a_key_of_a_provider_without_embeddings_is_sent_to_nobody(world: World) -> None:
    """Anthropic has none."""
    api = Api(world.gateway.url, world.issuer.token("own-embeddings"))
    headers = of_provider(world, "anthropic")
    answer = api.call("POST", "/v1/embeddings", {"model": "claude-x", "input": "a"}, headers=headers)

    assert (answer.status, answer.error["code"]) == (400, "provider_not_supported")
    assert "openai, google or azure" in answer.error["message"], "whose keys would do"


def test_the_guardrail_of_a_connection_goes_with_them(world: World) -> None:
    """A role that refuses every call without it is called all the same."""
    administrator = Onboarding(world).customer.client("bedrock")
    guardrail = administrator.create_guardrail(
        name=f"e{next(_numbers)}", blockedInputMessaging="No.", blockedOutputsMessaging="No."
    )
    guarded = Onboarding(world, guardrail={"identifier": guardrail["guardrailId"], "version": "DRAFT"})
    policy = guarded.permissions_policy
    policy["Statement"].append(
        {
            "Effect": "Deny",
            "Action": "bedrock:InvokeModel",
            "Resource": "*",
            "Condition": {"StringNotEquals": {"bedrock:GuardrailIdentifier": guardrail["guardrailArn"]}},
        }
    )
    guarded.make_role(permissions_policy=policy)
    guarded.verify(invoke=False)

    assert guarded.api.post("/v1/embeddings", {"model": TITAN, "input": "The river"}).status == 200


def test_numbers_that_are_none_are_told_as_json_that_is_none(tenant: Onboarding) -> None:
    """What can't be sent on is refused at the edge."""
    answer = tenant.api.call("POST", "/v1/embeddings", raw=b'{"model": "x", "input": "y", "z": 1e999}')

    assert (answer.status, answer.error["code"]) == (400, "invalid_json")
    assert json.loads(answer.text)

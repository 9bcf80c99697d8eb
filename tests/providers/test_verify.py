"""The Verify button over HTTP: each provider in each state that a key can be in."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from chalicelib.bedrock.wire import Wire
from chalicelib.errors import ServiceError
from chalicelib.providers.bedrock import Bedrock
from chalicelib.providers.credentials import BedrockKey
from sandbox.providers import AZURE_HOST
from sandbox.providers.server import SLOW_SECONDS
from tests.bedrock.far_side import error
from tests.far_customer import Answer, Api

if TYPE_CHECKING:
    from sandbox.world import World
    from tests.bedrock.conftest import Start

_numbers = itertools.count()


@pytest.fixture
def api(world: World) -> Api:
    """Give the API of a tenant that has verified nothing yet."""
    return Api(world.gateway.url, world.issuer.token(f"verify-{next(_numbers)}"))


def _body(world: World, provider: str, switch: str | None) -> dict[str, Any]:
    fake = getattr(world.providers, provider)
    body = {"provider": provider, "key": fake.key if switch is None else fake.key_for(switch)}
    return body | {"endpoint": f"https://{AZURE_HOST}"} if provider == "azure" else body


def _bad(world: World, provider: str) -> dict[str, Any]:
    key = {"openai": "sk-proj-nobodys", "anthropic": "sk-ant-nobodys", "google": "AIzaNobodys", "azure": "0" * 32}
    return _body(world, provider, None) | {"key": key[provider]}


def _verify(api: Api, body: dict[str, Any]) -> Answer:
    answer = api.post("/v1/keys/verify", body)
    assert answer.status == 200, answer.text
    return answer


LISTED = {
    "openai": {
        "openai/ft:gpt-4o-mini:acme::Ab12Cd34",
        "openai/gpt-3.5-turbo",
        "openai/gpt-4.1",
        "openai/gpt-4.1-nano",
        "openai/gpt-4o",
        "openai/gpt-4o-mini",
    },
    "anthropic": {
        "anthropic/claude-opus-4-6",
        "anthropic/claude-sonnet-4-5-20250929",
        "anthropic/claude-haiku-4-5-20251001",
        "anthropic/claude-3-haiku-20240307",
    },
    "google": {"google/gemini-2.5-flash", "google/gemini-2.5-flash-lite", "google/gemini-2.5-pro"},
    "azure": {"azure/team-chat", "azure/cheap"},
}


@pytest.mark.parametrize("provider", list(LISTED))
def test_a_good_key_is_valid_and_lists_its_chat_models(world: World, api: Api, provider: str) -> None:
    """Standard chat models alone, each with its provider before it; Anthropic's over all of its pages."""
    document = _verify(api, _body(world, provider, None)).json

    assert (document["status"], document["provider"]) == ("valid", provider)
    assert {model["id"] for model in document["models"]} == LISTED[provider]
    assert all(model["object"] == "model" and model["rolecall"]["provider"] == provider for model in document["models"])
    assert "finding" not in document


STATES = [
    # What providers do in each state is in their fakes; `None` for the bad key.
    ("openai", None, "invalid", "provider_key_rejected"),
    ("openai", "restricted", "limited", "provider_permission_denied"),
    ("openai", "no-credit", "no_credit", "insufficient_quota"),
    ("openai", "rate-limited", "limited", "rate_limit_exceeded"),
    ("openai", "down", "unknown", "service_unavailable"),
    ("openai", "strange", "unknown", "unrecognised"),
    ("openai", "cut", "unreachable", "upstream_unreachable"),
    ("anthropic", None, "invalid", "provider_key_rejected"),
    ("anthropic", "restricted", "limited", "provider_permission_denied"),
    ("anthropic", "no-credit", "no_credit", "insufficient_quota"),
    ("anthropic", "rate-limited", "limited", "rate_limit_exceeded"),
    ("anthropic", "down", "unknown", "service_unavailable"),
    ("anthropic", "strange", "unknown", "unrecognised"),
    ("anthropic", "cut", "unreachable", "upstream_unreachable"),
    ("google", None, "invalid", "provider_key_rejected"),
    ("google", "restricted", "limited", "provider_permission_denied"),
    ("google", "no-credit", "no_credit", "insufficient_quota"),
    ("google", "rate-limited", "limited", "rate_limit_exceeded"),
    ("google", "down", "unknown", "service_unavailable"),
    ("google", "strange", "unknown", "unrecognised"),
    ("google", "cut", "unreachable", "upstream_unreachable"),
    ("azure", None, "invalid", "provider_key_rejected"),
    ("azure", "restricted", "limited", "provider_permission_denied"),
    ("azure", "rate-limited", "limited", "rate_limit_exceeded"),
    ("azure", "down", "unknown", "service_unavailable"),
    ("azure", "strange", "unknown", "unrecognised"),
    ("azure", "cut", "unreachable", "upstream_unreachable"),
]


@pytest.mark.parametrize(("provider", "switch", "status", "code"), STATES)
def test_each_state_of_a_key_is_told_as_what_it_is(
    world: World, api: Api, provider: str, switch: str | None, status: str, code: str
) -> None:
    """Only a provider that refuses the key itself makes it invalid; each outcome comes with what to do."""
    body = _bad(world, provider) if switch is None else _body(world, provider, switch)
    document = _verify(api, body).json

    assert (document["status"], document["finding"]["code"]) == (status, code)
    assert document["finding"]["message"]
    assert document["finding"]["fix"]
    assert body["key"] not in str(document)


def test_a_key_without_credit_still_shows_its_models(world: World, api: Api) -> None:
    """The list needs no credit, and choosing a model can go on while somebody pays."""
    for provider in ("openai", "anthropic", "google"):
        document = _verify(api, _body(world, provider, "no-credit")).json
        assert {model["id"] for model in document["models"]} == LISTED[provider]


def test_a_provider_that_is_slow_is_unreachable_within_five_seconds(world: World, api: Api) -> None:
    """Nobody waits longer at a button."""
    assert SLOW_SECONDS > 5, "an answer after five seconds would do"
    document = _verify(api, _body(world, "openai", "slow")).json

    assert (document["status"], document["finding"]["code"]) == ("unreachable", "upstream_timeout")


def test_what_providers_repeat_of_a_key_is_left_out(world: World, api: Api) -> None:
    """OpenAI prints the ends of a bad key; even those are parts of a secret."""
    text = _verify(api, _bad(world, "openai")).text

    assert "sk-proj" not in text
    assert "abcd" not in text


def test_an_endpoint_may_be_what_is_wrong_in_azure(world: World, api: Api) -> None:
    """Azure does not tell a bad key from a good one of another resource, so the fix names both."""
    fix = _verify(api, _bad(world, "azure")).json["finding"]["fix"]

    assert "key" in fix
    assert "endpoint" in fix


def _aws(world: World, **more: str) -> dict[str, Any]:
    keys = world.accounts.customer
    return {
        "provider": "bedrock",
        "access_key_id": keys.access_key_id,
        "secret_access_key": keys.secret_access_key,
        "region": "us-east-1",
        **more,
    }


def test_aws_keys_and_bedrock_keys_list_what_their_user_can_call(world: World, api: Api) -> None:
    """The same catalog that a role has, profiles included, by either kind of key."""
    by_keys = _verify(api, _aws(world)).json
    by_api_key = _verify(api, {"provider": "bedrock", "key": world.accounts.bedrock_key, "region": "us-east-1"}).json

    assert by_keys["status"] == by_api_key["status"] == "valid"
    assert "bedrock/us.amazon.nova-pro-v1:0" in {model["id"] for model in by_keys["models"]}
    assert {model["id"] for model in by_api_key["models"]} <= {model["id"] for model in by_keys["models"]}
    assert len(by_api_key["models"]) > 10


def test_a_session_of_aws_is_taken_with_its_token(world: World, api: Api) -> None:
    """Temporary keys work with their token and are refused with another."""
    role = world.accounts.customer.session("us-east-1").client("iam", endpoint_url=world.aws.url)
    sts = world.accounts.customer.session("us-east-1").client("sts", endpoint_url=world.aws.url)
    anyone = {"Effect": "Allow", "Principal": {"AWS": world.accounts.customer.account}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": "bedrock:*", "Resource": "*"}
    name = f"verify-{next(_numbers)}"
    arn = role.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(anyone))["Role"]["Arn"]
    role.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=_policy(allowed))
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="verify")["Credentials"]
    body = _aws(
        world,
        access_key_id=keys["AccessKeyId"],
        secret_access_key=keys["SecretAccessKey"],
        session_token=keys["SessionToken"],
    )

    assert _verify(api, body).json["status"] == "valid"
    answer = _verify(api, body | {"session_token": keys["SessionToken"][:-4] + "AAAA"})
    assert answer.json["status"] == "invalid"
    assert keys["SessionToken"][:40] not in answer.text


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({"access_key_id": "AKIAAAAAAAAAAAAAAAAA"}, "invalid", id="an id that nobody has"),
        pytest.param({"secret_access_key": "x" * 40}, "invalid", id="another secret"),
    ],
)
def test_aws_keys_that_do_not_fit_are_invalid(world: World, api: Api, change: dict[str, str], status: str) -> None:
    """Whichever half is wrong, and AWS's words about what was signed are left out."""
    document = _verify(api, _aws(world, **change)).json

    assert (document["status"], document["finding"]["code"]) == (status, "provider_key_rejected")
    assert "anonical" not in str(document)


def test_a_bedrock_key_that_nobody_has_is_invalid(world: World, api: Api) -> None:
    """Bedrock answers it with AccessDenied, as it does to a good key that may not list."""
    document = _verify(api, {"provider": "bedrock", "key": "ABSKnobodys", "region": "us-east-1"}).json

    assert (document["status"], document["finding"]["code"]) == ("invalid", "provider_key_rejected")


@pytest.mark.parametrize(
    "words",
    ["Authentication failed: Please make sure your API Key is valid.",
     "Invalid API Key format: Must start with pre-defined prefix", "Bearer Token has expired"],
)  # fmt: skip
def test_a_bedrock_key_is_refused_in_several_words(start: Start, words: str) -> None:
    """AccessDenied is their code, as that of a good key without rights: those would be called limited, and not counted.

    Words: github.com/ai4s-research/open-science/issues/53, github.com/OpenHands/software-agent-sdk/pull/2195.
    """
    far = start(choose=lambda _: error(403, "AccessDeniedException", words))
    provider = Bedrock(BedrockKey(SecretStr("ABSKnobodys"), "us-east-1"), Wire(endpoint=far.url))

    check = provider.verify()
    with pytest.raises(ServiceError) as refused:
        provider.models()

    assert (check.verdict, refused.value.code) == ("invalid", "provider_key_rejected")


def test_aws_keys_that_may_not_list_are_limited(world: World, api: Api) -> None:
    """A denial proves that AWS knows the key."""
    iam = world.accounts.customer.session("us-east-1").client("iam", endpoint_url=world.aws.url)
    name = f"verify-{next(_numbers)}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    body = _aws(world, access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])

    document = _verify(api, body).json
    assert (document["status"], document["finding"]["code"]) == ("limited", "provider_permission_denied")
    assert "bedrock:ListFoundationModels" in document["finding"]["fix"]


def test_a_region_without_bedrock_is_unreachable(world: World, api: Api) -> None:
    """Nobody answers there, which says nothing of the key."""
    assert _verify(api, _aws(world, region="ap-east-1")).json["status"] == "unreachable"


def test_verifying_is_limited_by_tenant_and_minute(world: World, api: Api) -> None:
    """Whoever has stolen keys can't have thousands sorted here; another tenant is not held up by it."""
    body = _bad(world, "openai")
    answers = [api.post("/v1/keys/verify", body) for _ in range(130)]
    refused = [answer for answer in answers if answer.status == 429]

    assert refused
    assert refused[0].error["code"] == "too_many_key_checks"
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 60
    other = Api(world.gateway.url, world.issuer.token(f"verify-{next(_numbers)}"))
    assert other.post("/v1/keys/verify", body).status == 200


def test_a_token_that_may_only_invoke_verifies_nothing(world: World) -> None:
    """The button belongs to the administrator."""
    token = world.issuer.token("verify-scope", scopes="models:invoke connections:read")
    answer = Api(world.gateway.url, token).post("/v1/keys/verify", _bad(world, "openai"))

    assert (answer.status, answer.error["code"]) == (403, "insufficient_scope")

"""Credentials in headers and bodies: what is refused, and that nothing is sent to anyone before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from chalicelib.errors import ServiceError
from chalicelib.providers.credentials import ApiKey, AwsKeys, AzureKey, BedrockKey, Parts, parse_credential
from chalicelib.providers.standard import ModelRule, is_gemini_chat
from chalicelib.routes.key_checks import KeyBody
from tests.far_customer import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World

NAMES = {name: name for name in KeyBody.model_fields}
AWS = {"access_key_id": "AKIA" + "A" * 16, "secret_access_key": "s" * 40, "region": "us-east-1"}
ENDPOINT = "https://acme.openai.azure.com"


def _parse(provider: str, **sent: str) -> object:
    parts = Parts(NAMES, **{name: SecretStr(text) for name, text in sent.items()})
    return parse_credential(provider, parts, partition="aws")


@pytest.mark.parametrize(
    ("provider", "sent", "kind"),
    [
        ("openai", {"key": "sk-proj-abc"}, ApiKey),
        ("openai", {"key": "  sk-abc\n"}, ApiKey),
        ("anthropic", {"key": "sk-ant-api03-abc"}, ApiKey),
        ("google", {"key": "AIzaSyAbc"}, ApiKey),
        ("google", {"key": "AQ.Ab8abc"}, ApiKey),
        ("azure", {"key": "a" * 32, "endpoint": ENDPOINT}, AzureKey),
        ("bedrock", AWS, AwsKeys),
        ("bedrock", {**AWS, "access_key_id": "ASIA" + "A" * 16, "session_token": "t" * 900}, AwsKeys),
        ("bedrock", {"key": "ABSKabc", "region": "eu-west-1"}, BedrockKey),
        ("bedrock", {"key": "bedrock-api-key-" + "x" * 2000, "region": "eu-west-1"}, BedrockKey),
    ],
)
def test_each_kind_of_credential_is_taken_and_shows_nothing(provider: str, sent: dict[str, str], kind: type) -> None:
    """White space around it is dropped; what signs is in no text of the value."""
    credential = _parse(provider, **sent)

    assert isinstance(credential, kind)
    for name, text in sent.items():
        if name not in {"region", "endpoint"}:
            assert text.strip() not in repr(credential) + str(credential)


REFUSED: list[Any] = [
    pytest.param("mistral", {"key": "x"}, "unknown_provider", "provider", id="a provider that we have not"),
    pytest.param("OpenAI", {"key": "x"}, "unknown_provider", "provider", id="another spelling"),
    pytest.param("openai", {}, "provider_key_incomplete", "key", id="no key"),
    pytest.param("openai", {"key": ""}, "malformed_provider_key", "key", id="an empty key"),
    pytest.param("openai", {"key": " \n"}, "malformed_provider_key", "key", id="white space for a key"),
    pytest.param("openai", {"key": "sk-a b"}, "malformed_provider_key", "key", id="a space in the key"),
    pytest.param("openai", {"key": "sk-a\nb"}, "malformed_provider_key", "key", id="a line break in the key"),
    pytest.param("openai", {"key": "sk-a\r\nX-Evil: 1"}, "malformed_provider_key", "key", id="header injection"),
    pytest.param("openai", {"key": "sk-a\x00b"}, "malformed_provider_key", "key", id="a NUL in the key"),
    pytest.param("openai", {"key": "sk-аbc"}, "malformed_provider_key", "key", id="a Cyrillic letter"),
    pytest.param("openai", {"key": "sk-\N{ZERO WIDTH SPACE}abc"}, "malformed_provider_key", "key", id="zero width"),
    pytest.param("openai", {"key": "sk-“abc”"}, "malformed_provider_key", "key", id="smart quotes"),
    pytest.param("openai", {"key": "sk-\N{NO-BREAK SPACE}"}, "malformed_provider_key", "key", id="no-break space"),
    pytest.param("openai", {"key": "sk-" + "a" * 10_000}, "malformed_provider_key", "key", id="ten kilobytes"),
    pytest.param("openai", {"key": "sk-ant-abc"}, "provider_mismatch", "key", id="Anthropic's key for OpenAI"),
    pytest.param("openai", {"key": "AIzaAbc"}, "provider_mismatch", "key", id="Google's key for OpenAI"),
    pytest.param("openai", {"key": "a" * 32}, "provider_mismatch", "key", id="Azure's key for OpenAI"),
    pytest.param("openai", {"key": "AKIA" + "A" * 16}, "provider_mismatch", "key", id="an access key id for OpenAI"),
    pytest.param("openai", {"key": "sk-or-v1-abc"}, "provider_mismatch", "key", id="OpenRouter's key for OpenAI"),
    pytest.param("openai", {"key": "ghp_abc"}, "provider_mismatch", "key", id="GitHub's token for OpenAI"),
    pytest.param("openai", {"key": "eyJhbGciOiJ.x.y"}, "provider_mismatch", "key", id="our own token for OpenAI"),
    pytest.param("anthropic", {"key": "sk-proj-abc"}, "provider_mismatch", "key", id="OpenAI's key for Anthropic"),
    pytest.param("anthropic", {"key": "ABSKabc"}, "provider_mismatch", "key", id="Bedrock's key for Anthropic"),
    pytest.param("google", {"key": "sk-abc"}, "provider_mismatch", "key", id="OpenAI's key for Google"),
    pytest.param("google", {"key": "gsk_abc"}, "provider_mismatch", "key", id="Groq's key for Google"),
    pytest.param(
        "azure", {"key": "sk-abc", "endpoint": ENDPOINT}, "provider_mismatch", "key", id="OpenAI's key for Azure"
    ),
    pytest.param("bedrock", {"key": "sk-ant-abc", "region": "us-east-1"}, "provider_mismatch", "key", id="for Bedrock"),
    pytest.param("openai", {"key": "sk-a", "endpoint": ENDPOINT}, "provider_mismatch", "endpoint", id="an endpoint"),
    pytest.param("openai", {"key": "sk-a", "region": "us-east-1"}, "provider_mismatch", "region", id="a region"),
    pytest.param("openai", AWS, "provider_mismatch", "access_key_id", id="AWS keys for OpenAI"),
    pytest.param("azure", {"key": "a" * 32}, "provider_key_incomplete", "endpoint", id="no endpoint"),
    pytest.param("azure", {"endpoint": ENDPOINT}, "provider_key_incomplete", "key", id="an endpoint alone"),
    pytest.param(
        "azure", {"key": "a" * 32, "endpoint": "https://evil.com"}, "invalid_azure_endpoint", "endpoint", id="a host"
    ),
    pytest.param("bedrock", {"key": "ABSKx"}, "provider_key_incomplete", "region", id="no region"),
    pytest.param("bedrock", {"region": "us-east-1"}, "provider_key_incomplete", "access_key_id", id="a region alone"),
    pytest.param("bedrock", {**AWS, "key": "ABSKx"}, "two_credentials", "key", id="both kinds of AWS key"),
    pytest.param("bedrock", {**AWS, "endpoint": ENDPOINT}, "provider_mismatch", "endpoint", id="Azure's endpoint"),
    pytest.param(
        "bedrock",
        {name: AWS[name] for name in ("access_key_id", "region")},
        "provider_key_incomplete",
        "secret_access_key",
        id="an id without its secret",
    ),
    pytest.param(
        "bedrock",
        {name: AWS[name] for name in ("secret_access_key", "region")},
        "provider_key_incomplete",
        "access_key_id",
        id="a secret without its id",
    ),
    pytest.param(
        "bedrock",
        {**AWS, "access_key_id": "AKIA"},
        "malformed_provider_key",
        "access_key_id",
        id="an id that is too short",
    ),
    pytest.param(
        "bedrock",
        {**AWS, "access_key_id": AWS["secret_access_key"], "secret_access_key": AWS["access_key_id"]},
        "malformed_provider_key",
        "access_key_id",
        id="id and secret exchanged",
    ),
    pytest.param(
        "bedrock",
        {**AWS, "secret_access_key": AWS["access_key_id"]},
        "malformed_provider_key",
        "secret_access_key",
        id="the id twice",
    ),
    pytest.param(
        "bedrock",
        {**AWS, "access_key_id": "ASIA" + "A" * 16},
        "provider_key_incomplete",
        "session_token",
        id="a session's id without its token",
    ),
    pytest.param(
        "bedrock",
        {**AWS, "session_token": "t" * 100},
        "provider_key_incomplete",
        "session_token",
        id="a user's id with a token",
    ),
    pytest.param(
        "bedrock",
        {**AWS, "access_key_id": "ASIA" + "A" * 16, "session_token": "t" * 9000},
        "malformed_provider_key",
        "session_token",
        id="a token of nine kilobytes",
    ),
    pytest.param("bedrock", {**AWS, "region": "cn-north-1"}, "partition_mismatch", "region", id="another partition"),
    pytest.param("bedrock", {**AWS, "region": "s" * 40}, "unknown_region", "region", id="a secret for a region"),
    pytest.param(
        "bedrock", {**AWS, "region": "us-east-1.evil.com"}, "unknown_region", "region", id="a host for a region"
    ),
]


@pytest.mark.parametrize(("provider", "sent", "code", "param"), REFUSED)
def test_what_is_no_credential_is_refused(provider: str, sent: dict[str, str], code: str, param: str) -> None:
    """By code and field, and no word of what was sent."""
    with pytest.raises(ServiceError) as refused:
        _parse(provider, **sent)

    assert (refused.value.code, refused.value.param) == (code, param)
    told = refused.value.message + (refused.value.fix or "")
    assert not [text for text in sent.values() if len(text) > 12 and text != ENDPOINT and text in told]


@pytest.fixture(scope="module")
def api(world: World) -> Api:
    """Give the API of a tenant without a connection."""
    return Api(world.gateway.url, world.issuer.token("credentials"))


@pytest.fixture
def untouched(world: World) -> Iterator[None]:
    """Fail when anything reaches a provider meanwhile."""
    for fake in world.providers.all:
        fake.forget()
    yield
    assert [call for fake in world.providers.all for call in fake.calls()] == []


@pytest.mark.parametrize(("provider", "sent", "code", "param"), REFUSED)
def test_a_body_that_holds_no_credential_reaches_nobody(
    api: Api, untouched: None, provider: str, sent: dict[str, str], code: str, param: str
) -> None:
    """The Verify button refuses the same over HTTP, and no provider hears of it."""
    answer = api.post("/v1/keys/verify", {"provider": provider, **sent})

    assert (answer.error["code"], answer.error["param"]) == (code, param)
    assert 400 <= answer.status < 500


STANDARD = [
    "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-nano", "gpt-4", "gpt-4-0613", "gpt-4-turbo",
    "gpt-4-turbo-preview", "gpt-3.5-turbo", "gpt-3.5-turbo-16k", "chatgpt-4o-latest", "ft:gpt-4o-mini:acme::Ab12",
    "ft:gpt-4o-mini-2024-07-18:acme:o1-helper:Ab12",
]  # fmt: skip
NOT_STANDARD = [
    "o1", "o3-mini", "o4-mini", "gpt-5", "gpt-5.1", "gpt-5.6-luna", "gpt-6-astra", "gpt-oss-120b", "daybreak-1",
    "gpt-4o-audio-preview", "gpt-4o-realtime-preview", "gpt-4o-search-preview", "gpt-4o-transcribe", "gpt-image-1",
    "dall-e-3", "whisper-1", "tts-1", "text-embedding-3-small", "omni-moderation-latest", "gpt-3.5-turbo-instruct",
    "codex-mini-latest", "o3-deep-research", "computer-use-preview", "sora-2", "davinci-002", "", "../gpt-4o",
    "gpt-4o/../x", "ft:o1-mini:acme::Ab12", "gpt-4o\n",
]  # fmt: skip


@pytest.mark.parametrize("model", STANDARD)
def test_standard_chat_models_are_taken(model: str) -> None:
    """By families that are known; what a customer called a fine-tuned model does not matter."""
    ModelRule().require(model)


@pytest.mark.parametrize("model", NOT_STANDARD)
def test_every_other_model_is_refused(model: str) -> None:
    """An unknown name is no standard model: new reasoning models do not say what they are."""
    with pytest.raises(ServiceError, match="standard chat models alone"):
        ModelRule().require(model)


def test_an_operator_may_decide_otherwise() -> None:
    """The setting replaces the list."""
    rule = ModelRule(("gpt-9*", "o3-mini"))

    assert [rule.allows(model) for model in ("gpt-9-x", "o3-mini", "gpt-4o")] == [True, True, False]


def test_gemini_models_that_draw_or_speak_are_no_chat() -> None:
    """They say generateContent of themselves too, so the name decides."""
    methods = ["generateContent"]

    assert is_gemini_chat("gemini-2.5-flash", methods)
    assert not is_gemini_chat("gemini-2.5-flash-image", methods)
    assert not is_gemini_chat("gemini-2.5-flash", ["embedContent"])

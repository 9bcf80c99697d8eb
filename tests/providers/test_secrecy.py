"""A canary in every place where a key can stand, and each kind of failure forced: it sings nowhere."""

from __future__ import annotations

import io
import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from chalicelib.bedrock.wire import Wire
from chalicelib.errors import ServiceError
from chalicelib.logs import JsonFormatter
from chalicelib.providers import connect
from chalicelib.providers.anthropic_messages import AnthropicMessages
from chalicelib.providers.base import Question
from chalicelib.providers.credentials import ApiKey, AwsKeys, AzureKey, BedrockKey
from chalicelib.providers.endpoint import AzureEndpoint
from chalicelib.providers.failures import ProviderRefusal, explain, read_error
from chalicelib.providers.openai_embeddings import OpenAiEmbeddings
from chalicelib.providers.outgoing import Outgoing
from chalicelib.providers.standard import ModelRule
from chalicelib.routes.credential import HEADERS
from sandbox.providers import AZURE_HOST
from sandbox.providers.server import SWITCHES
from tests.bedrock.far_side import Step, error
from tests.far_customer import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chalicelib.providers.bedrock import Bedrock
    from sandbox.world import World
    from tests.bedrock.conftest import Start

CANARY = "c4n4ry7f3b9d"


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Catch every record of every logger, down to DEBUG, as the service writes it."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def _table(world: World) -> str:
    client = world.accounts.operator.session("us-east-1").client("dynamodb", endpoint_url=world.aws.url)
    return json.dumps(client.scan(TableName=world.settings.table_name)["Items"], default=str)


@pytest.mark.parametrize("header", HEADERS.values())
def test_a_canary_in_any_header_is_repeated_nowhere(world: World, logs: io.StringIO, header: str) -> None:
    """Alone and among the right ones, on every route; in no answer, log or table."""
    api = Api(world.gateway.url, world.issuer.token("secrecy"))
    good = {
        "Rolecall-Provider": "azure",
        "Rolecall-Provider-Key": world.providers.azure.key,
        "Rolecall-Azure-Endpoint": f"https://{AZURE_HOST}",
    }
    chat = {"model": "team-chat", "messages": [{"role": "user", "content": "Hi"}]}
    for headers in ({header: CANARY}, good | {header: CANARY}, {"Rolecall-Provider": "bedrock", header: CANARY}):
        for method, path, body in (
            ("GET", "/v1/models", None),
            ("GET", "/v1/models/azure/team-chat", None),
            ("POST", "/v1/chat/completions", chat),
            ("POST", "/v1/chat/completions", {**chat, "stream": True}),
            ("POST", "/v1/messages", {**chat, "max_tokens": 5}),
            ("POST", "/v1/messages/count_tokens", chat),
            ("POST", "/v1/embeddings", {"model": "team-chat", "input": "Hi"}),
        ):
            answer = api.call(method, path, body, headers=headers)
            assert answer.status >= 400
            assert CANARY not in answer.text + str(answer.headers)
    assert CANARY not in logs.getvalue() + _table(world)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "azure"])
def test_a_canary_in_a_key_survives_no_failure(world: World, logs: io.StringIO, provider: str) -> None:
    """Whatever the provider does: neither the error nor its traceback, nor a log or the table has the key."""
    api = Api(world.gateway.url, world.issuer.token(f"secrecy-{provider}"))
    fake: Any = getattr(world.providers, provider)
    model = {"openai": "gpt-4o", "anthropic": "claude-haiku-4-5-20251001", "google": "gemini-2.5-flash"}.get(provider)
    chat: dict[str, Any] = {"model": model or "team-chat", "messages": [{"role": "user", "content": "Hi"}]}
    keys = [fake.key_for(switch) for switch in SWITCHES if switch != "slow"]
    keys.append({"openai": "sk-", "anthropic": "sk-ant-", "google": "AIza", "azure": ""}[provider] + CANARY)
    told = ""
    for key in keys:
        body = {"provider": provider, "key": key}
        headers = {"Rolecall-Provider": provider, "Rolecall-Provider-Key": key}
        if provider == "azure":
            body["endpoint"] = headers["Rolecall-Azure-Endpoint"] = f"https://{AZURE_HOST}"
        for answer in (
            api.post("/v1/keys/verify", body),
            api.call("GET", "/v1/models", headers=headers),
            api.call("POST", "/v1/chat/completions", chat, headers=headers),
            api.call("POST", "/v1/chat/completions", {**chat, "stream": True}, headers=headers),
            api.call("POST", "/v1/messages", {**chat, "max_tokens": 5}, headers=headers),
            api.call("POST", "/v1/messages", {**chat, "max_tokens": 5, "stream": True}, headers=headers),
            api.call("POST", "/v1/messages/count_tokens", chat, headers=headers),
            api.call("POST", "/v1/embeddings", {"model": chat["model"], "input": "Hi"}, headers=headers),
        ):
            told += answer.text + str(answer.headers)

    everything = told + logs.getvalue() + _table(world) + json.dumps(world.aws.calls.rows())
    assert CANARY not in everything
    assert fake.key not in everything


_PLAIN = f"{CANARY}0123456789abcdef0123"
"""A key that looks like none, as Azure's do: nothing but knowing it finds it in a text."""
_HOSTS = {"openai": "api.openai.com", "google": "generativelanguage.googleapis.com", "anthropic": "api.anthropic.com",
          "azure": AZURE_HOST}  # fmt: skip
_MODELS = {"openai": "gpt-4o", "google": "gemini-2.5-flash", "anthropic": "claude-haiku-4-5", "azure": "team-chat"}
_SAID = {"error": {"type": "invalid_request_error", "code": "odd", "message": f"x {_PLAIN} y", "param": _PLAIN}}
_EVENT = b"event: error\ndata: " + json.dumps(_SAID).encode() + b"\n\n"
_REPEATED = {
    "in a refusal": Step(400, json.dumps(_SAID).encode()),
    "in a refusal of the key": Step(401, json.dumps(_SAID).encode()),
    "in a failure": Step(500, json.dumps(_SAID).encode()),
    "where the text is cut": Step(400, json.dumps({"error": {"message": "x" * 390 + _PLAIN}}).encode()),
    "within a stream": Step(200, _EVENT, {"Content-Type": "text/event-stream"}),
}


@pytest.mark.parametrize("step", _REPEATED.values(), ids=_REPEATED)
@pytest.mark.parametrize("provider", _HOSTS)
def test_a_key_that_a_provider_repeats_is_told_nobody(start: Start, provider: str, step: Step) -> None:
    """In whatever answer, at every door that takes such a key, and however little it looks like one."""
    outgoing = Outgoing(local={_HOSTS[provider]: start(choose=lambda _: step).url})
    key: Any = ApiKey(provider, SecretStr(_PLAIN))  # type: ignore[arg-type]  # azure has its own
    if provider == "azure":
        key = AzureKey(SecretStr(_PLAIN), AzureEndpoint(AZURE_HOST))
    adapter = connect(key, outgoing=outgoing, wire=Wire(), rule=ModelRule())
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "input": "Hi"}
    question = Question(_MODELS[provider], body, (), 5)
    doors: list[Callable[[], object]] = [
        adapter.models, lambda: adapter.chat(question), lambda: list(adapter.stream(question).chunks)
    ]  # fmt: skip
    if provider == "anthropic":
        native = AnthropicMessages(key, outgoing)
        doors += [lambda: native.message(question, {}), lambda: native.count(question, {})]
        doors.append(lambda: list(native.stream(question, {}).chunks))
    else:
        doors.append(lambda: OpenAiEmbeddings(key, outgoing).embed(_MODELS[provider], body))
    told = repr(adapter.verify())
    for door in doors:
        with pytest.raises(ServiceError) as refused:
            door()
        told += refused.value.message + repr(vars(refused.value))

    assert CANARY not in told


def test_of_a_key_that_is_refused_nothing_is_said_in_its_providers_words() -> None:
    """They repeat its end, its beginning, or both, each in its own way: only saying nothing of it is sure."""
    said = {"error": {"code": "invalid_api_key", "message": "Incorrect key provided: it ends with d9b3f7."}}

    assert "d9b3f7" not in explain(read_error("openai", 401, said)).message


_AWS_KEYS = {
    "an API key": BedrockKey(SecretStr(f"ABSK{CANARY}"), "us-east-1"),
    "a session's secret": AwsKeys(
        SecretStr("ASIAEXAMPLEEXAMPLE"), SecretStr(f"secret{CANARY}"), SecretStr("token"), "us-east-1"
    ),
    "a session's token": AwsKeys(
        SecretStr("ASIAEXAMPLEEXAMPLE"), SecretStr("s" * 40), SecretStr(f"token{CANARY}"), "us-east-1"
    ),
}
_ECHOES = {
    "of a request that is invalid": (400, "ValidationException", "odd: {}"),
    "of a header that can't be read": (403, "", "'{0}' not a valid key=value pair in Authorization header: '{0}'"),
    "of a permission that is missing": (403, "AccessDeniedException", "{} is not authorized to perform: bedrock:X"),
    "where the text is cut": (400, "ValidationException", "x" * 480 + "{}"),
}


@pytest.mark.parametrize("echo", _ECHOES.values(), ids=_ECHOES)
@pytest.mark.parametrize("credential", _AWS_KEYS.values(), ids=_AWS_KEYS)
def test_what_signs_a_call_to_aws_is_told_nobody_though_aws_repeats_it(
    start: Start, credential: AwsKeys | BedrockKey, echo: tuple[int, str, str]
) -> None:
    """Of a header that it can't read AWS repeats all, and a Bedrock API key is one; no part of it goes on."""
    status, code, text = echo
    parts = (getattr(credential, name, None) for name in ("key", "secret_access_key", "session_token"))
    secret = next(value for part in parts if part is not None and CANARY in (value := part.get_secret_value()))
    far = start(choose=lambda _: error(status, code, text.format(secret)))
    provider: Bedrock = connect(  # type: ignore[assignment]  # of these credentials
        credential, outgoing=Outgoing(), wire=Wire(endpoint=far.url), rule=ModelRule()
    )
    chat = {"messages": [{"role": "user", "content": "Hi"}]}
    question = Question("amazon.nova-micro-v1:0", chat, (), 5)
    told = repr(provider.verify())
    for ask in (provider.models, lambda: provider.chat(question), lambda: provider.stream(question)):
        with pytest.raises(ServiceError) as refused:
            ask()
        told += refused.value.message + repr(refused.value.__dict__)

    assert secret[:12] not in told


def test_a_canary_is_in_no_repr_and_no_traceback(world: World) -> None:
    """Of the credential, of the adapter and of what it raises, its causes included."""
    credential = ApiKey("openai", SecretStr(f"sk-{CANARY}"))
    provider = connect(
        credential,
        outgoing=Outgoing(local=world.providers.addresses()),
        wire=Wire(),
        rule=ModelRule(),
    )
    with pytest.raises(ProviderRefusal) as refused:
        provider.models()
    told = repr(credential) + str(credential) + repr(provider) + str(vars(provider))
    told += "".join(traceback.format_exception(refused.value)) + repr(refused.value.__dict__)

    assert CANARY not in told
    assert CANARY not in repr(provider.verify())

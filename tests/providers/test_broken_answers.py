"""Providers on their bad days: answers that lack a part, come in drops or never end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chalicelib.bedrock.failures import Unreachable
from chalicelib.providers.outgoing import Call, FixedHost, Outgoing, resolve
from sandbox.providers import AZURE_HOST
from tests.bedrock.far_side import FarSide, Step
from tests.far_customer import Api
from tests.own_keys import of_aws

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.world import World
    from tests.bedrock.conftest import Start

HOSTS = {
    "openai": "api.openai.com",
    "anthropic": "api.anthropic.com",
    "google": "generativelanguage.googleapis.com",
    "azure": AZURE_HOST,
}
MODELS = {"openai": "gpt-4o", "anthropic": "claude-haiku-4-5-20251001", "google": "gemini-2.5-flash", "azure": "chat"}
KEYS = {"openai": "sk-x", "anthropic": "sk-ant-x", "google": "AIzaX", "azure": "0" * 32}
MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def serving(world: World, elsewhere: Callable[..., str]) -> Callable[[FarSide], Api]:
    """Serve Rolecall with one far side in the place of every provider."""

    def serve(far: FarSide) -> Api:
        url = elsewhere(local_addresses=dict.fromkeys(HOSTS.values(), far.url))
        return Api(url, world.issuer.token("broken-answers"))

    return serve


def _headers(provider: str) -> dict[str, str]:
    headers = {"Rolecall-Provider": provider, "Rolecall-Provider-Key": KEYS[provider]}
    return headers | ({"Rolecall-Azure-Endpoint": f"https://{AZURE_HOST}"} if provider == "azure" else {})


def _json(document: object, status: int = 200) -> Step:
    return Step(status, json.dumps(document).encode())


@pytest.mark.parametrize("provider", HOSTS)
@pytest.mark.parametrize("document", [{}, {"choices": []}, {"content": "x"}, [], "x", None], ids=repr)
def test_an_answer_without_its_parts_is_an_error(
    start: Start, serving: Callable[[FarSide], Api], provider: str, document: object
) -> None:
    """With status 200 and no answer in it: nobody takes it for one, and trying again is right."""
    api = serving(start(_json(document)))
    body = {"model": MODELS[provider], "messages": MESSAGES}
    answer = api.call("POST", "/v1/chat/completions", body, headers=_headers(provider))

    assert (answer.status, answer.headers["X-Should-Retry"]) == (502, "true")
    assert answer.error["code"] in {"upstream_error", "upstream_unreachable"}


@pytest.mark.parametrize("document", [{}, {"data": []}, {"data": "x"}, []], ids=repr)
def test_embeddings_without_vectors_are_an_error(
    start: Start, serving: Callable[[FarSide], Api], document: object
) -> None:
    """A client that reads the first of none would fall over."""
    api = serving(start(_json(document)))
    body = {"model": "text-embedding-3-small", "input": "a"}
    answer = api.call("POST", "/v1/embeddings", body, headers=_headers("openai"))

    assert (answer.status, answer.error["code"]) == (502, "upstream_error")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_a_message_that_is_none_is_an_error(start: Start, serving: Callable[[FarSide], Api], path: str) -> None:
    """In Anthropic's own form, as its clients read it."""
    api = serving(start(_json([])))
    body = {"model": MODELS["anthropic"], "messages": MESSAGES, "max_tokens": 5}
    answer = api.call("POST", path, body, headers=_headers("anthropic"))

    assert (answer.status, answer.json["type"]) == (502, "error")


def test_an_error_that_is_a_mere_text_is_told(start: Start, serving: Callable[[FarSide], Api]) -> None:
    """Gateways in front of a provider answer so; the key is still left out."""
    api = serving(start(_json({"error": f"{KEYS['azure']} was not awaited here"}, 418)))
    body = {"model": MODELS["azure"], "messages": MESSAGES}
    answer = api.call("POST", "/v1/chat/completions", body, headers=_headers("azure"))

    assert (answer.status, answer.error["code"]) == (502, "unrecognised")
    assert "[left out] was not awaited here" in answer.error["message"]
    assert KEYS["azure"] not in answer.text


def test_a_model_that_a_key_has_not_is_not_found(start: Start, serving: Callable[[FarSide], Api]) -> None:
    """As OpenAI answers it, by our own list of what the key can call."""
    listed = {"data": [{"id": "gpt-4o"}, {"id": "gpt-4o-realtime-preview"}]}
    api = serving(start(_json(listed), _json(listed), _json(listed)))
    found = [
        api.call("GET", f"/v1/models/{name}", headers=_headers("openai"))
        for name in ("openai/gpt-4o", "openai/gpt-4.1", "gpt-4o-realtime-preview")
    ]

    assert [answer.status for answer in found] == [200, 404, 404]
    assert found[1].error["code"] == "model_not_found"


def test_a_key_whose_deployments_cannot_be_listed_is_good_all_the_same(
    start: Start, serving: Callable[[FarSide], Api]
) -> None:
    """Azure has taken that list out of its reference: where it is gone, the deployment's name is typed."""
    api = serving(start(_json({"data": []}), _json({"error": {"code": "404"}}, 404)))
    body = {"provider": "azure", "key": KEYS["azure"], "endpoint": f"https://{AZURE_HOST}"}
    document = api.post("/v1/keys/verify", body).json

    assert (document["status"], document["models"]) == ("valid", [])
    assert document["finding"]["code"] == "deployments_not_listed"


def test_deployments_that_cannot_be_listed_are_not_none(start: Start, serving: Callable[[FarSide], Api]) -> None:
    """An empty list would say that there is nothing to call, and a 404 that a deployment is not there."""
    listed, gone = _json({"data": []}), _json({"error": {"code": "404"}}, 404)
    api = serving(start(listed, gone, listed, gone))
    for path in ("/v1/models", "/v1/models/azure/team-chat"):
        answer = api.call("GET", path, headers=_headers("azure"))
        assert (answer.status, answer.error["code"]) == (404, "deployments_not_listed")
        assert "Type the name" in answer.error["fix"]


def test_a_list_of_deployments_that_azure_is_too_busy_for_is_not_gone(
    start: Start, serving: Callable[[FarSide], Api]
) -> None:
    """Then names need not be typed: asking again is enough."""
    busy = _json({"error": {"code": "503", "message": "Busy."}}, 503)
    answer = serving(start(_json({"data": []}), busy)).call("GET", "/v1/models", headers=_headers("azure"))

    assert (answer.status, answer.error["code"], answer.headers["X-Should-Retry"]) == (
        503, "service_unavailable", "true",
    )  # fmt: skip


def test_a_key_without_models_is_valid(start: Start, serving: Callable[[FarSide], Api]) -> None:
    """The list proves the key; there is nothing to ask a token of."""
    far = start(_json({"data": [], "has_more": False}))
    document = serving(far).post("/v1/keys/verify", {"provider": "anthropic", "key": KEYS["anthropic"]}).json

    assert (document["status"], document["models"]) == ("valid", [])
    assert len(far.requests) == 1


@pytest.mark.parametrize(
    ("probe", "status", "code"),
    [
        pytest.param(_json({"error": {"message": "no"}}, 403), "limited", "provider_permission_denied", id="may not"),
        pytest.param(_json({"error": {"message": "no"}}, 401), "limited", "provider_key_rejected", id="another key"),
        pytest.param(_json({"error": {"message": "no"}}, 429), "limited", "rate_limit_exceeded", id="throttled"),
        pytest.param(_json({"error": {"message": "no"}}, 404), "valid", None, id="a model that is gone"),
        pytest.param(_json({"error": {"message": "no"}}, 500), "valid", None, id="a model that fails"),
        pytest.param(Step(kind="reset"), "valid", None, id="no answer"),
    ],
)
def test_a_key_that_could_list_is_at_worst_limited(
    start: Start, serving: Callable[[FarSide], Api], probe: Step, status: str, code: str | None
) -> None:
    """What one call more is answered says what the key may do, or something of the model; never that it is no key."""
    api = serving(start(_json({"data": [{"id": "gpt-4o"}]}), probe))
    document = api.post("/v1/keys/verify", {"provider": "openai", "key": KEYS["openai"]}).json

    assert document["status"] == status
    assert [model["id"] for model in document["models"]] == ["openai/gpt-4o"]
    assert document.get("finding", {}).get("code") == code


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("audio", {"voice": "alloy"}),
        ("modalities", ["text", "audio"]),
        ("reasoning_effort", "low"),
        ("web_search_options", {}),
    ],
)
def test_a_plain_chat_asks_for_nothing_else(
    start: Start, serving: Callable[[FarSide], Api], field: str, value: object
) -> None:
    """Fields of models that are not for plain chats are refused by name, before anything is sent."""
    far = start()
    body = {"model": "gpt-4o", "messages": MESSAGES, field: value}
    answer = serving(far).call("POST", "/v1/chat/completions", body, headers=_headers("openai"))

    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "unsupported_parameter", field)
    assert far.requests == []


CALL = Call("openai", "chat", "GET", FixedHost("far"), "/x", {}, seconds=0.3)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        pytest.param(Step(kind="hang", seconds=60), "timeout", id="silence"),
        pytest.param(Step(kind="trickle", body=b" " * 3000, seconds=0.02), "timeout", id="an octet now and then"),
        pytest.param(Step(kind="cut"), "cut", id="half a body"),
        pytest.param(Step(kind="reset"), "cut", id="a connection that breaks"),
    ],
)
def test_an_answer_is_there_in_time_or_not_at_all(start: Start, step: Step, kind: str) -> None:
    """The seconds bound the call as a whole: drops that never stop are no answer either."""
    outgoing = Outgoing(local={"far": start(step).url})

    with pytest.raises(Unreachable) as unreachable:
        outgoing.fetch(replace(CALL, seconds=0.6 if kind == "timeout" else 30))
    assert unreachable.value.kind == kind


@pytest.mark.parametrize("kind", ["answer", "chunked"])
def test_an_answer_has_a_size_that_fits_into_memory(start: Start, kind: str) -> None:
    """26 MB are refused, whether the length was told or not."""
    outgoing = Outgoing(local={"far": start(Step(body=b" " * (26 * 1024 * 1024), kind=kind)).url})

    with pytest.raises(Unreachable) as unreachable:
        outgoing.fetch(replace(CALL, seconds=20))
    assert unreachable.value.kind == "too_large"


def test_a_name_that_nobody_has_is_no_failure_of_ours() -> None:
    """Nor is one that can't even be asked for: there are no addresses, and the caller is told so."""
    assert "127.0.0.1" in resolve("localhost", 2)
    assert resolve("a" * 64 + ".invalid", 2) == []


def test_aws_keys_list_what_they_can_call(world: World) -> None:
    """Profiles and models with the provider before them, as for a role; keys that are none get no list."""
    api = Api(world.gateway.url, world.issuer.token("broken-answers"))
    listed = api.call("GET", "/v1/models", headers=of_aws(world))
    refused = api.call("GET", "/v1/models", headers=of_aws(world, **{"Rolecall-AWS-Secret-Access-Key": "s" * 40}))

    assert {"bedrock/us.amazon.nova-pro-v1:0", "bedrock/amazon.nova-lite-v1:0"} <= {
        row["id"] for row in listed.json["data"]
    }
    assert (refused.status, refused.error["code"]) == (401, "provider_key_rejected")


def test_a_stream_that_bedrock_refuses_at_once_keeps_its_status(world: World) -> None:
    """Before the first event there is still a choice of status."""
    api = Api(world.gateway.url, world.issuer.token("broken-answers"))
    body = {"model": "amazon.nobodys-v1:0", "messages": MESSAGES, "stream": True}
    answer = api.call("POST", "/v1/chat/completions", body, headers=of_aws(world))

    assert (answer.status, answer.error["code"]) == (404, "model_not_found")

"""The operator's prompt and a request's material, before the messages of every provider, and in no log."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from chalice.test import Client

from chalicelib import logs
from chalicelib.routes import create_app
from chalicelib.services import Services
from sandbox.issuer import ALL_SCOPES
from tests.far_customer import Onboarding
from tests.own_keys import of_provider

if TYPE_CHECKING:
    from sandbox.world import World

PROMPT = "You are the assistant of Globex."
MATERIAL = {"context": [{"name": "notes.txt", "text": "The mill is blue."}]}
MESSAGES = [{"role": "system", "content": "Speak French."}, {"role": "user", "content": "Hello"}]
MODELS = {
    "openai": "gpt-4o",
    "anthropic": "claude-haiku-4-5-20251001",
    "google": "gemini-2.5-flash",
    "azure": "team-chat",
}


class _Service:
    """Rolecall with a prompt of its operator's, on the sandbox's AWS."""

    def __init__(self, world: World, prompt: str | None = PROMPT) -> None:
        self._world = world
        session = world.accounts.service_session(world.aws.url, "us-east-1")
        settings = replace(world.settings, system_prompt=prompt, log_level="DEBUG")
        self._app = create_app(Services(settings, session=session))

    def post(self, path: str, body: object, *, tenant: str, scopes: str | None = None, **headers: str) -> Any:
        token = self._world.issuer.token(tenant, scopes=scopes or ALL_SCOPES)
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
        with Client(self._app) as client:
            return client.http.post(path, headers=sent, body=json.dumps(body).encode())


@pytest.fixture(scope="module")
def service(world: World) -> _Service:
    """Give the service."""
    return _Service(world)


@pytest.fixture(scope="module")
def tenant(world: World) -> str:
    """Give a tenant with an active connection."""
    onboarding = Onboarding(world)
    onboarding.make_role()
    assert onboarding.verify()["usable"]
    return onboarding.tenant


def _chat(model: str, **more: object) -> dict[str, object]:
    return {"model": model, "messages": MESSAGES, "rolecall": MATERIAL, **more}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", list(MODELS))
def test_every_provider_gets_them_in_order(world: World, service: _Service, provider: str, stream: bool) -> None:
    """The operator's, the material, the tenant's own; the field itself is passed to nobody."""
    fake = getattr(world.providers, provider)
    headers = of_provider(world, provider)
    fake.forget()
    answer = service.post("/v1/chat/completions", _chat(MODELS[provider], stream=stream), tenant="own", **headers)
    sent = next(call["body"] for call in fake.calls() if "messages" in (call["body"] or {}))
    system = sent.get("system") or [message for message in sent["messages"] if message["role"] == "system"]
    texts = [part.get("text") or part["content"] for part in system]

    assert answer.status_code == 200
    assert (texts[0], texts[2]) == (PROMPT, "Speak French.")
    assert "notes.txt\n```\nThe mill is blue.\n```" in texts[1]
    assert "rolecall" not in json.dumps(sent)
    assert "rolecall" not in answer.headers.get("Rolecall-Ignored-Fields", "")


def test_bedrock_gets_them(world: World, service: _Service, tenant: str) -> None:
    """The same chat costs as many tokens more as the texts have, four characters each."""
    plain = _Service(world, prompt=None)
    chat = {"model": "amazon.nova-lite-v1:0", "messages": MESSAGES}
    without = plain.post("/v1/chat/completions", chat, tenant=tenant).json_body["usage"]["prompt_tokens"]
    prompted = service.post("/v1/chat/completions", chat, tenant=tenant).json_body["usage"]["prompt_tokens"]
    both = service.post("/v1/chat/completions", {**chat, "rolecall": MATERIAL}, tenant=tenant)

    assert without + len(PROMPT) // 4 - 1 <= prompted <= without + len(PROMPT) // 4 + 2
    assert both.json_body["usage"]["prompt_tokens"] > prompted + 30


CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NATIVE: dict[str, Any] = {"max_tokens": 300, "messages": MESSAGES[1:], "rolecall": MATERIAL}


@pytest.mark.parametrize("system", ["Speak French.", [{"type": "text", "text": "Speak French."}], None])
def test_anthropics_door_leads_past_neither(world: World, service: _Service, system: object) -> None:
    """Messages get the same texts before the same place, in whatever form the system's text comes."""
    fake = world.providers.anthropic
    fake.forget()
    headers = of_provider(world, "anthropic")
    body = {"model": MODELS["anthropic"], **NATIVE, **({} if system is None else {"system": system})}
    answers = [
        service.post("/v1/messages", {**body, "stream": stream}, tenant="own", **headers) for stream in (False, True)
    ]
    answers.append(service.post("/v1/messages/count_tokens", {**body, "max_tokens": None}, tenant="own", **headers))
    sent = [call["body"] for call in fake.calls() if "messages" in (call["body"] or {})]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len(sent) == 3
    for asked in sent:
        texts = [block["text"] for block in asked["system"]]
        assert texts[0] == PROMPT
        assert "notes.txt\n```\nThe mill is blue.\n```" in texts[1]
        assert texts[2:] == ([] if system is None else ["Speak French."])
        assert "rolecall" not in asked


def test_claude_on_bedrock_gets_them_and_counts_them(world: World, service: _Service, tenant: str) -> None:
    """What is counted is what is asked; a request's material that is none is refused in Anthropic's shape."""
    plain = _Service(world, prompt=None)
    body = {"model": CLAUDE, **NATIVE}
    bare = {name: value for name, value in body.items() if name != "rolecall"}
    without = plain.post("/v1/messages", bare, tenant=tenant).json_body["usage"]["input_tokens"]
    prompted = service.post("/v1/messages", bare, tenant=tenant).json_body["usage"]["input_tokens"]
    both = service.post("/v1/messages", body, tenant=tenant)
    counted = service.post("/v1/messages/count_tokens", {**body, "max_tokens": None}, tenant=tenant)
    bad = service.post("/v1/messages", {**body, "rolecall": {"system": "Obey."}}, tenant=tenant).json_body

    assert without + len(PROMPT) // 4 - 1 <= prompted <= without + len(PROMPT) // 4 + 2
    assert both.json_body["usage"]["input_tokens"] == counted.json_body["input_tokens"] > prompted + 30
    assert "rolecall" not in both.headers.get("Rolecall-Ignored-Fields", "")
    assert (bad["type"], bad["error"]["param"]) == ("error", "rolecall.system")


def test_only_the_operator_sees_the_assembled_form(service: _Service) -> None:
    """A tenant's scopes do not show the operator's instructions."""
    path = "/v1/chat/completions/assembled"
    shown = service.post(path, _chat("any"), tenant="t", scopes="operator").json_body["messages"]
    refused = service.post(path, _chat("any"), tenant="t", scopes="models:invoke connections:write connections:read")

    assert [message["role"] for message in shown] == ["system", "system", "system", "user"]
    assert (shown[0]["content"], shown[2:]) == (PROMPT, MESSAGES)
    assert (refused.status_code, refused.json_body["error"]["code"]) == (403, "insufficient_scope")
    assert PROMPT not in json.dumps(refused.json_body)


BAD: dict[str, Any] = {
    "no object": ("x", "rolecall"),
    "an unknown field": ({"system": "Obey."}, "rolecall.system"),
    "a block without a text": ({"context": [{"name": "a"}]}, "rolecall.context.0.text"),
    "a name of two lines": ({"context": [{"name": "a\nb", "text": "x"}]}, "rolecall.context.0.name"),
    "a block too large": ({"context": [{"name": "a", "text": "x" * 200_001}]}, "rolecall.context.0.text"),
    "too many blocks": ({"context": [{"name": "a", "text": "x"}] * 51}, "rolecall.context"),
}


@pytest.mark.parametrize(("material", "param"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("own_key", [False, True])
def test_bad_material_is_refused_at_its_place(
    world: World, service: _Service, tenant: str, material: object, param: str, own_key: bool
) -> None:
    """With a connection and with a key alike, before anyone is asked."""
    headers = of_provider(world, "openai") if own_key else {}
    chat = {"model": "gpt-4o" if own_key else "amazon.nova-lite-v1:0", "messages": MESSAGES, "rolecall": material}
    answer = service.post("/v1/chat/completions", chat, tenant=tenant, **headers)

    assert (answer.status_code, answer.json_body["error"]["param"]) == (400, param)


def test_nothing_of_it_is_logged(world: World, service: _Service, tenant: str) -> None:
    """At the most talkative level, refused or answered."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        service.post("/v1/chat/completions", _chat("amazon.nova-lite-v1:0"), tenant=tenant)
        service.post("/v1/chat/completions", _chat("nowhere.model"), tenant=tenant)
        service.post("/v1/chat/completions/assembled", _chat("any"), tenant="t", scopes="operator")
    finally:
        root.removeHandler(handler)

    assert written.getvalue()
    assert [secret for secret in ("Globex", "blue", "notes.txt", "French") if secret in written.getvalue()] == []

"""Rejected keys of a tenant's requests: so many, then none is tried; and how many external IDs a tenant may have."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from chalice.test import Client

from chalicelib.onboarding import items
from chalicelib.routes import create_app
from chalicelib.routes.onboarding import IDS_A_DAY
from chalicelib.routes.rejections import OF_A_TENANT, REJECTIONS_A_MINUTE
from chalicelib.services import Services

if TYPE_CHECKING:
    from sandbox.world import World

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


class _Service:
    """One process of the service, with a clock that can be turned."""

    def __init__(self, world: World) -> None:
        self.now = (datetime.now(UTC) + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
        self._world = world
        session = world.accounts.service_session(world.aws.url, "us-east-1")
        self._app = create_app(Services(replace(world.settings), session=session, clock=lambda: self.now))

    def post(self, path: str, body: object, tenant: str, subject: str = "somebody", **headers: str) -> Any:
        token = self._world.issuer.token(tenant, subject=subject, seconds=7 * 86400)
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
        with Client(self._app) as client:
            return client.http.post(path, headers=sent, body=json.dumps(body).encode())

    def chat(self, tenant: str, key: str, subject: str = "somebody") -> tuple[int, str]:
        headers = {"Rolecall-Provider": "openai", "Rolecall-Provider-Key": key}
        answer = self.post("/v1/chat/completions", CHAT, tenant, subject, **headers)
        return answer.status_code, answer.json_body.get("error", {}).get("code", "")


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/v1/embeddings", "/v1/messages"])
def test_rejected_keys_come_to_an_end(world: World, route: str) -> None:
    """A good key then tells nothing either, at any route; other tenants and the next minute are as before."""
    service, tenant = _Service(world), f"thief{len(route)}"
    good = world.providers.openai.key
    told = [service.chat(tenant, f"{good}-bad") for _ in range(REJECTIONS_A_MINUTE + 1)]
    headers = {"Rolecall-Provider": "openai", "Rolecall-Provider-Key": good}
    blocked = service.post(route, {**CHAT, "max_tokens": 5, "input": "x"}, tenant, **headers)

    assert set(told) == {(401, "provider_key_rejected")}
    assert blocked.status_code == 429
    assert service.chat("honest", good) == (200, "")
    service.now += timedelta(minutes=1)
    assert service.chat(tenant, good) == (200, "")


def test_one_program_with_an_old_key_shuts_nobody_else_out(world: World) -> None:
    """What it may try has come to an end; keys of its colleagues and of other programs are tried as before."""
    service, tenant = _Service(world), "colleagues"
    good = world.providers.openai.key
    for _ in range(REJECTIONS_A_MINUTE + 1):
        service.chat(tenant, f"{good}-old", "cron")

    assert service.chat(tenant, good, "cron") == (429, "too_many_key_checks")
    assert service.chat(tenant, good, "colleague") == (200, "")


def test_several_tokens_of_a_tenant_come_to_an_end_together(world: World) -> None:
    """A tenant makes as many subjects as it likes; four times one's rejections are what all of them have."""
    service, tenant = _Service(world), "thieves"
    good = world.providers.openai.key
    told = [
        service.chat(tenant, f"{good}-bad", f"thief {number % 5}")
        for number in range(OF_A_TENANT * REJECTIONS_A_MINUTE + 1)
    ]

    assert set(told) == {(401, "provider_key_rejected")}
    assert service.chat(tenant, good, "a thief who tried none") == (429, "too_many_key_checks")
    assert service.chat("honest", good) == (200, "")


def test_another_process_learns_it_by_one_more(world: World) -> None:
    """What was counted stands in the table."""
    first, second = _Service(world), _Service(world)
    good = world.providers.openai.key
    for _ in range(REJECTIONS_A_MINUTE):
        first.chat("spread", f"{good}-bad")

    assert second.chat("spread", f"{good}-bad") == (401, "provider_key_rejected")
    assert second.chat("spread", good) == (429, "too_many_key_checks")


def test_external_ids_come_to_an_end(world: World) -> None:
    """Each leaves an item for ever, so a day has so many for a tenant."""
    service, tenant = _Service(world), "collector"
    midnight = service.now.replace(hour=0).isoformat()
    key = items.rate_key(tenant, f"EXTERNAL-IDS#{midnight}")
    world.services.dynamodb.put_item(
        TableName=world.settings.table_name, Item={**key, "runs": {"N": str(IDS_A_DAY - 1)}, "ttl": {"N": "9999999999"}}
    )
    body = {"name": "Acme", "region": "us-east-1"}
    last, refused = service.post("/v1/connections", body, tenant), service.post("/v1/connections", body, tenant)

    assert (last.status_code, refused.status_code) == (201, 429)
    assert refused.json_body["error"]["code"] == "too_many_connections"
    assert refused.headers["Retry-After"] == str(12 * 3600)

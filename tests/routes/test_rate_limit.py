"""The operator's limit: how many requests to models a tenant may make in a minute, and whom it leaves alone."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from chalice.test import Client

from chalicelib.routes import create_app
from chalicelib.services import Services

if TYPE_CHECKING:
    from sandbox.world import World

MOST = 3
CHAT: dict[str, Any] = {"model": "gpt-4o", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
_numbers = itertools.count()


class _Process:
    """One process of the service, with a clock that is turned by hand."""

    def __init__(self, world: World, most: int | None = MOST) -> None:
        self.now = (datetime.now(UTC) + timedelta(days=1)).replace(hour=12, minute=0, second=10, microsecond=0)
        self._world = world
        self._session = world.accounts.service_session(world.aws.url, "us-east-1")
        settings = replace(world.settings, model_requests_per_minute=most)
        self._app = create_app(Services(settings, session=self._session, clock=lambda: self.now))

    def ask(self, tenant: str, method: str = "POST", path: str = "/v1/chat/completions", **headers: str) -> Any:
        """Ask with a good key of OpenAI's."""
        headers = {
            "Authorization": f"Bearer {self._world.issuer.token(tenant, seconds=7 * 86400)}",
            "Content-Type": "application/json",
            "Rolecall-Provider": "openai",
            "Rolecall-Provider-Key": self._world.providers.openai.key,
            **headers,
        }
        with Client(self._app) as client:
            body = json.dumps(CHAT).encode() if method == "POST" else b""
            return client.http.request(method, path, headers=headers, body=body)

    def statuses(self, tenant: str, times: int) -> list[int]:
        """Ask so many times."""
        return [self.ask(tenant).status_code for _ in range(times)]


@pytest.fixture
def tenant() -> str:
    """Give a tenant that has asked nothing yet."""
    return f"busy-{next(_numbers)}"


def test_one_request_too_many_is_told_to_wait(world: World, tenant: str) -> None:
    """429 in OpenAI's shape with the seconds that are left of the minute; then the next minute begins at nothing."""
    process = _Process(world)
    assert process.statuses(tenant, MOST) == [200] * MOST
    refused = process.ask(tenant)

    error = refused.json_body["error"]
    assert (refused.status_code, error["code"], error["type"]) == (429, "tenant_rate_limited", "rate_limit_error")
    assert refused.headers["Retry-After"] == "50"
    process.now += timedelta(seconds=50)
    assert process.statuses(tenant, 1) == [200]


def test_anthropics_door_says_it_in_its_own_shape(world: World, tenant: str) -> None:
    """Its clients raise RateLimitError by the type."""
    process = _Process(world)
    process.statuses(tenant, MOST)
    refused = process.ask(tenant, path="/v1/messages")

    assert (refused.status_code, refused.json_body["type"]) == (429, "error")
    assert refused.json_body["error"]["type"] == "rate_limit_error"


def test_the_limit_is_one_for_all_processes_and_routes_to_models(world: World, tenant: str) -> None:
    """What another process has let through counts here as well."""
    first, second = _Process(world), _Process(world)
    second.now = first.now
    first.ask(tenant, "GET", "/v1/models")
    first.ask(tenant, path="/v1/embeddings")
    second.ask(tenant)

    assert [process.ask(tenant).status_code for process in (first, second)] == [429, 429]


def test_a_limit_that_is_full_is_not_asked_for_again(world: World, tenant: str) -> None:
    """A loop that goes on costs the table nothing."""
    process = _Process(world)
    process.statuses(tenant, MOST + 1)
    before = world.aws.calls.count("dynamodb")

    assert process.statuses(tenant, 5) == [429] * 5
    assert world.aws.calls.count("dynamodb") == before


def test_others_and_other_routes_are_left_alone(world: World, tenant: str) -> None:
    """Another tenant chats on, and the one that must wait still sees to its connections."""
    process = _Process(world)
    process.statuses(tenant, MOST + 1)

    assert process.statuses(f"{tenant}-other", 1) == [200]
    assert process.ask(tenant, "GET", "/v1/connections").status_code == 200
    assert process.ask(tenant, "GET", "/v1/setup").status_code == 200


def test_trying_the_models_of_a_connection_is_asking_models(world: World, tenant: str) -> None:
    """`?probe=true` invokes up to 25 of them under another route's scope; looking at the table alone is free."""
    process = _Process(world)
    table = "/v1/connections/conn-aaaaaaaaaaaaaaaaaaaa/models"
    probed = [process.ask(tenant, "GET", f"{table}?probe=true").status_code for _ in range(MOST + 1)]

    assert probed == [404] * MOST + [429]
    assert process.ask(tenant, "GET", table).status_code == 404


def test_who_may_not_ask_models_is_not_counted(world: World, tenant: str) -> None:
    """A token without the scope is refused before, so nobody can use up a tenant's minute with a lesser token."""
    process = _Process(world)
    lesser = f"Bearer {world.issuer.token(tenant, scopes='connections:read', seconds=7 * 86400)}"
    refused = [process.ask(tenant, Authorization=lesser).status_code for _ in range(MOST + 1)]

    assert refused == [403] * (MOST + 1)
    assert process.statuses(tenant, 1) == [200]


def test_without_a_limit_nothing_is_counted(world: World, tenant: str) -> None:
    """A chat with a key touches no table then."""
    process = _Process(world, most=None)
    process.ask(tenant)
    before = world.aws.calls.count("dynamodb")

    assert process.statuses(tenant, MOST + 2) == [200] * (MOST + 2)
    assert world.aws.calls.count("dynamodb") == before

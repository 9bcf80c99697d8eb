"""The edge: tokens and scopes on every route, CORS, and what is logged."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from chalice.test import Client

from chalicelib.errors import ServiceError
from chalicelib.routes import create_app
from chalicelib.services import Services
from tests.far_customer import Api, Onboarding

if TYPE_CHECKING:
    from chalice.app import Chalice

    from sandbox.world import World

PUBLIC = {
    ("GET", "/health"),
    ("GET", "/"),
    ("GET", "/wizard/{version}/{file}"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/{file}"),
}
SCOPES = {
    ("GET", "/v1/setup"): "connections:read",
    ("POST", "/v1/connections"): "connections:write",
    ("GET", "/v1/connections"): "connections:read",
    ("GET", "/v1/connections/{connection_id}"): "connections:read",
    ("PATCH", "/v1/connections/{connection_id}"): "connections:write",
    ("DELETE", "/v1/connections/{connection_id}"): "connections:write",
    ("POST", "/v1/connections/{connection_id}/removal"): "connections:write",
    ("POST", "/v1/connections/{connection_id}/rotation"): "connections:write",
    ("DELETE", "/v1/connections/{connection_id}/rotation"): "connections:write",
    ("GET", "/v1/connections/{connection_id}/documents"): "connections:read",
    ("GET", "/v1/connections/{connection_id}/documents/{file}"): "connections:read",
    ("POST", "/v1/connections/{connection_id}/verification"): "connections:write",
    ("GET", "/v1/connections/{connection_id}/verification"): "connections:read",
    ("GET", "/v1/connections/{connection_id}/models"): "connections:read",
    ("POST", "/v1/connections/{connection_id}/trust-policy"): "connections:read",
    ("GET", "/v1/connections/{connection_id}/events"): "connections:read",
    ("GET", "/v1/models"): "models:invoke",
    ("GET", "/v1/models/{a}"): "models:invoke",
    ("GET", "/v1/models/{a}/{b}"): "models:invoke",
    ("GET", "/v1/models/{a}/{b}/{c}"): "models:invoke",
    ("POST", "/v1/chat/completions"): "models:invoke",
    ("POST", "/v1/embeddings"): "models:invoke",
    ("POST", "/v1/messages"): "models:invoke",
    ("POST", "/v1/messages/count_tokens"): "models:invoke",
    ("POST", "/v1/chat/completions/assembled"): "operator",
    ("POST", "/v1/completions"): "completions:invoke",
    ("POST", "/v1/keys/verify"): "connections:write",
}


@pytest.fixture
def app(world: World) -> Chalice:
    """Give an app of its own over the sandbox, with an origin allowed."""
    settings = replace(world.settings, allowed_origin="https://app.example.com")
    return create_app(Services(settings, session=world.accounts.service_session(world.aws.url, settings.region)))


def test_every_route_stands_in_the_table_of_scopes(app: Chalice) -> None:
    """A route that is added without thinking of who may call it fails here."""
    routes = {(method, path) for path, methods in app.routes.items() for method in methods if method != "OPTIONS"}

    assert routes == PUBLIC | set(SCOPES)


@pytest.mark.parametrize(("method", "path"), SCOPES)
def test_a_route_asks_for_a_token_and_for_its_scope(world: World, method: str, path: str) -> None:
    """Without a token 401; with every scope but the right one 403."""
    address = path.replace("{", "").replace("}", "")
    others = " ".join({*SCOPES.values(), "operator"} - {SCOPES[method, path]})
    nobody = Api(world.gateway.url, None).call(method, address)
    wrong = Api(world.gateway.url, world.issuer.token("boundary", scopes=others)).call(method, address)

    assert (nobody.status, nobody.error["code"]) == (401, "missing_token")
    assert (wrong.status, wrong.error["code"]) == (403, "insufficient_scope")


def test_two_authorization_headers_are_refused(world: World) -> None:
    """Whoever reads the first and whoever reads the last would see two callers."""
    import http.client

    connection = http.client.HTTPConnection(world.gateway.url.removeprefix("http://"), timeout=30)
    connection.putrequest("GET", "/v1/connections")
    for tenant in ("one", "two"):
        connection.putheader("Authorization", f"Bearer {world.issuer.token(tenant)}")
    connection.endheaders()
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()

    assert (answer.status, body["error"]["code"]) == (400, "several_authorization_headers")


def test_health_touches_nothing(world: World) -> None:
    """It answers without a token and without a call."""
    before = len(world.aws.calls.rows())
    answer = Api(world.gateway.url, None).get("/health")

    assert (answer.status, answer.json) == (200, {"status": "ok", "version": "0.1.0"})
    assert len(world.aws.calls.rows()) == before


def test_setup_says_whom_to_trust_and_why(world: World) -> None:
    """The principal, the regions, and each permission with its reason."""
    setup = Api(world.gateway.url, world.issuer.token("boundary")).get("/v1/setup").json

    assert setup["principal"] == {
        "account_id": "111122223333",
        "role_arn": "arn:aws:iam::111122223333:role/rolecall-local",
    }
    assert "us-east-1" in setup["regions"]
    assert all(permission["actions"] and permission["reason"] for permission in setup["permissions"])


def _headers(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def test_one_origin_may_call_from_a_browser(app: Chalice) -> None:
    """The origin of the settings is on every answer, errors and preflight included; nothing is reflected."""
    with Client(app) as client:
        asked = {
            "Origin": "https://evil.example.com",
            "Access-Control-Request-Headers": "authorization, x-stainless-os, bad header\u2603",
        }
        preflight = client.http.request("OPTIONS", "/v1/models", headers=asked)
        refused = client.http.get("/v1/models", headers={"Origin": "https://evil.example.com"})

    for answer in (preflight, refused):
        assert _headers(answer)["access-control-allow-origin"] == "https://app.example.com"
        assert _headers(answer)["vary"] == "Origin"
    assert (preflight.status_code, refused.status_code) == (204, 401)
    assert _headers(preflight)["access-control-allow-headers"] == "authorization, x-stainless-os"


def test_without_an_origin_no_browser_may_call(world: World) -> None:
    """The default says nothing of CORS, so browsers refuse."""
    answer = Api(world.gateway.url, None).call("OPTIONS", "/v1/models", headers={"Origin": "https://app.example.com"})

    assert answer.status == 204
    assert not [name for name in _headers(answer) if name.startswith("access-control")]


def test_a_fault_of_ours_is_a_500_without_a_word_of_it(app: Chalice, caplog: pytest.LogCaptureFixture) -> None:
    """An exception nobody thought of shows the caller a request id, and the log its frames, never its text."""
    from chalicelib.routes.boundary import Boundary

    class NoTokens:
        def authenticate(self, _: object) -> Any:
            raise KeyError("canary-of-a-secret")

    from chalice.app import Chalice as App

    broken = App("broken", configure_logs=False, env={})
    boundary = Boundary(broken, NoTokens(), None, print, print)  # type: ignore[arg-type]
    boundary.protected("GET", "/x", "operator", lambda *_: None)  # type: ignore[arg-type]
    with Client(broken) as client, caplog.at_level(logging.DEBUG):
        answer = client.http.get("/x")

    assert (answer.status_code, answer.json_body["error"]["code"]) == (500, "internal_error")
    assert "canary" not in str(answer.body)
    assert "canary" not in caplog.text
    assert "unexpected KeyError" in caplog.text


def test_storage_that_is_gone_is_503(world: World) -> None:
    """When the table can't be reached the caller is told to try again, not that the request was wrong."""
    settings = replace(world.settings, table_name="no-such-table")
    app = create_app(Services(settings, session=world.accounts.service_session(world.aws.url, settings.region)))
    with Client(app) as client:
        answer = client.http.get(
            "/v1/connections", headers={"Authorization": f"Bearer {world.issuer.token('boundary')}"}
        )

    assert (answer.status_code, answer.json_body["error"]["code"]) == (503, "storage_unavailable")
    assert _headers(answer)["retry-after"] == "1"


class Streaming:
    """What a view is told by whatever passes chunks on."""

    can_stream = True


def test_what_breaks_a_stream_is_its_last_event(world: World) -> None:
    """The status has gone out by then: a table that is gone is told as an event, and no exception leaves the app."""
    tenant = Onboarding(world)
    tenant.make_role()
    declared = "/v1/connections/{connection_id}/verification"
    event = {
        "path": f"{tenant.path}/verification",
        "multiValueHeaders": {
            "Authorization": [f"Bearer {tenant.api.token}"],
            "Accept": ["text/event-stream"],
        },
        "headers": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": {"connection_id": tenant.connection["id"]},
        "stageVariables": None,
        "requestContext": {"resourcePath": declared, "httpMethod": "POST", "requestId": "request-1"},
        "body": json.dumps({"role_arn": tenant.role_arn}),
        "isBase64Encoded": False,
    }
    events = world.app(event, Streaming())["body"]
    first = next(events)
    world.aws.faults.add(
        {"service": "dynamodb", "operation": "*", "kind": "error", "code": "InternalServerError", "times": None}
    )
    try:
        *_, last = events
    finally:
        world.aws.faults.clear()

    assert first.startswith("event: check\n")
    name, data = last.strip().split("\n")
    error = json.loads(data.removeprefix("data: "))["error"]
    assert (name, error["code"], error["request_id"]) == ("event: error", "storage_unavailable", "request-1")


def test_no_secret_reaches_a_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Through a whole journey at DEBUG, neither token nor session credentials are written anywhere."""
    caplog.set_level(logging.DEBUG)
    token = world.issuer.token("log-canary")
    api = Api(world.gateway.url, token)
    connection = api.post("/v1/connections", {"name": "x", "region": "us-east-1"}).json
    api.post(f"/v1/connections/{connection['id']}/verification", {"role_arn": "arn:aws:iam::444455556666:role/nope"})
    api.get("/v1/models")

    assert token.rpartition(".")[2] not in caplog.text
    assert "SessionToken" not in caplog.text
    assert "x-amz-security-token" not in caplog.text.lower()


def test_a_header_sent_twice_is_not_chosen_from(app: Chalice) -> None:
    """Which connection is meant must not depend on who reads the headers."""
    from chalicelib.routes.exchange import Request

    event = {"multiValueHeaders": {"Rolecall-Connection": ["a", "b"]}, "requestContext": {}}
    with pytest.raises(ServiceError) as refused:
        Request(event, None).header("rolecall-connection")
    assert refused.value.code == "repeated_header"

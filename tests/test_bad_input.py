"""Rubbish in every field of every route: a 4xx with the envelope, a stable code and the field; never a 500."""

from __future__ import annotations

import base64
import gzip
import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from chalicelib.errors import ServiceError
from chalicelib.routes.bodies import refuse_external_id
from chalicelib.routes.exchange import Request
from tests.far_customer import Answer, Api
from tests.growth import is_linear

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.world import World

ROLE = "arn:aws:iam::444455556666:role/x"


@pytest.fixture(scope="module")
def api(world: World) -> Api:
    """Give the API of a tenant that has one pending connection."""
    return Api(world.gateway.url, world.issuer.token("bad-input"))


@pytest.fixture(scope="module")
def connection_id(api: Api) -> str:
    """Give the id of that connection."""
    return str(api.post("/v1/connections", {"name": "x", "region": "us-east-1"}).json["id"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda n: "{" + ",".join(f'"{key:04}":0' for key in range(n)) + f',"{n - 1:04}":0}}', id="keys"),
        pytest.param(lambda n: '{"a' + "\u0301\u0327" * n + '": 0}', id="a key of accents"),
    ],
)
def test_what_a_body_costs_grows_with_its_size(body: Callable[[int], str]) -> None:
    """And not with the square of it: what 64 KB can hold takes no share of a second of the processor."""

    def refused(size: int) -> Callable[[], None]:
        request = Request(
            {"body": body(size), "headers": {"content-type": "application/json"}, "requestContext": {}}, None
        )

        def run() -> None:
            with suppress(ServiceError):
                refuse_external_id(request)

        return run

    assert is_linear(refused, 7000)


_LONG = "\x1b[31mlong\n" * 100_000
_CHAT = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": [{"type": _LONG}]}]}),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": _LONG, "content": "x"}]}),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "thinking_blocks": [{"type": _LONG}]}]}),
        ("/v1/chat/completions", _CHAT | {"tool_choice": _LONG}),
        ("/v1/chat/completions", _CHAT | {"tool_choice": {"type": _LONG}}),
        ("/v1/chat/completions", _CHAT | {"bedrock": {_LONG: 1}}),
        ("/v1/chat/completions", _CHAT | {"bedrock": {"requestMetadata": {_LONG: "x"}}}),
        ("/v1/chat/completions", _CHAT | {"rolecall": {"context": [{"name": _LONG, "text": "x"}]}}),
        ("/v1/chat/completions", _CHAT | {"model": _LONG}),
        ("/v1/embeddings", {"model": "m", "input": "x", "encoding_format": _LONG}),
        ("/v1/completions", {"prompt": "x", "stop": {"a": _LONG}}),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)  # fmt: skip
def test_an_error_does_not_give_back_what_was_sent(api: Api, path: str, body: dict[str, object]) -> None:
    """Megabytes of it would come back in a message, control characters and all; a name is shown, cut and cleaned."""
    answer = api.post(path, body)

    assert _is_clean_refusal(answer)
    assert len(answer.text) < 2000
    assert answer.error["message"].isprintable()


def _is_clean_refusal(answer: Answer) -> bool:
    error = answer.error
    return (
        400 <= answer.status < 500
        and set(error) - {"fix", "whose_fix"} == {"message", "type", "code", "param", "request_id"}
        and error["request_id"] == answer.headers["X-Request-Id"]
        and "Traceback" not in answer.text
    )


GOOD = {"name": "x", "region": "us-east-1"}
CREATE = [
    pytest.param({}, "missing_field", "name", id="no name"),
    pytest.param({"name": "x"}, "missing_field", "region", id="no region"),
    pytest.param(GOOD | {"name": None}, "invalid_type", "name", id="a null name"),
    pytest.param(GOOD | {"name": 5}, "invalid_type", "name", id="a number for a name"),
    pytest.param(GOOD | {"name": ["x"]}, "invalid_type", "name", id="a list for a name"),
    pytest.param(GOOD | {"name": {}}, "invalid_type", "name", id="an object for a name"),
    pytest.param(GOOD | {"name": ""}, "invalid_value", "name", id="an empty name"),
    pytest.param(GOOD | {"name": "  "}, "invalid_value", "name", id="a blank name"),
    pytest.param(GOOD | {"name": "x" * 101}, "invalid_value", "name", id="a long name"),
    pytest.param(GOOD | {"name": "a\x00b"}, "invalid_value", "name", id="a NUL in the name"),
    pytest.param(GOOD | {"name": "a\x1b[31mb"}, "invalid_value", "name", id="an escape sequence in the name"),
    pytest.param(GOOD | {"name": "a\u202eb"}, "invalid_value", "name", id="a right-to-left override in the name"),
    pytest.param(GOOD | {"name": "a\u200bb"}, "invalid_value", "name", id="a zero-width space in the name"),
    pytest.param(GOOD | {"region": None}, "invalid_type", "region", id="a null region"),
    pytest.param(GOOD | {"region": "us-east-1.evil.com"}, "unknown_region", "region", id="a host for a region"),
    pytest.param(GOOD | {"region": "US-EAST-1"}, "unknown_region", "region", id="a region in capitals"),
    pytest.param(GOOD | {"region": "cn-north-1"}, "partition_mismatch", "region", id="a region of another partition"),
    pytest.param(GOOD | {"region": "x" * 65}, "invalid_value", "region", id="a long region"),
    pytest.param(GOOD | {"models": "x"}, "invalid_type", "models", id="a text for models"),
    pytest.param(GOOD | {"models": []}, "invalid_value", "models", id="no model in models"),
    pytest.param(GOOD | {"models": [None]}, "invalid_type", "models.0", id="a null model"),
    pytest.param(GOOD | {"models": ["../../x"]}, "invalid_model_id", "models.0", id="a path for a model"),
    pytest.param(GOOD | {"models": ["a.b"] * 101}, "invalid_value", "models", id="a hundred and one models"),
    pytest.param(GOOD | {"account_id": 444455556666}, "invalid_type", "account_id", id="a number for an account"),
    pytest.param(GOOD | {"account_id": "1234"}, "invalid_account_id", "account_id", id="a short account"),
    pytest.param(GOOD | {"account_id": "123456789012"}, "placeholder", "account_id", id="the account of examples"),
    pytest.param(GOOD | {"account_id": "111122223333"}, "own_account_role", "account_id", id="the service's account"),
    pytest.param(GOOD | {"guardrail": "x"}, "invalid_type", "guardrail", id="a text for a guardrail"),
    pytest.param(
        GOOD | {"guardrail": {"identifier": "x"}}, "missing_field", "guardrail.version", id="no guardrail version"
    ),
    pytest.param(
        GOOD | {"guardrail": {"identifier": "x y", "version": "1"}},
        "invalid_guardrail",
        "guardrail.identifier",
        id="a guardrail with a space",
    ),
    pytest.param(GOOD | {"status": "active"}, "unknown_field", "status", id="a field that only we set"),
    pytest.param(GOOD | {"tenant": "acme"}, "unknown_field", "tenant", id="another tenant"),
    pytest.param(GOOD | {"external_id": "x"}, "external_id_not_settable", "external_id", id="external_id"),
    pytest.param(GOOD | {"externalId": "x"}, "external_id_not_settable", "externalId", id="externalId"),
    pytest.param(GOOD | {"ExternalId": None}, "external_id_not_settable", "ExternalId", id="ExternalId"),
    pytest.param(GOOD | {"sts:ExternalId": "x"}, "external_id_not_settable", "sts:ExternalId", id="sts:ExternalId"),
    pytest.param(GOOD | {"guardrail": {"external-id": "x"}}, "external_id_not_settable", "external-id", id="nested"),
    pytest.param([], "invalid_type", None, id="a list for a body"),
    pytest.param("x", "invalid_type", None, id="a text for a body"),
    pytest.param(None, "invalid_type", None, id="null for a body"),
]


@pytest.mark.parametrize(("body", "code", "param"), CREATE)
def test_a_connection_is_not_made_of_rubbish(api: Api, body: object, code: str, param: str | None) -> None:
    """Each field of the body, wrong in each way, is refused by its name."""
    answer = api.call("POST", "/v1/connections", raw=json.dumps(body).encode())

    assert _is_clean_refusal(answer)
    assert (answer.error["code"], answer.error["param"]) == (code, param)


SAID = [
    pytest.param(GOOD | {"name": "  "}, "name: at least one visible character is needed.", None, id="our own rule"),
    pytest.param(GOOD | {"models": []}, "models: List should have at least 1 item.", None, id="a length"),
    pytest.param(
        GOOD | {"guardrail": {"identifier": "x", "version": "v1"}},
        "guardrail.version: It has not the form that it must have; /docs shows it.",
        None,
        id="a pattern",
    ),
    pytest.param(
        GOOD | {"model_scope": ["a.b"]},
        "model_scope: There is no such field.",
        "Leave it out, or name the one that is meant: name, region, models, account_id, guardrail.",
        id="a field by another name",
    ),
]


@pytest.mark.parametrize(("body", "message", "fix"), SAID)
def test_what_is_wrong_is_said_to_a_person(api: Api, body: object, message: str, fix: str | None) -> None:
    """Without the words of the program that found it, and with the names that would have been right."""
    answer = api.post("/v1/connections", body)

    assert (answer.error["message"], answer.error.get("fix")) == (message, fix)


RAW = [
    pytest.param(b"", {}, "invalid_json", id="nothing"),
    pytest.param(b"{", {}, "invalid_json", id="cut short"),
    pytest.param(b'{"name": "x"} {}', {}, "invalid_json", id="two documents"),
    pytest.param(b'{"name": NaN, "region": "us-east-1"}', {}, "invalid_json", id="NaN"),
    pytest.param(b'{"name": 1e999, "region": "us-east-1"}', {}, "invalid_json", id="a number without end"),
    pytest.param(b'{"name": "\xff", "region": "us-east-1"}', {}, "invalid_json", id="not UTF-8"),
    pytest.param('{"name": "x", "region": "us-east-1"}'.encode("utf-16"), {}, "invalid_json", id="UTF-16"),
    pytest.param(b'{"name": "\\ud800", "region": "us-east-1"}', {}, "invalid_json", id="a lone surrogate"),
    pytest.param(b'{"name": "x", "name": "y", "region": "us-east-1"}', {}, "duplicate_key", id="a key twice"),
    pytest.param(b"[" * 60 + b"]" * 60, {}, "invalid_json", id="sixty levels deep"),
    pytest.param(b"[" * 30_000, {}, "invalid_json", id="thirty thousand levels deep"),
    pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, {}, "invalid_json", id="ten thousand objects deep"),
    pytest.param(b'{"name": ' + b"9" * 5000 + b"}", {}, "invalid_json", id="a number of five thousand digits"),
    pytest.param(b"x" * 1_000_000, {}, "body_too_large", id="one megabyte"),
    pytest.param(b"x" * 7_000_000, {}, "body_too_large", id="seven megabytes"),
    pytest.param(b"x" * 11_000_000, {}, "body_too_large", id="eleven megabytes"),
    pytest.param(
        b"name=x", {"Content-Type": "application/x-www-form-urlencoded"}, "unsupported_media_type", id="a form"
    ),
    pytest.param(
        gzip.compress(b"{}"), {"Content-Encoding": "gzip"}, "unsupported_media_type", id="a body that is compressed"
    ),
    pytest.param(b"<x/>", {"Content-Type": "text/xml"}, "unsupported_media_type", id="XML"),
    pytest.param(b"{}", {"X-External-Id": "x"}, "external_id_not_settable", id="an external ID in a header"),
    pytest.param(b"{}", {"Idempotency-Key": "x" * 256}, "missing_field", id="the body is looked at before the key"),
]


@pytest.mark.parametrize(("raw", "headers", "code"), RAW)
def test_what_is_no_json_object_is_refused(api: Api, raw: bytes, headers: dict[str, str], code: str) -> None:
    """Malformed, ambiguous, deep and large bodies are told apart by their codes."""
    answer = api.call("POST", "/v1/connections", raw=raw, headers=headers)

    assert _is_clean_refusal(answer)
    assert answer.error["code"] == code


VERIFY = [
    pytest.param({}, 400, "missing_field", "role_arn", id="no role"),
    pytest.param({"role_arn": None}, 400, "invalid_type", "role_arn", id="a null role"),
    pytest.param({"role_arn": "x" * 5000}, 400, "invalid_value", "role_arn", id="a very long role"),
    pytest.param({"role_arn": ""}, 422, "not_a_role_arn", "role_arn", id="an empty role"),
    pytest.param({"role_arn": "YOUR_ROLE_ARN"}, 422, "placeholder", "role_arn", id="a placeholder"),
    pytest.param({"role_arn": ROLE.replace("role/", "user/")}, 422, "not_a_role_arn", "role_arn", id="a user"),
    pytest.param(
        {"role_arn": "arn:aws:iam::111122223333:role/x"},
        422,
        "own_account_role",
        "role_arn",
        id="the service's account",
    ),
    pytest.param(
        {"role_arn": "arn:aws:iam::111122223333:role/rolecall-local"},
        422,
        "own_account_role",
        "role_arn",
        id="the service's own role",
    ),
    pytest.param(
        {"role_arn": ROLE.replace("arn:aws:", "arn:aws-us-gov:")}, 422, "partition_mismatch", "role_arn", id="GovCloud"
    ),
    pytest.param({"role_arn": ROLE, "invoke": 1}, 400, "invalid_type", "invoke", id="a number for invoke"),
    pytest.param({"role_arn": ROLE, "invoke": "../x"}, 422, "invalid_model_id", "invoke", id="a path to invoke"),
    pytest.param({"role_arn": ROLE, "external_id": "x"}, 400, "external_id_not_settable", "external_id", id="an ID"),
]


@pytest.mark.parametrize(("body", "status", "code", "param"), VERIFY)
def test_a_verification_that_cannot_be_right_makes_no_call(
    world: World, api: Api, connection_id: str, body: object, status: int, code: str, param: str
) -> None:
    """What is wrong with a request itself is refused before AWS is asked anything."""
    before = world.aws.calls.count("sts")

    answer = api.post(f"/v1/connections/{connection_id}/verification", body)

    assert _is_clean_refusal(answer)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (status, code, param)
    assert world.aws.calls.count("sts") == before
    assert api.get(f"/v1/connections/{connection_id}/verification").status == 404


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/connections?cursor=x", 400, "invalid_cursor"),
        ("/v1/connections?cursor=" + "A" * 200, 400, "invalid_cursor"),
        ("/v1/connections?cursor=%00", 400, "invalid_cursor"),
        ("/v1/connections?limit=0", 400, "invalid_value"),
        ("/v1/connections?limit=1e3", 400, "invalid_value"),
        ("/v1/connections?limit=5&limit=6", 400, "invalid_value"),
        ("/v1/connections/nope", 404, "connection_not_found"),
        ("/v1/connections/%00", 404, "connection_not_found"),
        ("/v1/connections/..%2Fsetup", 404, "connection_not_found"),
        ("/v1/connections/" + "a" * 5000, 404, "connection_not_found"),
        ("/v1/connections/CONN-AAAAAAAAAAAAAAAAAAAA", 404, "connection_not_found"),
        ("/v1/nothing", 404, "unknown_route"),
        ("/nothing", 404, "unknown_route"),
    ],
)
def test_odd_paths_and_queries_are_refused(api: Api, path: str, status: int, code: str) -> None:
    """Ids and cursors are parsed, never passed on."""
    answer = api.get(path)

    assert _is_clean_refusal(answer)
    assert (answer.status, answer.error["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/models", "/chat/completions", "/v1/v1/messages"])
def test_a_base_address_that_is_wrong_is_told_what_is_right(api: Api, path: str) -> None:
    """Half of the clients want /v1 in it and half do not, and a bare 404 sends people to look for another fault."""
    answer = api.get(path)

    assert (answer.status, answer.error["code"]) == (404, "unknown_route")
    assert "base address that ends in /v1" in answer.error["fix"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/models", "GET, OPTIONS"),
        ("GET", "/v1/chat/completions", "OPTIONS, POST"),
        ("POST", "/v1/connections/conn-aaaaaaaaaaaaaaaaaaaa", "DELETE, GET, OPTIONS, PATCH"),
        ("TRACE", "/health", "GET, OPTIONS"),
    ],
)
def test_a_method_that_a_route_has_not_is_told_with_those_it_has(
    api: Api, method: str, path: str, allowed: str
) -> None:
    """RFC 9110, 15.5.6; also who has no token may know what the contract says to everyone."""
    for headers in ({}, {"Authorization": ""}):
        answer = api.call(method, path, headers=headers)

        assert _is_clean_refusal(answer)
        assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")
        assert ", ".join(sorted(answer.headers["Allow"].split(", "))) == allowed


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("REPORT", id="another item of the connection"),
        pytest.param("EVENT#", id="no event"),
        pytest.param("EVENT#2026-11-24T12:00:00.000+00:00#0000000001#", id="more than an event"),
        pytest.param("conn-aaaaaaaaaaaaaaaaaaaa", id="a connection"),
        pytest.param("EVENT#\N{ARABIC-INDIC DIGIT TWO}026-11-24T12:00:00.000+00:00#0000000001", id="other digits"),
    ],
)
def test_a_cursor_leads_to_nothing_but_a_row_of_its_list(api: Api, connection_id: str, place: str) -> None:
    """What travels in it is a place within the caller's own partition; any other is refused."""
    cursor = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    answer = api.get(f"/v1/connections/{connection_id}/events?cursor={cursor}")

    assert (answer.status, answer.error["code"]) == (400, "invalid_cursor")


def test_an_unknown_document_is_named_as_such(api: Api, connection_id: str) -> None:
    """The five documents are the only files."""
    for name in ("nope.json", "..%2Ftrust-policy.json", "trust-policy.json%00"):
        answer = api.get(f"/v1/connections/{connection_id}/documents/{name}")
        assert (answer.status, answer.error["code"]) == (404, "document_not_found")

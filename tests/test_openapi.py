"""The OpenAPI document is made of what serves, and held against it; every answer is held against the document."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from openapi_spec_validator import validate
from pydantic import BaseModel

from chalicelib.chat import ChatRequest
from chalicelib.onboarding.checks import CHECKS
from chalicelib.routes import create_app
from chalicelib.routes.auth import Authenticator
from chalicelib.routes.boundary import EXPOSED_HEADERS, Boundary
from chalicelib.routes.codes import CODES
from chalicelib.routes.exchange import Reply
from tests.contract import PATH, Contract, NotInContractError, contract
from tests.far_customer import Api, Onboarding
from tools.openapi import errors
from tools.openapi.__main__ import text_of
from tools.openapi.advice import WHAT_TO_DO
from tools.openapi.document import UndescribedRouteError, build
from tools.openapi.examples import Examples
from tools.openapi.operations import LEFT_OUT, OPERATIONS
from tools.openapi.parameters import ANSWER_HEADERS
from tools.openapi.served import answer_of, routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalice.app import Chalice

    from chalicelib.routes.exchange import Request
    from sandbox.world import World

DOCUMENT: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
JUDGE = Contract(DOCUMENT)
OPERATIONS_TOLD = {about["operationId"]: about for _, _, about in JUDGE.operations()}

PUBLISHED = {
    "get_health",
    "get_openapi_document",
    "get_setup",
    "create_connection",
    "list_connections",
    "get_connection",
    "change_connection",
    "delete_connection",
    "prove_removal",
    "start_rotation",
    "cancel_rotation",
    "get_documents",
    "get_document",
    "list_events",
    "verify_connection",
    "get_report",
    "lint_trust_policy",
    "list_availability",
    "list_models",
    "get_model",
    "get_model_of_two_parts",
    "get_model_of_three_parts",
    "create_chat_completion",
    "verify_key",
    "create_message",
    "count_message_tokens",
    "create_embeddings",
    "assemble_chat",
    "create_completion",
}
"""Generated clients make method names of them."""


def test_the_file_is_what_the_code_would_write(world: World) -> None:
    """Routes, models, shapes, codes and the sandbox's answers are as the document has them, to the octet."""
    assert text_of(world) == PATH.read_text(encoding="utf-8"), "Run `make openapi`, and look at what changed."


def test_the_document_is_valid() -> None:
    """Every tool that reads OpenAPI 3.1 can read it."""
    validate(DOCUMENT)


def test_operation_ids_stay() -> None:
    """An id that was published never changes or goes, and no two are the same."""
    told = [about["operationId"] for _, _, about in JUDGE.operations()]

    assert set(told) >= PUBLISHED
    assert len(told) == len(set(told))


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained_and_answered_by_a_route(code: str) -> None:
    """A code without a meaning, advice, an example and a route that answers it helps nobody."""
    row = DOCUMENT["x-error-codes"][code]
    example = DOCUMENT["components"]["examples"][f"error_{code}"]["value"]
    answered = {code for about in OPERATIONS_TOLD.values() for code in _codes_of(about)}

    assert (row["status"], row["type"], row["meaning"]) == CODES[code]
    assert row["fix"] == WHAT_TO_DO[code]
    assert JUDGE.errors({"$ref": "#/components/schemas/Error"}, example) == []
    # What no route answers is what no route is reached by.
    assert code in answered or code in {"unknown_route", "method_not_allowed"}


def test_advice_is_for_codes_that_there_are() -> None:
    """A new code needs a line in tools/openapi/advice.py, and one that went takes its line along."""
    assert set(WHAT_TO_DO) == set(CODES)


def _codes_of(about: dict[str, Any]) -> set[str]:
    refusals = [answer for status, answer in about["responses"].items() if status >= "400"]
    return {code for answer in refusals for code in answer["content"]["application/json"]["examples"]}


@pytest.mark.parametrize("operation_id", OPERATIONS_TOLD)
def test_every_example_fits_its_schema(operation_id: str) -> None:
    """Bodies, answers and streams that the document shows are ones that it would take."""
    judge, about = JUDGE, OPERATIONS_TOLD[operation_id]
    body = about.get("requestBody", {}).get("content", {}).get("application/json", {})
    wrong = [error for one in body.get("examples", {}).values() for error in judge.errors(body["schema"], one["value"])]
    for status, answer in about["responses"].items():
        for kind, content in answer.get("content", {}).items() if status < "400" else ():
            for one in content.get("examples", {}).values():
                value = one["value"]
                text = value if isinstance(value, str) and kind != "application/json" else json.dumps(value)
                wrong += judge.errors_of(content, kind, text)

    assert wrong == []


WITHOUT_EXAMPLE = {
    "get_openapi_document": "the document itself",
    "get_model_of_three_parts": "application inference profiles, of which the sandbox's customer has none",
}


@pytest.mark.parametrize("operation_id", OPERATIONS_TOLD)
def test_every_operation_shows_what_it_answers(operation_id: str) -> None:
    """Each has an example of a body, where it takes one, and of an answer of each kind."""
    about = OPERATIONS_TOLD[operation_id]
    body = about.get("requestBody", {}).get("content", {}).get("application/json")
    answers = [answer for status, answer in about["responses"].items() if status < "400"]
    shown = [content.get("examples") for answer in answers for content in answer.get("content", {}).values()]

    assert body is None or body["examples"]
    assert operation_id in WITHOUT_EXAMPLE or all(shown)


def _app_with(world: World, path: str, view: Callable[[Request], Reply]) -> Chalice:
    app = create_app(world.services)
    authenticator = Authenticator(world.settings.tokens, clock=world.services.clock)
    Boundary(app, authenticator, None, lambda *_: None, lambda _: None).public("GET", path, view)
    return app


def test_a_route_that_nobody_described_is_refused(world: World) -> None:
    """Whoever adds a route learns what to add, and where."""

    def view(_: Request) -> Reply:
        return Reply({})

    with pytest.raises(UndescribedRouteError, match=r"GET /v1/new: not described. Add an Operation to tools/openapi"):
        build(_app_with(world, "/v1/new", view), Examples())


def test_a_view_that_does_not_say_what_it_answers_is_refused(world: World) -> None:
    """A dict that nothing describes can't get into the document."""

    def view(_: Request) -> Reply:
        """Do something."""
        return Reply({})

    route = routes(_app_with(world, "/v1/new", view))["GET /v1/new"]

    with pytest.raises(TypeError, match=r"GET /v1/new: its view must say what it answers"):
        answer_of(route)


def test_routes_are_left_out_for_a_reason() -> None:
    """What is no part of the API says why."""
    assert all(one.reason for one in LEFT_OUT)
    assert not [operation for operation in OPERATIONS for one in LEFT_OUT if one.covers(operation.route.split()[1])]


def test_the_body_that_is_told_is_the_body_that_is_parsed(world: World) -> None:
    """The model in the document is the one that the view gives to `bodies`."""
    served = routes(world.app)
    for operation in OPERATIONS:
        view = served[operation.route].view
        parsing = re.compile(r"bodies\.parse(?:_large)?\(request, (\w+)\)")
        # Chats look at the headers first, and are parsed in functions beside the views.
        where = inspect.getmodule(view) if operation.body is ChatRequest else view
        parsed = parsing.findall(inspect.getsource(where or view))
        # Of Anthropic's and OpenAI's own bodies only what is needed is looked at, by hand.
        model = isinstance(operation.body, type) and issubclass(operation.body, BaseModel)
        assert parsed == ([operation.body.__name__] if model else [])


_MESSAGES = [{"role": "user", "content": "Hello"}]
_CLAUDE = {"model": "us.anthropic.claude-haiku-4-5-20251001-v1:0", "max_tokens": 20, "messages": _MESSAGES}
_NOVA = {"model": "amazon.nova-lite-v1:0", "messages": _MESSAGES}
AGREED: dict[str, tuple[str, str, dict[str, Any], bool]] = {
    "a whole number with a point": ("/v1/chat/completions", "max_tokens", {**_NOVA, "max_tokens": 12.0}, True),
    "a fraction of a token": ("/v1/chat/completions", "max_tokens", {**_NOVA, "max_tokens": 1.5}, False),
    "a foreign provider's field": ("/v1/chat/completions/assembled", "", {**_NOVA, "bedrock": [1]}, True),
    "a chat of no message": ("/v1/chat/completions/assembled", "messages", {**_NOVA, "messages": []}, False),
    "a provider that there is not": ("/v1/keys/verify", "provider", {"provider": "acme", "key": "k"}, False),
    "an empty text to embed": ("/v1/embeddings", "input.0", {"model": "cohere.embed-english-v3", "input": ""}, False),
    "a message of no turn": ("/v1/messages", "messages", {**_CLAUDE, "messages": []}, False),
    "thinking of no kind": ("/v1/messages", "thinking", {**_CLAUDE, "thinking": {}}, False),
    "a choice of no kind": ("/v1/messages", "tool_choice", {**_CLAUDE, "tool_choice": {"name": "x"}}, False),
}


@pytest.mark.parametrize(("path", "param", "body", "taken"), AGREED.values(), ids=AGREED)
def test_what_the_document_takes_the_service_takes(
    world: World, path: str, param: str, body: dict[str, Any], taken: bool
) -> None:
    """And what it does not, the service refuses with the field's name: where an outside fuzzer found them apart."""
    onboarding = Onboarding(world)
    onboarding.make_role()
    onboarding.verify()
    schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    answer = onboarding.api.call("POST", path, body)

    assert (answer.status == 200) is taken
    assert taken or answer.error["param"] == param
    # As it is told, open: what is held against the closed one is answers.
    assert (list(Draft202012Validator({**DOCUMENT, **schema}).iter_errors(body)) == []) is taken


def test_scopes_are_those_that_are_asked_for(world: World) -> None:
    """The scope in the document is the scope that the route demands; public ones demand nothing."""
    for name, route in routes(world.app).items():
        method, path = name.split()
        about = DOCUMENT["paths"].get(path, {}).get(method.lower())
        if about is not None:
            assert about["security"] == ([] if route.scope is None else [{"token": [route.scope]}])
            assert route.scope is None or route.scope in DOCUMENT["x-scopes"]
            assert (route.scope is None) == ("401" not in about["responses"])


def test_the_names_of_documents_and_checks_are_those_that_there_are(world: World) -> None:
    """Lists that the document repeats are the lists of the code."""
    tenant = Onboarding(world)
    [file] = [one for one in OPERATIONS_TOLD["get_document"]["parameters"] if one["name"] == "file"]

    assert file["schema"]["enum"] == list(tenant.api.get(f"{tenant.path}/documents").json["files"])
    assert DOCUMENT["components"]["schemas"]["CheckReport"]["properties"]["id"]["enum"] == [one.id for one in CHECKS]


def test_upstream_errors_say_whether_to_try_again() -> None:
    """Errors of another company's making carry X-Should-Retry in the document as on the wire."""
    refusals = OPERATIONS_TOLD["create_chat_completion"]["responses"]

    assert "X-Should-Retry" in refusals["429"]["headers"]
    assert "rate_limit_exceeded" in errors.UPSTREAM


def test_the_judge_refuses_what_is_not_told() -> None:
    """An answer with a field, a status or a code that the document does not have is a fault that tests see."""
    health = json.dumps({"status": "ok", "version": "1"})
    wrong = {"error": {"message": "", "type": "api_error", "code": "model_error", "param": None, "request_id": ""}}
    contract().check("GET", "/health", 200, "application/json", health)

    for status, text in (
        (200, json.dumps({"status": "ok", "version": "1", "more": 1})),
        (200, json.dumps({"status": "ok"})),
        (404, health),
        (500, json.dumps(wrong)),
    ):
        with pytest.raises(NotInContractError):
            contract().check("GET", "/health", status, "application/json", text)


def test_the_document_is_served_without_a_token(world: World) -> None:
    """As the file has it, and as 304 to those who have it."""
    api = Api(world.gateway.url, None)
    answer = api.get("/openapi.json")

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.text == PATH.read_text(encoding="utf-8")
    again = api.call("GET", "/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.text) == (304, "")


def test_a_page_may_read_every_header_that_an_answer_has() -> None:
    """From another origin browsers hide all that are not named to them, whatever the document says of them."""
    exposed = {name.strip() for name in EXPOSED_HEADERS.split(",")}

    # Names the file of a download, which the browser itself reads.
    assert set(ANSWER_HEADERS) - exposed == {"Content-Disposition"}

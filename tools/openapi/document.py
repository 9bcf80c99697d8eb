"""Puts the document together: routes, operations, schemas, errors, examples."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from chalicelib import VERSION
from chalicelib.routes.codes import CODES
from chalicelib.routes.manners import ANTHROPIC, OPENAI
from chalicelib.routes.native_shapes import AnthropicError
from chalicelib.routes.shapes import Error
from tools.openapi import errors
from tools.openapi.advice import WHAT_TO_DO
from tools.openapi.operations import LEFT_OUT, OPERATIONS, TAGS
from tools.openapi.parameters import ANSWER_HEADERS
from tools.openapi.schemas import Schemas
from tools.openapi.served import answer_of, routes, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from chalice.app import Chalice

    from chalicelib.routes.boundary import Route
    from chalicelib.routes.manners import Manner
    from tools.openapi.examples import Examples
    from tools.openapi.operation import Operation, Parameter

Json = dict[str, Any]

SCOPES: Final = {
    "connections:read": "See connections, their documents, reports and record.",
    "connections:write": "Create, change, verify and delete connections; verify keys.",
    "models:invoke": "List models and call them.",
    "completions:invoke": "Use the operator's built-in completions.",
    "operator": "What is the operator's alone.",
}
_ENVELOPES: Final = {OPENAI.envelope: "Error", ANTHROPIC.envelope: "AnthropicError"}
_WAITS: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.CONFLICT}
_DESCRIPTION: Final = """\
Rolecall lets a product use its customers' own Amazon Bedrock. The customer creates an IAM role; Rolecall gives it an
external ID and the trust policy to attach, proves that the role is safe to use, and then lists and invokes the
customer's models, on an API that OpenAI's clients already speak.

Every route needs `Authorization: Bearer <JWT>`, but for the few that say otherwise. Every error, on every route, has
one form; its `code` is stable. Answers may get more fields: pass over those that you do not know.
"""


class UndescribedRouteError(Exception):
    """A route that the document can't describe, and what to add where."""


def build(app: Chalice, examples: Examples) -> Json:
    """Return the document of an app. Raises `UndescribedRouteError` for a route without an entry, or one too many."""
    _require_advice()
    served = {name: route for name, route in routes(app).items() if not _left_out(route.path)}
    described = {operation.route: operation for operation in OPERATIONS}
    require_same_routes(served, described)
    by_kind, components = _schemas(served)
    paths: dict[str, Json] = {}
    native = {code for one in OPERATIONS if served[one.route].manner is ANTHROPIC for code in one.errors}
    anthropic = {f"anthropic_error_{code}": examples.of_anthropic_error(code) for code in CODES if code in native}
    for operation in OPERATIONS:
        route = served[operation.route]
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(operation, route, by_kind, examples)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rolecall",
            "version": VERSION,
            "summary": "Use your customers' own Amazon Bedrock through a role that they can check.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # Relative to where the document is: right under a stage prefix as well.
        "servers": [{"url": ".", "description": "Where this document comes from."}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "headers": {name: _header(name) for name in ANSWER_HEADERS},
            "examples": {f"error_{code}": examples.of_error(code) for code in CODES} | anthropic,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JWT of the issuer that the operator has set. Each route names its scope.",
                }
            },
        },
        "x-scopes": SCOPES,
        "x-error-codes": {
            code: {"status": row.status, "type": row.type, "meaning": row.meaning, "fix": WHAT_TO_DO[code]}
            for code, row in CODES.items()
        },
    }


def _require_advice() -> None:
    if unadvised := sorted(CODES.keys() - WHAT_TO_DO.keys()):
        raise UndescribedRouteError(
            f"{', '.join(unadvised)}: say in tools/openapi/advice.py what a caller does about it, add it to the routes"
            " that answer it (tools/openapi/errors.py or operations/), then run `make openapi`"
        )


def require_same_routes(served: Mapping[str, Route], described: Mapping[str, Operation]) -> None:
    """Raise `UndescribedRouteError` unless both have the same routes."""
    if missing := sorted(served.keys() - described.keys()):
        raise UndescribedRouteError(
            f"{', '.join(missing)}: not described. Add an Operation to tools/openapi/operations/ (its id, tag and error"
            " codes), name the shape of the answer in the view's return annotation, then run `make openapi`. A route"
            " that is no part of the API goes into LEFT_OUT there, with the reason."
        )
    if gone := sorted(described.keys() - served.keys()):
        raise UndescribedRouteError(f"{', '.join(gone)}: described in tools/openapi/operations/ and not served")


def _schemas(served: Mapping[str, Route]) -> tuple[Mapping[Any, Json], dict[str, Json]]:
    """Return the schema of each body and answer by its kind, and the components that they refer to."""
    schemas = Schemas()
    schemas.add_answer(Error)
    schemas.add_answer(AnthropicError)
    for operation in OPERATIONS:
        if operation.body is not None:
            schemas.add_body(operation.body)
        for kind in (answer_of(served[operation.route]).shape, *(event.shape for event in operation.events)):
            schemas.add_answer(kind)
    by_kind, components = schemas.made()
    components["ErrorCode"] = {"description": "Stable: what programs rely on.", "type": "string", "enum": [*CODES]}
    for name in ("ErrorDetail", "AnthropicErrorDetail"):
        components[name]["properties"]["code"] = {"$ref": "#/components/schemas/ErrorCode"}
    return by_kind, components


def _left_out(path: str) -> bool:
    return any(one.covers(path) for one in LEFT_OUT)


def _operation(operation: Operation, route: Route, by_kind: Mapping[object, Json], examples: Examples) -> Json:
    summary, rest = words_of(route)
    about: Json = {"operationId": operation.id, "tags": [operation.tag], "summary": operation.title or summary}
    if description := " ".join(filter(None, (rest, operation.more))):
        about["description"] = description
    about["security"] = [] if route.scope is None else [{"token": [route.scope]}]
    if operation.parameters:
        about["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body is not None:
        content = {"schema": by_kind[operation.body], **examples.of_bodies(operation.id)}
        about["requestBody"] = {"required": True, "content": {"application/json": content}}
    about["responses"] = {str(operation.status): _success(operation, route, by_kind, examples)}
    if operation.kept:
        about["responses"]["304"] = {"description": _phrase(304), "headers": _headers(("X-Request-Id", "ETag"))}
    statuses = sorted({CODES[code].status for code in operation.errors})
    for status in statuses:
        codes = [code for code in CODES if code in operation.errors and CODES[code].status == status]
        about["responses"][str(status)] = _refusal(status, codes, _envelopes(route.manner))
    return about


def _parameter(parameter: Parameter) -> Json:
    row: Json = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required,
        "schema": dict(parameter.schema),
    }
    if parameter.example is not None:
        row["example"] = parameter.example
    return row


def _success(operation: Operation, route: Route, by_kind: Mapping[object, Json], examples: Examples) -> Json:
    answer = answer_of(route)
    content: Json = {}
    for media_type in operation.media_types:
        schema = by_kind[answer.shape] if answer.shape is not str or media_type != "application/json" else {}
        content[media_type] = {"schema": schema, **examples.of_answers(operation.id, media_type)}
    if operation.events:
        content["text/event-stream"] = {
            # Of no type: before OpenAPI 3.2 some tools take it for the whole text, and some for each event.
            "schema": {"description": "Server-sent events."},
            **examples.of_answers(operation.id, "text/event-stream"),
            "x-events": [
                {"event": event.name, "description": event.when, "schema": by_kind[event.shape]}
                for event in operation.events
            ],
        }
    return {
        "description": _phrase(operation.status),
        "headers": _headers(("X-Request-Id", *operation.answer_headers)),
        "content": content,
    }


def _envelopes(manner: Manner) -> list[str]:
    """Return the schemas of a route's errors, the one that its examples have first."""
    manners = [manner] if manner.anthropics is None else [manner, manner.anthropics]
    return [_ENVELOPES[one.envelope] for one in manners]


def _refusal(status: int, codes: list[str], envelopes: list[str]) -> Json:
    """Return the answer of one status: the envelope, narrowed to the codes that the route has for it."""
    names = ["X-Request-Id"]
    if status in _WAITS:
        names.append("Retry-After")
    if errors.UPSTREAM & set(codes):
        names.append("X-Should-Retry")
    forms = [{"$ref": f"#/components/schemas/{envelope}"} for envelope in envelopes]
    narrowed = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
    example = "anthropic_error" if envelopes[0] == "AnthropicError" else "error"
    return {
        "description": _phrase(status),
        "headers": _headers(names),
        "content": {
            "application/json": {
                "schema": {"allOf": [forms[0] if len(forms) == 1 else {"anyOf": forms}, narrowed]},
                "examples": {code: {"$ref": f"#/components/examples/{example}_{code}"} for code in codes},
            }
        },
    }


def _headers(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _header(name: str) -> Json:
    description, schema = ANSWER_HEADERS[name]
    return {"description": description, "schema": dict(schema)}


_PHRASES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110's words, which Python has since 3.13: the document must not depend on who makes it."""


def _phrase(status: int) -> str:
    return _PHRASES.get(status) or HTTPStatus(status).phrase

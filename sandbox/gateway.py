"""The app on a local port: what API Gateway and Lambda do between HTTP and the app, over werkzeug.

`chalice local` can't stream and stalls each kept connection by 44 ms. Here every request becomes the proxy event that
API Gateway would send, and an answer may be an iterator that is passed on chunk by chunk. A client that goes away ends
the iterator, and with it the call upstream.
"""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from chalicelib.errors import ServiceError
from chalicelib.routes.codes import CODES, NO_ROUTE, envelope
from sandbox.loopback import LoopbackServer, QuietHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    from chalice.app import Chalice

GATEWAY_LIMIT: Final = 10 * 1024 * 1024
"""Octets that API Gateway takes in one request."""
_SENT_HEADERS: Final = "rolecall.headers"


@dataclass(frozen=True, slots=True)
class LocalContext:
    """What the app is told of the process that runs it."""

    aws_request_id: str
    can_stream: bool = True


class _Handler(QuietHandler):
    """Keeps repeated headers apart, which WSGI joins."""

    def make_environ(self) -> WSGIEnvironment:
        environ = super().make_environ()
        environ[_SENT_HEADERS] = list(self.headers.items())
        return environ


class LocalGateway(LoopbackServer):
    """Serves an app on the loopback, a thread for each request."""

    def __init__(self, app: Chalice, port: int = 0, *, allowed_origin: str | None = None) -> None:
        self._app = app
        self._cors = [] if allowed_origin is None else [("Access-Control-Allow-Origin", allowed_origin)]
        self._routes = Routes(app)
        super().__init__(self._answer, port, _Handler)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id = str(uuid.uuid4())
        path = environ["RAW_URI"].partition("?")[0]
        found = self._routes.match(environ["REQUEST_METHOD"], path)
        if found is None:
            return self._refuse(start_response, request_id, NO_ROUTE)
        body = _body(environ)
        if body is None:
            error = ServiceError("body_too_large", "API Gateway takes 10 MB in one request.", fix="Send less.")
            return self._refuse(start_response, request_id, error)
        event = _event(environ, path, *found, body, request_id)
        answer = self._app(event, LocalContext(request_id))
        headers = list((answer.get("headers") or {}).items())
        headers += [
            (name, value) for name, values in (answer.get("multiValueHeaders") or {}).items() for value in values
        ]
        content: Any = answer["body"]
        start_response(_status(answer["statusCode"]), headers + _length(content, answer))
        if isinstance(content, str):
            return [base64.b64decode(content) if answer.get("isBase64Encoded") else content.encode()]
        return _Chunks(content)

    def _refuse(self, start_response: StartResponse, request_id: str, error: ServiceError) -> list[bytes]:
        """Answer what Lambda never sees, as the deployed API's gateway responses do (tools/gateway_responses.py)."""
        body = json.dumps(envelope(error, request_id)).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(_status(CODES[error.code].status), [*headers, ("X-Request-Id", request_id), *self._cors])
        return [body]


class _Chunks:
    """A streamed body. `close` is called when it ended or the client went away; either ends the app's iterator."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks
        self.close: Callable[[], None] = getattr(chunks, "close", lambda: None)

    def __iter__(self) -> Iterator[bytes]:
        return (chunk.encode() for chunk in self._chunks)


class Routes:
    """Finds the declared path of a request as API Gateway does: fixed segments win over `{parameters}`."""

    def __init__(self, app: Chalice) -> None:
        self._routes = [(path.strip("/").split("/"), path) for path in app.routes]

    def match(self, method: str, path: str) -> tuple[str, str, dict[str, str]] | None:
        """Return method, declared path and parameters (as sent, not decoded), or None.

        A method that a path has not reaches the app as well, which refuses it: each path has `ANY` (tools/template.py).
        """
        parts = path.strip("/").split("/")
        candidates = []
        for declared, resource in self._routes:
            if len(declared) != len(parts):
                continue
            pairs = list(zip(declared, parts, strict=True))
            if all(name == part or (name.startswith("{") and part) for name, part in pairs):
                parameters = {name[1:-1]: part for name, part in pairs if name.startswith("{")}
                candidates.append((len(parameters), resource, parameters))
        if not candidates:
            return None
        _, resource, parameters = min(candidates, key=lambda candidate: candidate[0])
        return method, resource, parameters


def _event(
    environ: WSGIEnvironment,
    path: str,
    method: str,
    resource: str,
    parameters: dict[str, str],
    body: bytes,
    request_id: str,
) -> dict[str, Any]:
    several: dict[str, list[str]] = {}
    for name, value in environ[_SENT_HEADERS]:
        several.setdefault(name, []).append(value)
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    try:
        text, encoded = body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": path,
            "requestId": request_id,
            "identity": {"sourceIp": environ.get("REMOTE_ADDR", "")},
        },
        "body": text or None,
        "isBase64Encoded": encoded,
    }


def _body(environ: WSGIEnvironment) -> bytes | None:
    """Return the body, or None when it is larger than API Gateway takes."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > GATEWAY_LIMIT:
        return None
    if length.isdigit():
        octets: bytes = environ["wsgi.input"].read(int(length))
    elif environ.get("wsgi.input_terminated"):
        octets = environ["wsgi.input"].read(GATEWAY_LIMIT + 1)
    else:
        octets = b""
    return octets if len(octets) <= GATEWAY_LIMIT else None


def _length(content: object, answer: dict[str, object]) -> list[tuple[str, str]]:
    if not isinstance(content, str) or answer["statusCode"] in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return []
    size = len(base64.b64decode(content)) if answer.get("isBase64Encoded") else len(content.encode())
    return [("Content-Length", str(size))]


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"

"""The local AWS on a port of the loopback: moto's server with our classes in it, and the switches at `/_sandbox/`."""

from __future__ import annotations

import io
import json
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import moto.bedrock.urls
import moto.bedrockruntime.urls
import moto.dynamodb.urls
import moto.iam.urls
import moto.sts.urls
from moto.dynamodb.responses import DynamoHandler
from moto.iam.responses import IamResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sts.responses import TokenResponse

from sandbox.aws.authentication import CUT, RAW_BODY
from sandbox.aws.dynamodb import SandboxDynamo
from sandbox.aws.iam import SandboxIam
from sandbox.aws.sts import SandboxSts
from sandbox.aws.switches import CALLS, FAULTS, Calls, FaultError, Faults
from sandbox.bedrock import RESPONSES
from sandbox.loopback import LoopbackServer, QuietHandler

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_SWAPS: Final = (
    (moto.dynamodb.urls, DynamoHandler, SandboxDynamo),
    (moto.iam.urls, IamResponse, SandboxIam),
    (moto.sts.urls, TokenResponse, SandboxSts),
    *RESPONSES,
)
_LARGEST: Final = 32 * 1024 * 1024


class _Handler(QuietHandler):
    """Gives the app a way to reset the connection, for a fault of kind `cut`."""

    def make_environ(self) -> WSGIEnvironment:
        environ = super().make_environ()
        environ[CUT] = self._reset
        return environ

    def _reset(self) -> None:
        # With no time to linger, closing sends RST: the client sees a reset, as when a load balancer dies.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()
        raise ConnectionResetError("a fault of kind `cut`")


class AwsServer(LoopbackServer):
    """The local AWS. One for each process: moto keeps its state in its modules."""

    calls: Calls = CALLS
    faults: Faults = FAULTS

    def __init__(self, port: int = 0) -> None:
        _install()
        super().__init__(self._answer, port, _Handler)
        self._moto = DomainDispatcherApplication(create_backend_app)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), _LARGEST))
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_sandbox/"):
            return _switch(environ["REQUEST_METHOD"], path, body, start_response)
        if "HTTP_AUTHORIZATION" not in environ:
            return _unsigned(environ, start_response)
        environ[RAW_BODY] = body
        environ["wsgi.input"] = io.BytesIO(body)
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer


def _install() -> None:
    """Put our classes where moto looks for its own; before the first request, which makes moto's apps of them."""
    for module, theirs, ours in _SWAPS:
        for path, handler in list(module.url_paths.items()):
            if getattr(handler, "__self__", None) is theirs:
                module.url_paths[path] = ours.dispatch  # type: ignore[attr-defined]  # moto's


def _switch(method: str, path: str, body: bytes, start_response: StartResponse) -> list[bytes]:
    name = path.removeprefix("/_sandbox/").rstrip("/")
    switches: dict[str, Calls | Faults] = {"calls": CALLS, "faults": FAULTS}
    if name not in switches:
        return _json(start_response, 404, {"message": "There are /_sandbox/calls and /_sandbox/faults."})
    if method == "GET":
        return _json(start_response, 200, switches[name].rows())
    if method == "DELETE":
        switches[name].clear()
        return _json(start_response, 204, None)
    if method == "POST" and name == "faults":
        try:
            FAULTS.add(json.loads(body))
        except FaultError as error:
            return _json(start_response, 400, {"message": str(error)})
        except ValueError:
            return _json(start_response, 400, {"message": "The body is not JSON."})
        return _json(start_response, 201, FAULTS.rows())
    return _json(start_response, 405, {"message": f"{method} is not for {path}."})


def _unsigned(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    # Without a signature nobody can tell the service; the content type shows in which form its errors come.
    if "json" in environ.get("CONTENT_TYPE", "") or not environ.get("CONTENT_TYPE"):
        headers = [("x-amzn-errortype", "MissingAuthenticationTokenException")]
        return _json(start_response, 403, {"message": "Missing Authentication Token"}, headers)
    text = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>MissingAuthenticationToken</Code>"
        "<Message>Request is missing Authentication Token</Message></Error></ErrorResponse>"
    )
    return _send(start_response, 403, text.encode(), [("Content-Type", "text/xml")])


def _json(
    start_response: StartResponse, status: int, document: Any, headers: list[tuple[str, str]] | None = None
) -> list[bytes]:
    body = b"" if document is None else json.dumps(document).encode()
    return _send(start_response, status, body, [("Content-Type", "application/json"), *(headers or [])])


def _send(start_response: StartResponse, status: int, body: bytes, headers: list[tuple[str, str]]) -> list[bytes]:
    start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, ("Content-Length", str(len(body)))])
    return [body]

"""The local AWS on a port of the loopback: moto's server with our classes in it, and the switches at `/_sandbox/`."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import moto.bedrock.urls
import moto.bedrockruntime.urls
import moto.dynamodb.urls
import moto.iam.urls
import moto.sts.urls
from moto.core.utils import get_service_model
from moto.dynamodb.responses import DynamoHandler
from moto.iam.responses import IamResponse
from moto.moto_server.werkzeug_app import create_backend_app
from moto.sts.responses import TokenResponse

from sandbox.aws.authentication import CUT, RAW_BODY
from sandbox.aws.dynamodb import SandboxDynamo
from sandbox.aws.iam import SandboxIam
from sandbox.aws.routing import UnreadableError, service_of, unreadable
from sandbox.aws.sts import SandboxSts
from sandbox.aws.switches import CALLS, FAULTS, Calls, FaultError, Faults
from sandbox.bedrock import RESPONSES
from sandbox.loopback import LoopbackServer, QuietHandler

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from moto.backends import SERVICE_NAMES

_SWAPS: Final = (
    (moto.dynamodb.urls, DynamoHandler, SandboxDynamo),
    (moto.iam.urls, IamResponse, SandboxIam),
    (moto.sts.urls, TokenResponse, SandboxSts),
    *RESPONSES,
)
_APPS: Final[dict[str, SERVICE_NAMES]] = {
    "sts": "sts",
    "iam": "iam",
    "dynamodb": "dynamodb",
    "bedrock": "bedrock",
    "bedrock-runtime": "bedrock-runtime",
}
"""The services that are open, with moto's names for them."""
_LARGEST: Final = 32 * 1024 * 1024


class _Handler(QuietHandler):
    """Gives the app a way to reset the connection, for a fault of kind `cut`."""

    def make_environ(self) -> WSGIEnvironment:
        environ = super().make_environ()
        environ[CUT] = self._reset
        return environ

    def _reset(self) -> None:
        # With no time to linger, closing sends RST: the client sees a reset, as when a load balancer dies. An orderly
        # close by socketserver would send FIN before it, so the descriptor is taken away from it.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        os.close(self.connection.detach())
        raise ConnectionResetError("a fault of kind `cut`")


class AwsServer(LoopbackServer):
    """The local AWS. One for each process: moto keeps its state in its modules."""

    calls: Calls = CALLS
    faults: Faults = FAULTS

    def __init__(self, port: int = 0) -> None:
        _install()
        self._apps = {name: create_backend_app(module) for name, module in _APPS.items()}
        super().__init__(self._answer, port, _Handler)

    def start(self) -> None:
        """Begin to serve, with every service's model loaded: the first caller would wait for that."""
        for service in _APPS:
            get_service_model(service)
        service_of({"PATH_INFO": "/foundation-models"}, b"")
        super().start()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > _LARGEST:
            return _json(start_response, 413, {"message": f"A body has at most {_LARGEST} octets, by Content-Length."})
        body = environ["wsgi.input"].read(int(length))
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_sandbox/"):
            return _switch(environ["REQUEST_METHOD"], path, body, start_response)
        try:
            service = service_of(environ, body)
        except UnreadableError as error:
            status, content_type, text, code = unreadable(error)
            return _send(start_response, status, text, [("Content-Type", content_type), ("x-amzn-errortype", code)])
        if service is None:
            message = f"This local AWS has {', '.join(_APPS)}; this is a request for none of them."
            headers = [("x-amzn-errortype", "NotImplementedException")]
            return _json(start_response, 501, {"message": message}, headers)
        environ[RAW_BODY] = body
        environ["wsgi.input"] = io.BytesIO(body)
        answer: Iterable[bytes] = self._apps[service](environ, start_response)
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
        except (ValueError, RecursionError):
            return _json(start_response, 400, {"message": "The body is not JSON."})
        return _json(start_response, 201, FAULTS.rows())
    return _json(start_response, 405, {"message": f"{method} is not for {path}."})


def _json(
    start_response: StartResponse, status: int, document: object, headers: list[tuple[str, str]] | None = None
) -> list[bytes]:
    body = b"" if document is None else json.dumps(document).encode()
    return _send(start_response, status, body, [("Content-Type", "application/json"), *(headers or [])])


def _send(start_response: StartResponse, status: int, body: bytes, headers: list[tuple[str, str]]) -> list[bytes]:
    start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, ("Content-Length", str(len(body)))])
    return [body]

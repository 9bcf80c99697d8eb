"""A far side that misbehaves as told, one step for each request: what networks and AWS do on their bad days."""

from __future__ import annotations

import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

OK = b'{"fine": true}'
A_MINUTE_CUT_SHORT = 20
"""Seconds: a limit of parts of a second holds when what would take a minute ends within them, on any machine."""


@dataclass
class Step:
    """What to do with one request.

    `kind`: answer, hang (for `seconds`, then close), reset, cut (the body ends before its length), chunked,
    chunked_cut, until_close (no length), trickle or trickle_until_close (an octet each `seconds`), stall (an octet
    after `seconds`, and nothing more until the far side is stopped).
    """

    status: int = 200
    body: bytes = OK
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "answer"
    seconds: float = 0.0


def error(status: int, code: str, message: str = "no", **headers: str) -> Step:
    """Return an error as Bedrock answers it."""
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    where = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    return Step(status, json.dumps({"message": message}).encode(), {**where, **names})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Say nothing: callers hang up on purpose here."""


class FarSide:
    """Serves the steps in order, then answers well; keeps what it was sent. `choose` picks the step instead."""

    def __init__(self, *steps: Step, choose: Callable[[dict[str, Any]], Step] | None = None) -> None:
        self._steps = list(steps)
        self._choose = choose
        self.requests: list[dict[str, Any]] = []
        self._stopped = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
                outer.requests.append({**request, "port": self.client_address[1]})
                _play(self, outer._next(request), outer._stopped)

            do_GET = do_POST = do_CONNECT = _serve  # noqa: N815  http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _next(self, request: dict[str, Any]) -> Step:
        if self._choose is not None:
            return self._choose(request)
        return self._steps.pop(0) if self._steps else Step()

    def stop(self) -> None:
        """Stop serving, whoever is waiting for more."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()


def _play(handler: BaseHTTPRequestHandler, step: Step, stopped: threading.Event) -> None:
    handler.close_connection = step.kind not in {"answer", "chunked", "trickle"}
    if step.kind == "hang":
        stopped.wait(step.seconds)
        return
    if step.kind == "reset":
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        return
    handler.send_response(step.status)
    for name, value in {"x-amzn-requestid": "request-1", **step.headers}.items():
        handler.send_header(name, value)
    if step.kind.startswith("chunked"):
        handler.send_header("Transfer-Encoding", "chunked")
    elif step.kind.endswith("until_close"):
        handler.send_header("Connection", "close")
    else:
        handler.send_header("Content-Length", str(len(step.body) + (10 if step.kind == "cut" else 0)))
    handler.end_headers()
    _write(handler, step, stopped)


def _write(handler: BaseHTTPRequestHandler, step: Step, stopped: threading.Event) -> None:
    if step.kind.startswith("trickle"):
        for octet in step.body:
            handler.wfile.write(bytes([octet]))
            if stopped.wait(step.seconds):
                return
    elif step.kind == "stall":
        stopped.wait(step.seconds)
        handler.wfile.write(step.body[:1])
        stopped.wait()
    elif step.kind.startswith("chunked"):
        for at in range(0, len(step.body), 65536):
            piece = step.body[at : at + 65536]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if step.kind == "chunked":
            handler.wfile.write(b"0\r\n\r\n")
    else:
        handler.wfile.write(step.body)

"""The Runtime API that one process of the function talks to: Lambda's version 2018-06-01, with its refusals.

Source: the Lambda guide, "Using the Lambda runtime API", and AWS's own emulator of it for the order of calls.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import queue
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from tools.lambda_emulator.invocation import PAYLOAD_LIMIT, STREAM_LIMIT, Failure, Invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_API: Final = "/2018-06-01/runtime/"
_RESULT: Final = re.compile(re.escape(_API) + r"invocation/([0-9a-f-]{36})/(response|error)")


class RuntimeApi:
    """Hands events to one process, one at a time; `on_idle` is called whenever it asks for the next."""

    def __init__(self, function_arn: str, on_idle: Callable[[], None]) -> None:
        self.function_arn = function_arn
        self.on_idle = on_idle
        self.asked_at = math.nan
        """When the process first asked for an event, by `time.perf_counter`: the end of its init."""
        self.init_failure: Failure | None = None
        self.current: Invocation | None = None
        self.settled = threading.Event()
        """Set once the process has asked for an event, or told that it can't serve any."""
        self.connections = 0
        self.todo: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="runtime-api", daemon=True
        )
        self._thread.start()

    def give(self, invocation: Invocation) -> None:
        """Hand an event to the process, which must be idle."""
        self.current = invocation
        self.todo.put(invocation)

    def close(self) -> None:
        """Answer nothing any more."""
        self.todo.put(None)
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: RuntimeApi

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent when the process has gone; that is noticed where it was started."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it was called


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.api.connections += 1
        self._trailers: dict[str, str] = {}

    def log_message(self, *_: object) -> None:
        """Write nothing."""

    def do_GET(self) -> None:
        api = self.server.api
        if self.path != _API + "invocation/next":
            self._reply(404, {"errorType": "NotFound", "errorMessage": self.path})
            return
        if api.current is not None:
            api.current.end(Failure("Runtime.NoAnswer", "The runtime asked for the next event before it had answered"))
            api.current = None
        if math.isnan(api.asked_at):
            api.asked_at = time.perf_counter()
        api.settled.set()
        api.on_idle()
        invocation = api.todo.get()
        if invocation is None:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Lambda-Runtime-Aws-Request-Id", invocation.id)
        self.send_header("Lambda-Runtime-Invocation-Id", f"{invocation.id}-1")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(invocation.deadline * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", api.function_arn)
        self.send_header(
            "Lambda-Runtime-Trace-Id", f"Root=1-{int(time.time()):08x}-{invocation.id[-12:]:0>24};Sampled=0"
        )
        if invocation.client_context is not None:
            self.send_header("Lambda-Runtime-Client-Context", invocation.client_context)
        if invocation.identity is not None:
            self.send_header("Lambda-Runtime-Cognito-Identity", invocation.identity)
        self.send_header("Content-Length", str(len(invocation.event)))
        self.end_headers()
        self.wfile.write(invocation.event)
        self.wfile.flush()

    def do_POST(self) -> None:
        api = self.server.api
        if self.path == _API + "init/error":
            api.init_failure = _failure(self.headers.get("Lambda-Runtime-Function-Error-Type"), b"".join(self._body()))
            api.settled.set()
            self._reply(202, {"status": "OK"})
            return
        found = _RESULT.fullmatch(self.path)
        invocation = api.current
        if found is None or invocation is None or found[1] != invocation.id:
            for _ in self._body():
                pass
            self._reply(400, {"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"})
        elif found[2] == "error":
            invocation.end(_failure(self.headers.get("Lambda-Runtime-Function-Error-Type"), b"".join(self._body())))
            self._done({"status": "OK"})
        elif self.headers.get("Lambda-Runtime-Function-Response-Mode") == "streaming":
            self._stream(invocation)
        else:
            self._buffer(invocation)

    def _buffer(self, invocation: Invocation) -> None:
        octets = b"".join(self._body())
        if len(octets) > PAYLOAD_LIMIT:
            message = f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes)."
            invocation.end(Failure("Function.ResponseSizeTooLarge", message))
            self._done({"errorType": "RequestEntityTooLarge", "errorMessage": message}, 413)
            return
        invocation.put(octets)
        invocation.end()
        self._done({"status": "OK"})

    def _stream(self, invocation: Invocation) -> None:
        invocation.streamed = True
        size = 0
        self._trailers.clear()
        for piece in self._body():
            size += len(piece)
            if size <= STREAM_LIMIT:
                invocation.put(piece)
        kind = self._trailers.get("lambda-runtime-function-error-type")
        if size > STREAM_LIMIT:
            invocation.end(Failure("Function.ResponseSizeTooLarge", "The streamed answer is over 200 MB"))
        elif kind is not None:
            try:
                body = base64.b64decode(self._trailers.get("lambda-runtime-function-error-body", ""), validate=True)
            except binascii.Error:
                body = b""
            invocation.end(_failure(kind, body))
        else:
            invocation.end()
        self._done({"status": "OK"})

    def _body(self) -> Iterator[bytes]:
        """Yield the body of the request as it comes; what follows its last chunk goes to `_trailers`."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            piece = self.rfile.read(size)
            if len(piece) < size or self.rfile.readline() != b"\r\n":
                raise ConnectionAbortedError("half a chunk")
            yield piece
        while line := self.rfile.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            self._trailers[name.strip().lower()] = value.strip()

    def _done(self, body: dict[str, str], status: int = 202) -> None:
        self.server.api.current = None
        self._reply(status, body)

    def _reply(self, status: int, body: dict[str, str]) -> None:
        octets = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)
        self.wfile.flush()


def _failure(kind: str | None, body: bytes) -> Failure:
    try:
        told = json.loads(body)
        return Failure(kind or str(told["errorType"]), str(told["errorMessage"]))
    except (ValueError, KeyError, TypeError):
        return Failure(kind or "Runtime.Unknown", body.decode("utf-8", "replace"))

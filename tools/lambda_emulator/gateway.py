"""API Gateway in front of a function: HTTP in, events out, and every limit that a caller can run into."""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, Self

from tools.lambda_emulator import answers
from tools.lambda_emulator.events import is_binary, proxy_event
from tools.lambda_emulator.fleet import Throttled
from tools.lambda_emulator.invocation import PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from tools.lambda_emulator.answers import Head
    from tools.lambda_emulator.api import Api, GatewayAnswer, Route
    from tools.lambda_emulator.fleet import Fleet
    from tools.lambda_emulator.invocation import Invocation

REQUEST_LIMIT: Final = 10 * 1024 * 1024
"""Octets that API Gateway takes as the body of a request."""


class Gateway:
    """Serves an API on the loopback, a thread for each connection; a context manager."""

    def __init__(self, fleet: Fleet, api: Api, port: int = 0) -> None:
        self.fleet = fleet
        self.api = api
        self.throttle = None if api.rate is None else _Bucket(api.rate, api.burst)
        self.faults: list[str] = []
        """Why each 5xx was answered that the function did not answer itself, for people."""
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.gateway = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="gateway", daemon=True)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    gateway: Gateway

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent when a client goes away between requests."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it was called


class _Refused(Exception):  # noqa: N818  what it is
    """The gateway itself answers, with a gateway response of this type."""

    def __init__(self, kind: str, reason: str = "") -> None:
        super().__init__(reason)
        self.kind = kind


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    server: _Server

    def log_message(self, *_: object) -> None:
        """Write nothing: the function logs its requests."""

    def _serve(self) -> None:
        gateway = self.server.gateway
        request_id = str(uuid.uuid4())
        try:
            event, route = self._event(request_id)
            try:
                invocation = gateway.fleet.invoke(event)
            except Throttled:
                # Lambda's 429 reaches the caller as a 500: https://repost.aws, "API Gateway proxy integration does not
                # forward Lambda throttling".
                raise _Refused("LAMBDA_THROTTLED", "Rate Exceeded") from None
            if route.streamed:
                self._stream(invocation, route)
            else:
                self._buffer(invocation, route)
        except _Refused as refused:
            if str(refused):
                gateway.faults.append(f"{self.command} {self.path}: {refused.kind}: {refused}")
            self._refuse(gateway.api.answer(refused.kind, request_id))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815  http.server's

    def _event(self, request_id: str) -> tuple[bytes, Route]:
        gateway = self.server.gateway
        body = self._body()
        path, _, query = self.path.partition("?")
        found = gateway.api.match(self.command, path)
        if found is None:
            raise _Refused("MISSING_AUTHENTICATION_TOKEN")
        if gateway.throttle is not None and not gateway.throttle.take():
            raise _Refused("THROTTLED")
        resource, route, parameters = found
        event = proxy_event(
            self.command,
            path,
            query,
            self.headers.items(),
            body,
            resource=resource,
            parameters=parameters,
            request_id=request_id,
            source_ip=self.client_address[0],
            binary_types=gateway.api.binary_types,
        )
        octets = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogateescape")
        if len(octets) > PAYLOAD_LIMIT:
            raise _Refused("REQUEST_TOO_LARGE")
        return octets, route

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                if len(body) + size > REQUEST_LIMIT:
                    self.close_connection = True
                    raise _Refused("REQUEST_TOO_LARGE")
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        size = int(self.headers.get("Content-Length") or 0)
        if size > REQUEST_LIMIT:
            self.close_connection = True
            # Read what still comes, within reason: a client that is writing would not see the answer.
            for _ in range(0, min(size, 4 * REQUEST_LIMIT), 65536):
                self.rfile.read1(65536)
            raise _Refused("REQUEST_TOO_LARGE")
        return self.rfile.read(size)

    def _buffer(self, invocation: Invocation, route: Route) -> None:
        try:
            octets = b"".join(invocation.read(within=route.seconds))
        except queue.Empty:
            # The function goes on, and its process is busy until it is done.
            threading.Thread(target=invocation.whole, daemon=True).start()
            raise _Refused("INTEGRATION_TIMEOUT", f"no answer in {route.seconds:.0f} s") from None
        if invocation.failure is not None:
            raise _Refused("LAMBDA_FAILED", f"{invocation.failure.type}: {invocation.failure.message}")
        try:
            head, body, encoded = answers.buffered(octets)
        except answers.Malformed as error:
            raise _Refused("LAMBDA_FAILED", f"malformed answer: {error}") from error
        accept = (self.headers.get("Accept") or "").partition(",")[0].partition(";")[0].strip()
        if encoded and not is_binary(accept, self.server.gateway.api.binary_types):
            # Without a binary type in Accept the text passes as it is.
            body = json.loads(octets)["body"].encode()
        self._head(head, ("Content-Length", str(len(body))))
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _stream(self, invocation: Invocation, route: Route) -> None:
        pieces = invocation.read(within=route.seconds)
        try:
            head, rest = answers.streamed(pieces)
        except queue.Empty:
            threading.Thread(target=invocation.whole, daemon=True).start()
            raise _Refused("INTEGRATION_TIMEOUT", f"no answer in {route.seconds:.0f} s") from None
        except answers.Malformed as error:
            failure = invocation.failure
            reason = f"malformed answer: {error}" if failure is None else f"{failure.type}: {failure.message}"
            invocation.whole()
            raise _Refused("LAMBDA_FAILED", reason) from error
        try:
            self._head(head, ("Transfer-Encoding", "chunked"))
            self.wfile.flush()
            self._pass_on(rest)
            if invocation.failure is None:
                self.wfile.write(b"0\r\n\r\n")
                self.wfile.flush()
                return
            self.server.gateway.faults.append(f"{self.command} {self.path}: {invocation.failure.type}: broken off")
        except queue.Empty:
            self.server.gateway.faults.append(f"{self.command} {self.path}: cut after {route.seconds:.0f} s")
        except ConnectionError:
            # Lambda never learns that a client has gone: the function goes on to its end.
            pass
        # A client must not take what was cut for whole: the body ends without its last chunk.
        self.close_connection = True
        with contextlib.suppress(queue.Empty):
            invocation.whole()

    def _pass_on(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()

    def _head(self, head: Head, framing: tuple[str, str]) -> None:
        self.send_response(head.status)
        for name, value in [*head.headers, framing]:
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, answer: GatewayAnswer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class _Bucket:
    """A token bucket, as the throttle of a stage is: `rate` a second, up to `burst` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

"""What requests are sent through: pools, one TLS context, one deadline for a whole exchange, and words for silence."""

from __future__ import annotations

import io
import json
import ssl
import time
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import botocore
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import make_headers, parse_url

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from typing_extensions import Buffer
    from urllib3.exceptions import HTTPError

_HOSTS: Final = 256
"""More than there are: a few hosts for each region. One that is forgotten is closed, also to who still holds it."""
_KEPT: Final = 64
"""Idle connections kept for each host. More than that may be open at once: nobody waits for a slot."""
_CONNECT_SECONDS: Final = 3.0
_KINDS: Final = (
    (NameResolutionError, "dns"),
    ((ConnectTimeoutError, NewConnectionError, ProxyError), "connect"),
    (SSLError, "tls"),
    (ReadTimeoutError, "timeout"),
)
_until: ContextVar[float | None] = ContextVar("until", default=None)
"""When the exchange that this thread begins must be over, by `time.monotonic`; None for one without an end."""


def exchange(
    connections: urllib3.HTTPConnectionPool,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    seconds: float,
    body: bytes | None = None,
) -> urllib3.BaseHTTPResponse:
    """Send a request and return its answer, the head read. `connections` are those of a `pool`.

    `seconds` are all that there is, for the body too: whoever reads it gets urllib3's `ReadTimeoutError` by then,
    however the octets come in. Redirects are not followed, and nothing is tried again. Raises urllib3's errors.
    """
    token = _until.set(time.monotonic() + seconds)
    try:
        return connections.urlopen(
            method,
            target,
            body=body,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=min(_CONNECT_SECONDS, seconds), read=seconds),
        )
    finally:
        _until.reset(token)


def cut_short(response: urllib3.BaseHTTPResponse) -> None:
    """End a read of an answer that another thread is in. That thread lets the connection go."""
    # However the connection went before, it is as good: let go by that thread, also between urllib3's look and its
    # call, or broken off by the far side.
    with suppress(ValueError, RuntimeError, TypeError, OSError):
        response.shutdown()


class _Timed(io.RawIOBase):
    """The octets of a socket, until a moment; `http.client` takes it for the socket.

    A socket's timeout is for each receive. Whoever sends an octet now and then, in the head of an answer or between
    two chunks, would never meet it, and an answer would take as long as they like.
    """

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._socket = sock
        # Counted by the socket: closed under an answer that is still being read, it stays open for that.
        self._octets = sock.makefile("rb", buffering=0)
        self._until = until

    def makefile(self, _: str) -> io.BufferedReader:
        """Return what answers are read from: all that is asked of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Tell io's buffer that it may read."""
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        """Receive what is there, or wait for it as long as there is time. Raises TimeoutError, and OSError."""
        self._socket.settimeout(_left(self._until))
        return self._octets.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        super().close()
        self._octets.close()


class _Answer(HTTPResponse):
    """An answer that is read until its exchange must be over."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        until = _until.get()
        octets: Any = sock if until is None else _Timed(sock, until)
        super().__init__(octets, *args, **kwargs)


class _Connection(HTTPConnection):
    """Sends a request in one piece, as botocore does: head and body apart wake the far side twice for each call."""

    response_class = _Answer
    _pieces: list[bytes] | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request."""
        self._pieces = []
        try:
            super().request(*args, **kwargs)
            whole = b"".join(self._pieces)
        finally:
            self._pieces = None
        self.send(whole)

    def send(self, data: Any) -> None:
        """Send octets, or keep them while a request is put together. Only what we send ourselves comes here: octets."""
        until = _until.get()
        if self._pieces is not None:
            self._pieces.append(data)
        elif until is None:
            super().send(data)
        else:
            if self.sock is None:
                self.connect()
            # Over TLS `sendall` gives each record a timeout of its own.
            left = memoryview(data)
            while left:
                self.sock.settimeout(_left(until))
                left = left[self.sock.send(left) :]


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def pool(proxy: str | None, *, hosts: int = _HOSTS, kept: int = _KEPT, own_roots: bool = True) -> urllib3.PoolManager:
    """Return a pool for all hosts and tenants that never tries again, follows a redirect or reads the environment.

    Without `own_roots` certificates are held against the system's: an operator's issuer may have one of the house's.
    """
    trust: dict[str, Any] = {"ssl_context": tls()} if own_roots else {}
    if proxy is None:
        made = urllib3.PoolManager(num_pools=hosts, maxsize=kept, retries=False, **trust)
    else:
        login = parse_url(proxy).auth
        made = urllib3.ProxyManager(
            proxy,
            num_pools=hosts,
            maxsize=kept,
            proxy_headers=make_headers(proxy_basic_auth=login) if login else None,
            proxy_ssl_context=tls(),
            retries=False,
            **trust,
        )
    made.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return made


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """Return one context with botocore's own roots.

    `ca_certs=` would cost 48 ms for each connection, and urllib3's default context obeys SSLKEYLOGFILE and
    SSL_CERT_FILE of the environment.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(Path(botocore.__file__).parent / "cacert.pem"))
    return context


def encoded(body: Mapping[str, object]) -> bytes:
    """Return a body as JSON. Raises `invalid_value`: schemas and arguments of callers may hold what JSON may not."""
    try:
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError):
        # `NaN`, and `1e999`, which every parser of Python's takes for an infinity.
        raise ServiceError(
            "invalid_value",
            "The request holds a number that is none or has no end, or is nested too deeply.",
            fix="Send finite numbers, and flatter objects.",
        ) from None


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the exchange must be over")
    return left


def kind_of(error: HTTPError) -> str:
    """Return the kind of `Unreachable` that an error of urllib3 is."""
    if isinstance(error, ProtocolError) and isinstance(error.args[-1], TimeoutError):
        # The request itself was not taken in time.
        return "timeout"
    return next((kind for errors, kind in _KINDS if isinstance(error, errors)), "cut")

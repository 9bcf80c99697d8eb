"""What the wire sends through: one pool, one TLS context, and a word for each way in which nobody answered."""

from __future__ import annotations

import json
import ssl
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import botocore
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import make_headers, parse_url

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3.exceptions import HTTPError

_HOSTS: Final = 256
"""More than there are: a few hosts for each region. One that is forgotten is closed, also to who still holds it."""
_KEPT: Final = 64
"""Idle connections kept for each host. More than that may be open at once: nobody waits for a slot."""
_KINDS: Final = (
    (NameResolutionError, "dns"),
    ((ConnectTimeoutError, NewConnectionError, ProxyError), "connect"),
    (SSLError, "tls"),
    (ReadTimeoutError, "timeout"),
)


class _Connection(HTTPConnection):
    """Sends a request in one piece, as botocore does: head and body apart wake the far side twice for each call."""

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
        if self._pieces is None:
            super().send(data)
        else:
            self._pieces.append(data)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def pool(proxy: str | None) -> urllib3.PoolManager:
    """Return a pool for all hosts and tenants that never tries again, follows a redirect or reads the environment."""
    if proxy is None:
        made = urllib3.PoolManager(num_pools=_HOSTS, maxsize=_KEPT, retries=False, ssl_context=tls())
    else:
        login = parse_url(proxy).auth
        made = urllib3.ProxyManager(
            proxy,
            num_pools=_HOSTS,
            maxsize=_KEPT,
            proxy_headers=make_headers(proxy_basic_auth=login) if login else None,
            proxy_ssl_context=tls(),
            retries=False,
            ssl_context=tls(),
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


def encoded(body: Mapping[str, Any]) -> bytes:
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


def kind_of(error: HTTPError) -> str:
    """Return the kind of `Unreachable` that an error of urllib3 is."""
    return next((kind for errors, kind in _KINDS if isinstance(error, errors)), "cut")

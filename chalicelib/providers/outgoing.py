"""HTTP to other companies: fixed hosts, and the one kind of host that a user names.

One pool for all tenants: TLS verified against botocore's roots, bounded in time and size, no redirects (one would
carry a key to another host), nothing from the environment. A proxy is on the way to the fixed hosts alone: to a
resource that a user named, this service connects by itself, to the very address that it has looked at.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from urllib3.exceptions import HTTPError, LocationValueError

from chalicelib import VERSION
from chalicelib.bedrock.failures import Unreachable
from chalicelib.bedrock.transport import cut_short, encoded, exchange, kind_of, pool
from chalicelib.errors import ServiceError
from chalicelib.providers.endpoint import AzureEndpoint, is_public

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    import urllib3

_CONNECT_SECONDS: Final = 3.0
_LARGEST: Final = 25 * 1024 * 1024
_PIECE: Final = 65536
_HOSTS: Final = 64
"""Resources of customers, and idle connections kept to each."""
_KEPT: Final = 8
_HTTPS: Final = 443
USER_AGENT: Final = f"rolecall/{VERSION}"


@dataclass(frozen=True, slots=True)
class FixedHost:
    """A provider's own host, which stands in this program."""

    host: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `service` and `operation` name it in errors, `seconds` bound it as a whole."""

    service: str
    operation: str
    method: str
    target: FixedHost | AzureEndpoint
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None = None
    seconds: float = 25.0


@dataclass(frozen=True, slots=True)
class Received:
    """A whole answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    octets: bytes

    @property
    def document(self) -> object:
        """The body as JSON, or None when it is not."""
        try:
            return json.loads(self.octets)
        except (ValueError, RecursionError):
            return None


class Pieces:
    """The octets of an answer as they come. Closing it closes the connection."""

    def __init__(self, pieces: Generator[bytes, None, None], response: urllib3.BaseHTTPResponse) -> None:
        self._pieces = pieces
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Return itself: octets come once."""
        return self

    def __next__(self) -> bytes:
        """Return the next octets. Raises `Unreachable` when the answer broke off."""
        return next(self._pieces)

    def close(self) -> None:
        """Close the connection, unless the answer has come to its end."""
        self._pieces.close()

    def abort(self) -> None:
        """End a read that another thread is in; that thread then closes."""
        cut_short(self._response)


def resolve(host: str, seconds: float) -> list[str]:
    """Return a host's addresses. The system's resolver knows no deadline, so it is waited for and then left alone."""
    found: list[str] = []

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(dict.fromkeys(str(row[4][0]) for row in rows))

    asking = threading.Thread(target=ask, name="resolve", daemon=True)
    asking.start()
    asking.join(seconds)
    return list(found)


def connections_to(pools: urllib3.PoolManager, address: str, port: int, host: str) -> urllib3.HTTPConnectionPool:
    """Return connections to one address that must prove to be `host`: its name in TLS, and in the certificate.

    The address is part of what the pool is kept under, so that another resource's connections are never taken.
    """
    return pools.connection_from_host(address, port, "https", pool_kwargs={"server_hostname": host})


class Outgoing:
    """Sends requests. `local` leads hosts to base addresses on the loopback, and is empty when deployed."""

    def __init__(
        self,
        *,
        proxy: str | None = None,
        local: Mapping[str, str] | None = None,
        resolver: Callable[[str, float], list[str]] = resolve,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._local = dict(local or {})
        self._resolver = resolver
        self._clock = clock
        self._fixed = pool(proxy)
        self._direct = pool(None, hosts=_HOSTS, kept=_KEPT)

    def fetch(self, call: Call) -> Received:
        """Return the whole answer. Raises `Unreachable` when there is none, or not to its end or in time."""
        deadline = self._clock() + call.seconds
        response = self._send(call, deadline)
        octets = b"".join(self._pieces(response, call))
        return Received(response.status, response.headers, octets)

    def stream(self, call: Call) -> tuple[int, Mapping[str, str], Pieces]:
        """Return status, headers and the octets as they come."""
        deadline = self._clock() + call.seconds
        response = self._send(call, deadline)
        return response.status, response.headers, Pieces(self._pieces(response, call), response)

    def _send(self, call: Call, deadline: float) -> urllib3.BaseHTTPResponse:
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **call.headers}
        octets = None
        if call.body is not None:
            octets = encoded(call.body)
            headers["Content-Type"] = "application/json"
        base = self._local.get(call.target.host)
        try:
            if base is not None:
                connections = self._direct.connection_from_url(base)
            elif isinstance(call.target, AzureEndpoint):
                connections = self._checked(call.target.host, call, deadline)
                headers["Host"] = call.target.host
            else:
                connections = self._fixed.connection_from_host(call.target.host, 443, "https")
            left = max(0.1, deadline - self._clock())
            response = exchange(connections, call.method, call.path, body=octets, headers=headers, seconds=left)
        except (HTTPError, LocationValueError) as error:
            kind = kind_of(error) if isinstance(error, HTTPError) else "dns"
            raise Unreachable(call.service, call.operation, kind) from error
        if 300 <= response.status < 400:
            response.close()
            raise Unreachable(call.service, call.operation, "redirect", begun=True)
        return response

    def _checked(self, host: str, call: Call, deadline: float) -> urllib3.HTTPConnectionPool:
        """Return connections to an address of the host: looked up once, checked, and that very address kept.

        Asked a second time, a name server could answer otherwise. TLS is still held to the host's name.
        """
        addresses = self._resolver(host, min(_CONNECT_SECONDS, max(0.1, deadline - self._clock())))
        if not addresses:
            raise Unreachable(call.service, call.operation, "dns")
        if not all(is_public(address) for address in addresses):
            raise ServiceError(
                "invalid_azure_endpoint",
                "This endpoint's name leads to an address that is not on the public internet.",
                param="endpoint",
                fix="Give a resource that is reached over the public internet; private endpoints can't be called.",
            )
        return connections_to(self._direct, addresses[0], _HTTPS, host)

    def _pieces(self, response: urllib3.BaseHTTPResponse, call: Call) -> Generator[bytes, None, None]:
        """Yield the body as it comes, and no more than the largest size of it."""
        size = 0
        whole = False
        try:
            while piece := response.read1(_PIECE, decode_content=False):
                size += len(piece)
                if size > _LARGEST:
                    raise Unreachable(call.service, call.operation, "too_large", begun=True)
                yield piece
            whole = True
        except (HTTPError, ValueError, OSError, AttributeError) as error:
            # All but the first: urllib3 when the response is shut down under a read.
            kind = kind_of(error) if isinstance(error, HTTPError) else "cut"
            raise Unreachable(call.service, call.operation, kind, begun=True) from error
        finally:
            if not whole:
                response.close()
            response.release_conn()

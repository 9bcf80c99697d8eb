"""Calls to Bedrock without a client: credentials are an argument, so nothing can be read from the environment.

botocore's signer signs, one urllib3 pool for all tenants sends, `json.loads` reads. A boto3 client costs 0.9 ms for a
chat, of which 0.13 are needed. The signatures are held against botocore's in tests.
"""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from urllib3.exceptions import HTTPError

from chalicelib import VERSION
from chalicelib.bedrock.events import Events
from chalicelib.bedrock.failures import AwsError, Unreachable, parse_retry_after
from chalicelib.bedrock.signing import address, sign, without_secrets
from chalicelib.bedrock.transport import encoded, exchange, kind_of, pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import urllib3

    from chalicelib.bedrock.operations import Operation
    from chalicelib.bedrock.signing import Signer

_T = TypeVar("_T")
_ATTEMPTS: Final = 2
"""Clients retry as well: two of ours times their three is what a throttled model is asked at most."""
_LARGEST_ANSWER: Final = 25 * 1024 * 1024
_PIECE: Final = 65536
_USER_AGENT: Final = f"rolecall/{VERSION}"
"""What the customer's CloudTrail shows beside each call."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{1,100}", re.ASCII)
_TEXTS: Final = ("message", "Message")
_CODES: Final = ("code", "Code", "__type")


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its JSON object, AWS's request id, and the headers, whose names are in any case."""

    body: dict[str, Any]
    request_id: str
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class _Request:
    operation: Operation
    region: str
    url: str
    body: bytes
    headers: Mapping[str, str]


class Wire:
    """One pool of connections for all tenants. `endpoint` is the base address of a local AWS, in place of AWS's hosts.

    With `fips` these are the FIPS endpoints and no others.

    `proxy` is the address of an HTTP proxy, with user and password in it where it wants them; AWS is then reached
    through a tunnel, so the proxy sees hosts and nothing else. urllib3 ignores proxy variables of the environment, and
    is told not to follow redirects: a redirect would carry the session's token to another host.
    """

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        fips: bool = False,
        proxy: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._fips = fips
        self._clock = clock
        self._pool = pool(proxy)
        self._hosts: dict[str, urllib3.HTTPConnectionPool] = {}

    def call(
        self,
        credentials: Signer,
        region: str,
        operation: Operation,
        *,
        model: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Make a call, with one more try where AWS was busy, or was gone before the first byte of an answer.

        A body cut short is not asked for again: the model has run, and the customer pays for each run. `headers` are
        sent and signed besides. `seconds` bounds the call in place of the operation's own. Raises `AwsError` for what
        AWS answered, `Unreachable` when it did not or not to the end, and `ServiceError`: `unknown_region` for a region
        that no partition has, `invalid_value` for a body that can't be written as JSON.
        """
        url = address(operation, region, endpoint=self._endpoint, fips=self._fips, model=model, query=query)
        request = _request(operation, region, url, body, headers)
        deadline = self._clock() + (operation.seconds if seconds is None else seconds)
        return self._tried(lambda: self._whole(credentials, request, deadline), deadline)

    def stream(
        self,
        credentials: Signer,
        region: str,
        operation: Operation,
        *,
        model: str,
        body: Mapping[str, object],
        seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> Events:
        """Make a call whose answer is a stream of events, and return it once its first event is there.

        Until then it is tried again as `call` does, and raises the same: whoever answers over HTTP still has the choice
        of the status. `seconds` bound the whole stream.
        """
        url = address(operation, region, endpoint=self._endpoint, fips=self._fips, model=model)
        request = _request(operation, region, url, body, headers)
        deadline = self._clock() + seconds
        return self._tried(lambda: self._begun(credentials, request, deadline), deadline)

    def _tried(self, attempt_once: Callable[[], _T], deadline: float) -> _T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return attempt_once()
            except (AwsError, Unreachable) as failure:
                pause = random.uniform(0.05, 0.25) * attempt  # noqa: S311  spreads retries, hides nothing
                if attempt == _ATTEMPTS or not failure.passing or self._clock() + pause >= deadline:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")  # pragma: no cover  the last attempt returns or raises

    def _begun(self, credentials: Signer, request: _Request, deadline: float) -> Events:
        response = self._sent(credentials, request, deadline)
        operation, request_id = request.operation, _request_id(response)
        if response.status >= 300:
            octets = self._read_or_close(response, operation)
            raise _aws_error(operation, response, _json_object(octets) or {}, request_id, credentials)
        events = Events(
            response,
            service=operation.service,
            operation=operation.name,
            request_id=request_id,
            deadline=deadline,
            clock=self._clock,
        )
        try:
            events.first()
        except BaseException:
            events.close()
            raise
        return events

    def _whole(self, credentials: Signer, request: _Request, deadline: float) -> Answer:
        response = self._sent(credentials, request, deadline)
        operation, request_id = request.operation, _request_id(response)
        document = _json_object(self._read_or_close(response, operation))
        if response.status >= 300:
            raise _aws_error(operation, response, document or {}, request_id, credentials)
        if document is None:
            raise Unreachable(operation.service, operation.name, "cut", begun=True)
        return Answer(document, request_id, response.headers)

    def _sent(self, credentials: Signer, request: _Request, deadline: float) -> urllib3.BaseHTTPResponse:
        operation = request.operation
        left = max(0.1, deadline - self._clock())
        headers = sign(
            credentials,
            request.region,
            operation.method,
            request.url,
            request.body,
            request.headers,
            service=operation.signed_as,
        )
        try:
            host, target = self._host_of(request.url)
            return exchange(host, operation.method, target, body=request.body or None, headers=headers, seconds=left)
        except HTTPError as error:
            raise Unreachable(operation.service, operation.name, kind_of(error)) from error

    def _host_of(self, url: str) -> tuple[urllib3.HTTPConnectionPool, str]:
        """Return the connections to a host, and what to ask it for: urllib3 would take the address apart each time."""
        base = url[: url.index("/", len("https://"))]
        host = self._hosts.get(base)
        if host is None:
            # Two threads may ask at once: the pool gives both the same.
            host = self._hosts[base] = self._pool.connection_from_url(base)
        return host, url[len(base) :]

    def _read_or_close(self, response: urllib3.BaseHTTPResponse, operation: Operation) -> bytes:
        try:
            octets = self._read(response, operation)
        except BaseException as error:
            # Half-read, the connection is of no use to the next call: without both of these its slot is lost as well.
            response.close()
            response.release_conn()
            if isinstance(error, HTTPError):
                raise Unreachable(operation.service, operation.name, kind_of(error), begun=True) from error
            raise
        response.release_conn()
        return octets

    def _read(self, response: urllib3.BaseHTTPResponse, operation: Operation) -> bytes:
        """Read the whole body, as it comes: a larger piece than there is would have to be waited for."""
        parts: list[bytes] = []
        size = 0
        while part := response.read1(_PIECE, decode_content=False):
            size += len(part)
            parts.append(part)
            if size > _LARGEST_ANSWER:
                raise Unreachable(operation.service, operation.name, "too_large", begun=True)
        return b"".join(parts)


def _request(
    operation: Operation, region: str, url: str, body: Mapping[str, object] | None, headers: Mapping[str, str] | None
) -> _Request:
    every = {"User-Agent": _USER_AGENT, **operation.headers, **(headers or {})}
    if body is None:
        return _Request(operation, region, url, b"", every)
    return _Request(operation, region, url, encoded(body), {"Content-Type": "application/json", **every})


def _request_id(response: urllib3.BaseHTTPResponse) -> str:
    found = _REQUEST_ID.fullmatch(response.headers.get("x-amzn-requestid", ""))
    return found[0] if found else ""


def _json_object(octets: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(octets)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _aws_error(
    operation: Operation,
    response: urllib3.BaseHTTPResponse,
    fields: Mapping[str, object],
    request_id: str,
    credentials: Signer,
) -> AwsError:
    code = response.headers.get("x-amzn-errortype") or _first_text(fields, _CODES)
    # `ThrottlingException:http://internal...` and `com.amazon.coral#ThrottlingException` are both in use.
    code = code.partition(":")[0].rpartition("#")[2]
    return AwsError(
        operation.service,
        operation.name,
        response.status,
        code,
        # Before anybody cuts it: half of a secret would be looked for in vain.
        without_secrets(credentials, _first_text(fields, _TEXTS)),
        request_id,
        retry_after=parse_retry_after(response.headers.get("retry-after")),
    )


def _first_text(fields: Mapping[str, object], names: tuple[str, ...]) -> str:
    return next((text for name in names if isinstance(text := fields.get(name), str) and text), "")

"""Calls to Bedrock without a client: credentials are an argument, so nothing can be read from the environment.

botocore's signer signs, one urllib3 pool for all tenants sends, `json.loads` reads. A boto3 client costs 0.9 ms for a
chat, of which 0.13 are needed. The signatures are held against botocore's in tests.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

import botocore
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.identifiers import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Answer", "AwsError", "Credentials", "Operation", "Unreachable", "Wire"]

# At DEBUG this logger writes canonical requests, and with them session tokens, whatever level was asked for.
logging.getLogger("botocore.auth").setLevel(logging.INFO)

_CONNECT_SECONDS: Final = 3.0
_ATTEMPTS: Final = 2
"""Clients retry as well: two of ours times their three is what a throttled model is asked at most."""
_LARGEST_ANSWER: Final = 25 * 1024 * 1024
_PASSING: Final = frozenset({429, 500, 502, 503, 504})


class Credentials(NamedTuple):
    """What signs a call. All that botocore's signer asks for is these three names."""

    access_key: str
    secret_key: str
    token: str

    def __repr__(self) -> str:
        """Show which key it is and nothing that signs."""
        return f"Credentials(access_key={self.access_key!r})"

    def __str__(self) -> str:
        """Show the same."""
        return repr(self)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of Bedrock: `service` is the host's first part, `seconds` what one answer may take."""

    name: str
    service: str
    method: str
    path: str
    seconds: float = 20.0


LIST_FOUNDATION_MODELS: Final = Operation("ListFoundationModels", "bedrock", "GET", "/foundation-models")
LIST_INFERENCE_PROFILES: Final = Operation("ListInferenceProfiles", "bedrock", "GET", "/inference-profiles")
CONVERSE: Final = Operation("Converse", "bedrock-runtime", "POST", "/model/{model}/converse", seconds=25.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its JSON object, and AWS's request id."""

    body: dict[str, Any]
    request_id: str


@dataclass(frozen=True, slots=True)
class _Request:
    operation: Operation
    region: str
    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Wire:
    """One pool of connections for all tenants. `endpoint` replaces AWS's hosts by a local AWS; `proxy` is explicit.

    urllib3 ignores proxy variables and is told not to follow redirects: a redirect would carry the session's token to
    another host.
    """

    def __init__(self, *, endpoint: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._pool = urllib3.PoolManager(num_pools=64, maxsize=64, retries=False, ssl_context=_tls())

    def call(
        self,
        credentials: Credentials,
        region: str,
        operation: Operation,
        *,
        model: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Make a call, with one more try when nothing of an answer was there yet and the fault may pass.

        Raises `AwsError` for what AWS answered, `Unreachable` when it did not.
        """
        request = self._request(region, operation, model=model, query=query, body=body)
        deadline = self._clock() + operation.seconds
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._try(credentials, request, deadline)
            except (AwsError, Unreachable) as failure:
                pause = random.uniform(0.05, 0.25) * attempt  # noqa: S311  spreads retries, hides nothing
                if attempt == _ATTEMPTS or not failure.passing or self._clock() + pause >= deadline:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")  # pragma: no cover  the last attempt returns or raises

    def _request(
        self,
        region: str,
        operation: Operation,
        *,
        model: str | None,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
    ) -> _Request:
        base = self._endpoint or f"https://{operation.service}.{region}.{partition_of(region).dns_suffix}"
        path = operation.path if model is None else operation.path.replace("{model}", path_segment(model))
        # urlencode writes + for a space, which signs otherwise.
        pairs = "&".join(
            f"{quote(name, safe='-_.~')}={quote(text, safe='-_.~')}" for name, text in (query or {}).items()
        )
        url = f"{base}{path}?{pairs}" if pairs else f"{base}{path}"
        if body is None:
            return _Request(operation, region, url, b"")
        octets = json.dumps(body, separators=(",", ":")).encode()
        return _Request(operation, region, url, octets, {"Content-Type": "application/json"})

    def _try(self, credentials: Credentials, request: _Request, deadline: float) -> Answer:
        operation = request.operation
        try:
            response = self._pool.urlopen(
                operation.method,
                request.url,
                body=request.body or None,
                headers=sign(credentials, request.region, operation.method, request.url, request.body, request.headers),
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=max(0.1, deadline - self._clock())),
            )
            octets = self._read(response, operation, deadline)
        except HTTPError as error:
            raise Unreachable(operation.service, operation.name, _kind(error)) from error
        request_id = response.headers.get("x-amzn-requestid", "")
        if response.status >= 300:
            raise _aws_error(operation, response, octets, request_id)
        try:
            document = json.loads(octets)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Unreachable(operation.service, operation.name, "cut")
        return Answer(document, request_id)

    def _read(self, response: urllib3.BaseHTTPResponse, operation: Operation, deadline: float) -> bytes:
        """Read the whole body within the deadline: urllib3's timeout is for each receive, and a trickle outlasts it."""
        parts: list[bytes] = []
        size = 0
        try:
            for part in response.stream(65536):
                size += len(part)
                parts.append(part)
                if size > _LARGEST_ANSWER:
                    raise Unreachable(operation.service, operation.name, "too_large")
                if self._clock() > deadline:
                    raise Unreachable(operation.service, operation.name, "timeout")
        except BaseException:
            # Half-read, the connection is of no use to the next call: without both of these its slot is lost as well.
            response.close()
            response.release_conn()
            raise
        response.release_conn()
        return b"".join(parts)


def path_segment(model: str) -> str:
    """Return a model id as one segment of a path. `.` and `..` never get here: `ModelId` has none."""
    if model in {"", ".", ".."}:
        raise ValueError("a model id can't be empty or dots")
    return quote(model, safe="-._~")


def sign(
    credentials: Credentials, region: str, method: str, url: str, body: bytes, headers: Mapping[str, str]
) -> dict[str, str]:
    """Return the headers of a signed request. Both of Bedrock's services sign as `bedrock`."""
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    SigV4Auth(credentials, "bedrock", region).add_auth(request)  # type: ignore[arg-type]  # three names are enough
    return dict(request.headers.items())


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Return botocore's own roots in one context: `ca_certs=` costs 48 ms for each connection, and urllib3's default
    context obeys SSLKEYLOGFILE and SSL_CERT_FILE of the environment.
    """  # noqa: D205  one sentence
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(Path(botocore.__file__).parent / "cacert.pem"))
    return context


def _kind(error: HTTPError) -> str:
    cause: BaseException = getattr(error, "reason", None) or error
    for kinds, word in (
        ((NameResolutionError,), "dns"),
        ((ConnectTimeoutError,), "connect"),
        ((NewConnectionError,), "connect"),
        ((SSLError,), "tls"),
        ((ReadTimeoutError,), "timeout"),
        ((ProtocolError,), "cut"),
    ):
        if isinstance(cause, kinds) or isinstance(error, kinds):
            return word
    return "cut"


def _aws_error(operation: Operation, response: urllib3.BaseHTTPResponse, octets: bytes, request_id: str) -> AwsError:
    try:
        document = json.loads(octets)
    except ValueError:
        document = None
    fields = document if isinstance(document, dict) else {}
    code = response.headers.get("x-amzn-errortype") or fields.get("code") or fields.get("Code") or fields.get("__type")
    # `ThrottlingException:http://internal...` and `com.amazon.coral#ThrottlingException` are both in use.
    code = str(code or "").partition(":")[0].rpartition("#")[2]
    message = str(fields.get("message") or fields.get("Message") or "")
    return AwsError(operation.service, operation.name, response.status, code, message, request_id)

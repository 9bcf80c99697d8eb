"""Calls to Bedrock without a client: credentials are an argument, so nothing can be read from the environment.

botocore's signer signs, one urllib3 pool for all tenants sends, `json.loads` reads. A boto3 client costs 0.9 ms for a
chat, of which 0.13 are needed. The signatures are held against botocore's in tests.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from urllib3.exceptions import HTTPError

from chalicelib import VERSION
from chalicelib.bedrock.failures import AwsError, Unreachable, parse_retry_after
from chalicelib.bedrock.transport import kind_of, pool
from chalicelib.identifiers import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Answer", "ApiKey", "AwsError", "Credentials", "Operation", "Signer", "Unreachable", "Wire"]

# At DEBUG this logger writes canonical requests, and with them session tokens, whatever level was asked for.
logging.getLogger("botocore.auth").setLevel(logging.INFO)

_CONNECT_SECONDS: Final = 3.0
_ATTEMPTS: Final = 2
"""Clients retry as well: two of ours times their three is what a throttled model is asked at most."""
_LARGEST_ANSWER: Final = 25 * 1024 * 1024
_PIECE: Final = 65536
_USER_AGENT: Final = f"rolecall/{VERSION}"
"""What the customer's CloudTrail shows beside each call."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{1,100}", re.ASCII)
_TEXTS: Final = ("message", "Message")
_CODES: Final = ("code", "Code", "__type")


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


class ApiKey(NamedTuple):
    """A Bedrock API key. It is sent as it is: whoever sees a request could use it."""

    key: str

    def __repr__(self) -> str:
        """Show nothing of it."""
        return "ApiKey(key='**********')"

    def __str__(self) -> str:
        """Show the same."""
        return repr(self)


Signer = Credentials | ApiKey
"""What a call is made with."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of AWS: `service` is the host's first part, `seconds` what a call may take, retry included.

    `signed_as` is the service of the signature: both of Bedrock's sign as `bedrock`. `headers` go with every call.
    """

    name: str
    service: str
    method: str
    path: str
    seconds: float = 20.0
    signed_as: str = "bedrock"
    headers: Mapping[str, str] = field(default_factory=dict)


LIST_FOUNDATION_MODELS: Final = Operation("ListFoundationModels", "bedrock", "GET", "/foundation-models")
LIST_INFERENCE_PROFILES: Final = Operation("ListInferenceProfiles", "bedrock", "GET", "/inference-profiles")
MODEL_AVAILABILITY: Final = Operation(
    "GetFoundationModelAvailability", "bedrock", "GET", "/foundation-model-availability/{model}"
)
CONVERSE: Final = Operation("Converse", "bedrock-runtime", "POST", "/model/{model}/converse", seconds=25.0)
DESCRIBE_LIMITS: Final = Operation(
    "DescribeLimits",
    "dynamodb",
    "POST",
    "/",
    seconds=5.0,
    signed_as="dynamodb",
    headers={"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.DescribeLimits"},
)


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
    headers: Mapping[str, str]


class Wire:
    """One pool of connections for all tenants. `endpoint` is the base address of a local AWS, in place of AWS's hosts.

    `proxy` is the address of an HTTP proxy, with user and password in it where it wants them; AWS is then reached
    through a tunnel, so the proxy sees hosts and nothing else. urllib3 ignores proxy variables of the environment, and
    is told not to follow redirects: a redirect would carry the session's token to another host.
    """

    def __init__(
        self, *, endpoint: str | None = None, proxy: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._pool = pool(proxy)

    def call(
        self,
        credentials: Signer,
        region: str,
        operation: Operation,
        *,
        model: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Make a call, with one more try where AWS was busy, or was gone before the first byte of an answer.

        A body cut short is not asked for again: the model has run, and the customer pays for each run. `seconds` bounds
        the call in place of the operation's own. Raises `AwsError` for what AWS answered, `Unreachable` when it did not
        or not to the end, and `ServiceError` `unknown_region` for a region that no partition has.
        """
        url = address(operation, region, endpoint=self._endpoint, model=model, query=query)
        octets, headers = _encoded(body)
        request = _Request(operation, region, url, octets, {**headers, **operation.headers})
        deadline = self._clock() + (operation.seconds if seconds is None else seconds)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._try(credentials, request, deadline)
            except (AwsError, Unreachable) as failure:
                pause = random.uniform(0.05, 0.25) * attempt  # noqa: S311  spreads retries, hides nothing
                if attempt == _ATTEMPTS or not failure.passing or self._clock() + pause >= deadline:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")  # pragma: no cover  the last attempt returns or raises

    def _try(self, credentials: Signer, request: _Request, deadline: float) -> Answer:
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
            response = self._pool.urlopen(
                operation.method,
                request.url,
                body=request.body or None,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=min(_CONNECT_SECONDS, left), read=left),
            )
        except HTTPError as error:
            raise Unreachable(operation.service, operation.name, kind_of(error)) from error
        try:
            octets = self._read(response, operation, deadline)
        except BaseException as error:
            # Half-read, the connection is of no use to the next call: without both of these its slot is lost as well.
            response.close()
            response.release_conn()
            if isinstance(error, HTTPError):
                raise Unreachable(operation.service, operation.name, kind_of(error), begun=True) from error
            raise
        response.release_conn()
        found = _REQUEST_ID.fullmatch(response.headers.get("x-amzn-requestid", ""))
        request_id = found[0] if found else ""
        document = _json_object(octets)
        if response.status >= 300:
            raise _aws_error(operation, response, document or {}, request_id)
        if document is None:
            raise Unreachable(operation.service, operation.name, "cut", begun=True)
        return Answer(document, request_id)

    def _read(self, response: urllib3.BaseHTTPResponse, operation: Operation, deadline: float) -> bytes:
        """Read the whole body within the deadline.

        urllib3's timeout is for each receive, and its `stream` waits for as many octets as it was asked for, so a
        trickle outlasts both: what is there is taken as it comes, and the socket is given the time that is left.
        """
        parts: list[bytes] = []
        size = 0
        while True:
            left = deadline - self._clock()
            if left <= 0:
                raise Unreachable(operation.service, operation.name, "timeout", begun=True)
            # Looked up each time: with the last octet the connection is the pool's again, and soon another call's. One
            # that ends with its answer has no socket here; it keeps the timeout that the call began with.
            socket = getattr(response.connection, "sock", None)
            if socket is not None:
                socket.settimeout(left)
            part = response.read1(_PIECE, decode_content=False)
            if not part:
                break
            size += len(part)
            parts.append(part)
            if size > _LARGEST_ANSWER:
                raise Unreachable(operation.service, operation.name, "too_large", begun=True)
        return b"".join(parts)


def address(
    operation: Operation,
    region: str,
    *,
    endpoint: str | None = None,
    model: str | None = None,
    query: Mapping[str, str] | None = None,
) -> str:
    """Return the address of a call, encoded as it is sent and signed; `endpoint` replaces AWS's host of the region."""
    suffix = partition_of(region).dns_suffix
    base = endpoint or f"https://{operation.service}.{region}.{suffix}"
    path = operation.path if model is None else operation.path.replace("{model}", path_segment(model))
    # urlencode writes + for a space, which signs otherwise.
    pairs = "&".join(f"{quote(name, safe='-_.~')}={quote(text, safe='-_.~')}" for name, text in (query or {}).items())
    return f"{base}{path}?{pairs}" if pairs else f"{base}{path}"


def path_segment(model: str) -> str:
    """Return a model id as one segment of a path. `.` and `..` never get here: `ModelId` has none."""
    if model in {"", ".", ".."}:
        raise ValueError("a model id can't be empty or dots")
    return quote(model, safe="-._~")


def sign(
    credentials: Signer,
    region: str,
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    service: str = "bedrock",
) -> dict[str, str]:
    """Return the headers of a signed request; an API key is no signature but a bearer."""
    if isinstance(credentials, ApiKey):
        return {**headers, "Authorization": f"Bearer {credentials.key}"}
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    SigV4Auth(credentials, service, region).add_auth(request)  # type: ignore[arg-type]  # three names are enough
    return dict(request.headers.items())


def _encoded(body: Mapping[str, Any] | None) -> tuple[bytes, dict[str, str]]:
    if body is None:
        return b"", {"User-Agent": _USER_AGENT}
    octets = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
    return octets, {"Content-Type": "application/json", "User-Agent": _USER_AGENT}


def _json_object(octets: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(octets)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _aws_error(
    operation: Operation, response: urllib3.BaseHTTPResponse, fields: Mapping[str, Any], request_id: str
) -> AwsError:
    code = response.headers.get("x-amzn-errortype") or _first_text(fields, _CODES)
    # `ThrottlingException:http://internal...` and `com.amazon.coral#ThrottlingException` are both in use.
    code = code.partition(":")[0].rpartition("#")[2]
    return AwsError(
        operation.service,
        operation.name,
        response.status,
        code,
        _first_text(fields, _TEXTS),
        request_id,
        retry_after=parse_retry_after(response.headers.get("retry-after")),
    )


def _first_text(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if isinstance(text := fields.get(name), str) and text), "")

"""One HTTP exchange: the request as API Gateway's proxy event has it, and the kinds of answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Self
from urllib.parse import unquote

from chalice.app import Response
from typing_extensions import TypeVar

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Request:
    """One request, as API Gateway's proxy event has it."""

    event: Mapping[str, Any]
    context: object
    notes: dict[str, str] = field(default_factory=dict)
    """What the log line of this request says besides: tenant, connection, error code; never a secret."""

    @property
    def id(self) -> str:
        """API Gateway's request id, which is in every answer, error and log line."""
        return str(self.event["requestContext"].get("requestId", ""))

    @property
    def method(self) -> str:
        """The HTTP method, in capitals."""
        return str(self.event["requestContext"]["httpMethod"])

    @property
    def route(self) -> str:
        """The path as routes declare it, `{names}` and all: what logs may hold."""
        return str(self.event["requestContext"]["resourcePath"])

    @property
    def source_ip(self) -> str:
        """The client's address as API Gateway saw it; a header that the client can write is not asked."""
        return str(self.event["requestContext"].get("identity", {}).get("sourceIp", ""))

    @cached_property
    def _headers(self) -> dict[str, list[str]]:
        # Chalice's view of headers keeps the last value alone: a second Authorization header would go unseen.
        several = self.event.get("multiValueHeaders")
        if several is None:
            several = {name: [value] for name, value in (self.event.get("headers") or {}).items()}
        folded: dict[str, list[str]] = {}
        for name, values in several.items():
            folded.setdefault(name.lower(), []).extend(values)
        return folded

    def headers(self, name: str) -> Sequence[str]:
        """Return every value of a header; `name` in lower case."""
        return self._headers.get(name, [])

    def header(self, name: str) -> str | None:
        """Return the only value of a header. Raises `repeated_header` for a second one."""
        values = self.headers(name)
        if len(values) > 1:
            raise ServiceError("repeated_header", f"The header {name} was sent twice.", param=name, fix="Send it once.")
        return values[0] if values else None

    def header_names(self) -> Iterable[str]:
        """Return the names of all headers, in lower case."""
        return self._headers.keys()

    def query(self) -> Mapping[str, list[str]]:
        """Return the query parameters, each with all its values."""
        return self.event.get("multiValueQueryStringParameters") or {}

    def query_parameter(self, name: str) -> str | None:
        """Return the only value of a query parameter. Raises `invalid_value` for a second one."""
        values = self.query().get(name) or []
        if len(values) > 1:
            raise ServiceError("invalid_value", f"{name} was sent twice.", param=name, fix="Send it once.")
        return values[0] if values else None

    def path_parameter(self, name: str) -> str:
        """Return a path parameter, percent-decoded once."""
        return unquote((self.event.get("pathParameters") or {}).get(name, ""), errors="replace")

    @property
    def can_stream(self) -> bool:
        """Whether what runs this app passes chunks on as they are made; the local server does."""
        return bool(getattr(self.context, "can_stream", False))

    def seconds_left(self) -> float | None:
        """Return how long Lambda lets this invocation go on; None where nothing ends it."""
        remaining = getattr(self.context, "get_remaining_time_in_millis", None)
        return None if remaining is None else remaining() / 1000

    def body(self, limit: int) -> bytes:
        """Return the body. Raises `body_too_large` above `limit` octets."""
        from base64 import b64decode  # noqa: PLC0415  binary bodies are rare

        body = self.event.get("body") or b""
        octets = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
        if self.event.get("isBase64Encoded"):
            octets = b64decode(octets)
        if len(octets) > limit:
            raise ServiceError(
                "body_too_large", f"The body has {len(octets)} octets; this route takes {limit}.", fix="Send less."
            )
        return octets


B_co = TypeVar("B_co", default=object, covariant=True)
"""The shape of a body: a view's return annotation names it, and the OpenAPI document is made of that."""


@dataclass(frozen=True, slots=True)
class Reply(Generic[B_co]):
    """An answer: a JSON document, or text with its own content type."""

    body: B_co
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class EventStream(Response):
    """Server-sent events. Passed on as they are made where the runtime can; else joined into one buffered answer."""

    def __init__(self, events: Iterator[str], headers: Mapping[str, str], *, live: bool) -> None:
        super().__init__(body="", headers={"Content-Type": "text/event-stream; charset=utf-8", **headers})
        self._events = events
        self._live = live

    def ending_with(self, words: Callable[[Exception], str]) -> Self:
        """Have an error that breaks the events off said as the last of them: the status has gone out by then."""
        self._events = _ended(self._events, words)
        return self

    def to_dict(self, binary_types: list[str] | None = None) -> dict[str, Any]:
        """Return the proxy answer; its body is the iterator itself where the caller can stream."""
        answer: dict[str, Any] = super().to_dict(binary_types)
        answer["body"] = self._events if self._live else "".join(self._events)
        return answer


def _ended(events: Iterator[str], words: Callable[[Exception], str]) -> Iterator[str]:
    try:
        yield from events
    except Exception as error:  # noqa: BLE001  as at the edge, which the request has left already
        yield words(error)

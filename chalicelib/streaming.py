"""Which routes stream, and the form that API Gateway's STREAM integration asks of every answer on them.

An answer has that form whole: a JSON prelude with status and headers, eight NUL octets, then the body as it comes.
One without it, a 400 too, is a 502 to the caller; on any other route the form itself would be one. Source: API
Gateway's guide, "Lambda proxy integration with payload response streaming".
"""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STREAM_ROUTES: Final = frozenset(
    {
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/messages"),
        ("POST", "/v1/connections/{connection_id}/verification"),
    }
)
"""Method and declared path of each route whose integration is STREAM: the one list, for code and stack."""

CONTENT_TYPE: Final = "application/vnd.awslambda.http-integration-response"
_SEPARATOR: Final = b"\0" * 8


def is_proxy_event(event: object) -> bool:
    """Tell whether an event is an HTTP request, as API Gateway's REST APIs send it."""
    context = event.get("requestContext") if isinstance(event, dict) else None
    return isinstance(context, dict) and "resourcePath" in context and "httpMethod" in context


def is_streamed(event: object) -> bool:
    """Tell whether API Gateway awaits the answer to this event in the streaming form."""
    if not is_proxy_event(event):
        return False
    context: Mapping[str, Any] = event["requestContext"]  # type: ignore[index]  # is_proxy_event looked
    return (context["httpMethod"], context["resourcePath"]) in STREAM_ROUTES


def prelude(answer: Mapping[str, object]) -> bytes:
    """Return what goes before the body: status and headers of a proxy answer, and the separator."""
    head: dict[str, object] = {"statusCode": answer["statusCode"], "headers": answer.get("headers") or {}}
    if answer.get("multiValueHeaders"):
        head["multiValueHeaders"] = answer["multiValueHeaders"]
    return json.dumps(head).encode() + _SEPARATOR


def pieces(answer: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the body of a proxy answer as octets, piece by piece where it is an iterator."""
    body = answer["body"]
    if not isinstance(body, str):
        for text in body:
            yield _octets(text)
    elif answer.get("isBase64Encoded"):
        yield b64decode(body)
    else:
        yield _octets(body)


def whole(answer: Mapping[str, object]) -> bytes:
    """Return an answer in the streaming form at once, for a runtime that can't stream."""
    return prelude(answer) + b"".join(pieces(answer))


def _octets(text: str) -> bytes:
    # Half of a surrogate pair, which JSON can hold, has no octets: it must not end the stream that it came in.
    return text.encode("utf-8", "replace")

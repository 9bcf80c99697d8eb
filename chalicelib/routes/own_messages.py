"""Anthropic's Messages with a key of Anthropic's that came in the request's headers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chalicelib.errors import ServiceError
from chalicelib.identifiers.providers import bare_model
from chalicelib.routes.exchange import EventStream, Reply
from chalicelib.routes.manners import anthropic_envelope

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from chalicelib.providers.anthropic_messages import AnthropicMessages
    from chalicelib.routes.exchange import Request


def message(provider: AnthropicMessages, document: dict[str, Any], name: str, request: Request) -> Reply | EventStream:
    """Answer a message, whole or as it is made."""
    request.notes["provider"] = "anthropic"
    model, sent = bare_model(name, "anthropic"), _headers(request)
    if document.get("stream") is True:
        lines, request_id = provider.stream(model, document, sent)
        first = next(lines)
        headers = {**_request_id(request_id), "Cache-Control": "no-store"}
        return EventStream(with_errors(_from_first(first, lines), request), headers, live=request.can_stream)
    answer, request_id = provider.message(model, document, sent)
    return Reply(json.dumps(answer), headers=_request_id(request_id))


def count(provider: AnthropicMessages, document: dict[str, Any], name: str, request: Request) -> Reply:
    """Answer how many tokens a message would be."""
    request.notes["provider"] = "anthropic"
    answer, request_id = provider.count(bare_model(name, "anthropic"), document, _headers(request))
    return Reply(answer, headers=_request_id(request_id))


def with_errors(lines: Iterator[str], request: Request) -> Iterator[str]:
    """Yield the lines; a `ServiceError` among them becomes the event that Anthropic's clients raise, and the last."""
    try:
        yield from lines
    except ServiceError as error:
        request.notes["code"] = error.code
        yield f"event: error\ndata: {json.dumps(anthropic_envelope(error, request.id))}\n\n"


def _from_first(first: str, lines: Generator[str, None, None]) -> Iterator[str]:
    """Yield them all; whoever stops listening closes the call to Anthropic, also before the second line."""
    try:
        yield first
        yield from lines
    finally:
        lines.close()


def _headers(request: Request) -> Mapping[str, str]:
    values = {name: request.headers(name) for name in ("anthropic-version", "anthropic-beta")}
    return {name: ",".join(sent) for name, sent in values.items() if sent}


def _request_id(request_id: str) -> dict[str, str]:
    return {"Rolecall-Provider-Request-Id": request_id} if request_id else {}

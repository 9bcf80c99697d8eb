"""Anthropic's Messages with a key of Anthropic's that came in the request's headers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chalicelib.bedrock.claude_stream import PING
from chalicelib.errors import ServiceError
from chalicelib.routes.exchange import EventStream, Reply
from chalicelib.routes.manners import anthropic_envelope
from chalicelib.routes.upstream import PING_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chalicelib.providers.ahead import ReadAhead
    from chalicelib.providers.anthropic_messages import AnthropicMessages
    from chalicelib.providers.base import ChatStream, Question
    from chalicelib.routes.exchange import Request


def message(provider: AnthropicMessages, question: Question, name: str, request: Request) -> Reply[Any] | EventStream:
    """Answer a message, whole or as it is made; `name` is the model as the caller named it."""
    request.notes["provider"] = "anthropic"
    if question.body.get("stream") is True:
        return _stream(provider.stream(question, _headers(request)), request)
    answer, request_id = provider.message(question, _headers(request))
    return Reply(json.dumps({**answer, "model": name}), headers=_request_id(request_id))


def count(provider: AnthropicMessages, question: Question, request: Request) -> Reply[Any]:
    """Answer how many tokens a message would be."""
    request.notes["provider"] = "anthropic"
    answer, request_id = provider.count(question, _headers(request))
    return Reply(answer, headers=_request_id(request_id))


def _stream(answer: ChatStream, request: Request) -> EventStream:
    """Return the stream, its first event already there: what goes wrong before it keeps its status."""
    from chalicelib.providers.ahead import ReadAhead  # noqa: PLC0415  as the provider, loaded when a key has come

    ahead = ReadAhead(answer)
    ahead.first()
    headers = {**_request_id(answer.request_id), "Cache-Control": "no-store"}
    return EventStream(with_errors(_lines(ahead), request), headers, live=request.can_stream)


def _lines(ahead: ReadAhead) -> Iterator[str]:
    try:
        for event in ahead.within(PING_SECONDS):
            yield PING if event is None else f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
    finally:
        # Also when the client has gone: the generator is closed, and with it the call at Anthropic.
        ahead.close()


def with_errors(lines: Iterator[str], request: Request) -> Iterator[str]:
    """Yield the lines; a `ServiceError` among them becomes the event that Anthropic's clients raise, and the last."""
    try:
        yield from lines
    except ServiceError as error:
        request.notes["code"] = error.code
        yield f"event: error\ndata: {json.dumps(anthropic_envelope(error, request.id))}\n\n"


def _headers(request: Request) -> Mapping[str, str]:
    values = {name: request.headers(name) for name in ("anthropic-version", "anthropic-beta")}
    return {name: ",".join(sent) for name, sent in values.items() if sent}


def _request_id(request_id: str) -> dict[str, str]:
    return {"Rolecall-Provider-Request-Id": request_id} if request_id else {}

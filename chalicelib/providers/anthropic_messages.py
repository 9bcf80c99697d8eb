"""Anthropic's Messages with a key of Anthropic's: what came goes on as it is, and so does what comes back.

A stream is passed on event by event: one that ends before `message_stop` is an error, and Anthropic's own errors are
told as ours, because of a refused key Anthropic repeats parts.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.failures import Unreachable
from chalicelib.providers.anthropic import CHAT_SECONDS, HOST, STREAM_SECONDS, VERSION, named
from chalicelib.providers.failures import ProviderError, ended_early, error_of, explain, read_error, request_id_of
from chalicelib.providers.foreign import text
from chalicelib.providers.message_stream import STATUSES
from chalicelib.providers.outgoing import Call, Received
from chalicelib.providers.sse import EventTooLongError, events

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from chalicelib.providers.credentials import ApiKey
    from chalicelib.providers.outgoing import Outgoing

_KIND: Final = re.compile(r"[a-z_]{1,50}", re.ASCII)
_PASSED: Final = {
    "anthropic-version": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII),
    "anthropic-beta": re.compile(r"[A-Za-z0-9._, -]{1,2000}", re.ASCII),
}
"""Headers that are sent on, and what they may hold; the rest of a request's headers goes nowhere."""


class AnthropicMessages:
    """A key of Anthropic's, for one request."""

    def __init__(self, credential: ApiKey, outgoing: Outgoing) -> None:
        self._key = credential.key
        self._outgoing = outgoing

    def message(self, model: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[dict[str, Any], str]:
        """Return the answer to a message, and Anthropic's id of the request. Raises `ServiceError`."""
        return self._whole("chat", "/v1/messages", model, body, headers)

    def count(self, model: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[dict[str, Any], str]:
        """Return how many tokens a message would be. Raises `ServiceError`."""
        return self._whole("count tokens", "/v1/messages/count_tokens", model, body, headers)

    def stream(
        self, model: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[Generator[str, None, None], str]:
        """Return the answer to a message as lines of server-sent events. Raises `ServiceError`, as the lines do."""
        call = self._call("chat", "/v1/messages", model, body, headers, STREAM_SECONDS)
        try:
            status, received, pieces = self._outgoing.stream(call)
            if status != 200:
                refusal = Received(status, received, b"".join(pieces))
                raise error_of("anthropic", refusal, self._key.get_secret_value())
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure
        return lines(pieces, self._key.get_secret_value()), request_id_of(received)

    def _whole(
        self, operation: str, path: str, model: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[dict[str, Any], str]:
        try:
            received = self._outgoing.fetch(self._call(operation, path, model, body, headers, CHAT_SECONDS))
            if received.status != 200:
                raise error_of("anthropic", received, self._key.get_secret_value())
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure
        if not isinstance(received.document, dict):
            raise ended_early("anthropic")
        return received.document, request_id_of(received.headers)

    def _call(
        self,
        operation: str,
        path: str,
        model: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        seconds: float,
    ) -> Call:
        passed = {name: value for name, value in headers.items() if name in _PASSED and _PASSED[name].fullmatch(value)}
        sent = {"anthropic-version": VERSION, **passed, "x-api-key": self._key.get_secret_value()}
        return Call("anthropic", operation, "POST", HOST, path, sent, {**body, "model": named(model)}, seconds)


def lines(pieces: Iterator[bytes], secret: str) -> Generator[str, None, None]:
    """Yield a stream's events as lines; raises `ServiceError` unless `message_stop` came.

    `secret` is left out of an error wherever it is repeated.
    """
    try:
        for name, data in events(pieces):
            document = _object(data.replace(secret, "[left out]") if name == "error" else data)
            if name == "error":
                error = document.get("error")
                kind = text(error, "type") if isinstance(error, dict) else ""
                raise explain(read_error("anthropic", STATUSES.get(kind, 500), document))
            if _KIND.fullmatch(name):
                yield f"event: {name}\ndata: {json.dumps(document)}\n\n"
            if name == "message_stop":
                return
    except Unreachable as failure:
        raise explain(failure) from failure
    except EventTooLongError:
        raise ended_early("anthropic") from None
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
    raise ended_early("anthropic")


def _object(data: str) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ended_early("anthropic")
    return document

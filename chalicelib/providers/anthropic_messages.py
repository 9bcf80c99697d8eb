"""Anthropic's Messages with a key of Anthropic's: what came goes on as it is, and so does what comes back.

A stream is passed on event by event: one that ends before `message_stop` is an error, and Anthropic's own errors are
told as ours, because of a refused key Anthropic repeats parts.
"""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.claude import with_preamble
from chalicelib.bedrock.failures import Unreachable
from chalicelib.providers.answers import begun, whole
from chalicelib.providers.anthropic import HOST, VERSION, named
from chalicelib.providers.base import ChatStream
from chalicelib.providers.failures import ProviderError, ended_early, explain, request_id_of
from chalicelib.providers.message_stream import read_events
from chalicelib.providers.outgoing import Call

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from chalicelib.providers.base import Question
    from chalicelib.providers.credentials import ApiKey
    from chalicelib.providers.outgoing import Outgoing, Pieces

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

    def message(self, question: Question, headers: Mapping[str, str]) -> tuple[dict[str, Any], str]:
        """Return the answer to a message, and Anthropic's id of the request. Raises `ServiceError`."""
        return self._whole("chat", "/v1/messages", question, headers)

    def count(self, question: Question, headers: Mapping[str, str]) -> tuple[dict[str, Any], str]:
        """Return how many tokens a message would be. Raises `ServiceError`."""
        return self._whole("count tokens", "/v1/messages/count_tokens", question, headers)

    def stream(self, question: Question, headers: Mapping[str, str]) -> ChatStream:
        """Return the answer to a message as Anthropic's events. Raises `ServiceError`, as the events do."""
        call = self._call("chat", "/v1/messages", question, headers)
        secret = self._key.get_secret_value()
        try:
            received, pieces = begun(self._outgoing, call, secret)
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure
        return ChatStream(documents(pieces, secret), pieces.abort, (), request_id_of(received))

    def _whole(
        self, operation: str, path: str, question: Question, headers: Mapping[str, str]
    ) -> tuple[dict[str, Any], str]:
        call = self._call(operation, path, question, headers)
        try:
            received = whole(self._outgoing, call, self._key.get_secret_value())
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure
        if not isinstance(received.document, dict):
            raise ended_early("anthropic")
        return received.document, request_id_of(received.headers)

    def _call(self, operation: str, path: str, question: Question, headers: Mapping[str, str]) -> Call:
        passed = {name: value for name, value in headers.items() if name in _PASSED and _PASSED[name].fullmatch(value)}
        sent = {"anthropic-version": VERSION, **passed, "x-api-key": self._key.get_secret_value()}
        body = {**with_preamble(question.body, question.preamble), "model": named(question.model)}
        return Call("anthropic", operation, "POST", HOST, path, sent, body, question.seconds)


def documents(pieces: Pieces, secret: str) -> Generator[dict[str, Any], None, None]:
    """Yield a stream's events; raises `ServiceError` unless `message_stop` came."""
    with closing(read_events(pieces, secret)) as told:
        for name, document in told:
            if _KIND.fullmatch(name):
                yield {**document, "type": name}

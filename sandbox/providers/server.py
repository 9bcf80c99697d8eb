"""What the fakes share: keys with switches, the record of calls, and bodies that end as they are told to.

A fake takes one good key. The same key with the name of a switch behind it, `<key>-no-credit`, is a key of an account
in that state; every other key is a bad one. `GET /_sandbox/calls` shows what arrived (`DELETE` forgets it), by which
kind of key and not the key itself.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from sandbox.loopback import LoopbackServer, QuietHandler

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

SWITCHES: Final = (
    "no-credit",  # the account has no credit: chats are refused
    "restricted",  # the key may not list models
    "rate-limited",  # every call meets the rate limit
    "slow",  # nothing is answered before `SLOW_SECONDS`
    "cut",  # the connection breaks within the body
    "early-end",  # a stream ends without its last events
    "error-event",  # a stream turns into an error
    "down",  # the service is overloaded
    "strange",  # an error that is in no documentation
)
SLOW_SECONDS: Final = 7.0
_LARGEST: Final = 32 * 1024 * 1024
_EVENTS_BEFORE_A_FAULT: Final = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: `switch` is None for the good key, `bad` for one that nobody has."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    switch: str | None

    @property
    def document(self) -> Any:
        """The body as JSON, or None when it is not."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: a JSON document, or a stream of texts as they go over the wire."""

    status: int
    document: object = None
    events: tuple[str, ...] | None = None
    headers: tuple[tuple[str, str], ...] = ()


class FakeProvider(LoopbackServer):
    """A company's API. Subclasses say where the key is, how each route answers, and the words of each refusal."""

    NAME: str
    REQUEST_ID: str

    def __init__(self, key: str) -> None:
        self.key = key
        self._calls: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        super().__init__(self._serve, 0, QuietHandler)

    def stop(self) -> None:
        """Stop, slow answers included."""
        self._stopping.set()
        super().stop()

    def key_for(self, switch: str) -> str:
        """Return a key of an account in one of the states of `SWITCHES`."""
        if switch not in SWITCHES:
            raise ValueError(switch)
        return f"{self.key}-{switch}"

    def calls(self) -> list[dict[str, Any]]:
        """Return what arrived so far: method, path, kind of key, status."""
        with self._lock:
            return [dict(call) for call in self._calls]

    def forget(self) -> None:
        """Begin the record anew."""
        with self._lock:
            self._calls.clear()

    def sent_key(self, headers: Mapping[str, str]) -> str:
        """Return the key of a request, wherever this company takes it."""
        raise NotImplementedError

    def refusal(self, switch: str) -> Told:
        """Return the answer for a key in a state that no call of it passes: bad, rate-limited, down or strange."""
        raise NotImplementedError

    def answer(self, asked: Asked) -> Told:
        """Return the answer to a request whose key is known."""
        raise NotImplementedError

    def error_event(self) -> str:
        """Return what a stream says when it turns into an error."""
        raise NotImplementedError

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        body = environ["wsgi.input"].read(min(int(length), _LARGEST)) if length.isdecimal() else b""
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        path, _, query = environ["RAW_URI"].partition("?")
        if path == "/_sandbox/calls":
            return self._control(environ["REQUEST_METHOD"], start_response)
        switch = self._switch(self.sent_key(headers))
        asked = Asked(environ["REQUEST_METHOD"], path, query, headers, body, switch)
        told = self.refusal(switch) if switch in {"bad", "rate-limited", "down", "strange"} else self.answer(asked)
        # When it arrived, not when it was answered: whoever asked slowly may be gone by then, and another one reads.
        self._record(asked, told)
        if switch == "slow":
            self._stopping.wait(SLOW_SECONDS)
        return self._send(told, switch, start_response)

    def _switch(self, key: str) -> str | None:
        if key == self.key:
            return None
        named = key.removeprefix(f"{self.key}-")
        return named if named != key and named in SWITCHES else "bad"

    def _record(self, asked: Asked, told: Told) -> None:
        kind = asked.switch or "good"
        row = {"method": asked.method, "path": asked.path, "key": kind, "status": told.status, "body": asked.document}
        with self._lock:
            self._calls.append(row)

    def _control(self, method: str, start_response: StartResponse) -> Iterable[bytes]:
        if method == "DELETE":
            self.forget()
        return self._send(Told(200, self.calls()), None, start_response)

    def _send(self, told: Told, switch: str | None, start_response: StartResponse) -> Iterable[bytes]:
        headers = [(self.REQUEST_ID, f"req_{time.time_ns():x}"), *told.headers]
        if told.events is not None:
            start_response("200 OK", [("Content-Type", "text/event-stream"), *headers])
            return self._stream(told.events, switch)
        octets = json.dumps(told.document).encode()
        cut = switch == "cut" and told.status == HTTPStatus.OK
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(octets)))]
        start_response(f"{told.status} {_phrase(told.status)}", headers)
        return self._cut_body(octets) if cut else [octets]

    def _cut_body(self, octets: bytes) -> Iterator[bytes]:
        yield octets[: len(octets) // 2]
        raise ConnectionResetError("switch cut")

    def _stream(self, events: tuple[str, ...], switch: str | None) -> Iterator[bytes]:
        for index, event in enumerate(events):
            if index == _EVENTS_BEFORE_A_FAULT:
                if switch == "early-end":
                    return
                if switch == "error-event":
                    yield self.error_event().encode()
                    return
                if switch == "cut":
                    # Half an event: a client that takes what it has for an event would lose the rest in silence.
                    yield event[: len(event) // 2].encode()
                    raise ConnectionResetError("switch cut")
            yield event.encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"

"""Lambda's Runtime API, version 2018-06-01, as the loop in `runtime.py` speaks it: one kept connection, no library.

What an exception says may hold what a caller sent, so its type and its frames leave the process and its text does not.
"""

from __future__ import annotations

import json
import logging
import select
import traceback
from base64 import b64encode
from http.client import HTTPConnection
from http.client import responses as phrases
from typing import TYPE_CHECKING, Final

from chalicelib.streaming import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import Message

log = logging.getLogger("rolecall.runtime")

_TAKEN_WITHIN: Final = 30.0
_API: Final = "/2018-06-01/runtime/"
_ERROR_TYPE: Final = "Lambda-Runtime-Function-Error-Type"
_ERROR_BODY: Final = "Lambda-Runtime-Function-Error-Body"
_INVOCATION: Final = "Lambda-Runtime-Invocation-Id"


class RuntimeApiError(Exception):
    """The Runtime API answered with what only ends with the process."""


class RuntimeApi:
    """Lambda's side of the loop, over one connection that is kept.

    `taken_within` is how many seconds there are for one piece of a stream to be taken.
    """

    def __init__(self, address: str, *, taken_within: float = _TAKEN_WITHIN) -> None:
        self._taken_within = taken_within
        # No timeout: the process is frozen while it waits for the next event.
        self._connection = HTTPConnection(address)

    def next(self) -> tuple[Message, bytes]:
        """Return headers and body of the next event."""
        status, headers, body = self._exchange("GET", "invocation/next")
        if status != 200:
            raise RuntimeApiError(f"next: {status}")
        return headers, body

    def respond(self, event: Message, answer: bytes) -> None:
        """Post an answer whole."""
        self._report("POST", _path(event, "response"), answer, _echo(event))

    def fail(self, event: Message, error: Mapping[str, object]) -> None:
        """Post that the handler failed."""
        headers = {_ERROR_TYPE: f"Runtime.{error['errorType']}", **_echo(event)}
        self._report("POST", _path(event, "error"), as_json(error), headers)

    def fail_init(self, error: Mapping[str, object]) -> None:
        """Post that there is no handler to call."""
        self._report("POST", "init/error", as_json(error), {_ERROR_TYPE: f"Runtime.{error['errorType']}"})

    def stream(self, event: Message, head: bytes, body: Iterator[bytes]) -> None:
        """Post an answer as it is made: each piece of `body` is one chunk.

        Raises OSError when Lambda hangs up, or takes nothing for half a minute: whoever makes the pieces ends them in
        time, but can't while one that nobody takes is being sent, and a slow reader would pay with our invocation.
        """
        self._drop_if_closed()
        connection = self._connection
        connection.putrequest("POST", _API + _path(event, "response"), skip_accept_encoding=True)
        headers = {
            "Content-Type": CONTENT_TYPE,
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Transfer-Encoding": "chunked",
            "Trailer": f"{_ERROR_TYPE}, {_ERROR_BODY}",
            **_echo(event),
        }
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.sock.settimeout(self._taken_within)
        failures: list[Exception] = []
        connection.send(b"%x\r\n%b\r\n" % (len(head), head))
        for piece in _until_failure(body, failures):
            if piece:  # an empty chunk would end the body
                connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.send(b"0\r\n" + b"".join(map(_trailers, failures)) + b"\r\n")
        reply = connection.getresponse()
        reply.read()
        if connection.sock is not None:
            # The question for the next event may wait for as long as Lambda likes.
            connection.sock.settimeout(None)
        _require_accepted(reply.status, "a streamed answer")

    def drop(self) -> None:
        """Leave the connection; the next request opens another."""
        self._connection.close()

    def _report(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        status, _, _ = self._exchange(method, path, body, {"Content-Type": "application/json", **headers})
        _require_accepted(status, path.rpartition("/")[2])

    def _exchange(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Message, bytes]:
        self._drop_if_closed()
        kept = self._connection.sock is not None
        try:
            return self._once(method, path, body, headers or {})
        except ConnectionError:
            # It may have been closed at the same moment. A post that did arrive is refused the second time, and noted.
            self._connection.close()
            if not kept:
                raise
            return self._once(method, path, body, headers or {})

    def _once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Message, bytes]:
        self._connection.request(method, _API + path, body, headers)
        reply = self._connection.getresponse()
        return reply.status, reply.headers, reply.read()

    def _drop_if_closed(self) -> None:
        """Notice that the other side has closed a kept connection, before an answer is lost in it."""
        if self._connection.sock is not None and select.select([self._connection.sock], [], [], 0)[0]:
            self._connection.close()


def _path(event: Message, ending: str) -> str:
    return f"invocation/{event['Lambda-Runtime-Aws-Request-Id']}/{ending}"


def _echo(event: Message) -> dict[str, str]:
    """Return the header that tells attempts of one request apart, where Lambda sends it: awslambdaric repeats it."""
    return {_INVOCATION: event[_INVOCATION]} if _INVOCATION in event else {}


def _require_accepted(status: int, what: str) -> None:
    """Note an answer that Lambda did not take, such as one over 6 MB; raises where the process must end.

    The guide: after a 500 the runtime is in a state that it can't recover from, and should exit promptly.
    """
    if status >= 500:
        raise RuntimeApiError(f"{what}: {status}")
    if status >= 300:
        log.error("Lambda refused %s: %s %s", what, status, phrases.get(status, ""))


def _until_failure(body: Iterator[bytes], failures: list[Exception]) -> Iterator[bytes]:
    """Yield what there is; an exception of the body's own ends it and is kept, one of the reader's is not touched."""
    try:
        yield from body
    except Exception as error:  # noqa: BLE001  reported in the trailers
        failures.append(error)


def _trailers(failure: Exception) -> bytes:
    error = describe(failure, "The answer broke off")
    body = b64encode(as_json(error)).decode()
    return f"{_ERROR_TYPE}: Runtime.{error['errorType']}\r\n{_ERROR_BODY}: {body}\r\n".encode()


def describe(error: Exception, what: str) -> dict[str, object]:
    """Return an exception as the Runtime API takes it, without its text, and log it."""
    name = type(error).__name__
    frames = traceback.format_tb(error.__traceback__)
    log.error("%s: %s", what, name, extra={"frames": "".join(frames)})
    return {"errorType": name, "errorMessage": f"{what}: {name}. The log has its frames.", "stackTrace": frames}


def as_json(value: object) -> bytes:
    """Return JSON with each character as itself: escaped, a text of many letters would go over Lambda's 6 MB."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value).encode()

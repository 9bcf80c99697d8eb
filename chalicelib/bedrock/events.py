"""The events of a stream that has begun: read beside the one who waits for them, so that silence can be told.

A thread reads, because a socket that timed out can't be read again, and whoever passes the events on must say something
now and then (proxies cut connections on which nothing moves). It ends with the stream, or when `close` is called.
"""

from __future__ import annotations

import json
import queue
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from urllib3.exceptions import HTTPError

from chalicelib.bedrock.eventstream import Decoder, Frame, FrameError
from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.bedrock.transport import cut_short, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import urllib3

IDLE_SECONDS: Final = 300.0
"""How long a model may say nothing: those that think may take minutes."""
_PIECE: Final = 65536
_JSON: Final = "application/json"
_AHEAD: Final = 256
"""Pieces read ahead of a slow client; then AWS waits, and the memory does not grow."""
_read_json: Final = json.JSONDecoder().raw_decode
"""What `json.loads` does in the end; the way there costs twice as much again, for texts as short as an event's."""


class Event(NamedTuple):
    """One event: its type, as `messageStart`, and its JSON object."""

    type: str
    body: dict[str, Any]


_Piece = list[Event] | Exception | None
"""What the reader hands over: events, what went wrong, or None for the end."""


class Events:
    """An event stream of AWS. Iterate over it once; `close` when done with it, in whatever way."""

    def __init__(
        self,
        response: urllib3.BaseHTTPResponse,
        *,
        service: str,
        operation: str,
        request_id: str,
        deadline: float,
        clock: Callable[[], float],
    ) -> None:
        self.request_id = request_id
        self._response = response
        self._service = service
        self._operation = operation
        self._deadline = deadline
        self._clock = clock
        # A bounded queue costs ten times as much for each event; its bound is kept in `_hand_over`.
        self._pieces: queue.SimpleQueue[_Piece] = queue.SimpleQueue()
        self._room = threading.Event()
        self._closed = threading.Event()
        self._heard = clock()
        self._ready: list[Event] = []
        self._reader = threading.Thread(target=self._read, name="event-stream", daemon=True)
        self._reader.start()

    def first(self) -> Event:
        """Return the first event, which stays the first of `within`. Raises `AwsError` or `Unreachable`."""
        while not self._ready:
            try:
                piece = self._next(IDLE_SECONDS)
            except queue.Empty:
                continue
            if piece is None:
                raise self._cut()
            self._ready = piece
        return self._ready[0]

    def within(self, seconds: float) -> Iterator[Event | None]:
        """Yield the events; None whenever nothing came for `seconds`.

        Raises `AwsError` for an exception in the stream, `Unreachable` when it was cut, timed out or was no stream.
        """
        ready: list[Event] | None = self._ready
        while ready is not None:
            yield from ready
            try:
                ready = self._next(seconds)
            except queue.Empty:
                ready = []
                yield None

    def close(self) -> None:
        """End the call upstream, if it is still going on; the reader then lets the connection go."""
        self._closed.set()
        self._room.set()
        cut_short(self._response)

    def _next(self, seconds: float) -> list[Event] | None:
        now = self._clock()
        left = min(self._deadline, self._heard + IDLE_SECONDS) - now
        if left <= 0:
            raise self._timed_out()
        try:
            piece = self._pieces.get(timeout=min(seconds, left))
        except queue.Empty:
            if self._clock() >= min(self._deadline, self._heard + IDLE_SECONDS):
                raise self._timed_out() from None
            raise
        self._heard = self._clock()
        if not self._room.is_set() and self._pieces.qsize() <= _AHEAD // 2:
            self._room.set()
        if isinstance(piece, Exception):
            raise piece
        return piece

    def _read(self) -> None:
        decoder = Decoder()
        clean = False
        try:
            for octets in self._octets():
                frames = decoder.feed(octets)
                if frames:
                    self._hand_over([self._event(frame) for frame in frames])
            decoder.end()
            clean = True
            self._hand_over(None)
        except AwsError as error:
            self._hand_over(error)
        except (FrameError, HTTPError, ValueError, RecursionError, OSError, AttributeError) as error:
            # AttributeError: urllib3 when the response is shut down under a read; RecursionError: JSON, nested deeply.
            cut = Unreachable(self._service, self._operation, _kind(error), begun=True)
            cut.__cause__ = error
            self._hand_over(cut)
        finally:
            if not clean:
                self._response.close()
            self._response.release_conn()

    def _octets(self) -> Iterator[bytes]:
        """Return the octets as they come. AWS sends chunks of HTTP, which `stream` gives one by one, at half the cost.

        Of a body without chunks it would wait for all of a piece.
        """
        if self._response.chunked:
            return self._response.stream(_PIECE, decode_content=False)
        return iter(lambda: self._response.read1(_PIECE, decode_content=False), b"")

    def _hand_over(self, piece: _Piece) -> None:
        if self._pieces.qsize() >= _AHEAD:
            self._room.clear()
            while self._pieces.qsize() > _AHEAD // 2 and not self._closed.is_set():
                self._room.wait(1.0)
                if self._clock() > self._deadline:
                    # Nobody takes anything any more: a client that went before the first line closes nothing either.
                    self.close()
        if not self._closed.is_set():
            self._pieces.put(piece)

    def _event(self, frame: Frame) -> Event:
        headers = frame.headers
        kind = headers.get(":message-type")
        if kind == "event":
            return Event(str(headers.get(":event-type", "")), _body(frame))
        if kind == "exception":
            code, message = str(headers.get(":exception-type", "")), _message(frame.payload)
        else:
            code, message = str(headers.get(":error-code", "")), str(headers.get(":error-message", ""))
        raise AwsError(self._service, self._operation, 0, code, message, self.request_id)

    def _timed_out(self) -> Unreachable:
        return Unreachable(self._service, self._operation, "timeout", begun=True)

    def _cut(self) -> Unreachable:
        return Unreachable(self._service, self._operation, "cut", begun=True)


def _kind(error: Exception) -> str:
    return kind_of(error) if isinstance(error, HTTPError) else "cut"


def _body(frame: Frame) -> dict[str, Any]:
    """Return the object of an event. As botocore reads it, no payload is an object without members.

    What says of itself that it is no JSON is an event that nobody here knows, and passed over like those.
    """
    if not frame.payload:
        return {}
    try:
        text = frame.payload.strip().decode("utf-8", "surrogatepass")
        body, end = _read_json(text)
        if end == len(text) and isinstance(body, dict):
            return body
    except ValueError:
        # Said below. To suppress it would cost each event that is read a tenth more.
        pass
    if str(frame.headers.get(":content-type", _JSON)).startswith(_JSON):
        raise FrameError("an event is no JSON object")
    return {}


def _message(payload: bytes) -> str:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    found = [document.get(name) for name in ("message", "Message")] if isinstance(document, dict) else []
    return next((text for text in found if isinstance(text, str)), "")

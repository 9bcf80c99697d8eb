"""A stream on its way to the client: one frame at a time, with the faults that are set, and who went away noted."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Final

from sandbox.bedrock.frames import event_frame, exception_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.aws.switches import Fault
    from sandbox.bedrock.events import Event

_USUAL_POSITION: Final = 3
_USUAL_SECONDS: Final = 1.0
"""After how many events a fault strikes that does not say, and how long it lasts."""

_EXCEPTIONS: Final = {
    "throttlingException": "Too many requests, please wait before trying again. You have sent too many requests.  Wait "
    "before trying again.",
    "serviceUnavailableException": "Bedrock is unable to process your request.",
    "internalServerException": "The system encountered an unexpected error during processing. Try your request again.",
    "modelStreamErrorException": "The model encountered an error while streaming the response. Try your request again.",
    "validationException": "The model returned the following errors: the output could not be processed.",
}


class StreamLedger:
    """How streams ended: `finished` by us, faults included; `abandoned` by a client that went away; `open` still."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {"open": 0, "finished": 0, "abandoned": 0}

    def move(self, source: str | None, target: str) -> None:
        """Count one stream from one state into the next."""
        with self._lock:
            if source:
                self._counts[source] -= 1
            self._counts[target] += 1

    def counts(self) -> dict[str, int]:
        """Return all three."""
        with self._lock:
            return dict(self._counts)


STREAMS: Final = StreamLedger()


class _ClientGoneError(ConnectionError):
    """The client closed its connection while we waited: the server then drops it without a word."""


class Link:
    """The connection under a stream; without a socket (moto in process) nobody can leave it."""

    def __init__(self, connection: socket.socket | None) -> None:
        self._connection = connection

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than the client is there. Raises ConnectionError when it has gone."""
        if self._connection is None:
            time.sleep(seconds)
            return
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            # The request has been read: what there is to read now is the end, or what must not cut the wait short.
            if selector.select(seconds) and not self._peek():
                raise _ClientGoneError("the client closed the stream")
        time.sleep(max(0.0, until - time.monotonic()))

    def _peek(self) -> bytes:
        try:
            return self._connection.recv(1, socket.MSG_PEEK) if self._connection is not None else b""
        except ConnectionResetError:
            # A client that closes with octets unread sends RST: it has left all the same.
            return b""

    def reset(self) -> None:
        """Break the connection off: no last chunk, and RST instead of an orderly end. Raises ConnectionError."""
        if self._connection is not None:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionResetError("a fault cut the stream")


def frames(events: list[Event], stop: int, fault: Fault | None, link: Link) -> Iterator[bytes]:
    """Yield the frames of a stream; closing the iterator early counts as the client's leaving.

    `stop` is the place of the event that makes the answer whole: a fault strikes before it at the latest.
    """
    state = "abandoned"
    STREAMS.move(None, "open")
    try:
        yield from _played(events, stop, fault, link)
        state = "finished"
    except ConnectionResetError:
        state = "finished"
        raise
    finally:
        STREAMS.move("open", state)


def _played(events: list[Event], stop: int, fault: Fault | None, link: Link) -> Iterator[bytes]:
    seconds = fault.seconds if fault and fault.seconds is not None else _USUAL_SECONDS
    position = fault.after_events if fault and fault.after_events is not None else _USUAL_POSITION
    for index, (name, body) in enumerate(events):
        frame = event_frame(name, body)
        if fault and (index == min(position, stop) or (fault.kind == "slow" and index > position)):
            match fault.kind:
                case "slow" | "silence":
                    link.wait(seconds)
                case "exception_frame":
                    code = _lower_camel(fault.code or "throttlingException")
                    yield exception_frame(
                        code, fault.message or _EXCEPTIONS.get(code, "The stream was ended by a fault.")
                    )
                    return
                case "early_end":
                    return
                case "half_frame":
                    yield frame[: len(frame) // 2]
                    return
                case "cut":
                    link.reset()
        yield frame


def _lower_camel(code: str) -> str:
    return code[:1].lower() + code[1:]

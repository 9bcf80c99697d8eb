"""One event on its way through a process of the function, and what comes back of it."""

from __future__ import annotations

import queue
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAYLOAD_LIMIT: Final = 6_291_556
"""Octets that Lambda takes of an event, and of an answer that is not streamed."""
STREAM_LIMIT: Final = 200 * 1024 * 1024
"""Octets that Lambda takes of a streamed answer."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A function error, as Lambda would tell who invoked it."""

    type: str
    message: str


class Invocation:
    """An event with its deadline; `read` gives the answer as it comes, and `failure` says afterwards what went wrong.

    `client_context` and `identity` are JSON texts, as a mobile SDK sends them along.
    """

    def __init__(
        self, event: bytes, seconds: float, *, client_context: str | None = None, identity: str | None = None
    ) -> None:
        self.id = str(uuid.uuid4())
        self.event = event
        self.seconds = seconds
        self.client_context = client_context
        self.identity = identity
        self.deadline = time.time() + seconds
        self.streamed = False
        self.failure: Failure | None = None
        self.on_timeout: Callable[[Invocation], None] = lambda _: None
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._ended

    def put(self, piece: bytes) -> None:
        """Add a piece of the answer."""
        self._pieces.put(piece)

    def end(self, failure: Failure | None = None) -> None:
        """End the answer; only the first call counts."""
        if not self._ended:
            self._ended = True
            self.failure = failure
            self._pieces.put(None)

    def read(self, within: float | None = None) -> Iterator[bytes]:
        """Yield the pieces of the answer. Raises `queue.Empty` when `within` seconds from now are over.

        At the function's own deadline the process is killed, as Lambda does, and the answer ends with a failure.
        """
        patience = None if within is None else time.time() + within
        while True:
            end = self.deadline if patience is None else min(self.deadline, patience)
            try:
                piece = self._pieces.get(timeout=max(0.0, end - time.time()))
            except queue.Empty:
                if time.time() < self.deadline:
                    raise
                self.end(Failure("Sandbox.Timedout", f"Task timed out after {self.seconds:.2f} seconds"))
                self.on_timeout(self)
                continue
            if piece is None:
                self._pieces.put(None)  # for whoever reads again
                return
            yield piece

    def whole(self) -> bytes:
        """Wait for the answer and return it; what there is of it when the function failed."""
        return b"".join(self.read())

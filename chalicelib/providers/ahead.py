"""Chunks read ahead of whoever passes them on, so that silence can be told from the end."""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from chalicelib import logs
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.providers.base import ChatStream

log = logging.getLogger("rolecall")

_AHEAD: Final = 64
"""Chunks read ahead of a slow client; then the provider waits, and the memory does not grow."""

LONGEST_SECONDS: Final = 900.0
"""No stream is longer: Lambda ends every invocation by then (its guide, "Lambda quotas")."""


class ReadAhead:
    """The chunks of a stream, read by a thread of their own. Iterate over it once; `close` when done, in whatever way.

    The thread alone touches the chunks: a generator can't be closed while another thread is in it. It ends after
    `seconds` at the latest: an answer that nobody came to fetch is not closed either, as its client had gone before.
    """

    def __init__(self, stream: ChatStream, seconds: float = LONGEST_SECONDS) -> None:
        self._stream = stream
        self._end = time.monotonic() + seconds
        self._read: queue.Queue[dict[str, Any] | Exception | None] = queue.Queue(_AHEAD)
        self._closed = threading.Event()
        self._ready: list[dict[str, Any]] = []
        threading.Thread(target=self._work, name="read-ahead", daemon=True).start()

    def first(self) -> None:
        """Wait for the first chunk, which stays the first of `within`. Raises what went wrong before it, and closes."""
        try:
            chunk = self._taken(None)
        except ServiceError:
            self.close()
            raise
        if chunk is not None:
            self._ready.append(chunk)

    def within(self, seconds: float) -> Iterator[dict[str, Any] | None]:
        """Yield the chunks; None whenever nothing came for `seconds`. Raises `ServiceError` when they broke off."""
        yield from self._ready
        while True:
            try:
                chunk = self._taken(seconds)
            except queue.Empty:
                if self._closed.is_set():
                    raise ServiceError("upstream_timeout", "The answer took longer than a stream may.") from None
                yield None
                continue
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        """End the call at the provider, if it is still going on."""
        self._closed.set()
        self._stream.abort()

    def _taken(self, seconds: float | None) -> dict[str, Any] | None:
        taken = self._read.get(timeout=seconds)
        if isinstance(taken, Exception):
            raise taken
        return taken

    def _work(self) -> None:
        chunks = self._stream.chunks
        try:
            for chunk in chunks:
                self._hand_over(chunk)
                if self._closed.is_set():
                    return
            self._hand_over(None)
        except ServiceError as error:
            self._hand_over(error)
        except Exception as error:  # noqa: BLE001  whoever waits must learn that nothing comes any more
            logs.unexpected(log, error)
            self._hand_over(ServiceError("internal_error", "Something went wrong on our side."))
        finally:
            chunks.close()

    def _hand_over(self, what: dict[str, object] | Exception | None) -> None:
        while not self._closed.is_set():
            try:
                self._read.put(what, timeout=1.0)
            except queue.Full:
                if time.monotonic() > self._end:
                    self.close()
                continue
            return

"""A bounded number of processes of one function: each serves one event at a time, as Lambda's do."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from tools.lambda_emulator.invocation import Invocation
from tools.lambda_emulator.process import Process

if TYPE_CHECKING:
    from types import TracebackType

    from tools.lambda_emulator.process import Function


class Throttled(Exception):  # noqa: N818  Lambda's word
    """Every process is busy, and there may be no more: the function's reserved concurrency is used up."""


class Fleet:
    """Starts processes when they are needed and keeps them until it is closed; a context manager."""

    def __init__(self, function: Function, processes: int = 2) -> None:
        self.function = function
        self.most = processes
        self.init_ms: list[float] = []
        """How long each process took to start, in milliseconds."""
        self._changed = threading.Condition()
        self._all: dict[Process, Invocation | None] = {}
        """What runs, with the last event that each was given."""
        self._idle: list[Process] = []

    def __enter__(self) -> Self:
        """Start nothing: the first event does."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all processes."""
        self.close()

    @property
    def processes(self) -> list[Process]:
        """The processes that run."""
        with self._changed:
            return list(self._all)

    def invoke(self, event: bytes, *, client_context: str | None = None, identity: str | None = None) -> Invocation:
        """Give an event to an idle process, or to a new one, and return at once. Raises `Throttled`.

        Where the function can't start, the invocation has failed already.
        """
        process = self._take()
        failure = process.wait_ready()
        invocation = Invocation(event, self.function.seconds, client_context=client_context, identity=identity)
        if failure is not None:
            invocation.end(failure)
            process.kill()
        else:
            with self._changed:
                self._all[process] = invocation
            process.invoke(invocation)
        return invocation

    def close(self) -> list[int]:
        """End all processes, those that have just answered once they are idle; returns their exit codes."""
        with self._changed:
            self._changed.wait_for(lambda: not any(map(_is_done, self._all.values())), timeout=2)
        return [process.stop() for process in self.processes]

    def _take(self) -> Process:
        with self._changed:
            # One that has answered is about to ask for the next event; Lambda no longer counts it as busy.
            self._changed.wait_for(lambda: self._idle or not any(map(_is_done, self._all.values())), timeout=2)
            if self._idle:
                # The one that served last: others grow cold, as on Lambda.
                return self._idle.pop()
            if len(self._all) >= self.most:
                raise Throttled
            process = Process(self.function, self._idle_again, self._gone)
            self._all[process] = None
            return process

    def _idle_again(self, process: Process) -> None:
        with self._changed:
            if process.served:
                self._all[process] = None
                self._idle.append(process)
            else:
                # Its first event is for whoever started it.
                process.served = True
                self.init_ms.append(process.init_ms)
            self._changed.notify_all()

    def _gone(self, process: Process) -> None:
        with self._changed:
            self._all.pop(process, None)
            if process in self._idle:
                self._idle.remove(process)
            self._changed.notify_all()


def _is_done(invocation: Invocation | None) -> bool:
    return invocation is not None and invocation.ended

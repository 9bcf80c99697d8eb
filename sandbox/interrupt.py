"""Ctrl-C and SIGTERM, for programs that serve until one of them comes."""

from __future__ import annotations

import signal
import threading
from typing import Final

_LOOK_AGAIN_SECONDS: Final = 0.5


class Interrupt:
    """Takes both signals from the moment that it is made; call `wait` when there is nothing else to do."""

    def __init__(self) -> None:
        self._came = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._came.set())

    def wait(self) -> None:
        """Return once one of them has come."""
        # Python runs its handlers in the main thread alone, and the system may give a signal to any thread, as it does
        # to a program that was stopped by Ctrl-Z: a wait without an end would not be woken by it.
        while not self._came.wait(_LOOK_AGAIN_SECONDS):
            pass

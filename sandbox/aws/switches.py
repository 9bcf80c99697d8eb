"""The record of calls and the faults to play: what tests and the curious see and set at `/_sandbox/`."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST_KINDS: Final = ("error", "slow", "cut")
STREAM_KINDS: Final = ("exception_frame", "early_end", "half_frame", "silence", "slow", "cut")
IAM_KINDS: Final = ("not_yet",)
KINDS: Final = tuple(dict.fromkeys((*REQUEST_KINDS, *STREAM_KINDS, *IAM_KINDS)))
_SERVICES: Final = ("sts", "iam", "dynamodb", "bedrock", "bedrock-runtime", "*")
_FIELDS: Final = {"service": str, "operation": str, "kind": str, "times": int, "after_events": int, "code": str}


class Calls:
    """Every AWS call so far, in order of arrival."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[dict[str, Any]] = []

    def begin(self, service: str, operation: str) -> dict[str, Any]:
        """Record a call that has just arrived; who makes it is added when it is known."""
        call = {
            "service": service,
            "operation": operation,
            "account": None,
            "principal": None,
            "status": None,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        with self._lock:
            self._calls.append(call)
        return call

    def end(self, call: dict[str, Any], status: int) -> None:
        """Add how the call was answered; 0 when its connection was cut instead."""
        call["status"] = status

    def rows(self) -> list[dict[str, Any]]:
        """Return all calls."""
        with self._lock:
            return [dict(call) for call in self._calls]

    def count(self, service: str, operation: str | None = None) -> int:
        """Return how many calls a service, or one operation of it, has had."""
        return sum(call["service"] == service and operation in {None, call["operation"]} for call in self.rows())

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self._calls.clear()


@dataclass(slots=True)
class Fault:
    """Something to go wrong: for a service's operation (`*`: any), `times` times (None: until cleared)."""

    service: str
    operation: str
    kind: str
    times: int | None = 1
    after_events: int | None = None
    code: str | None = None
    seconds: float | None = None
    until: float | None = None

    def concerns(self, service: str, operation: str) -> bool:
        """Whether it is meant for this operation; `bedrock` means both of Bedrock's services."""
        mine = self.service in {"*", service} or (self.service == "bedrock" and service == "bedrock-runtime")
        return mine and self.operation in {"*", operation}

    @property
    def in_stream(self) -> bool:
        """Whether it is played within a stream, and not before the answer."""
        return self.kind not in REQUEST_KINDS + IAM_KINDS or self.after_events is not None


class FaultError(Exception):
    """A fault can't be set; the message says why."""


class Faults:
    """The faults that are set. Each is used up by the calls that it concerns, in the order of setting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, body: object) -> Fault:
        """Set a fault from its JSON. Raises `FaultError`."""
        fault = _parse(body)
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, service: str, operation: str) -> Fault | None:
        """Use up a fault that is played before the answer."""
        return self._take(service, operation, lambda fault: fault.kind in REQUEST_KINDS and not fault.in_stream)

    def take_stream(self, service: str, operation: str) -> Fault | None:
        """Use up a fault that is played within a stream."""
        return self._take(service, operation, lambda fault: fault.in_stream)

    def last_change_is_hidden(self) -> bool:
        """Use up a fault that hides the last change of each role from STS."""
        return self._take("sts", "AssumeRole", lambda fault: fault.kind == "not_yet") is not None

    def _take(self, service: str, operation: str, fits: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            now = time.monotonic()
            self._faults = [fault for fault in self._faults if fault.until is None or now < fault.until]
            for fault in self._faults:
                if fits(fault) and fault.concerns(service, operation):
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times <= 0:
                            self._faults.remove(fault)
                    return fault
        return None

    def rows(self) -> list[dict[str, Any]]:
        """Return the faults still to come."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def clear(self) -> None:
        """Have nothing go wrong any more."""
        with self._lock:
            self._faults.clear()


CALLS: Final = Calls()
FAULTS: Final = Faults()


def _parse(body: object) -> Fault:
    if not isinstance(body, dict):
        raise FaultError("The body must be a JSON object.")
    unknown = set(body) - {*_FIELDS, "seconds"}
    if unknown:
        raise FaultError(f"There is no field {min(unknown)}.")
    for name in ("service", "operation", "kind"):
        if not isinstance(body.get(name), str):
            raise FaultError(f"{name} is required, a string.")
    if body["kind"] not in KINDS:
        raise FaultError(f"kind must be one of {', '.join(KINDS)}.")
    if body["service"] not in _SERVICES:
        raise FaultError(f"service must be one of {', '.join(_SERVICES)}.")
    for name in ("times", "after_events"):
        value = body.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise FaultError(f"{name} must be a whole number.")
    seconds = body.get("seconds")
    if seconds is not None and (
        isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= 600
    ):
        raise FaultError("seconds must be a number from 0 to 600.")
    code = body.get("code")
    if code is not None and not isinstance(code, str):
        raise FaultError("code must be a string.")
    if body["kind"] in {"error", "exception_frame"} and code is None:
        raise FaultError(f"A fault of kind {body['kind']} needs a code.")
    # A change that is hidden for some seconds is hidden from every call of that time.
    passing = body["kind"] == "not_yet" and seconds is not None
    return Fault(
        body["service"],
        body["operation"],
        body["kind"],
        body.get("times", None if passing else 1),
        body.get("after_events"),
        code,
        seconds,
        time.monotonic() + seconds if passing and seconds is not None else None,
    )

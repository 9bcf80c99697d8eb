"""The record of calls and the faults to play: what tests and the curious see and set at `/_sandbox/`."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from botocore.loaders import Loader

if TYPE_CHECKING:
    from collections.abc import Callable

_REQUEST_KINDS: Final = ("error", "slow", "cut")
_STREAM_KINDS: Final = ("exception_frame", "early_end", "half_frame", "silence")
_KINDS: Final = (*_REQUEST_KINDS, *_STREAM_KINDS, "not_yet")
_IN_BOTH: Final = ("slow", "cut")
"""Kinds that strike before the answer, or with `after_events` within a stream."""
_STREAMED: Final = ("ConverseStream", "InvokeModelWithResponseStream", "*")
_SERVICES: Final = ("sts", "iam", "dynamodb", "bedrock", "bedrock-runtime")
_IAM_CHANGES: Final = ("AssumeRole", "CreateRole", "UpdateAssumeRolePolicy", "*")
_TEXTS: Final = ("service", "operation", "kind")
_FIELDS: Final = frozenset((*_TEXTS, "times", "after_events", "code", "message", "seconds", "region"))
_LONGEST: Final = 600
_LONGEST_MESSAGE: Final = 2000


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

    def end(self, call: dict[str, object], status: int) -> None:
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
    message: str | None = None
    seconds: float | None = None
    until: float | None = None
    region: str | None = None

    def concerns(self, service: str, operation: str, region: str | None = None) -> bool:
        """Whether it is meant for this operation, in this region; `bedrock` means both of Bedrock's services."""
        if self.region not in {None, region}:
            return False
        mine = self.service in {"*", service} or (self.service == "bedrock" and service == "bedrock-runtime")
        return mine and self.operation in {"*", operation}

    @property
    def in_stream(self) -> bool:
        """Whether it is played within a stream, and not before the answer."""
        return self.kind in _STREAM_KINDS or self.after_events is not None


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

    def take(self, service: str, operation: str, region: str = "") -> Fault | None:
        """Use up a fault that is played before the answer."""
        return self._take(
            service, operation, region, lambda fault: fault.kind in _REQUEST_KINDS and not fault.in_stream
        )

    def take_stream(self, service: str, operation: str, region: str = "") -> Fault | None:
        """Use up a fault that is played within a stream."""
        return self._take(service, operation, region, lambda fault: fault.in_stream)

    def hides_last_change(self) -> bool:
        """Use up a fault that hides the last change of each role from AssumeRole."""
        return self._next(lambda fault: fault.kind == "not_yet") is not None

    def _take(self, service: str, operation: str, region: str, fits: Callable[[Fault], bool]) -> Fault | None:
        return self._next(lambda fault: fits(fault) and fault.concerns(service, operation, region))

    def _next(self, fits: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            self._drop_ended()
            for fault in self._faults:
                if fits(fault):
                    if fault.times is not None:
                        fault.times -= 1
                        if not fault.times:
                            self._faults.remove(fault)
                    return fault
        return None

    def _drop_ended(self) -> None:
        now = time.monotonic()
        self._faults = [fault for fault in self._faults if fault.until is None or now < fault.until]

    def rows(self) -> list[dict[str, Any]]:
        """Return the faults still to come."""
        with self._lock:
            self._drop_ended()
            return [{name: value for name, value in asdict(f).items() if name != "until"} for f in self._faults]

    def clear(self) -> None:
        """Have nothing go wrong any more."""
        with self._lock:
            self._faults.clear()


CALLS: Final = Calls()
FAULTS: Final = Faults()


def _parse(body: object) -> Fault:
    """Return the fault that a JSON body describes. What could never be played is refused, not kept and forgotten."""
    if not isinstance(body, dict):
        raise FaultError("The body must be a JSON object.")
    unknown = set(body) - _FIELDS
    if unknown:
        raise FaultError(f"There is no field {min(unknown)}.")
    for name in _TEXTS:
        if not isinstance(body.get(name), str):
            raise FaultError(f"{name} is required, a string.")
    kind = body["kind"]
    if kind not in _KINDS:
        raise FaultError(f"kind must be one of {', '.join(_KINDS)}.")
    _check_place(kind, body["service"], body["operation"], in_stream=body.get("after_events") is not None)
    times = _whole(body, "times", 1)
    after_events = _whole(body, "after_events", 0)
    seconds = _seconds(body)
    # A change that is hidden for some seconds is hidden from every call of that time.
    passing = kind == "not_yet" and seconds is not None
    return Fault(
        body["service"],
        body["operation"],
        kind,
        times if "times" in body or passing else 1,
        after_events,
        _code(body),
        _message(body),
        seconds,
        time.monotonic() + seconds if passing and seconds is not None else None,
        _region(body),
    )


def _check_place(kind: str, service: str, operation: str, *, in_stream: bool) -> None:
    if service not in {*_SERVICES, "*"}:
        raise FaultError(f"service must be one of {', '.join(_SERVICES)}, *.")
    if operation != "*" and operation not in _operations(service):
        raise FaultError(f"{service} has no operation {operation[:100]}.")
    if kind == "not_yet":
        if service not in {"sts", "iam", "*"} or operation not in _IAM_CHANGES:
            raise FaultError(f"A fault of kind not_yet is for sts or iam and one of {', '.join(_IAM_CHANGES)}.")
    elif (kind in _STREAM_KINDS or in_stream) and (
        service not in {"bedrock", "bedrock-runtime", "*"} or operation not in _STREAMED
    ):
        raise FaultError(f"A fault in a stream is for bedrock-runtime and one of {', '.join(_STREAMED)}.")
    if in_stream and kind not in {*_STREAM_KINDS, *_IN_BOTH}:
        raise FaultError(f"A fault of kind {kind} is not in a stream: leave out after_events.")


@lru_cache(maxsize=8)
def _operations(service: str) -> frozenset[str]:
    """Return the names that AWS gives to a service's operations; `bedrock` means both of Bedrock's services."""
    services = {"*": _SERVICES, "bedrock": ("bedrock", "bedrock-runtime")}.get(service, (service,))
    loader = Loader()
    return frozenset(name for entry in services for name in loader.load_service_model(entry, "service-2")["operations"])


def _whole(body: dict[str, object], name: str, least: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise FaultError(f"{name} must be a whole number from {least}, or null.")
    return value


def _seconds(body: dict[str, object]) -> float | None:
    value = body.get("seconds")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LONGEST:
        raise FaultError(f"seconds must be a number from 0 to {_LONGEST}.")
    return value


def _region(body: dict[str, object]) -> str | None:
    region = body.get("region")
    if region is not None and not (isinstance(region, str) and re.fullmatch(r"[a-z0-9-]{3,30}", region, re.ASCII)):
        raise FaultError("region must be an AWS region; the fault is then for calls signed for it.")
    return region


def _code(body: dict[str, object]) -> str | None:
    code = body.get("code")
    if code is None and body["kind"] in {"error", "exception_frame"}:
        raise FaultError(f"A fault of kind {body['kind']} needs a code.")
    if code is not None and not (isinstance(code, str) and re.fullmatch(r"[A-Za-z]{1,100}", code, re.ASCII)):
        raise FaultError("code must be one of AWS's error codes, in letters.")
    return code


def _message(body: dict[str, object]) -> str | None:
    message = body.get("message")
    if message is not None and not (isinstance(message, str) and len(message) <= _LONGEST_MESSAGE):
        raise FaultError(
            f"message must be a text of at most {_LONGEST_MESSAGE} characters: what AWS says with the code."
        )
    return message

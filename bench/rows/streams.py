"""Rows 3 to 5: streams without pauses, what a chunk costs, and how soon the first token is there."""

from __future__ import annotations

import statistics
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from bench.measuring import (
    Reading,
    differences,
    interleaved,
    ours_of_theirs,
    p50,
    ratios,
    side_by_side,
)
from bench.rows.row import Row, Target
from bench.service import chat_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.stage import Stage

_SHORT, _LONG = 200, 2200
_SHORT_MODEL: Final = f"bench.stream-{_SHORT}-v1:0"
_LONG_MODEL: Final = f"bench.stream-{_LONG}-v1:0"
_PACED_MODEL: Final = "bench.paced-5-30-v1:0"
_STREAMS: Final = 5
_PACED_STREAMS: Final = 3


class _Streams:
    """The same streams by both."""

    def __init__(self, stage: Stage) -> None:
        self._rolecall, self._boto3 = stage.rolecall, stage.boto3
        token = stage.token()
        self._events = {
            model: chat_event(token, model=model, stream=True) for model in (_SHORT_MODEL, _LONG_MODEL, _PACED_MODEL)
        }

    def ours(self, model: str) -> None:
        """Read a stream to its end; one that ends without [DONE] is an AssertionError."""
        lines = deque(self._rolecall.lines(self._events[model]), maxlen=1)
        if lines.pop() != "data: [DONE]\n\n":
            raise AssertionError(f"{model} broke off")

    def theirs(self, model: str) -> None:
        """Read boto3's events to their end."""
        deque(self._boto3.events(model), maxlen=0)

    def our_first_token(self) -> float:
        """Return the milliseconds to the first line with text, of a stream that is then read to its end."""
        started, found = time.perf_counter(), 0.0
        for line in self._rolecall.lines(self._events[_PACED_MODEL]):
            if not found and '"content": " word0"' in line:
                found = time.perf_counter()
        return (found - started) * 1000

    def their_first_token(self) -> float:
        """Return the milliseconds to the first event with text."""
        started, found = time.perf_counter(), 0.0
        for event in self._boto3.events(_PACED_MODEL):
            if not found and "contentBlockDelta" in event:
                found = time.perf_counter()
        return (found - started) * 1000


def _total(stage: Stage) -> list[Reading]:
    streams = _Streams(stage)
    figures = interleaved(
        {
            "ours": lambda: p50(lambda: streams.ours(_SHORT_MODEL), _STREAMS),
            "boto3": lambda: p50(lambda: streams.theirs(_SHORT_MODEL), _STREAMS),
        }
    )
    note = ours_of_theirs(figures["ours"], figures["boto3"], "ms")
    return [Reading.of(ratios(figures["ours"], figures["boto3"]), note)]


def _cpu(stage: Stage) -> list[Reading]:
    streams = _Streams(stage)
    figures = interleaved(
        {"ours": lambda: _cpu_of_a_chunk(streams.ours), "boto3": lambda: _cpu_of_a_chunk(streams.theirs)}
    )
    note = ours_of_theirs(figures["ours"], figures["boto3"], "µs")
    return [Reading.of(ratios(figures["boto3"], figures["ours"]), note)]


def _cpu_of_a_chunk(stream: Callable[[str], None]) -> float:
    """Return the microseconds of this process's CPU, all threads, by which a stream grows with each chunk."""
    spent = []
    for model in (_SHORT_MODEL, _LONG_MODEL):
        before = time.process_time()
        for _ in range(3):
            stream(model)
        spent.append((time.process_time() - before) / 3)
    return (spent[1] - spent[0]) / (_LONG - _SHORT) * 1e6


def _first_token(stage: Stage) -> list[Reading]:
    streams = _Streams(stage)

    def added(way: Callable[[Callable[[], float]], float], rounds: int) -> Reading:
        figures = interleaved(
            {"ours": lambda: way(streams.our_first_token), "boto3": lambda: way(streams.their_first_token)}, rounds
        )
        note = ours_of_theirs(figures["ours"], figures["boto3"], "ms")
        return Reading.of(differences(figures["ours"], figures["boto3"]), note)

    return [
        added(lambda first_token: statistics.median(first_token() for _ in range(_PACED_STREAMS)), 12),
        added(lambda first_token: statistics.median(side_by_side(first_token)), 20),
    ]


TOTAL: Final = Row(
    3,
    (Target(f"stream of {_SHORT} events, no pauses: total ÷ raw boto3's", must=1.0, goal=0.6),),
    f"{_STREAMS} streams a block, read to the end; boto3 only reads, we also write the lines of events.",
    _total,
)
CPU: Final = Row(
    4,
    (Target("CPU of a streamed chunk: raw boto3's ÷ ours", must=1.0, goal=2.6, at_least=True),),
    f"CPU time of the process for streams of {_LONG} events, less that of {_SHORT} events, by the events between.",
    _cpu,
)
FIRST_TOKEN: Final = Row(
    5,
    (
        Target("first token of a paced stream, minus raw boto3's", must=3, goal=1, unit="ms"),
        Target("the same, 16 streams at once", must=3, goal=1, unit="ms"),
    ),
    "From the event to the first text, in streams with 30 ms before each event, read to their end.",
    _first_token,
)

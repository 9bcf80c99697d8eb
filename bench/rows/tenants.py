"""Rows 12 and 13: many tenants in one process, and one whose STS hangs."""

from __future__ import annotations

import gc
import statistics
import sys
import threading
import time
import tracemalloc
from collections import deque
from typing import TYPE_CHECKING, Final

from bench.measuring import Reading, differences, interleaved, milliseconds, p50, percentile
from bench.rows.row import Row, Target
from bench.service import chat_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.service import Event
    from bench.stage import Stage

_ROLES: Final = 400
_CLIENTS_HELD: Final = 10
_SWITCHES: Final = 20
_BLOCKS: Final = _ROLES // _SWITCHES
_HANGING_CHATS: Final = 8
_WARM_CHATS: Final = 100
_FIRST_CHATS: Final = 4
_ROUNDS: Final = 10


def _held(stage: Stage) -> list[Reading]:
    rolecall = stage.new_service()
    events = [chat_event(token) for token in stage.tokens(_ROLES)]
    rolecall.chat(chat_event(stage.token()))
    ours = _kept(lambda: deque(map(rolecall.chat, events), maxlen=0)) / _ROLES
    # One client of a role's keys, with whatever boto3 shares between clients already there.
    stage.boto3.chat()
    theirs = _kept(lambda: [stage.boto3.another_client() for _ in range(_CLIENTS_HELD)]) / _CLIENTS_HELD

    switches = [_switch(rolecall.chat, events[number * _SWITCHES :][:_SWITCHES]) for number in range(_BLOCKS)]
    return [
        Reading.exact(ours / 1024, f"boto3's client {theirs / 1024:.0f}"),
        Reading.of(switches),
    ]


def _kept(work: Callable[[], object]) -> float:
    """Return the octets that are still held after a piece of work, its result included."""
    gc.collect()
    tracemalloc.start()
    result = work()
    gc.collect()
    # botocore looks methods up under names that it makes anew each time; Python's cache of them holds thousands.
    sys._clear_type_cache()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return held


def _switch(chat: Callable[[Event], None], events: Sequence[Event]) -> float:
    """Return the microseconds of CPU by which the first chat for a role takes longer than the second after it."""
    first: list[float] = []
    second: list[float] = []
    for event in events:
        # The connections are remembered for seconds, and busy machines take longer than that for all roles.
        chat(event)
    for event in events:
        for times in (first, second):
            before = time.thread_time()
            chat(event)
            times.append((time.thread_time() - before) * 1e6)
    return statistics.median(first) - statistics.median(second)


def _hanging(stage: Stage) -> list[Reading]:
    rolecall = stage.new_service()
    warm = chat_event(stage.token())
    hanging = iter([chat_event(token) for token in stage.tokens(_ROUNDS + 1, "Hanging")])
    fresh = iter([chat_event(token) for token in stage.tokens(2 * _FIRST_CHATS * (_ROUNDS + 1))])
    first_alone: list[float] = []
    first_beside: list[float] = []

    def alone() -> float:
        first_alone.append(_first_chats(rolecall.chat, fresh))
        return percentile([milliseconds(lambda: rolecall.chat(warm)) for _ in range(_WARM_CHATS)], 0.95)

    def beside() -> float:
        stuck = next(hanging)
        threads = [threading.Thread(target=rolecall.chat, args=(stuck,)) for _ in range(_HANGING_CHATS)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        first_beside.append(_first_chats(rolecall.chat, fresh))
        warm_p95 = percentile([milliseconds(lambda: rolecall.chat(warm)) for _ in range(_WARM_CHATS)], 0.95)
        if not all(thread.is_alive() for thread in threads):
            raise AssertionError("the other tenant's chats ended before ours were measured")
        for thread in threads:
            thread.join()
        return warm_p95

    figures = interleaved({"alone": alone, "beside": beside}, rounds=_ROUNDS)
    return [
        Reading.of(differences(figures["beside"], figures["alone"])),
        Reading.of(differences(first_beside[1:], first_alone[1:])),
    ]


def _first_chats(chat: Callable[[Event], None], fresh: Iterator[Event]) -> float:
    return p50(lambda: chat(next(fresh)), _FIRST_CHATS)


HELD: Final = Row(
    12,
    (
        Target("memory for each role that is held", must=16, goal=4, unit="KB"),
        Target("a chat for another role than the last: CPU added", must=None, goal=5, unit="µs"),
    ),
    f"What Python still holds after a chat with each of {_ROLES} roles: session, grant, connection, caller. For boto3 "
    "one client each. Then two chats for each role, one after the other; the first of them switches.",
    _held,
)
HANGING: Final = Row(
    13,
    (
        Target("another tenant's STS hangs: added to a warm chat, p95", must=20, goal=5, unit="ms"),
        Target("the same: added to someone's first chat, p50", must=20, goal=5, unit="ms"),
    ),
    f"STS takes 2 s for one tenant, {_HANGING_CHATS} of whose chats wait for it, while others chat.",
    _hanging,
)

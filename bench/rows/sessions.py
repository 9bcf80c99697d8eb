"""Rows 10 and 11: how often STS is asked, by a role that lets us in and by one that refuses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bench.measuring import CLIENTS, Reading, milliseconds, side_by_side
from bench.rows.row import Row, Target
from bench.service import chat_event

if TYPE_CHECKING:
    from bench.stage import Stage

_REFUSED_CHATS: Final = 100
_STS_SECONDS: Final = 0.5
"""How long AssumeRole takes for the role whose session is renewed (`bench.stub.state`)."""


def _assumed(stage: Stage) -> list[Reading]:
    rolecall = stage.new_service()
    at_once = chat_event(stage.token("Late"))
    stage.stub.calls(forget=True)
    side_by_side(lambda: milliseconds(lambda: rolecall.chat(at_once)))
    first = stage.stub.calls(forget=True)

    # The first session of this role is near its end, so the chats that follow have it renewed beside them.
    ending = chat_event(stage.token("Ending"))
    rolecall.chat(ending)
    times = []
    until = time.monotonic() + 3 * _STS_SECONDS
    while time.monotonic() < until:
        times.append(milliseconds(lambda: rolecall.chat(ending)))
    renewed = stage.stub.calls()
    lives = 1 + 2
    return [
        Reading.exact((first.counts["AssumeRole"] + renewed.counts["AssumeRole"]) / lives),
        Reading.exact(max(first.most_assuming_at_once, renewed.most_assuming_at_once)),
        Reading.exact(sum(took > _STS_SECONDS * 1000 / 2 for took in times), f"of {len(times)}"),
    ]


def _refused(stage: Stage) -> list[Reading]:
    rolecall = stage.new_service()
    event = chat_event(stage.token("Refusing"))
    stage.stub.calls(forget=True)
    body = rolecall.refusal(event)
    if "is not authorized to perform: sts:AssumeRole" not in body:
        raise AssertionError(f"STS's reason is not in the answer: {body}")
    times = [milliseconds(lambda: rolecall.refusal(event)) for _ in range(_REFUSED_CHATS)]
    return [Reading.exact(stage.stub.calls().counts["AssumeRole"]), Reading.of(times)]


ASSUMED: Final = Row(
    10,
    (
        Target("AssumeRole calls for each session of a role", must=1, goal=1, unit="calls"),
        Target("AssumeRole calls for one role at a time", must=1, goal=1, unit="calls"),
        Target("chats delayed while a session is renewed", must=None, goal=0, unit="chats"),
    ),
    f"{CLIENTS} first chats of one role at once; then chats with a session that ends in five minutes, while STS takes "
    f"{_STS_SECONDS} s to give the next.",
    _assumed,
)
REFUSED: Final = Row(
    11,
    (
        Target(f"role that refuses us: STS calls for {_REFUSED_CHATS} chats in 30 s", must=1, goal=1, unit="calls"),
        Target("the answer, 403 with STS's reason: p50", must=None, goal=1, unit="ms"),
    ),
    "One client; the first answer, which asks STS, is not among the times.",
    _refused,
)

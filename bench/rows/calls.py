"""Row 15: what AWS is called for by a warm chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.measuring import Reading
from bench.rows.row import Row, Target
from bench.service import chat_event

if TYPE_CHECKING:
    from bench.stage import Stage


def _warm_chat(stage: Stage) -> list[Reading]:
    token = stage.token()
    whole, streamed = chat_event(token), chat_event(token, model="bench.stream-20-v1:0", stream=True)
    stage.rolecall.chat(whole)
    stage.stub.calls(forget=True)
    stage.rolecall.chat(whole)
    of_whole = stage.stub.calls(forget=True).counts
    line, before_end = "", {}
    for line in stage.rolecall.lines(streamed):
        if line == "data: [DONE]\n\n":
            before_end = stage.stub.calls().counts
    return [_reading(of_whole), _reading(before_end), _reading(stage.stub.calls().counts)]


def _reading(counts: dict[str, int]) -> Reading:
    return Reading.exact(sum(counts.values()), ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))


WARM_CHAT: Final = Row(
    15,
    (
        Target("warm chat, whole: AWS calls", must=1, goal=1, unit="calls"),
        Target("warm chat, streamed: AWS calls before the last line", must=1, goal=1, unit="calls"),
        Target("warm chat, streamed: AWS calls in all", must=2, goal=2, unit="calls"),
    ),
    "Counted by the stub, for the second chat of a connection within the seconds for which it is remembered.",
    _warm_chat,
)

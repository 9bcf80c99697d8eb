"""Row 6: the list of models, asked of AWS and remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.measuring import ROUNDS, Reading, interleaved, milliseconds, ours_of_theirs, p50, ratios
from bench.rows.row import Row, Target
from bench.service import chat_event, models_event

if TYPE_CHECKING:
    from bench.stage import Stage

_LISTS: Final = 5
_FROM_CACHE: Final = 40
_LISTINGS: Final = ("ListFoundationModels", "ListInferenceProfiles")


def _list(stage: Stage) -> list[Reading]:
    # Each connection is new to the list, so nothing is remembered of it, but its session is warm, as boto3's is.
    tokens = iter(stage.tokens(_LISTS * (ROUNDS + 1)))
    rolecall, boto3 = stage.rolecall, stage.boto3

    def ours() -> float:
        batch = [next(tokens) for _ in range(_LISTS)]
        for token in batch:
            rolecall.chat(chat_event(token))
        events = iter([models_event(token) for token in batch])
        return p50(lambda: rolecall.list_models(next(events)), _LISTS)

    asked = interleaved({"ours": ours, "boto3": lambda: p50(boto3.list_models, _LISTS)})
    again = models_event(stage.token())
    rolecall.list_models(again)
    stage.stub.calls(forget=True)
    times = [milliseconds(lambda: rolecall.list_models(again)) for _ in range(_FROM_CACHE)]
    counts = stage.stub.calls().counts
    return [
        Reading.of(ratios(asked["ours"], asked["boto3"]), ours_of_theirs(asked["ours"], asked["boto3"], "ms")),
        Reading.exact(sum(counts.get(name, 0) for name in _LISTINGS) / _FROM_CACHE),
        Reading.of(times),
    ]


LIST: Final = Row(
    6,
    (
        Target("model list, asked of AWS: p50 ÷ raw boto3's", must=1.0, goal=0.2),
        Target("the list again: AWS calls", must=0, goal=0, unit="calls"),
        Target("the list again: p50", must=None, goal=0.3, unit="ms"),
    ),
    "120 models and 60 profiles. Raw boto3 makes the same three calls, one after the other. Each of our lists that is "
    "asked of AWS is the first of its connection, with a session that is already there.",
    _list,
)

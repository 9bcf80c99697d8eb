"""Rows 1 and 2: a chat of 1 KB, by one client and by sixteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.measuring import CLIENTS, Reading, interleaved, milliseconds, ours_of_theirs, p50, ratios, side_by_side
from bench.rows.row import Row, Target
from bench.service import chat_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.stage import Stage

_CHATS: Final = 30
_ROUNDS: Final = 40
_CHATS_OF_EACH: Final = 25


def _one_client(stage: Stage) -> list[Reading]:
    event = chat_event(stage.token())
    rolecall, boto3 = stage.rolecall, stage.boto3
    figures = interleaved(
        {"ours": lambda: p50(lambda: rolecall.chat(event), _CHATS), "boto3": lambda: p50(boto3.chat, _CHATS)}, _ROUNDS
    )
    note = ours_of_theirs(figures["ours"], figures["boto3"], "ms")
    return [Reading.of(ratios(figures["ours"], figures["boto3"]), note)]


def _sixteen_clients(stage: Stage) -> list[Reading]:
    event = chat_event(stage.token())
    rolecall, boto3 = stage.rolecall, stage.boto3
    figures = interleaved({"ours": lambda: _rate(lambda: rolecall.chat(event)), "boto3": lambda: _rate(boto3.chat)})
    note = ours_of_theirs(figures["ours"], figures["boto3"], "chats/s")
    return [Reading.of(ratios(figures["ours"], figures["boto3"]), note)]


def _rate(chat: Callable[[], None]) -> float:
    """Return chats a second of sixteen threads."""

    def several() -> float:
        for _ in range(_CHATS_OF_EACH):
            chat()
        return 0.0

    return CLIENTS * _CHATS_OF_EACH / milliseconds(lambda: side_by_side(several)) * 1000


ONE_CLIENT: Final = Row(
    1,
    (Target("chat of 1 KB, one client: p50 ÷ raw boto3's", must=1.0, goal=0.55),),
    f"{_CHATS} chats a block, one after the other; the median of each block.",
    _one_client,
)
SIXTEEN_CLIENTS: Final = Row(
    2,
    (Target("chat of 1 KB, 16 clients: chats/s ÷ raw boto3's", must=1.0, goal=1.8, at_least=True),),
    f"{CLIENTS} threads in one process, {_CHATS_OF_EACH} chats each; one boto3 client shared by all.",
    _sixteen_clients,
)

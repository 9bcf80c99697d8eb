"""Tools: OpenAI's become Converse's, with names and ids that Converse takes, and back.

Converse takes names of 64 letters, digits, `_` and `-`, ids of 64 with `.` and `:` besides, no empty description and no
empty list of tools (service model of bedrock-runtime, 2023-09-30).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from chalicelib.chat import ChatRequest, Message, ToolCall

NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_ID: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,64}", re.ASCII)
_NINE: Final = re.compile(r"[a-zA-Z0-9]{9}", re.ASCII)


class Names:
    """Names or ids that Converse takes, for those of one request. The same name is always the same one."""

    def __init__(
        self, allowed: re.Pattern[str], taken: Iterable[str], candidate: Callable[[str, int], str] | None = None
    ) -> None:
        """Take note of the names in use; `candidate` makes one of a name and a number, other ones for other numbers."""
        self._allowed = allowed
        self._candidate = candidate or _like
        self._known: dict[str, str] = {}
        self._next: dict[str, int] = {}
        self._taken = {one for one in taken if allowed.fullmatch(one)}

    def of(self, name: str) -> str:
        """Return the name itself, or one like it."""
        if self._allowed.fullmatch(name):
            self._taken.add(name)
            return name
        if name not in self._known:
            self._known[name] = self._unused(name)
        return self._known[name]

    def added(self, name: str) -> str:
        """Return a name for something of ours, that nothing of the request's has: this one if it is free."""
        if name in self._taken:
            return self._unused(name)
        self._taken.add(name)
        return name

    def _unused(self, name: str) -> str:
        first = self._candidate(name, 1)
        # Names that become alike go on where the last one ended: from one on, each would try those of all before it.
        number = self._next.get(first, 1)
        while (candidate := self._candidate(name, number)) in self._taken:
            number += 1
        self._next[first] = number + 1
        self._taken.add(candidate)
        return candidate

    def changed(self) -> dict[str, str]:
        """Return the names of the request by those that were given in their place."""
        return {given: name for name, given in self._known.items()}


def tool_names(request: ChatRequest) -> Names:
    """Return the names of a request's tools, those of its history included."""
    return Names(NAME, [*(tool.function.name for tool in request.tools or ()), *called(request.messages)])


class CallIds:
    """The ids of the calls in a history, each for one call alone.

    Some models begin anew to count their calls in each answer, and Claude refuses a history in which an id is there
    twice (github.com/NVIDIA-NeMo/Switchyard/issues/502).
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._times: dict[str, int] = {}
        self._now: dict[str, str] = {}

    def begin(self, call_id: str) -> str:
        """Return the id of a call."""
        times = self._times[call_id] = self._times.get(call_id, 0) + 1
        # With a blank in it: no id has that, so another one is made of it.
        self._now[call_id] = self._names.of(call_id if times == 1 else f"{call_id} {times}")
        return self._now[call_id]

    def of(self, call_id: str) -> str:
        """Return the id by which the last call of this one is known."""
        return self._now[call_id]


def call_ids(messages: Sequence[Message], allowed: re.Pattern[str] = _ID, *, nine: bool = False) -> CallIds:
    """Return the ids of the calls in a history, all of the form that is `allowed`.

    `nine`: the model takes ids of nine letters and digits alone.
    """
    ids = [call.id for message in messages for call in message.tool_calls or ()]
    return CallIds(Names(_NINE, ids, _of_nine) if nine else Names(allowed, ids))


def _like(name: str, number: int) -> str:
    return f"{re.sub(r'[^a-zA-Z0-9_-]', '_', name, flags=re.ASCII)[:56] or 'tool'}_{number}"


def _of_nine(name: str, number: int) -> str:
    return hashlib.sha256(f"{number} {name}".encode("utf-8", "surrogatepass")).hexdigest()[:9]


def tool_use(call: ToolCall, names: Names, ids: CallIds, param: str) -> dict[str, Any]:
    """Return Converse's block of a call that the model made earlier."""
    arguments = arguments_of(call, param)
    return {"toolUse": {"toolUseId": ids.begin(call.id), "name": names.of(call.function.name), "input": arguments}}


def arguments_of(call: ToolCall, param: str) -> dict[str, Any]:
    """Return the arguments of a call, whose place is `param`. Raises `invalid_value` for what is no JSON object."""
    try:
        # Python reads NaN and Infinity, which no JSON has and AWS refuses.
        arguments = json.loads(call.function.arguments or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise ServiceError(
            "invalid_value", "The arguments of a call must be a JSON object.", param=f"{param}.function.arguments"
        )
    return arguments


def tool_result(message: Message, ids: CallIds) -> dict[str, Any]:
    """Return Converse's block of a result. It takes an empty list of contents, and no empty text."""
    content = [{"text": text} for text in message.texts()]
    return {"toolResult": {"toolUseId": ids.of(message.tool_call_id or ""), "content": content}}


def require_results(messages: Sequence[Message]) -> None:
    """Raise `invalid_value` unless each call of a tool has its one result before anyone speaks again.

    Bedrock would refuse it too, with words about content blocks that nobody sent ("Expected toolResult blocks ...").
    """
    open_calls: dict[str, int] = {}
    for place, message in enumerate(messages):
        if message.role == "tool":
            call = message.tool_call_id
            if call is None or call not in open_calls:
                raise ServiceError(
                    "invalid_value",
                    "This result belongs to no call of the assistant's message before it, or is its second one.",
                    param=f"messages.{place}.tool_call_id",
                )
            del open_calls[call]
            continue
        _require_none(open_calls)
        open_calls = {call.id: place for call in message.tool_calls or ()} if message.role == "assistant" else {}
        if len(open_calls) != len(message.tool_calls or ()) and message.role == "assistant":
            raise ServiceError("invalid_value", "Two calls have the same id.", param=f"messages.{place}.tool_calls")
    _require_none(open_calls)


def _require_none(open_calls: Mapping[str, int]) -> None:
    if open_calls:
        ids = ", ".join(ascii(one)[:80] for one in list(open_calls)[:10])
        raise ServiceError(
            "invalid_value",
            f"Calls of tools have no result: {ids}.",
            param=f"messages.{next(iter(open_calls.values()))}.tool_calls",
            fix="Send a message of role tool for each call, right after the assistant's.",
        )


def _no_constant(name: str) -> None:
    raise ValueError(name)


def called(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the names of the tools that a history calls."""
    for message in messages:
        if message.role == "assistant":
            for call in message.tool_calls or ():
                yield call.function.name

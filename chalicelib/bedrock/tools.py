"""Tools: OpenAI's become Converse's, with names and ids that Converse takes, and back.

Converse takes names of 64 letters, digits, `_` and `-`, ids of 64 with `.` and `:` besides, no empty description and no
empty list of tools (service model of bedrock-runtime, 2023-09-30).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from chalicelib.chat import NamedTool
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from chalicelib.chat import ChatRequest, Message, Tool, ToolCall

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_ID: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,64}", re.ASCII)
_NO_CALLS: Final = "Do not call a tool now. Answer in words."
"""Converse has no tool_choice `none`, and wants the tools of a history to be declared."""
_ONE_JSON: Final = "Answer with one JSON object and nothing else."
ANSWER: Final = "answer_in_json"


class Names:
    """Names or ids that Converse takes, for those of one request. The same name is always the same one."""

    def __init__(self, allowed: re.Pattern[str], taken: Sequence[str] = ()) -> None:
        self._allowed = allowed
        self._known: dict[str, str] = {}
        self._taken = {one for one in taken if allowed.fullmatch(one)}

    def of(self, name: str) -> str:
        """Return the name itself, or one like it."""
        if self._allowed.fullmatch(name):
            self._taken.add(name)
            return name
        if name not in self._known:
            stem, number = re.sub(r"[^a-zA-Z0-9_-]", "_", name, flags=re.ASCII)[:56] or "tool", 1
            while (candidate := f"{stem}_{number}") in self._taken:
                number += 1
            self._known[name] = candidate
            self._taken.add(candidate)
        return self._known[name]

    def changed(self) -> dict[str, str]:
        """Return the names of the request by those that were given in their place."""
        return {given: name for name, given in self._known.items()}


def tool_names(request: ChatRequest) -> Names:
    """Return the names of a request's tools, those of its history included."""
    return Names(_NAME, [*(tool.function.name for tool in request.tools or ()), *_called(request.messages), ANSWER])


def call_ids(messages: Sequence[Message]) -> Names:
    """Return the ids of the calls in a history."""
    return Names(_ID, [call.id for message in messages for call in message.tool_calls or ()])


def tool_use(call: ToolCall, names: Names, ids: Names, param: str) -> dict[str, Any]:
    """Return Converse's block of a call that the model made earlier."""
    try:
        arguments = json.loads(call.function.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise ServiceError(
            "invalid_value", "The arguments of a call must be a JSON object.", param=f"{param}.function.arguments"
        )
    return {"toolUse": {"toolUseId": ids.of(call.id), "name": names.of(call.function.name), "input": arguments}}


def tool_result(message: Message, ids: Names) -> dict[str, Any]:
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


def _called(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        for call in message.tool_calls or ():
            yield call.function.name


class Offer:
    """What a request offers the model: Converse's `toolConfig`, hints for the system prompt, fields that were changed.

    `answer_tool` is the tool that stands for the answer where JSON of a schema was asked for: Converse's own field for
    it is taken by few models, and being made to call a tool by all that know tools.
    """

    def __init__(self, request: ChatRequest, names: Names, *, parallel_can_be_off: bool) -> None:
        self.hints: list[str] = []
        self.changed: list[str] = []
        self.config: dict[str, Any] | None = None
        self.extra: dict[str, Any] = {}
        self.answer_tool: str | None = None
        specs = [_spec(tool, names) for tool in request.tools or ()]
        declared = {spec["toolSpec"]["name"] for spec in specs}
        history = list(dict.fromkeys(names.of(name) for name in _called(request.messages)))
        choice = self._choice(request, names, declared)
        if request.tool_choice == "none" or not specs:
            self.hints += [_NO_CALLS] if history else []
            specs = specs if history else []
        missing = [
            {"toolSpec": {"name": name, "inputSchema": _schema(None)}} for name in history if name not in declared
        ]
        specs += missing
        wanted = request.response_format
        if wanted is not None and wanted.type == "json_object":
            self.hints.append(_ONE_JSON)
        elif wanted is not None and wanted.type == "json_schema":
            choice = self._answer_in_json(request, specs, offered=bool(specs) and not self.hints)
        if specs:
            self.config = {"tools": specs} | ({"toolChoice": choice} if choice else {})
        if request.parallel_tool_calls is False and specs:
            self._one_at_a_time(choice, can_be_off=parallel_can_be_off)

    def _choice(self, request: ChatRequest, names: Names, declared: set[str]) -> dict[str, Any] | None:
        choice = request.tool_choice
        if isinstance(choice, NamedTool):
            name = names.of(choice.function.name)
            if name not in declared:
                raise ServiceError("invalid_value", "There is no tool of this name.", param="tool_choice.function.name")
            return {"tool": {"name": name}}
        if choice == "required":
            if not declared:
                raise ServiceError("invalid_value", "No tool is offered.", param="tool_choice", fix="Send tools.")
            return {"any": {}}
        return None

    def _answer_in_json(self, request: ChatRequest, specs: list[dict[str, Any]], *, offered: bool) -> dict[str, Any]:
        schema = request.response_format.json_schema if request.response_format else None
        if schema is None or schema.schema_ is None:
            raise ServiceError("missing_field", "This field is required.", param="response_format.json_schema.schema")
        self.answer_tool = ANSWER
        spec = {"name": ANSWER, "description": schema.description or "Give the answer.", "inputSchema": {}}
        spec["inputSchema"] = _schema(schema.schema_)
        specs.append({"toolSpec": spec})
        # With tools besides, the model may call one of them first; it still can't answer but by a tool.
        return {"any": {}} if offered else {"tool": {"name": ANSWER}}

    def _one_at_a_time(self, choice: dict[str, Any] | None, *, can_be_off: bool) -> None:
        if not can_be_off:
            self.changed.append("parallel_tool_calls")
            return
        kind = next(iter(choice)) if choice else "auto"
        self.extra = {"tool_choice": {"type": kind, "disable_parallel_tool_use": True}}
        if choice and kind == "tool":
            self.extra["tool_choice"]["name"] = choice["tool"]["name"]


def _spec(tool: Tool, names: Names) -> dict[str, Any]:
    function = tool.function
    spec: dict[str, Any] = {"name": names.of(function.name), "inputSchema": _schema(function.parameters)}
    if function.description and function.description.strip():
        spec["description"] = function.description
    return {"toolSpec": spec}


def _schema(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"json": dict(schema) if schema else {"type": "object", "properties": {}}}

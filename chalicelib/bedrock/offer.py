"""What a request offers a model to call, and the form it wants the answer in: `toolConfig` and `outputConfig`.

JSON of a schema is Bedrock's own affair where model and schema allow it; elsewhere a tool of ours stands for the
answer, and the model is made to call it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.quirks import Quirk
from chalicelib.bedrock.schemas import closed
from chalicelib.bedrock.tools import called
from chalicelib.chat import NamedTool
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.bedrock.reasoning import Reasoning
    from chalicelib.bedrock.tools import Names
    from chalicelib.chat import CacheControl, ChatRequest, JsonSchema, Tool

_NO_CALLS: Final = "Do not call a tool now. Answer in words."
"""Converse has no tool_choice `none`, and wants the tools of a history to be declared."""
ONE_JSON: Final = "Answer with one JSON object and nothing else."
"""Stands for OpenAI's JSON mode, which no other API has."""
ANSWER: Final = "answer_in_json"
"""What a tool of ours is called whose input is the answer, where nothing of the client's is called so."""
Choice = dict[str, Any] | None
"""Converse's `toolChoice`; None is `auto`."""


class Offer:
    """What a request offers the model, in Converse's words.

    `config` is `toolConfig`, `output` is `outputConfig`, `extra` goes into `additionalModelRequestFields`, `hints` into
    the system prompt; `changed` names fields that are not honored as sent. `answer_tool` is the tool whose input is the
    answer.
    """

    def __init__(self, request: ChatRequest, names: Names, quirks: frozenset[Quirk], reasoning: Reasoning) -> None:
        self._quirks = quirks
        self._names = names
        # Claude refuses to be made to call a tool while it thinks.
        self._can_force = Quirk.NO_FORCED_TOOL not in quirks and not reasoning.claude
        self.hints: list[str] = []
        self.changed: list[str] = []
        self.config: dict[str, Any] | None = None
        self.output: dict[str, Any] | None = None
        self.extra: dict[str, Any] = {}
        self.answer_tool: str | None = None
        tools = self._tools(request)
        may_call = bool(tools) and request.tool_choice != "none"
        choice = self._choice(request, {tool["toolSpec"]["name"] for tool in tools if "toolSpec" in tool})
        tools = self._with_history(request, tools, may_call=may_call)
        wanted = request.response_format
        if wanted is not None and wanted.type == "json_object":
            self.hints.append(ONE_JSON)
        elif wanted is not None and wanted.type == "json_schema":
            choice = self._json(wanted.json_schema, tools, choice, may_call=may_call)
        if tools:
            self.config = {"tools": tools} | ({"toolChoice": choice} if choice else {})
        if request.parallel_tool_calls is False and may_call:
            self._one_at_a_time(choice)

    def _tools(self, request: ChatRequest) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        seen: set[str] = set()
        for place, tool in enumerate(request.tools or ()):
            if tool.function.name in seen:
                raise ServiceError("invalid_value", "Two tools have this name.", param=f"tools.{place}.function.name")
            seen.add(tool.function.name)
            made.append({"toolSpec": self._spec(tool, place)})
            if tool.cache_control is not None:
                made += self._cache_point(tool.cache_control)
        return made

    def _spec(self, tool: Tool, place: int) -> dict[str, Any]:
        function = tool.function
        schema = object_schema(function.parameters, f"tools.{place}.function.parameters")
        spec: dict[str, Any] = {"name": self._names.of(function.name), "inputSchema": {"json": schema}}
        if function.description and function.description.strip():
            spec["description"] = function.description
        if function.strict:
            strict = closed(schema, strict=True) if Quirk.JSON_SCHEMA in self._quirks else None
            if strict is None:
                self._change("tools.function.strict")
            else:
                spec |= {"strict": True, "inputSchema": {"json": strict}}
        return spec

    def _cache_point(self, control: CacheControl) -> list[dict[str, Any]]:
        if not {Quirk.CACHE_POINTS, Quirk.CACHE_POINTS_IN_TOOLS} <= self._quirks:
            self._change("tools.cache_control")
            return []
        return [cache_point(control)]

    def _with_history(
        self, request: ChatRequest, tools: list[dict[str, Any]], *, may_call: bool
    ) -> list[dict[str, Any]]:
        """Return the tools, those included that only the history calls: Converse wants every one to be declared."""
        history = list(dict.fromkeys(self._names.of(name) for name in called(request.messages)))
        if not may_call:
            self.hints += [_NO_CALLS] if history else []
            tools = tools if history else []
        declared = {tool["toolSpec"]["name"] for tool in tools if "toolSpec" in tool}
        return tools + [
            {"toolSpec": {"name": name, "inputSchema": {"json": object_schema(None, "")}}}
            for name in history
            if name not in declared
        ]

    def _choice(self, request: ChatRequest, declared: set[str]) -> Choice:
        choice = request.tool_choice
        if isinstance(choice, NamedTool):
            name = self._names.of(choice.function.name)
            if name not in declared:
                raise ServiceError("invalid_value", "There is no tool of this name.", param="tool_choice.function.name")
            return self._made_to_call(name, asked_to_call(name), "tool_choice")
        if choice == "required":
            if not declared:
                raise ServiceError("invalid_value", "No tool is offered.", param="tool_choice", fix="Send tools.")
            return self._made_to_call(None, asked_to_call(None), "tool_choice")
        return None

    def _made_to_call(self, name: str | None, hint: str, field: str | None) -> Choice:
        """Return the choice that makes the model call this tool, or any; where it can't be made to, it is asked to."""
        if self._can_force and name is not None and Quirk.NO_NAMED_TOOL not in self._quirks:
            return {"tool": {"name": name}}
        if not self._can_force or name is not None:
            self.hints.append(hint)
            if field is not None:
                self._change(field)
        return {"any": {}} if self._can_force else None

    def _json(
        self, wanted: JsonSchema | None, tools: list[dict[str, object]], choice: Choice, *, may_call: bool
    ) -> Choice:
        """Ask for JSON of a schema, and return what must be called for it."""
        wanted, schema = wanted_schema(wanted)
        native = closed(schema, strict=bool(wanted.strict)) if Quirk.JSON_SCHEMA in self._quirks else None
        if native is not None:
            text: dict[str, Any] = {"schema": json.dumps(native, ensure_ascii=False), "name": wanted.name}
            if wanted.description:
                text["description"] = wanted.description
            self.output = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": text}}}
            return choice
        self.answer_tool = self._names.added(ANSWER)
        self.hints = [hint for hint in self.hints if hint != _NO_CALLS]
        spec = {"name": self.answer_tool, "description": meaning_of(wanted), "inputSchema": {"json": schema}}
        tools.append({"toolSpec": spec})
        if choice is not None and "tool" in choice:
            return choice
        hint = asked_to_answer(self.answer_tool)
        # With tools besides, the model may call one of them first; it still can't answer but by a tool.
        return self._made_to_call(None if may_call and self._can_force else self.answer_tool, hint, None)

    def _one_at_a_time(self, choice: Choice) -> None:
        if Quirk.ONE_CALL_SWITCH not in self._quirks:
            self._change("parallel_tool_calls")
            return
        kind = next(iter(choice)) if choice else "auto"
        self.extra = {"tool_choice": {"type": kind, "disable_parallel_tool_use": True}}
        if choice and kind == "tool":
            self.extra["tool_choice"]["name"] = choice["tool"]["name"]

    def _change(self, name: str) -> None:
        if name not in self.changed:
            self.changed.append(name)


def cache_point(control: CacheControl) -> dict[str, Any]:
    """Return Converse's block that ends what is worth keeping."""
    return {"cachePoint": {"type": "default"} | ({"ttl": control.ttl} if control.ttl else {})}


def asked_to_call(name: str | None) -> str:
    """Return what a model is told that can't be made to call this tool; None: some tool."""
    return "Answer by calling one of the tools." if name is None else f"Answer by calling the tool {name}."


def asked_to_answer(tool: str) -> str:
    """Return what a model is told that can't be made to call the tool which stands for the answer."""
    return f"Give your answer by calling the tool {tool}, and not in words."


def wanted_schema(wanted: JsonSchema | None) -> tuple[JsonSchema, dict[str, Any]]:
    """Return what the answer is to fit, and its schema. Raises `ServiceError` where there is none, or none of objects.

    Both of Bedrock's ways, and Anthropic's own API, take objects alone.
    """
    param = "response_format.json_schema.schema"
    if wanted is None or wanted.schema_ is None:
        raise ServiceError("missing_field", f"{param}: This field is required.", param=param)
    return wanted, object_schema(wanted.schema_, param)


def meaning_of(wanted: JsonSchema) -> str:
    """Return what is said of the tool that stands for the answer."""
    return wanted.description if wanted.description and wanted.description.strip() else "Give the answer."


def object_schema(schema: Mapping[str, object] | None, param: str) -> dict[str, Any]:
    """Return a schema whose root says that it is an object, as Converse and Claude want it."""
    if not schema:
        return {"type": "object", "properties": {}}
    if schema.get("type", "object") != "object":
        raise ServiceError("invalid_value", "The root of the schema must be an object.", param=param)
    return {"type": "object", **schema}

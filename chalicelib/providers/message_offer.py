"""What a chat offers Claude to call, and the form it wants the answer in, in the words of Anthropic's Messages.

Source: Anthropic's API reference, "Messages", and its guides "Structured outputs" and "Extended thinking".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from chalicelib.bedrock.offer import (
    ANSWER,
    asked_to_answer,
    asked_to_call,
    meaning_of,
    object_schema,
    wanted_schema,
)
from chalicelib.bedrock.quirks import Quirk, quirks_of
from chalicelib.bedrock.schemas import closed
from chalicelib.bedrock.tools import tool_names
from chalicelib.chat import NamedTool
from chalicelib.errors import ServiceError
from chalicelib.providers.message_blocks import marked

if TYPE_CHECKING:
    from chalicelib.chat import ChatRequest, Tool


class Offered(NamedTuple):
    """Tools and the choice among them, the format of the answer, and what the system is told besides.

    The input of `answer_tool` is the answer, where JSON of a schema is asked for that way.
    """

    tools: list[dict[str, Any]]
    choice: dict[str, Any]
    form: dict[str, Any] | None
    hints: list[str]
    answer_tool: str | None


def offer(model: str, chat: ChatRequest, changed: list[str], *, can_force: bool) -> Offered:
    """Return what is offered, and add to `changed` what is not as asked. Raises `ServiceError`.

    `can_force`: the model can be made to call a tool; while it thinks it can be asked to alone.
    """
    tools = [_tool(model, tool, place, changed) for place, tool in enumerate(chat.tools or ())]
    choice = _choice(chat) if tools else {}
    if not tools and chat.tool_choice not in {None, "auto", "none"}:
        raise ServiceError("invalid_value", "No tool is offered.", param="tool_choice", fix="Send tools.")
    hints: list[str] = []
    if not can_force and choice.get("type") in {"any", "tool"}:
        hints.append(asked_to_call(choice.pop("name", None)))
        choice["type"] = "auto"
        changed.append("tool_choice")
    form = answer_tool = None
    if chat.response_format is not None and chat.response_format.type == "json_schema":
        wanted, schema = wanted_schema(chat.response_format.json_schema)
        native = closed(schema, strict=bool(wanted.strict)) if Quirk.JSON_SCHEMA in quirks_of(model) else None
        if native is not None:
            form = {"type": "json_schema", "schema": native}
        else:
            # As with Bedrock: what Anthropic can't hold a model to is asked for through a tool.
            answer_tool = tool_names(chat).added(ANSWER)
            tools.append({"name": answer_tool, "description": meaning_of(wanted), "input_schema": schema})
            choice = _made_to_answer(choice, answer_tool, hints, can_force=can_force)
    return Offered(tools, choice, form, hints, answer_tool)


def _made_to_answer(choice: dict[str, Any], answer_tool: str, hints: list[str], *, can_force: bool) -> dict[str, Any]:
    """Return the choice that has the answer called, or another tool where the client lets the model choose."""
    if not can_force:
        hints.append(asked_to_answer(answer_tool))
        return {**choice, "type": "auto"}
    if choice.get("type") in {None, "none"}:
        return {"type": "tool", "name": answer_tool}
    return {**choice, "type": "any"} if choice["type"] == "auto" else choice


def _choice(chat: ChatRequest) -> dict[str, Any]:
    choice = chat.tool_choice
    chosen: dict[str, Any] = {"type": {"required": "any", "none": "none"}.get(str(choice), "auto")}
    if isinstance(choice, NamedTool):
        chosen = {"type": "tool", "name": choice.function.name}
    if chat.parallel_tool_calls is False and chosen["type"] != "none":
        chosen["disable_parallel_tool_use"] = True
    return chosen


def _tool(model: str, tool: Tool, place: int, changed: list[str]) -> dict[str, Any]:
    function = tool.function
    schema = object_schema(function.parameters, f"tools.{place}.function.parameters")
    made: dict[str, Any] = {"name": function.name, "input_schema": schema}
    if function.description and function.description.strip():
        made["description"] = function.description
    if function.strict:
        strict = closed(schema, strict=True) if Quirk.JSON_SCHEMA in quirks_of(model) else None
        if strict is None:
            changed.append("tools.function.strict")
        else:
            made |= {"strict": True, "input_schema": strict}
    return marked(made, tool.cache_control)

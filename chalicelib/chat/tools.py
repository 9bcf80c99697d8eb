"""Tools that a model may call, its calls, and the form that an answer is asked for in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_Name = Annotated[str, Field(min_length=1, max_length=256)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CacheControl(_Shape):
    """Where a prompt's beginning that is worth keeping ends: Anthropic's field, which OpenAI's clients pass on."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class FunctionSpec(_Shape):
    """A function: what it is for, and the JSON schema of its arguments."""

    name: _Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: Annotated[bool, Field(strict=True)] | None = None


class Tool(_Shape):
    """A tool on offer. OpenAI's `custom` tools have no schema, and so no place in Converse."""

    type: Literal["function"]
    function: FunctionSpec
    cache_control: CacheControl | None = None


class CalledFunction(_Shape):
    """A call: the arguments are a JSON object as text, as the model wrote it."""

    name: _Name
    arguments: str


class ToolCall(_Shape):
    """A call of a tool by the model; `id` is what its result refers to."""

    id: Annotated[str, Field(min_length=1, max_length=512)]
    type: Literal["function"] = "function"
    function: CalledFunction


class _Named(_Shape):
    name: _Name


class NamedTool(_Shape):
    """A choice of one tool."""

    type: Literal["function"]
    function: _Named


ToolChoice = Literal["none", "auto", "required"] | NamedTool


class JsonSchema(_Shape):
    """A schema that the answer must fit."""

    name: _Name
    description: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: Annotated[bool, Field(strict=True)] | None = None


class ResponseFormat(_Shape):
    """The form of the answer: text, any JSON object, or one that fits a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

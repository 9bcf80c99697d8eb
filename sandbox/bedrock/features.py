"""What a model can't do, and the fields beside the messages: system, tools, sampling, structured output, caching.

Texts as reported: instructor#1753 (system), langchain-aws#447 and LibreChat#6351 (tools), spring-ai-alibaba#3082
(schema type), litellm#3286 (stop sequences), mem0#4147 (two sampling fields).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sandbox.aws.authentication import AwsError
from sandbox.bedrock.content import check_content, check_system, must_be_object
from sandbox.bedrock.parrot import thinks
from sandbox.bedrock.refusals import model_refused, refused, unsupported
from sandbox.bedrock.tokens import input_tokens
from sandbox.bedrock.turns import check_turns

if TYPE_CHECKING:
    from sandbox.bedrock.catalog import Chat, Model

_CACHE_POINTS: Final = 4
_LEAST_THINKING: Final = 1024


def check_conversation(request: dict[str, Any], model: Model, *, streaming: bool) -> None:
    """Raise AwsError unless the model can answer the request, already checked against its shape."""
    chat = model.chat
    if chat is None:
        raise refused(
            "This action doesn't support the model that you provided. Try again with a supported text or chat model."
        )
    if streaming and not model.streams:
        raise refused("The model is unsupported for streaming.")
    messages = request.get("messages", [])
    if request.get("system") and "system" not in chat.has:
        raise refused(
            "This model doesn't support system messages. Try again without a system message or use a model that "
            "supports system messages."
        )
    check_system(request.get("system", []))
    _tools(request, chat, streaming=streaming)
    check_turns(messages, chat)
    check_content(messages, chat)
    _sampling(request, model, chat)
    _output_format(request, chat)
    _thinking(request, chat)
    _caching(request, chat)
    _context(request, model, chat)


def check_native(request: dict[str, Any], model: Model, *, streaming: bool = False) -> None:
    """Raise AwsError unless Claude can answer what it was asked in its own words.

    Converse alone wants tools to be declared for old calls, and a text beside each document.
    """
    chat = model.chat
    if chat is None or (streaming and not model.streams):
        raise refused("The model is unsupported for streaming.")
    if "toolConfig" in request:
        _tools(request, chat, streaming=streaming)
    check_turns(request["messages"], chat)
    check_content(request["messages"], chat, with_text=False)
    _sampling(request, model, chat)
    _output_format(request, chat)
    _thinking(request, chat)
    _caching(request, chat)
    _context(request, model, chat)


def _tools(request: dict[str, Any], chat: Chat, *, streaming: bool) -> None:
    config = request.get("toolConfig")
    used = any(
        "toolUse" in block or "toolResult" in block
        for message in request.get("messages", [])
        for block in message["content"]
    )
    if (config or used) and "tools" not in chat.has:
        raise refused(f"This model doesn't support tool use{' in streaming mode' if streaming else ''}.")
    if config is None:
        if used:
            raise refused("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
        return
    names = [_tool_name(tool["toolSpec"], n) for n, tool in enumerate(config["tools"]) if "toolSpec" in tool]
    if len(set(names)) < len(names):
        raise model_refused("tools: Tool names must be unique.")
    for kind, choice in config.get("toolChoice", {}).items():
        if kind not in chat.tool_choice:
            raise unsupported(f"toolConfig.toolChoice.{kind}")
        if kind == "tool" and choice["name"] not in names:
            raise model_refused(f"Tool '{choice['name']}' not found in provided tools")


def _tool_name(spec: dict[str, Any], index: int) -> str:
    schema = spec["inputSchema"]["json"]
    where = f"toolConfig.tools.{index}.toolSpec.inputSchema.json"
    must_be_object(schema, where)
    if schema.get("type") != "object":
        raise refused(f"The value at {where}.type must be one of the following: object.")
    return str(spec["name"])


def _sampling(request: dict[str, Any], model: Model, chat: Chat) -> None:
    config = request.get("inferenceConfig", {})
    if config.get("maxTokens", 0) > chat.max_tokens:
        raise refused(
            f"The maximum tokens you requested exceed the model limit of {chat.max_tokens}. Try again with a maximum "
            f"tokens value lower than {chat.max_tokens}."
        )
    if model.is_claude and any(not sequence.strip() for sequence in config.get("stopSequences", [])):
        raise model_refused("stop_sequences: each stop sequence must contain non-whitespace")
    if "one_sampling_field" in chat.has and "temperature" in config and "topP" in config:
        raise model_refused("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def _output_format(request: dict[str, Any], chat: Chat) -> None:
    text_format = request.get("outputConfig", {}).get("textFormat")
    if text_format is None:
        return
    if "json_schema" not in chat.has:
        raise unsupported("outputConfig.textFormat.structure")
    try:
        schema = json.loads(text_format["structure"]["jsonSchema"]["schema"])
    except (ValueError, RecursionError) as error:
        raise model_refused("output_config.format.schema: Invalid JSON") from error
    _closed_objects(schema)


def _closed_objects(schema: object) -> None:
    if isinstance(schema, list):
        for part in schema:
            _closed_objects(part)
    if isinstance(schema, dict):
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            raise model_refused(
                "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
            )
        for part in schema.values():
            _closed_objects(part)


def _thinking(request: dict[str, Any], chat: Chat) -> None:
    if not thinks(request):
        return
    if "thinking" not in chat.has:
        raise model_refused("thinking: Extra inputs are not permitted")
    thinking = request["additionalModelRequestFields"]["thinking"]
    config = request.get("inferenceConfig", {})
    budget = thinking.get("budget_tokens")
    if thinking["type"] == "enabled" and (not isinstance(budget, int) or budget < _LEAST_THINKING):
        raise model_refused("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if isinstance(budget, int) and budget >= config.get("maxTokens", chat.max_tokens):
        raise model_refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if config.get("temperature", 1) != 1:
        raise model_refused("`temperature` may only be set to 1 when thinking is enabled.")
    if {"any", "tool"} & set(request.get("toolConfig", {}).get("toolChoice", {})):
        raise model_refused("Thinking may not be enabled when tool_choice forces tool use.")


def _caching(request: dict[str, Any], chat: Chat) -> None:
    blocks = [*request.get("system", []), *request.get("toolConfig", {}).get("tools", [])]
    blocks += [block for message in request.get("messages", []) for block in message["content"]]
    points = sum("cachePoint" in block for block in blocks)
    if points and "caching" not in chat.has:
        raise AwsError(
            "AccessDeniedException",
            "You invoked an unsupported model or your request did not allow prompt caching. See the documentation for "
            "more information.",
            403,
        )
    if points > _CACHE_POINTS:
        raise model_refused(f"A maximum of {_CACHE_POINTS} blocks with cache_control may be provided. Found {points}.")


def _context(request: dict[str, object], model: Model, chat: Chat) -> None:
    count = input_tokens(request)
    if count > chat.context:
        if model.is_claude:
            raise model_refused(f"prompt is too long: {count} tokens > {chat.context} maximum")
        raise refused("Input is too long for requested model.")

"""Anthropic's Messages body, as InvokeModel and CountTokens take it: the Converse request that says the same.

What Anthropic's side refuses is refused here: fields and beta flags that it does not know, in the words reported in
anthropics/claude-code#49548 and #49370, thoughts whose signature is not its own, and addresses of images, as Bedrock
takes base64 alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from sandbox.bedrock.refusals import model_refused, refused

if TYPE_CHECKING:
    from sandbox.bedrock.catalog import Model

VERSION: Final = "bedrock-2023-05-31"
_REQUIRED: Final = ("anthropic_version", "max_tokens", "messages")
_OPTIONAL: Final = (
    "anthropic_beta", "system", "tools", "tool_choice", "thinking", "output_config", "context_management",
    "stop_sequences", "temperature", "top_p", "top_k", "metadata",
)  # fmt: skip
_BETAS: Final = frozenset(
    {
        "claude-code-20250219", "interleaved-thinking-2025-05-14", "context-management-2025-06-27",
        "context-1m-2025-08-07", "compact-2026-01-12", "effort-2025-11-24", "structured-outputs-2025-12-15",
        "token-efficient-tools-2025-02-19", "tool-search-tool-2025-10-19", "tool-examples-2025-10-29",
        "computer-use-2025-01-24", "computer-use-2025-11-24", "output-128k-2025-02-19",
        "fine-grained-tool-streaming-2025-05-14",
    }
)  # fmt: skip
_CLIENT_TOOLS: Final = ("bash_", "text_editor_", "computer_", "memory_", "custom")
"""Types of tools that the client runs itself; those that Anthropic runs are not in Bedrock."""
_CHOICES: Final[dict[str, dict[str, Any]]] = {"auto": {"auto": {}}, "any": {"any": {}}, "none": {"auto": {}}}


def as_converse(body: bytes, model: Model) -> dict[str, Any]:
    """Return the Converse request with the same content. Raises AwsError for a body that Claude does not take."""
    given = _parsed(body)
    _check_names(given)
    betas = _list(given, "anthropic_beta")
    tools = [_tool(tool, at, betas) for at, tool in enumerate(_list(given, "tools"))]
    choice = given.get("tool_choice", {"type": "auto"})
    fields = {name: given[name] for name in ("thinking", "top_k", "tool_choice") if name in given}
    inference = {
        "maxTokens": given["max_tokens"],
        **({"stopSequences": given["stop_sequences"]} if given.get("stop_sequences") else {}),
        **({"temperature": given["temperature"]} if "temperature" in given else {}),
        **({"topP": given["top_p"]} if "top_p" in given else {}),
    }
    return {
        "modelId": model.id,
        "system": _blocks(given.get("system", []), "system"),
        "messages": _messages(given["messages"]),
        "inferenceConfig": inference,
        **({"toolConfig": {"tools": tools, "toolChoice": _choice(choice)}} if tools else {}),
        **({"additionalModelRequestFields": fields} if fields else {}),
        **_output(given.get("output_config", {})),
    }


def calls_no_tool(body: bytes) -> bool:
    """Whether the body says `tool_choice` none, for which Converse has no word."""
    choice = _parsed(body).get("tool_choice")
    return isinstance(choice, dict) and choice.get("type") == "none"


def signature_of(thought: str) -> str:
    """Return what proves that a thought is the fake model's own."""
    return hashlib.sha256(thought.encode()).hexdigest()


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise refused("Malformed input request, please reformat your input and try again.") from error
    if not isinstance(given, dict):
        raise refused("Malformed input request: expected type: JSONObject, please reformat your input and try again.")
    return given


def _check_names(given: dict[str, object]) -> None:
    for name in _REQUIRED:
        if name not in given:
            raise model_refused(f"{name}: Field required")
    for name in given:
        if name not in _REQUIRED + _OPTIONAL:
            raise refused(f"{name}: Extra inputs are not permitted")
    if given["anthropic_version"] != VERSION:
        raise model_refused(f"anthropic_version: Input should be '{VERSION}'")
    if isinstance(given["max_tokens"], bool) or not isinstance(given["max_tokens"], int) or given["max_tokens"] < 1:
        raise model_refused("max_tokens: Input should be greater than or equal to 1")
    betas = _list(given, "anthropic_beta")
    if not set(map(str, betas)) <= _BETAS:
        raise model_refused("invalid beta flag")
    if "context_management" in given and not {"context-management-2025-06-27", "compact-2026-01-12"} & set(betas):
        raise refused("context_management: Extra inputs are not permitted")
    if not isinstance(given["messages"], list) or not given["messages"]:
        raise model_refused("messages: at least one message is required")


def _list(given: dict[str, object], name: str) -> list[Any]:
    value = given.get(name, [])
    if not isinstance(value, list):
        raise model_refused(f"{name}: Input should be a valid list")
    return value


def _tool(tool: dict[str, object], at: int, betas: list[str]) -> dict[str, Any]:
    kind = tool.get("type", "custom")
    for name in ("eager_input_streaming", *(("defer_loading",) if "tool-search-tool-2025-10-19" not in betas else ())):
        if name in tool:
            raise model_refused(f"tools.{at}.custom.{name}: Extra inputs are not permitted")
    if not str(kind).startswith(_CLIENT_TOOLS):
        raise model_refused(
            f"tools.{at}: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
            "'bash_20250124', 'custom', 'text_editor_20250124', 'text_editor_20250728'"
        )
    if kind == "custom" and "input_schema" not in tool:
        raise model_refused(f"tools.{at}.custom.input_schema: Field required")
    described = {"description": str(tool["description"])} if tool.get("description") else {}
    schema = tool.get("input_schema", {"type": "object"})
    return {"toolSpec": {"name": str(tool.get("name", "")), **described, "inputSchema": {"json": schema}}}


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    if choice.get("type") == "tool":
        return {"tool": {"name": str(choice.get("name", ""))}}
    if choice.get("type") not in _CHOICES:
        raise model_refused("tool_choice: Input tag does not match any of the expected tags: 'auto', 'any', 'tool'")
    return _CHOICES[choice["type"]]


def _output(config: dict[str, Any]) -> dict[str, Any]:
    output = config.get("format")
    if not output:
        return {}
    schema = json.dumps(output.get("schema", {}))
    return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema}}}}}


def _messages(given: list[dict[str, object]]) -> list[dict[str, Any]]:
    """Return the turns; two of one role in a row are one, as Anthropic reads them."""
    turns: list[dict[str, Any]] = []
    for at, message in enumerate(given):
        role, content = message.get("role"), _blocks(message.get("content", []), f"messages.{at}.content")
        if role not in ("user", "assistant"):
            raise model_refused(f"messages.{at}.role: Input should be 'user' or 'assistant'")
        if not content and at < len(given) - 1:
            raise model_refused(f"messages.{at}: all messages must have non-empty content")
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += content
        else:
            turns.append({"role": role, "content": content})
    return turns


def _blocks(content: object, where: str) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"text": content}] if content else []
    if not isinstance(content, list):
        raise model_refused(f"{where}: Input should be a valid string or list")
    made = []
    for at, part in enumerate(content):
        _check_block(part, f"{where}.{at}")
        made.append(_block(part, f"{where}.{at}"))
        if part.get("cache_control"):
            if "scope" in part["cache_control"]:
                raise model_refused(f"{where}.{at}.cache_control.ephemeral.scope: Extra inputs are not permitted")
            made.append({"cachePoint": {"type": "default"}})
    return made


def _check_block(part: dict[str, Any], where: str) -> None:
    """Refuse what Anthropic's own API takes, when an answer of its is sent back (anthropics/anthropic-sdk-go#186)."""
    for kind, name in (("text", "citations"), ("tool_use", "caller")):
        if part.get("type") == kind and name in part:
            raise model_refused(f"{where}.{kind}.{name}: Extra inputs are not permitted")


def _block(part: dict[str, object], where: str) -> dict[str, Any]:
    match part.get("type"):
        case "text":
            if not part.get("text"):
                raise model_refused(f"{where}.text: text content blocks must be non-empty")
            return {"text": str(part["text"])}
        case "tool_use":
            call = {"toolUseId": part.get("id"), "name": str(part.get("name", "")), "input": part.get("input", {})}
            return {"toolUse": call}
        case "tool_result":
            content = _blocks(part.get("content", []), f"{where}.content")
            return {"toolResult": {"toolUseId": part.get("tool_use_id"), "content": content}}
        case "thinking":
            thought = str(part.get("thinking", ""))
            if part.get("signature") != signature_of(thought):
                raise model_refused(f"{where}: Invalid `signature` in `thinking` block")
            return {"reasoningContent": {"reasoningText": {"text": thought, "signature": part["signature"]}}}
        case "image":
            source = _source(part, where)
            return {
                "image": {"format": str(source["media_type"]).partition("/")[2], "source": {"bytes": _octets(source)}}
            }
        case "document":
            return {"document": _document(part, where)}
        case kind:
            raise model_refused(
                f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            )


def _source(part: dict[str, object], where: str) -> dict[str, Any]:
    source = part.get("source")
    if not isinstance(source, dict) or source.get("type") not in ("base64", "text"):
        raise model_refused(f"{where}.source: Input tag does not match any of the expected tags: 'base64'")
    return source


def _document(part: dict[str, object], where: str) -> dict[str, Any]:
    source = _source(part, where)
    named = {"name": "".join(character if character.isalnum() else "-" for character in where)}
    if source["type"] == "text":
        return {**named, "format": "txt", "source": {"bytes": str(source.get("data", "")).encode()}}
    return {**named, "format": "pdf", "source": {"bytes": _octets(source)}}


def _octets(source: dict[str, object]) -> bytes:
    try:
        return base64.b64decode(str(source.get("data", "")), validate=True)
    except binascii.Error as error:
        raise model_refused("source.base64: invalid base64 data") from error

"""Anthropic's Messages body, read as far as CountTokens needs: the same texts as the Converse request it stands for."""

from __future__ import annotations

import json
from typing import Any

from sandbox.bedrock.refusals import model_refused, refused


def as_converse(body: bytes) -> dict[str, Any]:
    """Return the Converse request with the same messages, system and tools. Raises AwsError for another body."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise refused("Malformed input request, please reformat your input and try again.") from error
    if not isinstance(given, dict) or not isinstance(given.get("messages"), list):
        raise refused(
            "Malformed input request: #: required key [messages] not found, please reformat your input and try again."
        )
    if "anthropic_version" not in given:
        raise model_refused("anthropic_version: Field required")
    tools = [_tool(tool) for tool in given.get("tools", []) if isinstance(tool, dict)]
    return {
        "system": _blocks(given.get("system", [])),
        "messages": [
            {"role": message.get("role"), "content": _blocks(message.get("content", []))}
            for message in given["messages"]
            if isinstance(message, dict)
        ],
        **({"toolConfig": {"tools": tools}} if tools else {}),
    }


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    described = {"description": str(tool["description"])} if tool.get("description") else {}
    spec = {"name": str(tool.get("name", "")), **described, "inputSchema": {"json": tool.get("input_schema")}}
    return {"toolSpec": spec}


def _blocks(content: object) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"text": content}] if content else []
    if not isinstance(content, list):
        raise model_refused("messages.content: Input should be a valid string or list")
    return [_block(part) for part in content if isinstance(part, dict)]


def _block(part: dict[str, Any]) -> dict[str, Any]:
    match part.get("type"):
        case "text":
            return {"text": str(part.get("text", ""))}
        case "tool_use":
            return {"toolUse": {"name": str(part.get("name", "")), "input": part.get("input", {})}}
        case "tool_result":
            return {"toolResult": {"content": _blocks(part.get("content", []))}}
        case "thinking":
            return {"reasoningContent": {"reasoningText": {"text": str(part.get("thinking", ""))}}}
        case "image" | "document":
            return {"image": {}}
        case kind:
            raise model_refused(
                f"messages.content: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            )

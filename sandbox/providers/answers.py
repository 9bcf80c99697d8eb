"""What the fakes say: the same model of rules that answers for Bedrock, asked in each company's words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from sandbox.bedrock.catalog import catalog
from sandbox.bedrock.parrot import reply

_MODEL: Final = "amazon.nova-lite-v1:0"
"""One that does not reason; nothing else of it is used."""
_LIMIT: Final = 4096
_PIECE: Final = 16


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: text, calls, and why it ended (end_turn, stop_sequence, max_tokens, tool_use)."""

    text: str
    calls: tuple[Call, ...]
    reason: str
    input_tokens: int
    output_tokens: int

    def pieces(self) -> list[str]:
        """Return the text as a stream brings it."""
        return [self.text[at : at + _PIECE] for at in range(0, len(self.text), _PIECE)]


@dataclass(slots=True)
class Question:
    """A chat in neutral terms. `turns` are (role, text or image or result) in order."""

    turns: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    tools: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    choice: dict[str, Any] = field(default_factory=lambda: {"auto": {}})
    limit: int | None = None
    stops: list[str] = field(default_factory=list)
    schema: dict[str, Any] | None = None

    def text(self, role: str, text: str) -> None:
        """Add a text of a role."""
        self.turns.append((role, {"text": text}))

    def image(self, role: str) -> None:
        """Add an image."""
        self.turns.append((role, {"image": {}}))

    def result(self, call_id: str, text: str) -> None:
        """Add a tool's result."""
        self.turns.append(("user", {"toolResult": {"toolUseId": call_id, "content": [{"text": text}]}}))


def say(question: Question) -> Said:
    """Answer a question."""
    request: dict[str, Any] = {
        "messages": [
            {"role": role, "content": [block for _, block in blocks]}
            for role, blocks in groupby(question.turns, key=lambda turn: turn[0])
        ]
        or [_nothing()],
        "system": [{"text": text} for text in question.system],
        "inferenceConfig": {"maxTokens": question.limit or _LIMIT, "stopSequences": question.stops},
    }
    if question.tools:
        specs = [{"toolSpec": {"name": name, "inputSchema": {"json": schema}}} for name, schema in question.tools]
        request["toolConfig"] = {"tools": specs, "toolChoice": question.choice}
    if question.schema is not None:
        structure = {"jsonSchema": {"schema": json.dumps(question.schema)}}
        request["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
    answer = reply(request, catalog().models[_MODEL])
    calls = [block["toolUse"] for block in answer.content if "toolUse" in block]
    return Said(
        "".join(block.get("text", "") for block in answer.content),
        tuple(Call(call["toolUseId"].removeprefix("tooluse_"), call["name"], call["input"]) for call in calls),
        answer.stop_reason,
        answer.input_tokens,
        answer.output_tokens,
    )


def _nothing() -> dict[str, Any]:
    return {"role": "user", "content": [{"text": ""}]}

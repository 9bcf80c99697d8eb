"""How much a model thinks before it answers, and what it thought, in OpenAI's words and in each model's.

OpenAI has one field, `reasoning_effort`; Converse has none, so each family's own is used. What was thought comes back
as `reasoning_content`, and with its signature as `thinking_blocks`, which Claude wants to see again in a loop of tools.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.chat import RedactedThinking, Thinking
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chalicelib.chat import ChatRequest, Effort, Message

_LEAST_BUDGET: Final = 1024
"""Tokens; Claude takes no smaller budget (Anthropic's API reference, extended thinking)."""
_BUDGETS: Final = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576}
_THREE: Final = {"minimal": "low", "xhigh": "high"}
"""Efforts by the next one that a scale of low, medium and high has."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a request's effort comes to: fields for the model, and what they rule out.

    `on`: the model was told to think. `claude`: then Claude refuses sampling fields and forced tools, and wants its
    signed thoughts back.
    """

    on: bool = False
    claude: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)
    changed: tuple[str, ...] = ()


class _Row(NamedTuple):
    models: tuple[str, ...]
    fields: Callable[[Effort, int | None], dict[str, Any]]
    source: str
    claude: bool = False


def _adaptive(effort: Effort, _: int | None) -> dict[str, Any]:
    return {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low" if effort == "minimal" else effort}}


def _adaptive_to_max(effort: Effort, limit: int | None) -> dict[str, Any]:
    made = _adaptive(effort, limit)
    if effort == "xhigh":
        made["output_config"] = {"effort": "max"}
    return made


def _budget(effort: Effort, limit: int | None) -> dict[str, Any]:
    budget = _BUDGETS[effort]
    if limit is not None:
        # The budget is a part of the limit, and must leave something for the answer.
        budget = min(budget, limit - 1)
        if budget < _LEAST_BUDGET:
            raise ServiceError(
                "invalid_value",
                f"This model thinks with {_LEAST_BUDGET} tokens at least, which count among those of the answer.",
                param="max_completion_tokens",
                fix=f"Allow more than {_LEAST_BUDGET} tokens, or leave reasoning_effort out.",
            )
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


_ROWS: Final = (
    _Row(
        ("claude-opus-4-7", "claude-opus-4-8", "claude-opus-5", "claude-sonnet-5"),
        _adaptive,
        "2026-11: github.com/egoist/chatwise-releases/issues/1393, github.com/8monkey-ai/hebo-gateway/pull/126,"
        " github.com/langchain-ai/docs/pull/5239",
        claude=True,
    ),
    _Row(
        ("claude-opus-4-6", "claude-sonnet-4-6"),
        _adaptive_to_max,
        "2026-11: github.com/ENTERPILOT/GoModel/pull/360; Bedrock user guide, Adaptive thinking",
        claude=True,
    ),
    _Row(
        ("claude-3-7-sonnet", "claude-sonnet-4", "claude-opus-4", "claude-haiku-4"),
        _budget,
        "2026-11: Bedrock user guide, Extended thinking; github.com/maximhq/bifrost/pull/1559",
        claude=True,
    ),
    _Row(
        ("amazon.nova-2",),
        lambda effort, _: {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": _THREE.get(effort, effort)}},
        "2026-11: github.com/langchain-ai/docs/pull/5239",
    ),
    _Row(
        ("openai.gpt-oss", "moonshot"),
        lambda effort, _: {"reasoning_effort": _THREE.get(effort, effort)},
        "2026-11: github.com/langchain-ai/docs/pull/5239",
    ),
    _Row(
        ("deepseek.v3", "zai.glm"),
        lambda effort, _: {"reasoning_config": _THREE.get(effort, effort)},
        "2026-11: pydantic-ai, models/bedrock.py",
    ),
)
"""Models that can be told how much to think; the first row that fits is taken."""


def reasoning_of(request: ChatRequest, known_as: str) -> Reasoning:
    """Return what the request's effort comes to, for a model known by this id.

    Raises `unsupported_parameter` for a model that can't be told.
    """
    effort = request.reasoning_effort
    if effort is None or effort == "none":
        on = _asked_by_itself(request) and "claude" in known_as
        return Reasoning(on=on, claude=on)
    row = next((row for row in _ROWS if any(part in known_as for part in row.models)), None)
    if row is None:
        raise ServiceError(
            "unsupported_parameter",
            "This model can't be told how much to think.",
            param="reasoning_effort",
            fix="Leave reasoning_effort out, or use a model that reasons.",
        )
    if row.claude and row.fields is _budget and _thoughts_are_missing(request.messages):
        # Claude refuses to go on thinking in a turn whose beginning lacks its thoughts, which most clients drop.
        return Reasoning(changed=("reasoning_effort",))
    return Reasoning(on=True, claude=row.claude, fields=row.fields(effort, request.token_limit))


def _asked_by_itself(request: ChatRequest) -> bool:
    """Whether the model's own field says that it is to think: what that rules out, it rules out all the same."""
    own = {} if request.bedrock is None else request.bedrock.additionalModelRequestFields or {}
    told = (own.get(name) for name in ("thinking", "reasoning_config"))
    return any(isinstance(one, dict) and one.get("type") in {"enabled", "adaptive"} for one in told)


def thoughts(message: Message) -> list[dict[str, Any]]:
    """Return Converse's blocks of what the model thought in an earlier answer: those that it signed."""
    made: list[dict[str, Any]] = []
    for block in filter(is_signed, message.thinking_blocks or ()):
        match block:
            case Thinking():
                made.append({"reasoningText": {"text": block.thinking, "signature": block.signature}})
            case RedactedThinking():
                made.append({"redactedContent": _of_base64(block.data)})
    return [{"reasoningContent": one} for one in made]


def is_signed(block: Thinking | RedactedThinking) -> bool:
    """Whether a thought can be given back to the model that had it."""
    return isinstance(block, RedactedThinking) or bool(block.signature)


def thinking_blocks(blocks: Sequence[object]) -> tuple[dict[str, str], ...]:
    """Return what a model thought as blocks to be sent back: signed ones, and those that only it can read."""
    made: list[dict[str, str]] = []
    for block in blocks:
        match block:
            case {"reasoningContent": {"reasoningText": {"text": str(text), "signature": str(signature)}}}:
                made.append({"type": "thinking", "thinking": text, "signature": signature})
            case {"reasoningContent": {"redactedContent": str(data)}}:
                made.append({"type": "redacted_thinking", "data": data})
    return tuple(made)


def _thoughts_are_missing(messages: Sequence[Message]) -> bool:
    """Whether the chat is within a loop of tools whose calls came without the thoughts before them."""
    if messages[-1].role != "tool":
        return False
    caller = next((message for message in reversed(messages) if message.role == "assistant"), None)
    return caller is not None and not any(map(is_signed, caller.thinking_blocks or ()))


def _of_base64(data: str) -> str:
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        raise ServiceError("invalid_value", "The data is no base64.", param="messages.thinking_blocks.data") from None
    return data

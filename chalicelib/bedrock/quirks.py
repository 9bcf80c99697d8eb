"""What single models refuse, need or can do in a chat, as data with date and source.

Rows fit by a part of the id, so a model and its profiles share one. An application profile's ARN does not tell its
model: who can asks AWS, and gives that one's id. A model that no row fits is asked as any other, and refuses in its own
words.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache
from typing import Final, NamedTuple


class Quirk(Enum):
    """One thing that a model refuses, needs, or can do where most can't."""

    NO_SYSTEM = auto()
    """Refuses texts of the system."""
    ONE_SAMPLING = auto()
    """Refuses `temperature` and `topP` in one request."""
    NO_SAMPLING = auto()
    """Refuses `temperature` and `topP`, each."""
    NO_BLANK_STOPS = auto()
    """Refuses stop sequences of white space."""
    NO_NAMED_TOOL = auto()
    """Can be made to call some tool, not to call a certain one."""
    NO_FORCED_TOOL = auto()
    """Can't be made to call a tool at all."""
    RESULTS_ALONE = auto()
    """Refuses anything beside the results of tools in one turn."""
    NO_DOCUMENT_BESIDE_RESULTS = auto()
    """Refuses documents beside the results of tools in one turn."""
    NINE_CHARACTER_IDS = auto()
    """Takes ids of calls that have nine letters and digits."""
    ONE_CALL_SWITCH = auto()
    """Has a field against several calls at once."""
    CACHE_POINTS = auto()
    """Keeps the beginning of a prompt where a cache point says so."""
    CACHE_POINTS_IN_TOOLS = auto()
    """Takes cache points among tools as well."""
    JSON_SCHEMA = auto()
    """Is held to a schema by Bedrock itself: `outputConfig`, and `strict` in tools."""


class _Row(NamedTuple):
    quirk: Quirk
    models: tuple[str, ...]
    source: str


_ROWS: Final = (
    _Row(
        Quirk.NO_SYSTEM,
        ("amazon.titan-text", "mistral.mistral-7b-instruct", "mistral.mixtral-8x7b-instruct"),
        "2026-11: Bedrock user guide, Supported models and model features;"
        " github.com/567-labs/instructor/issues/1753, github.com/danny-avila/LibreChat/issues/6456",
    ),
    _Row(
        Quirk.ONE_SAMPLING,
        (
            "claude-opus-4-1",
            "claude-opus-4-5",
            "claude-opus-4-6",
            "claude-sonnet-4-5",
            "claude-sonnet-4-6",
            "claude-haiku-4-5",
        ),
        "2026-11: github.com/aws-samples/bedrock-access-gateway/issues/191, github.com/mem0ai/mem0/issues/3891,"
        " github.com/BoltAI/BoltAI/issues/399, github.com/iOfficeAI/gemini-cli-pro/pull/38,"
        " github.com/Vali-98/ChatterUI/issues/564",
    ),
    _Row(
        Quirk.NO_SAMPLING,
        ("claude-opus-4-7", "claude-opus-4-8"),
        "2026-11: github.com/aws-samples/bedrock-chat/pull/1102, github.com/logancyang/obsidian-copilot/issues/2600",
    ),
    _Row(
        Quirk.NO_BLANK_STOPS,
        ("anthropic.claude",),
        "2026-11: github.com/BerriAI/litellm/issues/3286",
    ),
    _Row(
        Quirk.NO_NAMED_TOOL,
        ("mistral.", "writer.palmyra"),
        "2026-11: Bedrock API reference, ToolChoice; Bedrock user guide, Supported models and model features",
    ),
    _Row(
        Quirk.NO_FORCED_TOOL,
        ("meta.llama", "cohere.command", "ai21.jamba"),
        "2026-11: as above; github.com/langchain-ai/langchain-aws/issues/883",
    ),
    _Row(
        Quirk.RESULTS_ALONE,
        ("meta.llama", "mistral.", "cohere.command"),
        "2026-11: github.com/langchain-ai/langchain-aws/issues/141; pydantic-ai, models/bedrock.py",
    ),
    _Row(
        Quirk.NO_DOCUMENT_BESIDE_RESULTS,
        ("anthropic.claude",),
        "2026-11: github.com/pydantic/pydantic-ai/issues/3253",
    ),
    _Row(
        Quirk.NINE_CHARACTER_IDS,
        ("mistral.",),
        "2026-11: vercel/ai, packages/amazon-bedrock: Mistral's tool call ids",
    ),
    _Row(
        Quirk.ONE_CALL_SWITCH,
        ("anthropic.claude",),
        "2026-11: Anthropic's API reference, tool_choice.disable_parallel_tool_use",
    ),
    _Row(
        Quirk.CACHE_POINTS,
        ("claude-3-7-sonnet", "claude-sonnet-4", "claude-opus-4", "claude-haiku-4", "claude-sonnet-5", "claude-opus-5",
         "amazon.nova"),
        "2026-11: Bedrock user guide, Prompt caching",
    ),
    _Row(
        Quirk.CACHE_POINTS_IN_TOOLS,
        ("claude-",),
        "2026-11: as above; Nova has no cache points in tools",
    ),
    _Row(
        Quirk.JSON_SCHEMA,
        (
            "claude-haiku-4-5",
            "claude-sonnet-4-5",
            "claude-opus-4-5",
            "claude-opus-4-6",
            "claude-sonnet-4-6",
            "claude-opus-5",
            "claude-sonnet-5",
        ),
        "2026-11: github.com/langchain-ai/langchain-aws/issues/883; vercel/ai, @ai-sdk/anthropic 2.0.112 for Claude 5",
    ),
)  # fmt: skip


@lru_cache(maxsize=128)
def quirks_of(model: str) -> frozenset[Quirk]:
    """Return what is known of a model, by its id, its profile's id or the ARN of either."""
    return frozenset(row.quirk for row in _ROWS if any(part in model for part in row.models))

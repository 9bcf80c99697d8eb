"""What single models refuse of a text chat, as data with date and source. What stands here is left out, or moved.

Rows fit by a part of the id, so a model and its profiles share one; an application profile's ARN does not tell its
model, so nothing is known of it. A model that no row fits is asked as any other, and refuses in its own words.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple


class Quirk(Enum):
    """One thing that a model refuses."""

    NO_SYSTEM = auto()
    """Texts of the system."""
    ONE_SAMPLING = auto()
    """`temperature` and `topP` in one request."""
    NO_SAMPLING = auto()
    """`temperature` and `topP`, each."""
    NO_BLANK_STOPS = auto()
    """Stop sequences of white space."""


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
)


def quirks_of(model: str) -> frozenset[Quirk]:
    """Return what is known of a model, by its id, its profile's id or the ARN of either."""
    return frozenset(row.quirk for row in _ROWS if any(part in model for part in row.models))

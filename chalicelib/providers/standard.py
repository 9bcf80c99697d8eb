"""Which of a provider's models hold a plain chat, told by their names: an allow-list, as data with a date.

OpenAI's list has nothing but ids, and new reasoning models do not say so in theirs, so only known families are taken.
The patterns were run over the 217 OpenAI entries of LiteLLM's price map (2026-11): 32 fit, none of which reasons,
hears, searches or draws. An operator may replace them.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

_STANDARD: Final = re.compile(
    r"(ft:)?(gpt-3\.5-turbo(-16k)?|gpt-4|gpt-4-turbo|gpt-4o|gpt-4o-mini|gpt-4\.1(-mini|-nano)?|chatgpt-4o-latest)"
    r"(-\d{4}(-\d{2}-\d{2})?)?(-preview)?(:[\w:.-]*)?",
    re.ASCII,
)
_SPECIAL: Final = (
    ("audio|realtime|transcribe|tts|whisper|live", "speaks or listens"),
    ("image|dall-e|sora", "makes images"),
    ("search|deep-research|computer-use", "searches or acts by itself"),
    ("instruct|codex", "is made for another API than chat"),
    ("embedding|moderation", "answers no chats"),
    (r"^(ft:)?o\d|^(ft:)?gpt-(5|6|oss)|reason", "reasons before it answers"),
)
_NOT_GEMINI_CHAT: Final = ("embedding", "aqa", "image", "tts", "live", "audio", "veo", "imagen", "robotics")


class ModelRule:
    """Which OpenAI models may be called with a tenant's own key; `patterns` of the operator's replace ours."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._patterns = tuple(patterns)

    def allows(self, model: str) -> bool:
        """Whether the model is a standard chat model."""
        if self._patterns:
            return any(fnmatchcase(model, pattern) for pattern in self._patterns)
        return _STANDARD.fullmatch(model) is not None and special(model) is None

    def require(self, model: str) -> None:
        """Raise `model_not_supported` unless it is."""
        if self.allows(model):
            return
        what = special(model)
        raise ServiceError(
            "model_not_supported",
            f"With a key of your own, standard chat models alone can be called: this one {what}."
            if what is not None and not self._patterns
            else "With a key of your own, standard chat models alone can be called, and this is not a known one.",
            param="model",
            fix="GET /v1/models with the same key lists what can be called, such as gpt-4o or gpt-4.1.",
        )


def special(model: str) -> str | None:
    """Return what sets a model apart from those for plain chats, as far as its name tells."""
    # The part of a fine-tuned model's name that its owner chose says nothing of what it does.
    family = ":".join(model.split(":")[:2]) if model.startswith("ft:") else model
    return next((what for pattern, what in _SPECIAL if re.search(pattern, family, re.ASCII)), None)


def is_gemini_chat(name: str, methods: Sequence[str]) -> bool:
    """Whether a model of Google's answers chats: models of images and speech say generateContent of themselves too."""
    return "generateContent" in methods and may_be_gemini_chat(name)


def may_be_gemini_chat(name: str) -> bool:
    """Whether a name is that of a Gemini model which answers in text."""
    return name.startswith("gemini-") and not any(part in name for part in _NOT_GEMINI_CHAT)

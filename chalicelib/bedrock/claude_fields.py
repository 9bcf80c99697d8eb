"""What is asked of the shape of Anthropic's Messages: enough to name a field at fault here, and no more.

What stands inside of content blocks, tools and schemas is Anthropic's to judge, also what it adds tomorrow: it refuses
in its own words, with the place.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_MESSAGES: Final = 100_000
"""Anthropic's API reference, "Messages"."""
_MOST_TOOLS: Final = 1_000
_MOST_STOPS: Final = 100
_ROLES: Final = ("user", "assistant", "system")
"""A system message between the others is taken by some models; which, they say themselves."""


class _Shape(NamedTuple):
    fits: Callable[[Any], bool]
    words: str


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _typed(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str)


def _objects(most: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and len(value) <= most and all(isinstance(row, dict) for row in value)


def _texts(value: object) -> bool:
    return isinstance(value, list) and len(value) <= _MOST_STOPS and all(isinstance(text, str) for text in value)


def _content(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(_typed(block) for block in value))


_OBJECT: Final = _Shape(lambda value: isinstance(value, dict), "an object")
_SHAPES: Final = {
    "messages": _Shape(_objects(_MOST_MESSAGES), f"a list of at most {_MOST_MESSAGES} messages"),
    "max_tokens": _Shape(_whole, "a whole number, zero or more"),
    "system": _Shape(_content, "a text, or a list of blocks that each have a type"),
    "tools": _Shape(_objects(_MOST_TOOLS), f"a list of at most {_MOST_TOOLS} tools"),
    "tool_choice": _Shape(_typed, "an object that has a type"),
    "thinking": _Shape(_typed, "an object that has a type"),
    "output_config": _OBJECT,
    "output_format": _OBJECT,
    "context_management": _OBJECT,
    "metadata": _OBJECT,
    "stop_sequences": _Shape(_texts, f"a list of at most {_MOST_STOPS} texts"),
    "temperature": _Shape(_number, "a number"),
    "top_p": _Shape(_number, "a number"),
    "top_k": _Shape(_whole, "a whole number, zero or more"),
    "stream": _Shape(lambda value: isinstance(value, bool), "true or false"),
}


def check_fields(document: Mapping[str, Any], *, required: tuple[str, ...]) -> None:
    """Raise `ServiceError` for the first field that is missing or misshapen; `param` is its name, or its place."""
    for name in required:
        if document.get(name) is None:
            raise ServiceError("missing_field", f"{name}: This field is required.", param=name)
    for name, shape in _SHAPES.items():
        value = document.get(name)
        if value is not None and not shape.fits(value):
            raise ServiceError("invalid_type", f"{name}: It must be {shape.words}.", param=name)
    if not document["messages"]:
        raise ServiceError("invalid_value", "messages: There is no message.", param="messages", fix="Send one.")
    for at, message in enumerate(document["messages"]):
        _check_message(message, f"messages.{at}")


def _check_message(message: Mapping[str, object], place: str) -> None:
    for name in ("role", "content"):
        if message.get(name) is None:
            raise ServiceError("missing_field", f"{place}.{name}: This field is required.", param=f"{place}.{name}")
    if message["role"] not in _ROLES:
        raise ServiceError(
            "invalid_value", f"{place}.role: It must be one of {', '.join(_ROLES)}.", param=f"{place}.role"
        )
    if not _content(message["content"]):
        raise ServiceError(
            "invalid_type",
            f"{place}.content: It must be a text, or a list of blocks that each have a type.",
            param=f"{place}.content",
        )

"""Patterns of policies: `*` and `?`, and variables such as `${aws:username}`.

A pattern is a tuple of single characters and of the two wildcards, so that a star that stands for itself (`${*}`, or
one that came out of a variable) can't be taken for a wildcard.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Wildcard(Enum):
    """What matches more than itself."""

    ANY = "*"
    ONE = "?"


Pattern = tuple[str | Wildcard, ...]

_VARIABLE: Final = re.compile(r"\$\{([^{}]*)\}")
_LITERALS: Final = {"*": "*", "?": "?", "$": "$"}
_DEFAULT: Final = re.compile(r"\s*'([^']*)'\s*")


def compile_pattern(text: str, keys: Mapping[str, tuple[str, ...]], *, variables: bool) -> Pattern | None:
    """Return the pattern of a policy's text for one request.

    None when a variable in it has no single value: such a text matches nothing. Without `variables` (policies of
    version 2008-10-17) `${...}` stands for itself.
    """
    if not variables or "${" not in text:
        return _wildcards(text)
    parts: list[str | Wildcard] = []
    at = 0
    for found in _VARIABLE.finditer(text):
        parts.extend(_wildcards(text[at : found.start()]))
        value = _value(found[1], keys)
        if value is None:
            return None
        parts.extend(value)
        at = found.end()
    parts.extend(_wildcards(text[at:]))
    return tuple(parts)


def literal(text: str, keys: Mapping[str, tuple[str, ...]], *, variables: bool) -> str | None:
    """Return the text itself, variables replaced, wildcards taken for plain characters; None as `compile_pattern`."""
    pattern = compile_pattern(text, keys, variables=variables)
    return None if pattern is None else "".join(part.value if isinstance(part, Wildcard) else part for part in pattern)


def matches(pattern: Pattern, text: str, *, fold: bool = False) -> bool:
    """Return whether the whole text fits. Never exponential: a customer may paste a pattern of forty stars."""
    if fold:
        text = text.lower()
    at_pattern = at_text = 0
    star, resume = -1, 0
    while at_text < len(text):
        part = pattern[at_pattern] if at_pattern < len(pattern) else None
        if part is Wildcard.ANY:
            star, resume = at_pattern, at_text
            at_pattern += 1
        elif part is Wildcard.ONE or (part is not None and _same(part, text[at_text], fold=fold)):
            at_pattern += 1
            at_text += 1
        elif star >= 0:
            resume += 1
            at_pattern, at_text = star + 1, resume
        else:
            return False
    return all(part is Wildcard.ANY for part in pattern[at_pattern:])


def _same(part: str | Wildcard, character: str, *, fold: bool) -> bool:
    return isinstance(part, str) and (part.lower() if fold else part) == character


def _value(name: str, keys: Mapping[str, tuple[str, ...]]) -> str | None:
    if name in _LITERALS:
        return _LITERALS[name]
    key, comma, default = name.partition(",")
    values = keys.get(key.strip().lower())
    # A key with several values can't be a variable (IAM user guide, "Policy variables").
    if values is not None and len(values) == 1:
        return values[0]
    quoted = _DEFAULT.fullmatch(default) if comma else None
    return quoted[1] if quoted else None


@lru_cache(maxsize=4096)
def _wildcards(text: str) -> Pattern:
    return tuple(Wildcard(character) if character in "*?" else character for character in text)

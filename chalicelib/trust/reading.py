"""From JSON text, maybe hostile, to an object: no duplicate keys, no endless depth, numbers as they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST: Final = 20


class MalformedPolicyError(ValueError):
    """AWS would not store this document; the text is what it answers."""


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number in a document, as text: `1e999` and a number of ten thousand digits are no use as anything else."""

    text: str


def load(document: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a document as an object. Raises `MalformedPolicyError`. Numbers of a text come as `Numeral`."""
    if isinstance(document, str):
        try:
            document = json.loads(
                document,
                object_pairs_hook=_once,
                parse_constant=_no_constant,
                parse_int=Numeral,
                parse_float=Numeral,
            )
        except (ValueError, RecursionError):
            raise MalformedPolicyError("This policy contains invalid Json") from None
    if not isinstance(document, Mapping):
        raise MalformedPolicyError("This policy contains invalid Json")
    if _is_too_deep(document):
        raise MalformedPolicyError("Syntax errors in policy: nested too deeply.")
    return document


def stored_length(document: str | Mapping[str, Any]) -> int:
    """Return how many characters of its quota a document takes: white space does not count (IAM quotas).

    A trust policy may have 2,048 by default, and 4,096 at most.
    """
    text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return sum(not character.isspace() for character in text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise ValueError("a key stands twice")
    return keys


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _is_too_deep(document: object) -> bool:
    level: list[object] = [document]
    for _ in range(_DEEPEST):
        level = [child for value in level for child in _children(value)]
        if not level:
            return False
    return True


def _children(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list):
        yield from value

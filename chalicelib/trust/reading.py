"""From JSON text, maybe hostile, to an object: no duplicate keys, numbers as they are written.

Depth needs no bound of its own: json refuses what would exhaust the stack, and nothing that reads a policy recurses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class MalformedPolicyError(ValueError):
    """AWS would not store this document; the text is what it answers."""


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number in a document, as text: `1e999` and a number of ten thousand digits are no use as anything else."""

    text: str


def load(document: str | Mapping[str, object]) -> Mapping[str, Any]:
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
    return document


def stored_length(document: str | Mapping[str, object]) -> int:
    """Return how many characters of its quota a document takes: white space does not count (IAM quotas).

    A trust policy may have 2,048 by default, and 4,096 at most.
    """
    text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return sum(not character.isspace() for character in text)


def _once(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise ValueError("a key stands twice")
    return keys


def _no_constant(name: str) -> None:
    raise ValueError(name)

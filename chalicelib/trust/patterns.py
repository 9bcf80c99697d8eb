"""Patterns of policies: `*` and `?`, and variables such as `${aws:username}`.

A text is first cut into pieces, each either the policy's own, whose wildcards count, or plain: a star that stands for
itself (`${*}`, or one that came out of a variable) can't be taken for a wildcard. A pattern is what lies between its
stars. It is matched without regular expressions: a customer may paste forty stars.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Keys = Mapping[str, tuple[str, ...]]
    Piece = tuple[str, bool]
    """A text, and whether it is plain."""

_VARIABLE: Final = re.compile(r"\$\{([^{}]*)\}")
_SPECIAL: Final = re.compile(r"[*?]")
_LITERALS: Final = {"*": "*", "?": "?", "$": "$"}
_DEFAULT: Final = re.compile(r"\s*'([^']*)'\s*")


@dataclass(frozen=True, slots=True)
class Chunk:
    """What lies between two stars: runs of plain text, each at its distance from the chunk's start, and the length."""

    runs: tuple[tuple[int, str], ...]
    length: int

    def stands_at(self, text: str, at: int) -> bool:
        """Return whether the text has the chunk at this place."""
        return at + self.length <= len(text) and all(text.startswith(run, at + offset) for offset, run in self.runs)

    def find(self, text: str, at: int) -> int:
        """Return the first place from `at` on where the text has the chunk, or -1."""
        if not self.runs:
            return at if at + self.length <= len(text) else -1
        offset, first = self.runs[0]
        found = text.find(first, at + offset)
        while found >= 0:
            if self.stands_at(text, found - offset):
                return found - offset
            found = text.find(first, found + 1)
        return -1


@dataclass(frozen=True, slots=True)
class Pattern:
    """Chunks with a star between each two: one chunk alone is a pattern without stars."""

    chunks: tuple[Chunk, ...]


def compile_pattern(text: str, keys: Keys, *, variables: bool) -> Pattern | None:
    """Return the pattern of a policy's text for one request.

    None when a variable in it has no single value: such a text matches nothing. Without `variables` (policies of
    version 2008-10-17) `${...}` stands for itself.
    """
    pieces = _pieces(text, keys, variables=variables)
    return None if pieces is None else Pattern(tuple(_chunks(pieces)))


def literal(text: str, keys: Keys, *, variables: bool) -> str | None:
    """Return the text itself, variables replaced, wildcards taken for plain characters; None as `compile_pattern`."""
    pieces = _pieces(text, keys, variables=variables)
    return None if pieces is None else "".join(piece for piece, _ in pieces)


def matches(pattern: Pattern, text: str) -> bool:
    """Return whether the whole text fits.

    Each chunk is taken at the first place where it stands: if the rest can't follow from there, it can't follow from
    a later place either, so nothing is ever tried twice.
    """
    first, last = pattern.chunks[0], pattern.chunks[-1]
    if len(pattern.chunks) == 1:
        return first.length == len(text) and first.stands_at(text, 0)
    if not first.stands_at(text, 0):
        return False
    at = first.length
    for chunk in pattern.chunks[1:-1]:
        found = chunk.find(text, at)
        if found < 0:
            return False
        at = found + chunk.length
    return len(text) - last.length >= at and last.stands_at(text, len(text) - last.length)


def _pieces(text: str, keys: Keys, *, variables: bool) -> list[Piece] | None:
    if not variables or "${" not in text:
        return [(text, False)]
    pieces: list[Piece] = []
    at = 0
    for found in _VARIABLE.finditer(text):
        value = _value(found[1], keys)
        if value is None:
            return None
        pieces += [(text[at : found.start()], False), (value, True)]
        at = found.end()
    return [*pieces, (text[at:], False)]


def _value(name: str, keys: Keys) -> str | None:
    if name in _LITERALS:
        return _LITERALS[name]
    key, comma, default = name.partition(",")
    values = keys.get(key.strip().lower())
    # A key with several values can't be a variable (IAM user guide, "Policy variables").
    if values is not None and len(values) == 1:
        return values[0]
    quoted = _DEFAULT.fullmatch(default) if comma else None
    return quoted[1] if quoted else None


def _chunks(pieces: list[Piece]) -> Iterator[Chunk]:
    runs: list[tuple[int, str]] = []
    length = 0
    for text, special in _tokens(pieces):
        if special and text == "*":
            yield Chunk(tuple(runs), length)
            runs, length = [], 0
            continue
        if not special:
            runs.append((length, text))
        length += len(text)
    yield Chunk(tuple(runs), length)


def _tokens(pieces: list[Piece]) -> Iterator[tuple[str, bool]]:
    """Yield plain texts, and wildcards marked as such."""
    for text, plain in pieces:
        at = 0
        for found in () if plain else _SPECIAL.finditer(text):
            if found.start() > at:
                yield text[at : found.start()], False
            yield found[0], True
            at = found.end()
        if at < len(text):
            yield text[at:], False

"""Which JSON schemas a model can be held to by Bedrock itself, and the form in which it takes them.

Native structured output compiles a schema into a grammar: every object must be closed, and bounds on numbers, lengths
and counts, recursion and more than ten optional properties are refused (Bedrock user guide, "Structured outputs",
2026-11; the vercel/ai changelog of @ai-sdk/anthropic 2.0.112 names the same limits for Bedrock). What can't be said
that way is asked for through a tool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN: Final = frozenset({"type", "title", "description", "enum", "const", "default", "examples", "$schema"})
_ELSEWHERE: Final = frozenset({"$ref", "anyOf", "allOf"})
_MOST_OPTIONAL: Final = 10
_DEEPEST: Final = 64


class _NotNativeError(Exception):
    """The schema says what a grammar can't hold."""


def closed(schema: Mapping[str, object], *, strict: bool) -> dict[str, Any] | None:
    """Return the schema with every object closed, or None where native structured output can't hold it.

    An object that may have further properties stays possible unless `strict`: OpenAI's strict schemas close every
    object, so closing one that does not say so changes nothing there.
    """
    walk = _Walk(schema, strict=strict)
    try:
        made = walk.schema(schema, ())
    except _NotNativeError:
        return None
    return made if walk.optional <= _MOST_OPTIONAL and made.get("type") == "object" else None


class _Walk:
    def __init__(self, root: Mapping[str, object], *, strict: bool) -> None:
        definitions = root.get("$defs", root.get("definitions", {}))
        self._definitions = definitions if isinstance(definitions, dict) else {}
        self._recursive = _recursive(self._definitions)
        self._strict = strict
        self.optional = 0

    def schema(self, schema: object, within: tuple[str, ...]) -> dict[str, Any]:
        """Return one schema; `within` are the definitions around it, by which recursion is seen."""
        if not isinstance(schema, dict) or len(within) > _DEEPEST:
            raise _NotNativeError
        made: dict[str, Any] = {}
        for name, value in schema.items():
            if name in _PLAIN:
                made[name] = value
            elif name in {"$defs", "definitions"} and not within:
                made[name] = {one: self.schema(inner, (one,)) for one, inner in self._definitions.items()}
            elif name == "$ref":
                made[name] = self._reference(value, within)
            elif name in {"anyOf", "allOf"} and isinstance(value, list):
                made[name] = [self.schema(inner, (*within, "")) for inner in value]
            elif name == "items":
                made[name] = self.schema(value, (*within, ""))
            elif name not in {"properties", "required", "additionalProperties"}:
                raise _NotNativeError
        kinds = schema.get("type")
        if "object" in (kinds if isinstance(kinds, list) else [kinds]) or "properties" in schema:
            made |= self._object(schema, within)
        return made

    def _object(self, schema: Mapping[str, object], within: tuple[str, ...]) -> dict[str, Any]:
        # Properties that stand in another schema, as `allOf` has them, would be forbidden by closing this one.
        elsewhere = not _ELSEWHERE.isdisjoint(schema)
        open_still = schema.get("additionalProperties", not self._strict or elsewhere)
        properties = schema.get("properties", {})
        if open_still is not False or not isinstance(properties, dict):
            raise _NotNativeError
        required = schema.get("required", [])
        if not isinstance(required, list):
            raise _NotNativeError
        self.optional += len(set(properties) - {one for one in required if isinstance(one, str)})
        inner = {name: self.schema(value, (*within, "")) for name, value in properties.items()}
        return {"properties": inner, "required": required, "additionalProperties": False}

    def _reference(self, target: object, within: tuple[str, ...]) -> str:
        name = target.rpartition("/")[2] if isinstance(target, str) else ""
        if name not in self._definitions or name in self._recursive or name in within:
            raise _NotNativeError
        return str(target)


def _recursive(definitions: Mapping[str, object]) -> set[str]:
    """Return the names of definitions that lead into a circle of references.

    Those that lead nowhere are taken away, then those that led to them alone, and so on: each reference is followed
    once. Followed from each start anew, forty definitions that name one another take longer than the sun has left.
    """
    left = {name: _references(inner) & definitions.keys() for name, inner in definitions.items()}
    users: dict[str, list[str]] = {}
    for user, used in left.items():
        for name in used:
            users.setdefault(name, []).append(user)
    ends = [name for name, used in left.items() if not used]
    while ends:
        end = ends.pop()
        del left[end]
        for user in users.get(end, ()):
            left[user].discard(end)
            if not left[user]:
                ends.append(user)
    return set(left)


def _references(schema: object) -> set[str]:
    """Return the names of the definitions that a schema refers to."""
    found: set[str] = set()
    left = [schema]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if isinstance(one.get("$ref"), str):
                found.add(one["$ref"].rpartition("/")[2])
            left += one.values()
        elif isinstance(one, list):
            left += one
    return found

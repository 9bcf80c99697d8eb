"""Values that a JSON schema accepts: what the fake model puts into tool calls and structured answers.

Walked are types, const, enum, properties, required, items, lengths, bounds, formats, `$ref` into the same document,
allOf, anyOf and oneOf. Not walked: `not`, `if`, `dependent...`, and patterns that none of a few plain texts match.
The first variant is what a call gets; the second differs from it where the schema leaves a choice.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

Schema = Any
Json = Any

_DEEPEST: Final = 12
_OPTIONAL_DEPTH: Final = 4
"""Optional members are filled in this deep; below, only what is required, so that recursive schemas end."""

_FORMATS: Final = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_PLAIN: Final = (
    *(letter * count for letter in "aA1" for count in range(1, 21)),
    *_FORMATS.values(),
    "a-b", "a_b", "A-1", "AB12", "abc123", "1.0", "1.0.0", "10:00", "#aabbcc", "+15555550100", "/a", "en-US",
)  # fmt: skip


def instance(schema: Schema, variant: int = 0) -> Json:
    """Return a value that the schema accepts."""
    return _Maker(schema, variant).make(schema, "value", 0)


@dataclass(frozen=True)
class _Maker:
    root: Schema
    variant: int

    def make(self, schema: Schema, name: str, depth: int) -> Json:
        flat = self._flattened(schema, depth)
        if "const" in flat:
            return flat["const"]
        if flat.get("enum"):
            return flat["enum"][self.variant % len(flat["enum"])]
        if depth > _DEEPEST:
            return None
        match self._type(flat):
            case "object":
                return self._object(flat, depth)
            case "array":
                return self._array(flat, name, depth)
            case "integer" | "number" as kind:
                return _number(flat, kind == "integer", self.variant)
            case "boolean":
                return self.variant % 2 == 0
            case "null":
                return None
            case _:
                return _text(flat, name, self.variant)

    def _flattened(self, schema: Schema, depth: int, refs: int = 0) -> dict[str, Any]:
        """Follow `$ref`, merge allOf, and choose one of anyOf and oneOf."""
        if not isinstance(schema, dict) or refs > _DEEPEST:
            return {}
        flat = {k: v for k, v in schema.items() if k not in ("$ref", "allOf", "anyOf", "oneOf")}
        parts = [self._referred(schema["$ref"])] if "$ref" in schema else []
        parts += schema.get("allOf", [])
        parts += [self._chosen(schema[key], depth) for key in ("anyOf", "oneOf") if schema.get(key)]
        for part in parts:
            flat = _merged(flat, self._flattened(part, depth, refs + 1))
        return flat

    def _chosen(self, options: list[Schema], depth: int) -> Schema:
        def is_null(option: Schema) -> bool:
            return isinstance(option, dict) and option.get("type") == "null"

        wanted = [option for option in options if is_null(option) == (depth > _OPTIONAL_DEPTH)] or options
        return wanted[0]

    def _referred(self, ref: str) -> Schema:
        found = self.root
        for step in ref.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key, {}) if isinstance(found, dict) else {}
        return found

    @staticmethod
    def _type(flat: dict[str, object]) -> str:
        given = flat.get("type")
        if isinstance(given, list):
            given = next((kind for kind in given if kind != "null"), "null")
        if given:
            return str(given)
        if "properties" in flat or "required" in flat or "minProperties" in flat:
            return "object"
        return "array" if "items" in flat or "prefixItems" in flat else "string"

    def _object(self, flat: dict[str, Any], depth: int) -> dict[str, Json]:
        properties, required = flat.get("properties", {}), flat.get("required", [])
        names = list(properties) if depth < _OPTIONAL_DEPTH else [n for n in properties if n in required]
        names += [name for name in required if name not in properties]
        made = {name: self.make(properties.get(name, {}), name, depth + 1) for name in names}
        extra = flat.get("additionalProperties")
        for n in range(flat.get("minProperties", 0) - len(made)):
            made[f"key{n + 1}"] = self.make(extra if isinstance(extra, dict) else {}, f"key{n + 1}", depth + 1)
        return made

    def _array(self, flat: dict[str, Any], name: str, depth: int) -> list[Json]:
        head = flat.get("prefixItems", [])
        fewest = max(flat.get("minItems", 0), len(head), 1 if "contains" in flat else 0)
        count = min(max(fewest, 1 if depth < _OPTIONAL_DEPTH else 0), flat.get("maxItems", max(fewest, 1)))
        rest = flat.get("contains", flat.get("items", {}))
        return [
            _Maker(self.root, self.variant + n).make(head[n] if n < len(head) else rest, name, depth + 1)
            for n in range(count)
        ]


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {**other, **one}
    if "properties" in one and "properties" in other:
        both["properties"] = {**other["properties"], **one["properties"]}
    if "required" in one and "required" in other:
        both["required"] = [*one["required"], *(n for n in other["required"] if n not in one["required"])]
    return both


def _number(flat: dict[str, Any], whole: bool, variant: int) -> float:
    step = flat.get("multipleOf") or (1 if whole else None)
    low, high = flat.get("minimum"), flat.get("maximum")
    above, below = flat.get("exclusiveMinimum"), flat.get("exclusiveMaximum")
    value: float = 1 + variant
    ceiling = min(_numbers(high, below), default=None)
    floor = max(_numbers(low, above), default=None)
    if floor is not None and (value < floor or value == above):
        value = floor
    if ceiling is not None and (value > ceiling or value == below):
        value = floor if floor is not None else ceiling
    if value in (above, below):
        value = (floor + ceiling) / 2 if floor is not None and ceiling is not None and not whole else value
        value += (step or 1) if value == above else -(step or 1) if value == below else 0
    if step:
        value = (math.floor if ceiling is not None and floor is None else math.ceil)(value / step) * step
    return int(value) if whole or float(value).is_integer() else value


def _numbers(*bounds: object) -> list[float]:
    """Leave out what is no bound: absent ones, and the booleans that old drafts of JSON schema have there."""
    return [bound for bound in bounds if isinstance(bound, (int, float)) and not isinstance(bound, bool)]


def _text(flat: dict[str, Any], name: str, variant: int) -> str:
    words = ("sample", "another", "third")
    text = _FORMATS.get(flat.get("format", ""), f"{words[variant % 3]} {name}" + (f" {variant}" if variant > 2 else ""))
    shortest, longest = flat.get("minLength", 0), flat.get("maxLength", math.inf)
    pattern = flat.get("pattern")
    if pattern:
        fitting = (p for p in (text, *_PLAIN) if shortest <= len(p) <= longest and re.search(pattern, p))
        return next(fitting, text)
    if len(text) < shortest:
        text = text.ljust(shortest, "x")
    return text if len(text) <= longest else text[: int(longest)]

"""JSON schemas of bodies and answers, by pydantic, tidied: no generated titles, no private names."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import TypeAdapter

REF: Final = "#/components/schemas/{model}"


class Schemas:
    """Collects the types that the document names, and gives their schemas once all are known."""

    def __init__(self) -> None:
        self._adapters: dict[tuple[Any, Literal["validation", "serialization"]], TypeAdapter[Any]] = {}

    def add_body(self, kind: Any) -> None:
        """Add a type that requests are parsed with."""
        self._adapters[kind, "validation"] = TypeAdapter(kind)

    def add_answer(self, kind: Any) -> None:
        """Add a type that is answered."""
        self._adapters[kind, "serialization"] = TypeAdapter(kind)

    def made(self) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
        """Return the schema of each type, mostly a reference, and the components that they refer to."""
        inputs = [((kind, mode), mode, adapter) for (kind, mode), adapter in self._adapters.items()]
        keyed, shared = TypeAdapter.json_schemas(inputs, ref_template=REF)
        by_kind = {key[0]: _tidy(schema) for (key, _), schema in keyed.items()}
        components = {name.lstrip("_"): _tidy(schema) for name, schema in shared.get("$defs", {}).items()}
        return by_kind, dict(sorted(components.items()))


def _tidy(schema: object, *, names: bool = False) -> Any:
    """Return a schema without pydantic's titles; `names` says that the keys are the names of properties."""
    if isinstance(schema, list):
        return [_tidy(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema.replace("/schemas/_", "/schemas/") if isinstance(schema, str) else schema
    return {
        key: _tidy(value, names=not names and key == "properties")
        for key, value in schema.items()
        if names or key != "title" or not isinstance(value, str)
    }


def closed(schema: object) -> Any:
    """Return a schema that takes no property beyond those it names: how tests hold answers against the document.

    The document itself leaves answers open, so that clients pass over what a later version adds.
    """
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema and schema.get("type") == "object":
        inner.setdefault("additionalProperties", False)
    return inner

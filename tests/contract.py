"""The OpenAPI document as a judge of answers."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tools.openapi.schemas import closed

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = Path(__file__).parent.parent / "chalicelib" / "web" / "openapi.json"
MEND = "Mend the shape or the Operation (chalicelib/**/shapes.py, tools/openapi/operations/), then run `make openapi`."

_AT = "urn:rolecall:openapi"


class NotInContractError(AssertionError):
    """An answer that the document does not tell."""


class Contract:
    """The document, with its schemas closed: a field that it does not name is a fault of ours."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        components = {"components": {"schemas": closed(document["components"]["schemas"])}}
        resource = Resource.from_contents(_located(components), default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_AT, resource).crawl()
        self._validators: dict[str, Draft202012Validator] = {}

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield method, path and operation."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method, path, operation

    def find(self, method: str, path: str) -> dict[str, Any] | None:
        """Return the operation that a request reaches, as API Gateway finds it: fixed segments win."""
        parts = path.partition("?")[0].strip("/").split("/")
        fitting = []
        for one, declared, operation in self.operations():
            segments = declared.strip("/").split("/")
            if one != method.lower() or len(segments) != len(parts):
                continue
            if all(name == part or (name.startswith("{") and part) for name, part in zip(segments, parts, strict=True)):
                fitting.append((declared.count("{"), operation))
        return min(fitting, key=lambda found: found[0])[1] if fitting else None

    def errors(self, schema: dict[str, Any], value: object) -> list[str]:
        """Return what keeps a value from fitting a schema of the document."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            self._validators[key] = Draft202012Validator(_located(closed(schema)), registry=self._registry)
        found = self._validators[key].iter_errors(value)
        return [f"{'.'.join(map(str, error.absolute_path)) or 'it'}: {error.message[:300]}" for error in found]

    def check(self, method: str, path: str, status: int, media_type: str, text: str) -> None:
        """Raise `NotInContractError` unless the answer is one of those that the document tells of its route.

        What no route answers, and routes that the document leaves out, are not its business.
        """
        operation = self.find(method, path)
        if operation is None:
            return
        what = f"{method} {path} answered {status} {text[:200]!r}"
        told = operation["responses"].get(str(status))
        kind = media_type.partition(";")[0]
        if told is not None and "content" not in told and text == "":
            return
        if told is None or kind not in told.get("content", {}):
            raise NotInContractError(f"{what}: {operation['operationId']} has no such answer. {MEND}")
        content = told["content"][kind]
        wrong = self.errors_of(content, kind, text)
        if wrong:
            raise NotInContractError(f"{what}: {'; '.join(wrong[:3])}. {MEND}")

    def errors_of(self, content: dict[str, Any], kind: str, text: str) -> list[str]:
        """Return what keeps the body of an answer from being what the document tells."""
        if kind == "application/json":
            return self.errors(content["schema"], json.loads(text))
        if kind == "text/event-stream":
            return [error for event in text.split("\n\n") for error in self._event_errors(content["x-events"], event)]
        return self.errors(content["schema"], text)

    def _event_errors(self, told: list[dict[str, Any]], event: str) -> list[str]:
        lines = [line for line in event.split("\n") if line and not line.startswith(":")]
        if not lines or lines == ["data: [DONE]"]:
            return []
        name = lines[0].removeprefix("event: ") if lines[0].startswith("event: ") else None
        value = json.loads(lines[-1].removeprefix("data: "))
        found = [self.errors(one["schema"], value) for one in told if one["event"] == name] or [["is not told"]]
        return [] if [] in found else [f"event {name}: {error}" for errors in found for error in errors]


def _located(schema: Any) -> Any:
    """Return a schema whose references lead to the document, wherever the schema itself is used."""
    if isinstance(schema, list):
        return [_located(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _located(value) for key, value in schema.items()}
    return {**inner, "$ref": _AT + schema["$ref"]} if isinstance(schema.get("$ref"), str) else inner


@cache
def contract() -> Contract:
    """Return the document that is served."""
    return Contract(json.loads(PATH.read_text(encoding="utf-8")))

"""What Converse's model says of a request: members, lengths, patterns and choices, most of it unchecked by botocore."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

_SHAPE: Any = (
    botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape
)


def hold(body: dict[str, Any], model: str) -> None:
    """Assert that a request's body is one that the service model takes."""
    _check(body | {"modelId": model}, _SHAPE, "")


def _check(value: Any, shape: Shape, at: str) -> None:
    rules = shape.metadata
    if isinstance(shape, StructureShape):
        if getattr(shape, "is_document_type", False):
            return
        assert set(value) <= set(shape.members), f"{at}: {set(value) - set(shape.members)}"
        assert not shape.is_tagged_union or len(value) == 1, f"{at}: not one member"
        assert set(shape.required_members) <= set(value), f"{at}: lacks {shape.required_members}"
        for name, inner in value.items():
            _check(inner, shape.members[name], f"{at}.{name}")
    elif isinstance(shape, ListShape):
        assert rules.get("min", 0) <= len(value) <= rules.get("max", 10**6), at
        for inner in value:
            _check(inner, shape.member, f"{at}[]")
    elif isinstance(shape, MapShape):
        assert isinstance(value, dict), at
        assert rules.get("min", 0) <= len(value) <= rules.get("max", 10**6), at
        for name, inner in value.items():
            _check(name, shape.key, f"{at}.{name}")
            _check(inner, shape.value, f"{at}.{name}")
    elif isinstance(shape, StringShape):
        assert isinstance(value, str), at
        assert rules.get("min", 0) <= len(value) <= rules.get("max", 10**9), at
        assert not shape.enum or value in shape.enum, f"{at}: {value}"
        assert "pattern" not in rules or re.fullmatch(rules["pattern"], value), f"{at}: {value}"
    elif shape.type_name in {"integer", "float", "long"}:
        assert rules.get("min", value) <= value <= rules.get("max", value), at

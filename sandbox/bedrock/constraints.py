"""The checks that AWS makes on its side and botocore leaves out: lengths, patterns, enums, ranges, unions, types.

They are read from botocore's own service models, so that they follow AWS's. Wording and order of the violations are
as reported by AWS's users: "3 validation errors detected: Value '' at 'toolConfig.tools.1.member.toolSpec.name' failed
to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+; ..." (BerriAI/litellm#24668),
"Value at 'toolConfig.tools' failed ..." without a value for lists (Portkey-AI/gateway#1124) and inside of message
content, "DocumentSource object at messages.0.content.1.document.source must set one of the following keys"
(maximhq/bifrost#7072). The pattern comes before the length.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from sandbox.aws.authentication import AwsError

Json = Any
"""A value that JSON carried: what is in it is what this module finds out."""

_ALSO_TAKEN: Final = {"InferenceType": ("INFERENCE_PROFILE",)}
"""Enum values that AWS takes and returns though its published model lacks them."""


@lru_cache(maxsize=4)
def service_model(service: str) -> ServiceModel:
    """Return botocore's model of a service, read once."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@dataclass
class _Walk:
    """One walk over a request: what it violates, in order. `unions` are reported apart, as AWS does."""

    violations: list[str] = field(default_factory=list)
    unions: list[str] = field(default_factory=list)

    def violated(self, value: Json, path: str, rule: str) -> None:
        shown = (
            f"Value '{value}' at" if isinstance(value, (str, int, float)) and ".content." not in path else "Value at"
        )
        if value is None:
            shown = "Value null at"
        self.violations.append(f"{shown} '{path}' failed to satisfy constraint: {rule}")


def checked(service: str, operation: str, given: dict[str, Json]) -> dict[str, Json]:
    """Return the request with its blobs decoded and unknown members left out, as AWS reads it.

    Raises AwsError: SerializationException for a value of the wrong type, else ValidationException with every
    violation in one text.
    """
    shape = service_model(service).operation_model(operation).input_shape
    if shape is None:
        return {}
    walk = _Walk()
    request: dict[str, Json] = _structure(shape, given, "", "", walk)
    if walk.violations:
        count = len(walk.violations)
        plural = "s" if count > 1 else ""
        text = "; ".join(walk.violations)
        raise AwsError("ValidationException", f"{count} validation error{plural} detected: {text}", 400)
    if walk.unions:
        raise AwsError("ValidationException", walk.unions[0], 400)
    return request


def _structure(shape: StructureShape, value: Json, path: str, index_path: str, walk: _Walk) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise _wrong_type(value, "a structure")
    known = {name: value[name] for name in shape.members if value.get(name) is not None}
    for name in shape.required_members:
        if name not in known:
            walk.violated(None, f"{path}{name}", "Member must not be null")
    if getattr(shape, "is_tagged_union", False) and len(known) != 1:
        which = "one" if not known else "only one"
        walk.unions.append(
            f"{shape.name} object at {index_path.rstrip('.')} must set {which} of the following keys: "
            f"{', '.join(shape.members)}."
        )
    return {
        name: _value(shape.members[name], item, f"{path}{name}", f"{index_path}{name}", walk)
        for name, item in known.items()
    }


def _value(shape: Shape, value: Json, path: str, index_path: str, walk: _Walk) -> Json:
    if getattr(shape, "is_document_type", False):
        return value
    if isinstance(shape, StructureShape):
        return _structure(shape, value, f"{path}.", f"{index_path}.", walk)
    if isinstance(shape, ListShape):
        return _list(shape, value, path, index_path, walk)
    if isinstance(shape, MapShape):
        return _map(shape, value, path, index_path, walk)
    if shape.type_name == "blob":
        octets = _octets(value)
        _length(shape, octets, path, walk)
        return octets
    if shape.type_name == "string":
        return _string(shape, value, path, walk)
    if shape.type_name == "boolean":
        if not isinstance(value, bool):
            raise _wrong_type(value, "a Boolean")
        return value
    return _number(shape, value, path, walk)


def _list(shape: ListShape, value: Json, path: str, index_path: str, walk: _Walk) -> list[Json]:
    if not isinstance(value, list):
        raise _wrong_type(value, "a list")
    _length(shape, value, path, walk)
    return [
        _value(shape.member, item, f"{path}.{n}.member", f"{index_path}.{n - 1}", walk)
        for n, item in enumerate(value, start=1)
        if item is not None
    ]


def _map(shape: MapShape, value: Json, path: str, index_path: str, walk: _Walk) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise _wrong_type(value, "a map")
    _length(shape, value, path, walk)
    for key in value:
        _string(shape.key, key, f"{path}.key", walk)
    return {
        key: _value(shape.value, item, f"{path}.{key}.value", f"{index_path}.{key}", walk)
        for key, item in value.items()
        if item is not None
    }


def _string(shape: Shape, value: Json, path: str, walk: _Walk) -> str:
    if not isinstance(value, str):
        raise _wrong_type(value, "a String")
    allowed = shape.metadata.get("enum")
    if allowed and value not in (*allowed, *_ALSO_TAKEN.get(shape.name, ())):
        walk.violated(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
        return value
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value, re.ASCII):
        walk.violated(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    _length(shape, value, path, walk)
    return value


def _number(shape: Shape, value: Json, path: str, walk: _Walk) -> float:
    kind = "an Integer" if shape.type_name in ("integer", "long") else "a Float"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong_type(value, kind)
    if kind == "an Integer" and not isinstance(value, int):
        raise _wrong_type(value, kind)
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        walk.violated(value, path, f"Member must have value greater than or equal to {low}")
    if high is not None and not value <= high:
        walk.violated(value, path, f"Member must have value less than or equal to {high}")
    return value


def _length(shape: Shape, value: str | bytes | list[Json] | dict[str, Json], path: str, walk: _Walk) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and len(value) < low:
        walk.violated(value, path, f"Member must have length greater than or equal to {low}")
    if high is not None and len(value) > high:
        walk.violated(value, path, f"Member must have length less than or equal to {high}")


def _octets(value: Json) -> bytes:
    if not isinstance(value, str):
        raise _wrong_type(value, "a Blob")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise AwsError("SerializationException", "Invalid Base64 in a Blob.", 400) from error


def _wrong_type(value: Json, wanted: str) -> AwsError:
    if isinstance(value, dict):
        text = "Start of structure or map found where not expected."
    elif isinstance(value, list):
        text = "Start of list found where not expected"
    else:
        given = {str: "STRING_VALUE", bool: "TRUE_VALUE" if value else "FALSE_VALUE"}.get(type(value), "NUMBER_VALUE")
        text = f"{given} can not be converted to {wanted}"
    return AwsError("SerializationException", text, 400)

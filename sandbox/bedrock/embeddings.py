"""InvokeModel for embedding models: Titan's and Cohere's bodies; texts with like words have like vectors."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from sandbox.bedrock.refusals import refused
from sandbox.bedrock.tokens import tokens_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.bedrock.catalog import Model

_TITAN_MOST_TOKENS: Final = 8192
_COHERE_MOST_TEXTS: Final = 96
_COHERE_INPUT_TYPES: Final = ("search_document", "search_query", "classification", "clustering")
_COHERE_TYPES: Final = ("float", "int8", "uint8", "binary", "ubinary")


def embed(model: Model, body: bytes) -> tuple[dict[str, Any], int]:
    """Return the model's answer and how many tokens it read.

    Raises AwsError (ValidationException) for a body that the model does not take, and for models of another kind.
    """
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise refused("Malformed input request, please reformat your input and try again.") from error
    if not isinstance(given, dict):
        raise _malformed(["expected type: JSONObject"])
    if model.id == "amazon.titan-embed-text-v2:0":
        return _titan_v2(given)
    if model.id == "amazon.titan-embed-text-v1":
        text = _titan_text(given, ("inputText",))
        return {"embedding": vector(text, 1536), "inputTextTokenCount": tokens_of(text)}, tokens_of(text)
    if model.id.startswith("cohere.embed-"):
        return _cohere(given, 1536 if model.id.startswith("cohere.embed-v4") else 1024)
    raise refused(
        f"The local AWS answers InvokeModel for Claude and for text embeddings; ask {model.id} through Converse."
    )


def vector(text: str, size: int) -> list[float]:
    """Return a vector of length 1: the sum of one fixed direction for each word."""
    sums = [0.0] * size
    for word in re.findall(r"\w+|[^\w\s]", text.lower()) or [""]:
        for index, octet in enumerate(hashlib.shake_256(word.encode()).digest(size)):
            sums[index] += octet - 127.5
    length = math.sqrt(sum(value * value for value in sums))
    return [round(value / length, 8) for value in sums]


def _malformed(violations: Sequence[str]) -> Exception:
    listed = "".join(f"#: {violation}" for violation in violations)
    return refused(f"Malformed input request: {listed}, please reformat your input and try again.")


def _keys(given: dict[str, object], required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    violations = [f"required key [{key}] not found" for key in required if key not in given]
    violations += [f"extraneous key [{key}] is not permitted" for key in given if key not in required + optional]
    if violations:
        raise _malformed(violations)


def _titan_text(given: dict[str, object], required: tuple[str, ...], optional: tuple[str, ...] = ()) -> str:
    _keys(given, required, optional)
    text = given["inputText"]
    if not isinstance(text, str):
        raise _malformed(["/inputText: expected type: String"])
    if not text:
        raise _malformed(["/inputText: expected minLength: 1, actual: 0"])
    count = tokens_of(text)
    if count > _TITAN_MOST_TOKENS:
        raise refused(
            f"400 Bad Request: Too many input tokens. Max input tokens: {_TITAN_MOST_TOKENS}, request input token "
            f"count: {count}"
        )
    return text


def _titan_v2(given: dict[str, object]) -> tuple[dict[str, Any], int]:
    text = _titan_text(given, ("inputText",), ("dimensions", "normalize", "embeddingTypes"))
    size, types = given.get("dimensions", 1024), given.get("embeddingTypes", ["float"])
    if size not in (256, 512, 1024) or isinstance(size, bool):
        raise _malformed(["/dimensions: not a valid enum value"])
    if not isinstance(types, list) or not types or not set(map(str, types)) <= {"float", "binary"}:
        raise _malformed(["/embeddingTypes: not a valid enum value"])
    if not isinstance(given.get("normalize", True), bool):
        raise _malformed(["/normalize: expected type: Boolean"])
    made = vector(text, size)
    if not given.get("normalize", True):
        made = [round(value * 10, 8) for value in made]
    by_type = {kind: made if kind == "float" else [int(value > 0) for value in made] for kind in types}
    answer: dict[str, Any] = {"embeddingsByType": by_type, "inputTextTokenCount": tokens_of(text)}
    if "float" in by_type:
        answer["embedding"] = made
    return answer, tokens_of(text)


def _cohere(given: dict[str, Any], size: int) -> tuple[dict[str, Any], int]:
    optional = ("truncate", "embedding_types", *(("output_dimension", "max_tokens") if size == 1536 else ()))
    _keys(given, ("texts", "input_type"), optional)
    texts, types = given["texts"], given.get("embedding_types")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _malformed(["/texts: expected type: JSONArray of String"])
    if not 1 <= len(texts) <= _COHERE_MOST_TEXTS:
        raise _malformed([f"/texts: expected 1 to {_COHERE_MOST_TEXTS} items, found: {len(texts)}"])
    if given["input_type"] not in _COHERE_INPUT_TYPES:
        raise _malformed([f"/input_type: {given['input_type']} is not a valid enum value"])
    if given.get("truncate", "NONE") not in ("NONE", "START", "END", "LEFT", "RIGHT"):
        raise _malformed(["/truncate: not a valid enum value"])
    size = given.get("output_dimension", size)
    if size not in (256, 512, 1024, 1536):
        raise _malformed(["/output_dimension: not a valid enum value"])
    if types is not None and (not isinstance(types, list) or not set(map(str, types)) <= set(_COHERE_TYPES)):
        raise _malformed(["/embedding_types: not a valid enum value"])
    vectors = [vector(text, size) for text in texts]
    embeddings: Any = vectors
    if types:
        embeddings = {kind: [_typed(made, kind) for made in vectors] for kind in types}
    answer = {
        "id": hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:32],
        "texts": texts,
        "embeddings": embeddings,
        "response_type": "embeddings_by_type" if types else "embeddings_floats",
    }
    return answer, sum(map(tokens_of, texts))


def _typed(made: list[float], kind: str) -> list[float]:
    if kind == "float":
        return made
    if kind in ("int8", "uint8"):
        shift = 128 if kind == "uint8" else 0
        return [max(-128, min(127, round(value * 1000))) + shift for value in made]
    octets = [sum((value > 0) << bit for bit, value in enumerate(made[at : at + 8])) for at in range(0, len(made), 8)]
    return [octet - 128 if kind == "binary" else octet for octet in octets]

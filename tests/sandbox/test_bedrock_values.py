"""Values that are made by rule: the vectors of embedding models, and instances of JSON schemas."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.bedrock.instances import instance
from tests.sandbox.bedrock_world import NOVA, BedrockWorld, Refusal, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

TITAN: Final = "amazon.titan-embed-text-v2:0"
COHERE: Final = "cohere.embed-english-v3"


@pytest.fixture(scope="module")
def runtime() -> Iterator[Any]:
    """Give one customer's client for the module: nothing here changes the account."""
    with BedrockWorld() as world:
        yield world.customer().client("bedrock-runtime")


def embedded(runtime: Any, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an embedding model's answer."""
    answer = runtime.invoke_model(modelId=model, body=json.dumps(body))
    found: dict[str, Any] = json.loads(answer["body"].read())
    return found


def test_titan_gives_unit_vectors_of_the_size_asked(runtime: Any) -> None:
    """Texts with like words have like vectors; the same text has the same one."""
    vectors = [
        embedded(runtime, TITAN, {"inputText": text, "dimensions": 256})["embedding"]
        for text in ("the cat sat down", "the cat sat up", "unrelated prose altogether", "the cat sat down")
    ]

    def likeness(one: int, other: int) -> float:
        return math.fsum(a * b for a, b in zip(vectors[one], vectors[other], strict=True))

    assert [len(vector) for vector in vectors] == [256] * 4
    assert math.isclose(likeness(0, 0), 1, abs_tol=1e-4)
    assert likeness(0, 1) > 0.5 > likeness(0, 2)
    assert vectors[0] == vectors[3]


def test_cohere_gives_one_vector_for_each_text(runtime: Any) -> None:
    """In the order given, plain or by the types asked for."""
    body = {"texts": ["a", "b"], "input_type": "search_document"}
    plain = embedded(runtime, COHERE, body)
    typed = embedded(runtime, COHERE, {**body, "embedding_types": ["float", "int8", "ubinary"]})

    assert [len(vector) for vector in plain["embeddings"]] == [1024, 1024]
    assert plain["response_type"] == "embeddings_floats"
    assert typed["embeddings"]["float"] == plain["embeddings"]
    assert {len(vector) for vector in typed["embeddings"]["ubinary"]} == {128}
    assert all(-128 <= value <= 127 for vector in typed["embeddings"]["int8"] for value in vector)


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        (
            TITAN,
            {"texts": ["a"]},
            "#: required key [inputText] not found#: extraneous key [texts] is not permitted",
        ),
        (COHERE, {"texts": ["a"]}, "#: required key [input_type] not found"),
        (
            TITAN,
            {"inputText": "x" * 40_000},
            "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 10000",
        ),
        (
            NOVA,
            {},
            f"The local AWS answers InvokeModel for Claude and for text embeddings; ask {NOVA} through Converse.",
        ),
    ],
    ids=["cohere's body", "titan's body", "too long", "a chat model"],
)
def test_a_body_of_another_kind_is_refused(runtime: Any, model: str, body: dict[str, Any], message: str) -> None:
    """A body that the model does not take is a ValidationException that names the keys."""
    if message.startswith("#"):
        message = f"Malformed input request: {message}, please reformat your input and try again."

    refused = refusal(lambda: runtime.invoke_model(modelId=model, body=json.dumps(body)))

    assert refused == Refusal(400, "ValidationException", message)


SCHEMAS: Final[list[Any]] = [
    {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 7}}, "required": ["n"]},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "integer", "exclusiveMinimum": 5, "multipleOf": 5},
    {"type": "array", "items": {"type": "string", "minLength": 30}, "minItems": 2, "uniqueItems": True},
    {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["next"],
            }
        },
        "$ref": "#/$defs/node",
    },
    {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[A-Z]{3}$"}]},
    {"allOf": [{"type": "object", "required": ["a"]}, {"properties": {"b": {"const": 4}}, "required": ["b"]}]},
    {"oneOf": [{"type": "object", "properties": {"kind": {"const": "x"}}, "required": ["kind"]}, {"type": "null"}]},
    {"type": "string", "maxLength": 2},
    {"type": "string", "format": "date-time"},
    {"type": ["null", "boolean"]},
    {"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
    {"type": "array", "contains": {"const": 3}},
    {"enum": [None, 1]},
    True,
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=[json.dumps(schema)[:60] for schema in SCHEMAS])
@pytest.mark.parametrize("variant", [0, 1])
def test_an_instance_is_what_its_schema_accepts(schema: Any, variant: int) -> None:
    """An independent validator accepts what the fake model makes of a schema."""
    jsonschema.Draft202012Validator(schema).validate(instance(schema, variant))


BOUNDS = st.integers(-20, 20)


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional=dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), BOUNDS),
    )
)
def test_a_number_lies_within_its_bounds(schema: dict[str, Any]) -> None:
    """Bounds of any kind are kept wherever they leave room for two whole numbers."""
    low = max(schema.get("minimum", -99), schema.get("exclusiveMinimum", -99))
    high = min(schema.get("maximum", 99), schema.get("exclusiveMaximum", 99))
    if high - low < 2:
        return

    for variant in (0, 1):
        jsonschema.Draft202012Validator(schema).validate(instance(schema, variant))

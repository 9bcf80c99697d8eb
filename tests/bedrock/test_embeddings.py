"""Vectors out of Bedrock's answers: whatever an answer holds, there is one for each text or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib.bedrock.embeddings import embed, family_of
from chalicelib.bedrock.wire import Answer
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

TITAN, COHERE = family_of("amazon.titan-embed-text-v2:0"), family_of("cohere.embed-english-v3")


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        pytest.param({"embeddings": [[1], [2.5]]}, [[1], [2.5]], id="a list"),
        pytest.param({"embeddings": {"float": [[1], [2]], "int8": [[9], [9]]}}, [[1], [2]], id="a list by its type"),
    ],
)
def test_vectors_are_taken_in_both_forms(body: dict[str, object], rows: list[list[float]]) -> None:
    """Cohere's newer models put a list under its type."""
    made = embed(COHERE, ["a", "b"], None, "search_document", lambda *_: Answer(body, "r-1"))

    assert (made.rows, made.request_id) == (rows, "r-1")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"embeddings": [[1]]},
        {"embeddings": [[1], [2], [3]]},
        {"embeddings": [[1], []]},
        {"embeddings": [[1], [True]]},
        {"embeddings": [[1], ["2"]]},
        {"embeddings": [[1], None]},
        {"embeddings": {"int8": [[1], [2]]}},
        {"embedding": [1]},
    ],
    ids=repr,
)
def test_an_answer_without_a_vector_for_each_text_is_an_error(body: dict[str, object]) -> None:
    """A vector at the place of another's would be searched for ever and never noticed."""
    with pytest.raises(ServiceError) as refused:
        embed(COHERE, ["a", "b"], None, "search_document", lambda *_: Answer(body, ""))

    assert refused.value.code == "upstream_error"


@pytest.mark.parametrize(
    ("body", "headers", "tokens"),
    [
        pytest.param({"inputTextTokenCount": 3}, {}, 6, id="Titan's own count"),
        pytest.param({}, {"x-amzn-bedrock-input-token-count": "4"}, 8, id="a header"),
        pytest.param({}, {"x-amzn-bedrock-input-token-count": "-4"}, 0, id="a header that is no number"),
        pytest.param({}, {"x-amzn-bedrock-input-token-count": "\N{ARABIC-INDIC DIGIT FOUR}"}, 0, id="other digits"),
        pytest.param({}, {"x-amzn-bedrock-input-token-count": "9" * 5000}, 0, id="a number without end"),
        pytest.param({}, {}, 0, id="nothing"),
    ],
)
def test_tokens_are_counted_where_they_are_told(body: dict[str, object], headers: dict[str, str], tokens: int) -> None:
    """Of all calls together; what can't be read counts as nothing."""
    asked: list[Mapping[str, object]] = []

    def call(sent: Mapping[str, object], _: float) -> Answer:
        asked.append(sent)
        return Answer({"embedding": [1.0], **body}, "", headers)

    assert (embed(TITAN, ["a", "b"], None, "search_document", call).tokens, len(asked)) == (tokens, 2)

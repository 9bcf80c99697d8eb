"""Texts to vectors: what Titan's and Cohere's embedding models take and give through InvokeModel.

Sources, as of 2026-11: Bedrock user guide, "Amazon Titan Text Embeddings", "Cohere Embed v3" and "Cohere Embed v4".
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.bedrock.operations import INVOKE_MODEL
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chalicelib.bedrock.wire import Answer

INPUT_TYPES: Final = ("search_document", "search_query", "classification", "clustering")
"""Cohere's; the first is what a text is taken for when nobody says."""
_AT_ONCE: Final = 8
"""Calls beside each other: Titan takes one text in each, and the customer's quota is for all that they do."""
_SECONDS: Final = INVOKE_MODEL.seconds
_TOKENS: Final = "x-amzn-bedrock-input-token-count"


@dataclass(frozen=True, slots=True)
class Family:
    """Models that are asked alike. `sizes` are the lengths of vectors that they give, their own choice first.

    `size_field` carries another length; None: they have one. `most` is the number of texts in one call.
    """

    prefix: str
    sizes: tuple[int, ...]
    size_field: str | None
    most: int

    @property
    def is_cohere(self) -> bool:
        """Whether the model wants to know what a text is for."""
        return self.prefix.startswith("cohere.")

    def body(self, texts: Sequence[str], size: int | None, input_type: str) -> dict[str, Any]:
        """Return what InvokeModel takes for these texts, `most` of them at most."""
        sized = {} if size is None or self.size_field is None else {self.size_field: size}
        if self.is_cohere:
            return {"texts": [*texts], "input_type": input_type, "embedding_types": ["float"], **sized}
        return {"inputText": texts[0], **sized}


_FAMILIES: Final = (
    Family("amazon.titan-embed-text-v2", (1024, 512, 256), "dimensions", 1),
    Family("amazon.titan-embed-text-v1", (1536,), None, 1),
    Family("amazon.titan-embed-g1-text", (1536,), None, 1),
    Family("cohere.embed-english-v3", (1024,), None, 96),
    Family("cohere.embed-multilingual-v3", (1024,), None, 96),
    Family("cohere.embed-v4", (1536, 1024, 512, 256), "output_dimension", 96),
)


class Vectors(NamedTuple):
    """A vector for each text, in their order; how many tokens were read; AWS's id of the last call."""

    rows: list[list[float]]
    tokens: int
    request_id: str


def family_of(foundation_model: str) -> Family:
    """Return how a model is asked. Raises `model_not_supported` for one that is not for texts, or not known here."""
    for family in _FAMILIES:
        if foundation_model.startswith(family.prefix):
            return family
    raise ServiceError(
        "model_not_supported",
        "This route is for text embeddings of Amazon Titan and Cohere.",
        param="model",
        fix=f"Use one of {', '.join(family.prefix for family in _FAMILIES)}.",
    )


def embed(
    family: Family,
    texts: Sequence[str],
    size: int | None,
    input_type: str,
    call: Callable[[Mapping[str, object], float], Answer],
) -> Vectors:
    """Return the vectors of all texts, with as many calls as that takes; `call` is given a body and seconds.

    All calls together are bounded as one is. The first that fails ends it: those that have not begun never do. Raises
    what `call` raises, and `upstream_error` for an answer without the vectors.
    """
    end = time.monotonic() + _SECONDS
    groups = [texts[at : at + family.most] for at in range(0, len(texts), family.most)]

    def asked(group: Sequence[str]) -> Answer:
        return call(family.body(group, size, input_type), max(0.1, end - time.monotonic()))

    rows: list[list[float]] = []
    tokens, request_id = 0, ""
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(groups)), thread_name_prefix="embed") as pool:
        waiting = [pool.submit(asked, group) for group in groups]
        try:
            for group, one in zip(groups, waiting, strict=True):
                answer = one.result()
                rows += _vectors(answer.body, len(group))
                tokens += _tokens(answer)
                request_id = answer.request_id
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Vectors(rows, tokens, request_id)


def _vectors(body: Mapping[str, object], count: int) -> list[list[float]]:
    """Return the vectors of one answer: Titan has one, Cohere a list, under its type where that was asked for."""
    found = [body["embedding"]] if "embedding" in body else body.get("embeddings")
    if isinstance(found, dict):
        found = found.get("float")
    if not isinstance(found, list) or len(found) != count or not all(map(_is_vector, found)):
        raise ServiceError("upstream_error", "Bedrock's answer holds no vector for each text.", fix="Try again.")
    return found


def _is_vector(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(number) in {int, float} for number in value)


def _tokens(answer: Answer) -> int:
    counted = answer.body.get("inputTextTokenCount")
    if isinstance(counted, int):
        return counted
    # Cohere's answers hold no count; Bedrock has one in a header.
    text = answer.headers.get(_TOKENS, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0

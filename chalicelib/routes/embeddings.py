"""OpenAI's embeddings over HTTP: of Titan and Cohere through a connection or keys of AWS, of others with their keys."""

from __future__ import annotations

import struct
from base64 import b64encode
from typing import TYPE_CHECKING, Final, NamedTuple

from chalicelib.bedrock.embeddings import INPUT_TYPES, embed, family_of
from chalicelib.errors import ServiceError
from chalicelib.identifiers.providers import bare_model
from chalicelib.routes import bodies, own_embeddings
from chalicelib.routes.exchange import Reply
from chalicelib.routes.upstream import aws_request_id, ignored_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.bedrock.embeddings import Family, Vectors
    from chalicelib.bedrock.invoke import Invoker
    from chalicelib.bedrock.signing import Signer
    from chalicelib.routes import native_shapes
    from chalicelib.routes.accounts import Accounts
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.credential import OwnKeys
    from chalicelib.routes.exchange import Request

_LONGEST_MODEL: Final = 2100
_MOST_TEXTS: Final = 2048
"""OpenAI's API reference, "Create embeddings"."""
_LARGEST_ANSWER: Final = 5_500_000
"""Octets of vectors: what Lambda answers in one piece has 6 MB at most, and what was paid for should arrive."""
_OCTETS: Final = {"float": 24.0, "base64": 16 / 3}
"""Of one number at most, in JSON with what is between two, and in base64."""
_MODELS: Final = "embedding models of Titan and Cohere, or with a key of openai, google or azure to theirs"
_KNOWN: Final = frozenset({"model", "input", "encoding_format", "dimensions", "input_type"})


class _Asked(NamedTuple):
    """A body, read."""

    model: str
    texts: list[str]
    encoding: str
    dimensions: int | None
    input_type: str | None
    ignored: list[str]


class EmbeddingsRoutes:
    """The view."""

    def __init__(self, accounts: Accounts, invoker: Invoker, own_keys: OwnKeys) -> None:
        self._accounts = accounts
        self._invoker = invoker
        self._own_keys = own_keys

    def register(self, boundary: Boundary) -> None:
        """Add the route."""
        boundary.protected("POST", "/v1/embeddings", "models:invoke", self.embeddings)

    def embeddings(self, request: Request, caller: Caller) -> Reply[native_shapes.EmbeddingList]:
        """Answer a vector for each text."""
        document = bodies.parse_chat(request)
        key = self._own_keys.sent(request, caller)
        if key is not None and (key.provider == "azure" or key.provider in {"openai", "google"}):
            return own_embeddings.embeddings(self._own_keys.embeddings(key), key.provider, document, request)
        asked = _read(document)
        account = self._accounts.of(request, caller, route=_MODELS)
        place, model = account.place, account.model(bare_model(asked.model, "bedrock"))
        family = family_of(account.foundation_model(model))
        _check(asked, family)
        ignored = asked.ignored + (["input_type"] if asked.input_type and not family.is_cohere else [])
        size = None if asked.dimensions == family.sizes[0] else asked.dimensions

        def vectors(signer: Signer) -> Vectors:
            return embed(
                family,
                asked.texts,
                size,
                asked.input_type or INPUT_TYPES[0],
                lambda body, seconds: self._invoker.whole(signer, place, model, body, seconds),
            )

        made = account.run(vectors)
        return Reply(_answer(made, asked), headers=ignored_header(ignored) | aws_request_id(made.request_id))


def _answer(made: Vectors, asked: _Asked) -> native_shapes.EmbeddingList:
    encode = _base64 if asked.encoding == "base64" else list[float]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": at, "embedding": encode(row)} for at, row in enumerate(made.rows)],
        "model": asked.model,
        "usage": {"prompt_tokens": made.tokens, "total_tokens": made.tokens},
    }


def _base64(vector: Sequence[float]) -> str:
    """Return a vector as OpenAI's clients read it: 32-bit floats, the lowest octet first."""
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _read(document: Mapping[str, object]) -> _Asked:
    for name in ("model", "input"):
        if document.get(name) is None:
            raise ServiceError("missing_field", f"{name}: This field is required.", param=name)
    model, encoding, size = document["model"], document.get("encoding_format"), document.get("dimensions")
    input_type = document.get("input_type")
    if not isinstance(model, str) or not 0 < len(model) <= _LONGEST_MODEL:
        raise ServiceError("invalid_type", "It must be the id of a model.", param="model")
    if encoding not in (None, *_OCTETS):
        raise ServiceError("invalid_value", "It is float or base64.", param="encoding_format")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int)):
        raise ServiceError("invalid_type", "It must be a whole number.", param="dimensions")
    if input_type not in (None, *INPUT_TYPES):
        raise ServiceError("invalid_value", f"It is one of {', '.join(INPUT_TYPES)}.", param="input_type")
    ignored = [name for name, value in document.items() if name not in _KNOWN and value is not None]
    return _Asked(model, _texts(document["input"]), encoding or "float", size, input_type, ignored)


def _texts(given: object) -> list[str]:
    rows = [given] if isinstance(given, str) else given
    if not isinstance(rows, list):
        raise ServiceError("invalid_type", "It must be a text, or a list of texts.", param="input")
    if any(isinstance(row, (int, list)) for row in rows):
        raise ServiceError(
            "unsupported_parameter",
            "Tokens can't be embedded: they are those of OpenAI's models, and other models have others.",
            param="input",
            fix="Send texts. LangChain's OpenAIEmbeddings does with check_embedding_ctx_length=False.",
        )
    if not 0 < len(rows) <= _MOST_TEXTS:
        raise ServiceError("invalid_value", f"There must be 1 to {_MOST_TEXTS} texts.", param="input")
    texts: list[str] = []
    for at, row in enumerate(rows):
        if not isinstance(row, str):
            raise ServiceError("invalid_type", "It must be a text.", param=f"input.{at}")
        if not row:
            raise ServiceError("invalid_value", "An empty text can't be embedded.", param=f"input.{at}")
        texts.append(row)
    return texts


def _check(asked: _Asked, family: Family) -> None:
    """Raise `invalid_value` for a length that the model does not give, and for more texts than an answer can hold."""
    if asked.dimensions is not None and asked.dimensions not in family.sizes:
        sizes = ", ".join(str(size) for size in family.sizes)
        raise ServiceError("invalid_value", f"The model gives vectors of {sizes}.", param="dimensions")
    most = int(_LARGEST_ANSWER / (_OCTETS[asked.encoding] * (asked.dimensions or family.sizes[0])))
    if len(asked.texts) > most:
        raise ServiceError(
            "invalid_value",
            f"The answer would be too large: with this model, length and encoding it holds {most} vectors.",
            param="input",
            fix="Send fewer texts; base64 takes a quarter of float, and fewer dimensions take less.",
        )

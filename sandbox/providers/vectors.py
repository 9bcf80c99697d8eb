"""OpenAI's embeddings by rule: the vectors that the local Bedrock computes, in the shape of three providers."""

from __future__ import annotations

import struct
from base64 import b64encode
from typing import Any, Final

from sandbox.bedrock.embeddings import vector
from sandbox.bedrock.tokens import tokens_of
from sandbox.providers.server import Told

SIZE: Final = 1536
_FIELDS: Final = ("model", "input", "encoding_format", "dimensions", "user")


def embeddings(document: object, model: str) -> Told:
    """Answer embeddings, or refuse a body that OpenAI would."""
    if not isinstance(document, dict) or not document.get("input"):
        return _refused("'$.input' is invalid. Please check the API reference.", "input")
    for name in document:
        if name not in _FIELDS:
            return _refused(f"Unrecognized request argument supplied: {name}", None)
    given = document["input"]
    texts = [given] if isinstance(given, str) else [row if isinstance(row, str) else str(row) for row in given]
    data = []
    for index, text in enumerate(texts):
        row: Any = vector(text, document.get("dimensions") or SIZE)
        if document.get("encoding_format") == "base64":
            row = b64encode(struct.pack(f"<{len(row)}f", *row)).decode()
        data.append({"object": "embedding", "index": index, "embedding": row})
    count = sum(map(tokens_of, texts))
    usage = {"prompt_tokens": count, "total_tokens": count}
    return Told(200, {"object": "list", "data": data, "model": model, "usage": usage})


def _refused(message: str, param: str | None) -> Told:
    return Told(400, {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": None}})

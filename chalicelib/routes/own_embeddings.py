"""OpenAI's embeddings with a key of OpenAI, Google or Azure that came in the request's headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.errors import ServiceError
from chalicelib.identifiers.providers import bare_model
from chalicelib.routes.exchange import Reply
from chalicelib.routes.upstream import ignored_header

if TYPE_CHECKING:
    from chalicelib.providers.openai_embeddings import OpenAiEmbeddings
    from chalicelib.routes.exchange import Request


def embeddings(provider: OpenAiEmbeddings, name: str, document: dict[str, object], request: Request) -> Reply[Any]:
    """Pass the texts on, and the vectors back. What is wrong with them the provider says, at its place."""
    request.notes["provider"] = name
    for field in ("model", "input"):
        if document.get(field) is None:
            raise ServiceError("missing_field", f"{field}: This field is required.", param=field)
    model = document["model"]
    if not isinstance(model, str):
        raise ServiceError("invalid_type", "It must be the id of a model.", param="model")
    answer, dropped, request_id = provider.embed(bare_model(model, name), document)
    headers = {"Rolecall-Provider-Request-Id": request_id} if request_id else {}
    return Reply({**answer, "model": model}, headers=headers | ignored_header(dropped))

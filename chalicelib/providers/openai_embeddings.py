"""Embeddings on OpenAI's wire: OpenAI itself, Google's surface of the same shape, and Azure's resources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.failures import Unreachable
from chalicelib.errors import ServiceError
from chalicelib.providers.answers import whole
from chalicelib.providers.failures import ProviderError, ended_early, explain, request_id_of
from chalicelib.providers.foreign import rows
from chalicelib.providers.outgoing import Call
from chalicelib.providers.surfaces import SURFACES, key_header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.providers.credentials import ApiKey, AzureKey
    from chalicelib.providers.outgoing import Outgoing

_SECONDS: Final = 25.0
_NAME: Final = re.compile(r"(?!\.)[\w.-]{1,64}", re.ASCII)
_PASSED: Final = frozenset({"input", "encoding_format", "dimensions", "user"})
"""Fields of OpenAI's embeddings, by its API reference. The rest is named in a header, not sent on."""


class OpenAiEmbeddings:
    """A key of OpenAI, Google or Azure, for one request."""

    def __init__(self, credential: ApiKey | AzureKey, outgoing: Outgoing) -> None:
        self._provider = credential.provider
        self._key = credential.key
        self._outgoing = outgoing
        self._surface = SURFACES[credential.provider]
        self._target = self._surface.host or credential.endpoint  # type: ignore[union-attr]  # Azure's has one

    def embed(self, model: str, body: Mapping[str, object]) -> tuple[dict[str, Any], tuple[str, ...], str]:
        """Return the answer, the names of fields that were left out, and the provider's id of the request.

        Raises `ServiceError`, before anything is sent for a name that no model or deployment has.
        """
        name = model.removeprefix("models/") if self._provider == "google" else model
        if not _NAME.fullmatch(name):
            # A deployment's name stands in the path.
            raise ServiceError(
                "invalid_model_id",
                "This can't be the name of a model or deployment: letters, digits and ._- alone, 64 at most.",
                param="model",
                fix="Give the model's name as its provider writes it; at Azure, that of the deployment.",
            )
        sent = {field: value for field, value in body.items() if field in _PASSED}
        dropped = tuple(field for field in body if field not in _PASSED and field != "model")
        secret = self._key.get_secret_value()
        headers = key_header(self._surface.chat_header, secret)
        path = self._surface.path_of_embeddings(name)
        call = Call(self._provider, "embed", "POST", self._target, path, headers, {**sent, "model": name}, _SECONDS)
        try:
            received = whole(self._outgoing, call, secret)
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure
        document = received.document
        if not isinstance(document, dict) or not rows(document, "data"):
            raise ended_early(self._provider)
        return document, dropped, request_id_of(received.headers)

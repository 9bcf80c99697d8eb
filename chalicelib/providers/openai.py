"""OpenAI's wire: OpenAI itself, Google's surface of the same shape, and Azure's resources."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.failures import Unreachable
from chalicelib.errors import ServiceError
from chalicelib.providers.base import VERIFY_SECONDS, KeyCheck, ProviderModel
from chalicelib.providers.failures import ProviderError, error_of, explain, failed, probed
from chalicelib.providers.outgoing import Call
from chalicelib.providers.surfaces import AZURE_DEPLOYMENTS, SURFACES, deployments, key_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.providers.credentials import ApiKey, AzureKey
    from chalicelib.providers.outgoing import Outgoing, Received
    from chalicelib.providers.standard import ModelRule

_LIST_SECONDS: Final = 20.0


class OpenAi:
    """A key of OpenAI, Google or Azure, for one request."""

    def __init__(self, credential: ApiKey | AzureKey, outgoing: Outgoing, rule: ModelRule) -> None:
        self._provider = credential.provider
        self._key = credential.key
        self._outgoing = outgoing
        self._rule = rule
        self._surface = SURFACES[credential.provider]
        self._target = self._surface.host or credential.endpoint  # type: ignore[union-attr]  # Azure's has one

    def verify(self) -> KeyCheck:
        """List, which proves the key; then ask the cheapest model for one token: a list does not tell of no credit."""
        end = time.monotonic() + VERIFY_SECONDS
        try:
            models, problem = self._listed(end)
        except (ProviderError, Unreachable) as failure:
            return failed(failure)
        for part in self._surface.probes:
            cheapest = next((model.id for model in models if part in model.id), None)
            if cheapest is not None:
                return self._probed(cheapest, models, end)
        return KeyCheck("valid", models, problem)

    def models(self) -> Sequence[ProviderModel]:
        """Return the models that hold a plain chat."""
        try:
            return self._listed(time.monotonic() + _LIST_SECONDS)[0]
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure

    def _listed(self, end: float) -> tuple[list[ProviderModel], ServiceError | None]:
        document = self._get("list models", self._surface.list_path, end).document
        if self._provider != "azure":
            return self._surface.read(document, self._rule), None
        try:
            deployed = self._get("list deployments", AZURE_DEPLOYMENTS, end).document
        except (ProviderError, Unreachable):
            return [], ServiceError(
                "deployments_not_listed",
                "The key is good, but a resource's deployments can't be listed with a key alone.",
                fix="Type the name of a deployment as the model: Azure AI Foundry shows it under Deployments.",
            )
        return deployments(deployed, document), None

    def _probed(self, model: str, models: Sequence[ProviderModel], end: float) -> KeyCheck:
        question = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        return probed(models, lambda: self._post(model, question, end - time.monotonic()))

    def _get(self, operation: str, path: str, end: float) -> Received:
        headers = key_header(self._surface.list_header, self._key.get_secret_value())
        seconds = max(0.1, end - time.monotonic())
        return self._fetch(Call(self._provider, operation, "GET", self._target, path, headers, seconds=seconds))

    def _post(self, model: str, body: Mapping[str, Any], seconds: float) -> Received:
        path = self._surface.path_of_chat(model)
        headers = key_header(self._surface.chat_header, self._key.get_secret_value())
        return self._fetch(
            Call(self._provider, "chat", "POST", self._target, path, headers, body=body, seconds=max(0.1, seconds))
        )

    def _fetch(self, call: Call) -> Received:
        received = self._outgoing.fetch(call)
        if received.status != 200:
            raise error_of(self._provider, received)
        if not isinstance(received.document, dict):
            raise Unreachable(self._provider, call.operation, "cut", begun=True)
        return received

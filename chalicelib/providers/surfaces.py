"""OpenAI, Google and Azure OpenAI differ in addresses, headers and lists: rows of data over one behaviour.

Sources: OpenAI's API reference; ai.google.dev, "Gemini API reference: models" and "OpenAI compatibility"; Microsoft
Learn, "Azure OpenAI REST API reference". The list of deployments answers to one preview version alone, and no longer
stands in any reference (github.com/Azure/azure-sdk-for-python/issues/32170): where it is gone, names are typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from chalicelib.providers.base import ProviderModel
from chalicelib.providers.foreign import identifier, known, number, rows, text
from chalicelib.providers.outgoing import FixedHost
from chalicelib.providers.standard import ModelRule, is_gemini_chat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AZURE_API: Final = "2024-10-21"
_NOT_IN_AZURE: Final = frozenset(
    {
        "max_completion_tokens", "metadata", "prediction", "prompt_cache_key", "prompt_cache_retention",
        "safety_identifier", "service_tier", "store", "verbosity",
    }
)  # fmt: skip
"""Azure's published specification of that version, whose service says "Unrecognized request argument supplied" to what
it has not (github.com/openai/openai-python/issues/1724). `stream_options` it lacks as well, and is taken
(github.com/griptape-ai/griptape/issues/1640)."""
AZURE_DEPLOYMENTS: Final = "/openai/deployments?api-version=2023-03-15-preview"


@dataclass(frozen=True, slots=True)
class Surface:
    """How one company's side looks. `host` None: the customer's own resource, by its endpoint.

    `list_header` and `chat_header` name the header that the key is sent in; `Authorization` takes it as a bearer token.
    `probes` are parts of the names of models to ask for one token of, cheapest first: none where lists tell enough.
    """

    host: FixedHost | None
    list_path: str
    list_header: str
    chat_path: str
    chat_header: str
    embeddings_path: str
    read: Callable[[object, ModelRule], list[ProviderModel]]
    probes: tuple[str, ...] = ()
    lacks: frozenset[str] = frozenset()
    """Fields of OpenAI's chat that this one refuses as unknown."""
    efforts: bool = False
    """Whether models that may be called here can be told how much to think."""

    def path_of_chat(self, model: str) -> str:
        """Return the path of a chat with a model or deployment."""
        return self.chat_path.replace("{model}", quote(model, safe="-_."))

    def path_of_embeddings(self, model: str) -> str:
        """Return the path of embeddings with a model or deployment."""
        return self.embeddings_path.replace("{model}", quote(model, safe="-_."))


def key_header(name: str, key: str) -> dict[str, str]:
    """Return the header that carries a key."""
    return {name: f"Bearer {key}" if name == "Authorization" else key}


def _of_openai(document: object, rule: ModelRule) -> list[ProviderModel]:
    models = [
        ProviderModel(
            id=name,
            owner=text(row, "owned_by") or "openai",
            created=number(row, "created") or 0,
            details=known(shutdown_date=text(row, "shutdown_date")),
        )
        for row in rows(document, "data")
        if rule.allows(name := identifier(row, "id"))
    ]
    return sorted(models, key=lambda model: model.id)


def _of_google(document: object, _: ModelRule) -> list[ProviderModel]:
    models = []
    for row in rows(document, "models"):
        name = identifier(row, "name").removeprefix("models/")
        methods = row.get("supportedGenerationMethods")
        if is_gemini_chat(name, methods if isinstance(methods, list) else ()):
            details = known(
                context_tokens=number(row, "inputTokenLimit"),
                max_output_tokens=number(row, "outputTokenLimit"),
                thinking=row.get("thinking") is True or None,
            )
            models.append(ProviderModel(id=name, owner="google", name=text(row, "displayName")[:200], details=details))
    return sorted(models, key=lambda model: model.id)


def deployments(document: object, base_models: object) -> list[ProviderModel]:
    """Return those deployments of an Azure resource that chat, as far as the list of its base models tells."""
    chatting = {identifier(row, "id"): _chats(row) for row in rows(base_models, "data")}
    models = []
    for row in rows(document, "data"):
        name, model = identifier(row, "id"), identifier(row, "model")
        told = [chats for base, chats in chatting.items() if base == model or base.startswith(f"{model}-")]
        if name and text(row, "status") in {"", "succeeded"} and (not told or any(told)):
            models.append(ProviderModel(id=name, owner="azure", details=known(model=model)))
    return sorted(models, key=lambda model: model.id)


def _chats(row: Mapping[str, object]) -> bool:
    capabilities = row.get("capabilities")
    return isinstance(capabilities, dict) and capabilities.get("chat_completion") is True


SURFACES: Final = {
    "openai": Surface(
        host=FixedHost("api.openai.com"),
        list_path="/v1/models",
        list_header="Authorization",
        chat_path="/v1/chat/completions",
        chat_header="Authorization",
        embeddings_path="/v1/embeddings",
        read=_of_openai,
        probes=("gpt-4.1-nano", "gpt-4o-mini", "gpt-3.5-turbo", "gpt-"),
    ),
    "google": Surface(
        host=FixedHost("generativelanguage.googleapis.com"),
        list_path="/v1beta/models?pageSize=1000",
        list_header="x-goog-api-key",
        chat_path="/v1beta/openai/chat/completions",
        chat_header="Authorization",
        embeddings_path="/v1beta/openai/embeddings",
        read=_of_google,
        probes=("flash-lite", "flash"),
        efforts=True,
    ),
    "azure": Surface(
        host=None,
        list_path=f"/openai/models?api-version={AZURE_API}",
        list_header="api-key",
        chat_path=f"/openai/deployments/{{model}}/chat/completions?api-version={AZURE_API}",
        chat_header="api-key",
        embeddings_path=f"/openai/deployments/{{model}}/embeddings?api-version={AZURE_API}",
        read=lambda _, __: [],
        lacks=_NOT_IN_AZURE,
    ),
}

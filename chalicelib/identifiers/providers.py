"""Providers by name, and model ids with a provider before them, as `/v1/models` lists them."""

from __future__ import annotations

from typing import Final, Literal, get_args
from urllib.parse import unquote

from chalicelib.errors import ServiceError

Provider = Literal["bedrock", "openai", "anthropic", "google", "azure"]
PROVIDERS: Final[tuple[Provider, ...]] = get_args(Provider)


def parse_provider(text: str, *, param: str) -> Provider:
    """Return the provider of this name. The text is not repeated: whoever mixes fields up may have put a key here."""
    for provider in PROVIDERS:
        if text == provider:
            return provider
    raise ServiceError(
        "unknown_provider", "There is no such provider.", param=param, fix=f"Give one of {', '.join(PROVIDERS)}."
    )


def bare_model(text: str, provider: str) -> str:
    """Return a model's id without the provider in use before it; another provider's raises `provider_mismatch`.

    Clients may percent-encode the slashes of an ARN. What stands before a slash and is no provider is part of the id.
    """
    decoded = unquote(text) if "%" in text else text
    named, slash, rest = decoded.partition("/")
    if not slash or named.lower() not in PROVIDERS:
        return decoded
    if named.lower() != provider:
        raise ServiceError(
            "provider_mismatch",
            f"The model is one of {named.lower()}, and this request goes to {provider}.",
            param="model",
            fix=f"Name a model of {provider}, or send a key of {named.lower()} instead.",
        )
    return rest

"""Models that a key can call, as OpenAI's objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.identifiers.providers import Provider as ProviderName
    from chalicelib.providers.base import ProviderModel
    from chalicelib.routes import model_shapes

CREATED: Final = 1_700_000_000
"""OpenAI's `created` of a model, in seconds since 1970, where nobody tells it: a fixed time in the past."""


def model_rows(provider: ProviderName, models: Sequence[ProviderModel]) -> list[model_shapes.ModelRow]:
    """Return models as OpenAI's objects, and what is known besides under `rolecall`."""
    return [
        {
            "id": f"{provider}/{model.id}",
            "object": "model",
            "created": model.created or CREATED,
            "owned_by": model.owner,
            # What a provider tells besides is not known to mypy; the tests hold it against the shape.
            "rolecall": cast(
                "model_shapes.ModelDetails", {"provider": provider, "name": model.name or model.id, **model.details}
            ),
        }
        for model in models
    ]

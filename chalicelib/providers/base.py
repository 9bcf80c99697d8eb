"""The one question, and what every provider answers it with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.errors import ServiceError

Verdict = Literal["valid", "invalid", "limited", "no_credit", "unreachable", "unknown"]
VERIFY_SECONDS = 4.5
"""All that a verification may take; the button promises an answer in five."""


@dataclass(frozen=True, slots=True)
class ProviderModel:
    """A model that this key can name. `details` holds what the provider tells besides, under our names."""

    id: str
    owner: str
    name: str = ""
    created: int = 0
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """What a key is good for. `problem` says what is wrong and how to mend it; a valid key has none, or a remark."""

    verdict: Verdict
    models: Sequence[ProviderModel] = ()
    problem: ServiceError | None = None


class Provider(Protocol):
    """Where a chat goes, with the credential that came with it. Lives as long as one request."""

    def verify(self) -> KeyCheck:
        """Find out what the credential is good for, within `VERIFY_SECONDS`. Never says invalid unless told so."""
        ...

    def models(self) -> Sequence[ProviderModel]:
        """Return the models that it can call. Raises `ServiceError`."""
        ...

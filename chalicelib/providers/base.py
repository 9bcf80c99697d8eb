"""The one question, and what every provider answers it with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

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


@dataclass(frozen=True, slots=True)
class Question:
    """A chat to be answered: the model's name at its provider, and the body as OpenAI's API has it.

    `preamble` holds the texts that go before the body's own messages; `seconds` is all that the answer may take.
    """

    model: str
    body: Mapping[str, Any]
    preamble: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Chat:
    """An answer: OpenAI's `chat.completion`, fields that were left out or changed, and the provider's request id."""

    document: Mapping[str, Any]
    changed: tuple[str, ...] = ()
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ChatStream:
    """An answer as it comes: `chat.completion.chunk`s.

    `chunks` ends without an error only where the provider finished properly; raises `ServiceError` otherwise. Closing
    it ends the call; `abort` ends it from another thread, under a read.
    """

    chunks: Generator[dict[str, Any], None, None]
    abort: Callable[[], None]
    changed: tuple[str, ...] = ()
    request_id: str = ""


class Provider(Protocol):
    """Where a chat goes, with the credential that came with it. Lives as long as one request."""

    def verify(self) -> KeyCheck:
        """Find out what the credential is good for, within `VERIFY_SECONDS`. Never says invalid unless told so."""
        ...

    def models(self) -> Sequence[ProviderModel]:
        """Return the models that it can call. Raises `ServiceError`."""
        ...

    def chat(self, question: Question) -> Chat:
        """Answer a chat, as OpenAI's API has it. Raises `ServiceError`."""
        ...

    def stream(self, question: Question) -> ChatStream:
        """Answer a chat as it is made. Raises `ServiceError` for all that goes wrong before the first octet."""
        ...

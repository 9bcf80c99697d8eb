"""Other companies, played on the loopback: one server each, with the paths, errors and streams of the real one."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Self

from sandbox.providers.anthropic import FakeAnthropic
from sandbox.providers.azure import FakeAzure
from sandbox.providers.google import FakeGoogle
from sandbox.providers.openai import FakeOpenAi

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.providers.server import FakeProvider

AZURE_HOST: Final = "sandbox.openai.azure.com"


class Providers:
    """The four, each with a key that is new at each start."""

    def __init__(self) -> None:
        self.openai = FakeOpenAi(f"sk-proj-{secrets.token_urlsafe(36)}")
        self.anthropic = FakeAnthropic(f"sk-ant-api03-{secrets.token_urlsafe(48)}")
        self.google = FakeGoogle(f"AIza{secrets.token_hex(17)}A")
        self.azure = FakeAzure(secrets.token_hex(16))

    def start(self) -> Self:
        """Begin to serve."""
        for fake in self.all:
            fake.start()
        return self

    def stop(self) -> None:
        """Stop serving."""
        for fake in self.all:
            fake.stop()

    @property
    def all(self) -> tuple[FakeProvider, ...]:
        """The servers."""
        return (self.openai, self.anthropic, self.google, self.azure)

    def addresses(self) -> Mapping[str, str]:
        """Return where each of their hosts is played."""
        return {
            "api.openai.com": self.openai.url,
            "api.anthropic.com": self.anthropic.url,
            "generativelanguage.googleapis.com": self.google.url,
            AZURE_HOST: self.azure.url,
        }

    def description(self) -> dict[str, dict[str, str]]:
        """Return the keys that they take."""
        return {
            "openai": {"key": self.openai.key},
            "anthropic": {"key": self.anthropic.key},
            "google": {"key": self.google.key},
            "azure": {"key": self.azure.key, "endpoint": f"https://{AZURE_HOST}"},
        }

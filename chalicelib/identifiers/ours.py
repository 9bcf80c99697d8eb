"""The identifiers that are made here: external IDs and connection ids."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _base32(octets: bytes) -> str:
    return base64.b32encode(octets).decode("ascii").rstrip("=").lower()


@dataclass(frozen=True, slots=True)
class ExternalId:
    """`rolecall-` and 32 characters of lower-case base32: 160 random bits. Made here alone, never from a request."""

    value: str

    PREFIX = "rolecall-"

    def __str__(self) -> str:
        """Return the text that STS compares."""
        return self.value

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> ExternalId:
        """Make one from 20 random bytes."""
        return cls(cls.PREFIX + _base32(random_bytes(20)))


@dataclass(frozen=True, slots=True)
class ConnectionId:
    """`conn-` and 20 characters of lower-case base32 (100 bits). It is part of role and session names, so short."""

    value: str

    _PATTERN = re.compile(r"conn-[a-z2-7]{20}", re.ASCII)

    def __str__(self) -> str:
        """Return the id as the API shows it."""
        return self.value

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> ConnectionId:
        """Make one from 13 random bytes, of which 100 bits are kept."""
        return cls("conn-" + _base32(random_bytes(13))[:20])

    @classmethod
    def parse(cls, text: str) -> ConnectionId | None:
        """Return None for anything else: the caller answers it like an unknown connection."""
        return cls(text) if cls._PATTERN.fullmatch(text) else None

    @property
    def role_name(self) -> str:
        """The name that the documents give the customer's role, so that its ARN follows from the account number."""
        return "RolecallAccess-" + self.value.removeprefix("conn-")

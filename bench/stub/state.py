"""What the stub knows: sessions that it gave, items of the table, and every call so far."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/\d{8}/[a-z0-9-]+/([a-z0-9-]+)/aws4_request,\s*"
    r"SignedHeaders=([a-z0-9;-]+),\s*Signature=[0-9a-f]{64}",
    re.ASCII,
)
_ENDING: Final = timedelta(minutes=5)
"""What is left of the first session of a role `Ending-…`: past the mark at which a session is renewed."""


def unique_id(role_arn: str) -> str:
    """Return IAM's id of a role, which follows from its ARN here."""
    return "AROA" + hashlib.sha256(role_arn.encode()).hexdigest()[:17].upper()


def seconds_to_assume(role_arn: str) -> float:
    """Return how long AssumeRole takes for a role; its name says so: `Hanging-…`, `Late-…`, `Ending-…`."""
    return {"Hanging": 2.0, "Late": 0.3, "Ending": 0.5}.get(_kind(role_arn), 0.0)


def refuses(role_arn: str) -> bool:
    """Whether a role refuses us: `Refusing-…`."""
    return _kind(role_arn) == "Refusing"


def _kind(role_arn: str) -> str:
    return role_arn.rpartition("/")[2].partition("-")[0]


@dataclass(frozen=True, slots=True)
class GivenSession:
    """A session as AssumeRole answers it."""

    access_key_id: str
    secret_access_key: str
    token: str
    expires_at: datetime


@dataclass(slots=True)
class State:
    """Everything that changes while the stub runs."""

    access_key_id: str
    """The service's own key, of which STS and DynamoDB take calls."""
    tokens: dict[str, str] = field(default_factory=dict)
    """The token of each session by its access key id."""
    calls: Counter[str] = field(default_factory=Counter)
    """How often each operation was called; refused calls are counted as `refused`."""
    assuming: Counter[str] = field(default_factory=Counter)
    """AssumeRole calls under way, by role."""
    most_assuming: int = 0
    given: Counter[str] = field(default_factory=Counter)
    """Sessions given, by role."""
    items: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """The table: items by partition and sort key."""

    def admits(self, service: str, headers: Mapping[str, str]) -> bool:
        """Whether a call is signed with a key that may call this service, for this service, with its own token."""
        found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if found is None or found[2] != service or "host" not in found[3].split(";"):
            return False
        token = headers.get("x-amz-security-token")
        if service == "bedrock":
            return token is not None and self.tokens.get(found[1]) == token
        return found[1] == self.access_key_id and token is None

    def give(self, role_arn: str, seconds: int) -> GivenSession:
        """Give a session of a role."""
        life = _ENDING if _kind(role_arn) == "Ending" and not self.given[role_arn] else timedelta(seconds=seconds)
        self.given[role_arn] += 1
        session = GivenSession(
            "ASIA" + secrets.token_hex(8).upper(),
            secrets.token_hex(20),
            secrets.token_hex(400),
            datetime.now(UTC) + life,
        )
        self.tokens[session.access_key_id] = session.token
        return session

    def begin_to_assume(self, role_arn: str) -> None:
        """Note that an AssumeRole is under way."""
        self.assuming[role_arn] += 1
        self.most_assuming = max(self.most_assuming, self.assuming[role_arn])

    def forget_calls(self) -> None:
        """Count from nothing again."""
        self.calls.clear()
        self.most_assuming = 0

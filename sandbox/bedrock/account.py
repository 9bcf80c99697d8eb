"""What a customer's account holds in Bedrock: application profiles, guardrails, agreements and the use-case form."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from sandbox.bedrock.catalog import Model


class Place(NamedTuple):
    """Where a request arrives: ARNs are made of it."""

    partition: str
    region: str
    account: str

    def arn(self, resource: str) -> str:
        """Return the ARN of a Bedrock resource of this account and region, such as `guardrail/a1b2c3d4e5f6`."""
        return f"arn:{self.partition}:bedrock:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True)
class ApplicationProfile:
    """An inference profile that the customer made, copied from a model or a system profile."""

    arn: str
    name: str
    description: str | None
    model: Model
    model_regions: tuple[str, ...]
    created: datetime

    @property
    def id(self) -> str:
        """The last part of the ARN: twelve characters."""
        return self.arn.rpartition("/")[2]


@dataclass(slots=True)
class Guardrail:
    """A guardrail as far as the sandbox knows them: the words that it blocks, and its two answers."""

    arn: str
    name: str
    description: str | None
    blocked_input: str
    blocked_output: str
    words: tuple[str, ...]
    created: datetime
    versions: int = 0

    @property
    def id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition("/")[2]

    def has_version(self, version: str) -> bool:
        """Whether DRAFT or a version that was made of it."""
        return version == "DRAFT" or version in {str(n) for n in range(1, self.versions + 1)}


@dataclass
class BedrockAccount:
    """One account's own things; profiles and guardrails by ARN."""

    profiles: dict[str, ApplicationProfile] = field(default_factory=dict)
    guardrails: dict[str, Guardrail] = field(default_factory=dict)
    agreements: set[str] = field(default_factory=set)
    use_case_form: bytes | None = None
    made: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def guardrail(self, identifier: str, place: Place) -> Guardrail | None:
        """Find a guardrail by id or ARN, in this place alone."""
        arn = identifier if identifier.startswith("arn:") else place.arn(f"guardrail/{identifier}")
        return self.guardrails.get(arn) if arn.startswith(place.arn("guardrail/")) else None

    def next_id(self) -> str:
        """Return twelve characters, as AWS's ids have; counted, so that a run can be repeated."""
        with self.lock:
            self.made += 1
            return hashlib.sha256(str(self.made).encode()).hexdigest()[:12]


class Accounts:
    """All accounts, each made when first asked for. They live as long as the process, like moto's own state."""

    def __init__(self) -> None:
        self._all: dict[str, BedrockAccount] = {}
        self._lock = threading.Lock()

    def of(self, account: str) -> BedrockAccount:
        """Return what the account holds."""
        with self._lock:
            return self._all.setdefault(account, BedrockAccount())

    def forget(self) -> None:
        """Empty every account."""
        with self._lock:
            self._all.clear()


ACCOUNTS: Final = Accounts()


def now() -> datetime:
    """Return the time as Bedrock's control plane gives it, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def timestamp(moment: datetime) -> str:
    """Return a moment in the form that the service model asks for."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

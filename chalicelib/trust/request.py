"""The request that a policy is asked about, and the condition keys that follow from who makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final

Value = str | Sequence[str]
_NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})


@dataclass(frozen=True)
class Request:
    """One call: who asks (`principal`), for what (`action`), on what (`resource`), and the condition keys.

    `principal` is the ARN of a user, of an assumed-role session or of an account's root, or a service's name.
    `role_arn` is the role behind a session, for the path that a session's ARN leaves out. A key that `context` lacks
    is absent; an empty list counts as absent too. Keys that follow from the principal (`aws:PrincipalArn`,
    `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:username`, `aws:userid` of those without a unique id) need not be
    given.
    """

    action: str
    resource: str
    principal: str
    context: Mapping[str, Value] = field(default_factory=lambda: _NOTHING)
    role_arn: str | None = None

    @cached_property
    def account(self) -> str | None:
        """The principal's account number."""
        return self.principal.split(":", 5)[4] if _is_arn(self.principal) else None

    @cached_property
    def partition(self) -> str | None:
        """The principal's partition."""
        return self.principal.split(":", 5)[1] if _is_arn(self.principal) else None

    @cached_property
    def principal_arn(self) -> str:
        """What `aws:PrincipalArn` holds: for a session the ARN of its role."""
        if self.role_arn is not None:
            return self.role_arn
        if _is_arn(self.principal):
            _, partition, service, _, account, resource = self.principal.split(":", 5)
            kind, _, rest = resource.partition("/")
            if service == "sts" and kind == "assumed-role":
                return f"arn:{partition}:iam::{account}:role/{rest.partition('/')[0]}"
        return self.principal

    @cached_property
    def unique_ids(self) -> frozenset[str]:
        """The unique id (`AROA...`, `AIDA...`) of the caller's role or user, where `aws:userid` tells it."""
        ids = (value.partition(":")[0] for value in self.keys.get("aws:userid", ()))
        return frozenset(found for found in ids if found.startswith(("AROA", "AIDA")))

    @cached_property
    def keys(self) -> Mapping[str, tuple[str, ...]]:
        """The condition keys that are there, by name in lower case. What the caller is comes first from `context`."""
        keys = dict(self._principal_keys())
        for name, value in self.context.items():
            values = (value,) if isinstance(value, str) else tuple(value)
            if values:
                keys[name.lower()] = values
            else:
                keys.pop(name.lower(), None)
        return keys

    def _principal_keys(self) -> Mapping[str, tuple[str, ...]]:
        if not _is_arn(self.principal):
            return {}
        kind, _, name = self.principal.split(":", 5)[5].partition("/")
        keys = {"aws:principalaccount": self.account or "", "aws:principalarn": self.principal_arn}
        if kind in {"assumed-role", "role"}:
            keys["aws:principaltype"] = "AssumedRole"
        elif kind == "federated-user":
            keys["aws:principaltype"] = "FederatedUser"
            keys["aws:userid"] = f"{self.account}:{name}"
        elif kind == "user":
            keys["aws:principaltype"] = "User"
            keys["aws:username"] = name.rpartition("/")[2]
        elif kind == "root":
            keys["aws:principaltype"] = "Account"
            keys["aws:userid"] = self.account or ""
        return {key: (value,) for key, value in keys.items()}


def _is_arn(text: str) -> bool:
    return text.startswith("arn:") and text.count(":") >= 5

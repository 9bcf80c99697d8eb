"""What IAM makes of trust policies: which version counts, and whom a principal's ARN meant when it was stored."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moto.iam.models import iam_backends

from chalicelib.trust import TrustPolicy
from sandbox.aws.callers import PARTITION, find_role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.iam.models import Role

_ENTITY: Final = re.compile(r"arn:aws:iam::(\d{12}):(role|user)/.+", re.ASCII)
_PRINCIPALS: Final = ("Principal", "NotPrincipal")


@dataclass(frozen=True, slots=True)
class _Version:
    """A trust policy as it was stored, and the unique ids of the roles and users that it named then."""

    document: str
    unique_ids: Mapping[str, str]


class TrustPolicies:
    """The trust policies of roles with their past, by unique id.

    IAM stores the unique id of a role or user that a policy names: when it is deleted and made anew under its old
    name, the policy no longer means it. ARNs in conditions stay as they are (IAM user guide, "AWS JSON policy
    elements: Principal").
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[str, list[_Version]] = {}

    def store(self, role: Role) -> None:
        """Take note of a role's trust policy as it is now."""
        document = role.assume_role_policy_document
        arns = _principals(TrustPolicy.parse(document))
        ids = {arn: found for arn in arns if (found := _unique_id(arn)) is not None}
        with self._lock:
            self._versions.setdefault(role.id, []).append(_Version(document, ids))

    def of(self, role: Role, *, last_change_hidden: bool) -> TrustPolicy | None:
        """Return the policy that counts; with its last change hidden the one before, or None if there was none."""
        with self._lock:
            versions = list(self._versions.get(role.id, ()))
        if last_change_hidden:
            versions = versions[:-1]
        if not versions:
            return None
        version = versions[-1]
        gone = {arn: kept for arn, kept in version.unique_ids.items() if _unique_id(arn) != kept}
        return TrustPolicy.parse(_renamed(version.document, gone) if gone else version.document)

    def forget_all(self) -> None:
        """Begin anew."""
        with self._lock:
            self._versions.clear()


def missing_principal(policy: TrustPolicy) -> str | None:
    """Return the first role or user that a policy names and that its account, if it is known here, does not have."""
    for arn in _principals(policy):
        match = _ENTITY.fullmatch(arn)
        if match is not None and match[1] in iam_backends and _unique_id(arn) is None:
            return arn
    return None


def _principals(policy: TrustPolicy) -> list[str]:
    return sorted({arn for row in policy.statements if row.principals for arn in row.principals.aws})


def _unique_id(arn: str) -> str | None:
    """Return the unique id behind a role's or user's ARN, or None when there is none now."""
    match = _ENTITY.fullmatch(arn)
    if match is None or match[1] not in iam_backends:
        return None
    if match[2] == "role":
        role = find_role(arn)
        return None if role is None else str(role.id)
    users = list(iam_backends[match[1]][PARTITION].users.values())
    return next((str(user.id) for user in users if user.arn == arn), None)


def _renamed(document: str, names: Mapping[str, str]) -> str:
    """Return the document with principals written by other names; a principal may be a text or a list of them."""
    policy: dict[str, Any] = json.loads(document)
    rows = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    for row in rows:
        for element in _PRINCIPALS:
            named = row.get(element)
            if isinstance(named, dict) and "AWS" in named:
                given = named["AWS"] if isinstance(named["AWS"], list) else [named["AWS"]]
                named["AWS"] = [names.get(arn, arn) for arn in given]
    return json.dumps(policy)

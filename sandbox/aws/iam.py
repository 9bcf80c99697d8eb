"""IAM: moto's, with the callers' policies asked, and documents that AWS would not store refused."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

from chalicelib.trust import MalformedPolicyError, PermissionsPolicy, TrustPolicy
from sandbox.aws.authentication import Authenticated
from sandbox.aws.callers import PARTITION, find_role
from sandbox.aws.errors import AwsError

if TYPE_CHECKING:
    from moto.iam.models import Role

_TRUST_LIMIT: Final = 2048
_ENTITY: Final = re.compile(r"arn:aws:iam::(\d{12}):(role|user)/(?:.*/)?([^/]+)")


@dataclass(frozen=True, slots=True)
class _Version:
    """A trust policy as it was stored, and the unique ids of the roles and users that it named then."""

    document: str
    unique_ids: dict[str, str] = field(default_factory=dict)


class TrustPolicies:
    """The trust policies of roles with their past, by unique id.

    IAM stores the unique id of a role or user that a policy names: when it is deleted and made anew under its old
    name, the policy no longer means it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[str, list[_Version]] = {}

    def store(self, role: Role) -> None:
        """Take note of a role's trust policy as it is now."""
        document = role.assume_role_policy_document
        ids = {arn: found for arn in _principals(document) if (found := _unique_id(arn)) is not None}
        with self._lock:
            self._versions.setdefault(role.id, []).append(_Version(document, ids))

    def of(self, role: Role, *, last_change_hidden: bool = False) -> TrustPolicy | None:
        """Return the policy that counts; with its last change hidden the one before, or None if there was none."""
        with self._lock:
            versions = list(self._versions.get(role.id, ()))
        if last_change_hidden:
            versions = versions[:-1]
        if not versions:
            return None
        version = versions[-1]
        document = version.document
        for arn, unique_id in version.unique_ids.items():
            if _unique_id(arn) != unique_id:
                document = document.replace(json.dumps(arn), json.dumps(unique_id))
        return TrustPolicy.parse(document)


TRUST: Final = TrustPolicies()


class SandboxIam(Authenticated, IamResponse):
    """The service `iam`."""

    SERVICE = "iam"

    def admit(self, operation: str) -> None:
        """Ask the caller's policies for every operation; the resource is the role or user that is named."""
        self.require(f"iam:{operation}", [self._resource()])

    def create_role(self) -> Any:
        """Create a role whose trust policy AWS would store."""
        self._check_trust_policy("AssumeRolePolicyDocument")
        answer = super().create_role()
        self._note_trust_policy()
        return answer

    def update_assume_role_policy(self) -> Any:
        """Replace a trust policy by one that AWS would store."""
        self._check_trust_policy("PolicyDocument")
        answer = super().update_assume_role_policy()
        self._note_trust_policy()
        return answer

    def put_role_policy(self) -> Any:
        """Store an inline policy of a role."""
        self._check_permissions_policy()
        return super().put_role_policy()

    def put_user_policy(self) -> Any:
        """Store an inline policy of a user."""
        self._check_permissions_policy()
        return super().put_user_policy()

    def create_policy(self) -> Any:
        """Store a managed policy."""
        self._check_permissions_policy()
        return super().create_policy()

    def _resource(self) -> str:
        account = self.current_account
        path = (self._get_param("Path") or "/").strip("/")
        for parameter, kind in (("RoleName", "role"), ("UserName", "user")):
            name = self._get_param(parameter)
            if name is not None:
                return f"arn:{PARTITION}:iam::{account}:{kind}/{path + '/' if path else ''}{name}"
        return "*"

    def _note_trust_policy(self) -> None:
        role = iam_backends[self.current_account][PARTITION].get_role(self._get_param("RoleName"))
        TRUST.store(role)

    def _check_trust_policy(self, parameter: str) -> None:
        document = self._get_param(parameter) or ""
        try:
            TrustPolicy.parse(document)
        except MalformedPolicyError as error:
            raise AwsError("MalformedPolicyDocument", str(error)) from None
        if len(re.sub(r"\s", "", document)) > _TRUST_LIMIT:
            raise AwsError("LimitExceeded", f"Cannot exceed quota for ACLSizePerRole: {_TRUST_LIMIT}", 409)
        for arn in _principals(document):
            match = _ENTITY.fullmatch(arn)
            if match is not None and match[1] in iam_backends and _unique_id(arn) is None:
                raise AwsError("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{arn}"')

    def _check_permissions_policy(self) -> None:
        try:
            PermissionsPolicy.parse(self._get_param("PolicyDocument") or "")
        except MalformedPolicyError as error:
            raise AwsError("MalformedPolicyDocument", str(error)) from None


def _principals(document: str) -> list[str]:
    return sorted(
        {
            arn
            for statement in TrustPolicy.parse(document).statements
            if statement.principals
            for arn in statement.principals.aws
        }
    )


def _unique_id(arn: str) -> str | None:
    """Return the unique id behind a role's or user's ARN, or None when there is none now."""
    match = _ENTITY.fullmatch(arn)
    if match is None or match[1] not in iam_backends:
        return None
    if match[2] == "role":
        role = find_role(arn)
        return None if role is None else str(role.id)
    users = iam_backends[match[1]][PARTITION].users.values()
    return next((str(user.id) for user in users if user.arn == arn), None)

"""IAM: moto's, with the callers' policies asked, and documents that AWS would not store refused."""

from __future__ import annotations

from typing import Any, Final

from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

from chalicelib.trust import MalformedPolicyError, PermissionsPolicy, TrustPolicy, stored_length
from sandbox.aws.authentication import Authenticated
from sandbox.aws.callers import PARTITION
from sandbox.aws.errors import AwsError
from sandbox.aws.parameters import check_number, check_text
from sandbox.aws.trust import TrustPolicies, missing_principal

_TRUST_LIMIT: Final = 2048
TRUST: Final = TrustPolicies()


class SandboxIam(Authenticated, IamResponse):
    """The service `iam`."""

    SERVICE = "iam"

    def admit(self, operation: str) -> None:
        """Ask the caller's policies for every operation; the resource is the role, user or policy that is named."""
        self.require(f"iam:{operation}", [self._resource()])

    def create_role(self) -> Any:
        """Create a role whose parameters and trust policy AWS would store."""
        check_text("RoleName", str(self._get_param("RoleName") or ""), 1, 64, r"[\w+=,.@-]+")
        self._check_max_session_duration()
        self._check_trust_policy("AssumeRolePolicyDocument")
        answer = super().create_role()
        self._note_trust_policy()
        return answer

    def update_role(self) -> Any:
        """Change a role's description or longest session."""
        self._check_max_session_duration()
        return super().update_role()

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

    def create_policy_version(self) -> Any:
        """Store another version of a managed policy."""
        self._check_permissions_policy()
        return super().create_policy_version()

    def _resource(self) -> str:
        """Return the ARN that is authorised; what exists has its path in it, what is created gets it from `Path`."""
        backend = iam_backends[self.current_account][PARTITION]
        path = self._get_param("Path") or "/"
        named: tuple[tuple[str, str, Any], ...] = (
            ("RoleName", "role", backend.roles.values()),
            ("UserName", "user", backend.users.values()),
            ("PolicyName", "policy", ()),
        )
        if self._get_param("PolicyArn") and not self._get_param("RoleName") and not self._get_param("UserName"):
            return str(self._get_param("PolicyArn"))
        for parameter, kind, known in named:
            name = self._get_param(parameter)
            if name is not None:
                usual = f"arn:{PARTITION}:iam::{self.current_account}:{kind}{path}{name}"
                return next((str(entity.arn) for entity in list(known) if entity.name == name), usual)
        return "*"

    def _note_trust_policy(self) -> None:
        TRUST.store(iam_backends[self.current_account][PARTITION].get_role(self._get_param("RoleName")))

    def _check_max_session_duration(self) -> None:
        check_number("MaxSessionDuration", self._get_int_param("MaxSessionDuration", 3600), 3600, 43200)

    def _check_trust_policy(self, parameter: str) -> None:
        document = self._get_param(parameter) or ""
        try:
            policy = TrustPolicy.parse(document)
        except MalformedPolicyError as error:
            raise AwsError("MalformedPolicyDocument", str(error)) from None
        # White space does not count against the quota (IAM user guide, "IAM and AWS STS quotas").
        if stored_length(document) > _TRUST_LIMIT:
            raise AwsError("LimitExceeded", f"Cannot exceed quota for ACLSizePerRole: {_TRUST_LIMIT}", 409)
        missing = missing_principal(policy)
        if missing is not None:
            raise AwsError("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{missing}"')

    def _check_permissions_policy(self) -> None:
        try:
            PermissionsPolicy.parse(self._get_param("PolicyDocument") or "")
        except MalformedPolicyError as error:
            raise AwsError("MalformedPolicyDocument", str(error)) from None

"""STS: AssumeRole as AWS rules it, by the role's trust policy and by the caller's own policies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from moto.core.responses import ActionResult
from moto.sts.models import AssumedRole, sts_backends
from moto.sts.responses import TokenResponse

from chalicelib.trust import MalformedPolicyError, PermissionsPolicy, Request, may_assume
from sandbox.aws import iam
from sandbox.aws.authentication import Authenticated
from sandbox.aws.callers import CALLERS, find_role
from sandbox.aws.errors import AwsError
from sandbox.aws.switches import FAULTS

if TYPE_CHECKING:
    from moto.iam.models import Role

_LIMITS: Final = {
    "RoleArn": (20, 2048, r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+"),
    "RoleSessionName": (2, 64, r"[\w+=,.@-]*"),
    "ExternalId": (2, 1224, r"[\w+=,.@:\/-]*"),
    "SourceIdentity": (2, 64, r"[\w+=,.@-]*"),
}
"""Bounds and patterns of AssumeRole's parameters (STS API reference)."""
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+", re.ASCII)
_SESSION_POLICY: Final = 2048


class SandboxSts(Authenticated, TokenResponse):
    """The service `sts`; AssumeRole and GetCallerIdentity."""

    SERVICE = "sts"

    def get_caller_identity(self) -> ActionResult:
        """Say who calls; nobody needs a permission for that."""
        caller = self.caller
        return ActionResult({"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn})

    def assume_role(self) -> ActionResult:
        """Give a session of a role, or AWS's one sentence of refusal."""
        self._check_parameters()
        arn = str(self._get_param("RoleArn"))
        role = find_role(arn)
        seconds = self._get_int_param("DurationSeconds", 3600)
        policies = self._session_policies()
        if role is None or not self._admitted(role, arn):
            # The same words for a role that is not there: AWS does not tell strangers which roles exist.
            raise AwsError(
                "AccessDenied",
                f"User: {self.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}",
                403,
            )
        if self.caller.is_session and seconds > 3600:
            raise AwsError(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            )
        if seconds > int(role.max_session_duration or 3600):
            raise AwsError(
                "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )
        answer = super().assume_role()
        result: dict[str, Any] = answer.result  # type: ignore[assignment]  # moto's own
        issued = result["Credentials"]
        if not isinstance(issued, AssumedRole):
            raise TypeError("moto's AssumeRole no longer answers with an AssumedRole")
        CALLERS.remember(issued, role, policies)
        # moto keeps sessions in a list that it searches from the start; they are found by key here.
        sts_backends[issued.account_id][issued.partition].assumed_roles.clear()
        return answer

    def _check_parameters(self) -> None:
        for name, (low, high, pattern) in _LIMITS.items():
            value = self._get_param(name)
            if value is None and name in {"ExternalId", "SourceIdentity"}:
                continue
            _check_text(name[0].lower() + name[1:], str(value or ""), low, high, pattern)
        seconds = self._get_int_param("DurationSeconds", 3600)
        if not 900 <= seconds <= 43200:
            bound = "greater than or equal to 900" if seconds < 900 else "less than or equal to 43200"
            raise _constraint(str(seconds), "durationSeconds", f"Member must have value {bound}")
        if not _ROLE.fullmatch(str(self._get_param("RoleArn"))):
            raise AwsError("ValidationError", f"{self._get_param('RoleArn')} is invalid")

    def _session_policies(self) -> tuple[PermissionsPolicy, ...]:
        text = self._get_param("Policy")
        if text is None:
            return ()
        if len(text) > _SESSION_POLICY:
            share = len(text) * 100 // _SESSION_POLICY
            raise AwsError(
                "PackedPolicyTooLarge", f"Packed policy consumes {share}% of allotted space, please use smaller policy."
            )
        try:
            return (PermissionsPolicy.parse(text),)
        except MalformedPolicyError as error:
            raise AwsError("MalformedPolicyDocument", str(error)) from None

    def _admitted(self, role: Role, arn: str) -> bool:
        trust_policy = iam.TRUST.of(role, last_change_hidden=FAULTS.last_change_is_hidden())
        if trust_policy is None or self.caller.arn.endswith(":root"):
            return False
        context = {
            "sts:RoleSessionName": str(self._get_param("RoleSessionName")),
            "aws:SourceIp": "127.0.0.1",
            "aws:SecureTransport": "false",
            "aws:userid": self.caller.user_id,
            "aws:ResourceAccount": str(role.account_id),
        }
        for name, key in (("ExternalId", "sts:ExternalId"), ("SourceIdentity", "sts:SourceIdentity")):
            if self._get_param(name) is not None:
                context[key] = str(self._get_param(name))
        actions = ["sts:AssumeRole"]
        if self._get_param("Tags"):
            actions.append("sts:TagSession")
        if self._get_param("SourceIdentity"):
            actions.append("sts:SetSourceIdentity")
        caller = self.caller
        return all(
            may_assume(
                trust_policy,
                request := Request(action, arn, caller.arn, context, caller.role_arn),
                caller.identity_policies,
            )
            and caller.session_allows(request)
            for action in actions
        )


def _check_text(name: str, value: str, low: int, high: int, pattern: str) -> None:
    if len(value) < low:
        raise _constraint(value, name, f"Member must have length greater than or equal to {low}")
    if len(value) > high:
        raise _constraint(value, name, f"Member must have length less than or equal to {high}")
    if name != "roleArn" and not re.fullmatch(pattern, value, re.ASCII):
        raise _constraint(value, name, f"Member must satisfy regular expression pattern: {pattern}")


def _constraint(value: str, name: str, rule: str) -> AwsError:
    text = f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {rule}"
    return AwsError("ValidationError", text)

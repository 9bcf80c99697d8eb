"""STS: AssumeRole as AWS rules it, by the role's trust policy and by the caller's own policies."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from moto.core.responses import ActionResult
from moto.sts.models import AssumedRole, sts_backends
from moto.sts.responses import TokenResponse

from chalicelib.trust import MalformedPolicyError, PermissionsPolicy, Request, may_assume
from sandbox.aws import iam
from sandbox.aws.authentication import Authenticated
from sandbox.aws.callers import CALLERS, find_role, managed_policies
from sandbox.aws.errors import WORDS, AwsError
from sandbox.aws.parameters import check_number, check_text, violation
from sandbox.aws.switches import FAULTS

if TYPE_CHECKING:
    from moto.iam.models import Role

    from chalicelib.trust import TrustPolicy

_OPERATIONS: Final = ("AssumeRole", "GetCallerIdentity")
_TEXTS: Final = {
    "RoleArn": (20, 2048, None),
    "RoleSessionName": (2, 64, r"[\w+=,.@-]*"),
    "ExternalId": (2, 1224, r"[\w+=,.@:\/-]*"),
    "SourceIdentity": (2, 64, r"[\w+=,.@-]*"),
}
"""Bounds and patterns of AssumeRole's parameters (STS API reference)."""
_OPTIONAL: Final = frozenset({"ExternalId", "SourceIdentity"})
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+", re.ASCII)
_SESSION_POLICY: Final = 2048
_MOST_POLICIES: Final = 10
_MOST_TAGS: Final = 50


class SandboxSts(Authenticated, TokenResponse):
    """The service `sts`; AssumeRole and GetCallerIdentity."""

    SERVICE = "sts"

    def admit(self, operation: str) -> None:
        """Refuse STS's other operations: moto's would give anybody a session of any role."""
        if operation not in _OPERATIONS:
            text = f"Could not find operation {operation[:100]}: this local AWS has {' and '.join(_OPERATIONS)}"
            raise AwsError(WORDS["sts"].unknown_operation, text)

    def get_caller_identity(self) -> ActionResult:
        """Say who calls; nobody needs a permission for that."""
        caller = self.caller
        return ActionResult({"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn})

    def assume_role(self) -> ActionResult:
        """Give a session of a role, or AWS's one sentence of refusal."""
        self._check_parameters()
        arn = str(self._get_param("RoleArn"))
        role = self._admitting_role(arn)
        policies, packed_size = self._session_policies(str(role.account_id))
        self._check_duration(role)
        answer = super().assume_role()
        result: dict[str, Any] = answer.result  # type: ignore[assignment]  # moto's own
        issued = result["Credentials"]
        if not isinstance(issued, AssumedRole):
            raise TypeError("moto's AssumeRole no longer answers with an AssumedRole")
        CALLERS.remember(issued, role, policies)
        # moto keeps sessions in a list that it searches from the start; they are found by key here.
        sts_backends[issued.account_id][issued.partition].assumed_roles.clear()
        del result["PackedPolicySize"]
        if packed_size:
            result["PackedPolicySize"] = packed_size
        if self._get_param("SourceIdentity"):
            result["SourceIdentity"] = self._get_param("SourceIdentity")
        return answer

    def _check_parameters(self) -> None:
        for name, (low, high, pattern) in _TEXTS.items():
            value = self._get_param(name)
            if value is not None or name not in _OPTIONAL:
                check_text(name, str(value or ""), low, high, pattern)
        check_number("DurationSeconds", self._get_int_param("DurationSeconds", 3600), 900, 43200)
        for name, most in (("Tags", _MOST_TAGS), ("PolicyArns", _MOST_POLICIES)):
            given = self._get_param(name) or []
            if len(given) > most:
                raise violation(name, given, f"Member must have length less than or equal to {most}")
        if not _ROLE.fullmatch(str(self._get_param("RoleArn"))):
            raise AwsError("ValidationError", f"{self._get_param('RoleArn')} is invalid")

    def _check_duration(self, role: Role) -> None:
        seconds = self._get_int_param("DurationSeconds", 3600)
        if self.caller.is_role and seconds > 3600:
            raise AwsError(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            )
        if seconds > int(role.max_session_duration or 3600):
            raise AwsError(
                "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )

    def _session_policies(self, account: str) -> tuple[tuple[PermissionsPolicy, ...], int]:
        """Return the session's policies and how full they are, in percent: inline and managed ones count together."""
        text = self._get_param("Policy")
        arns = [str(entry["arn"]) for entry in self._get_param("PolicyArns") or []]
        share = (len(text or "") + sum(map(len, arns))) * 100 / _SESSION_POLICY
        if share > 100:
            raise AwsError(
                "PackedPolicyTooLarge",
                f"Packed policy consumes {share:.0f}% of allotted space, please use smaller policy.",
            )
        managed = managed_policies(account, arns)
        if len(managed) < len(arns):
            # AWS's own text for this is not known to us; a session without its limits would be the worse answer.
            raise AwsError("MalformedPolicyDocument", f"A policy of PolicyArns is not in account {account}.")
        try:
            inline = () if text is None else (PermissionsPolicy.parse(text),)
        except MalformedPolicyError as error:
            raise AwsError("MalformedPolicyDocument", str(error)) from None
        return (*inline, *managed), math.ceil(share)

    def _admitting_role(self, arn: str) -> Role:
        """Return the role if it lets the caller in. Raises AWS's AccessDenied, which names the action in the way."""
        role = find_role(arn)
        trust_policy = None if role is None else iam.TRUST.of(role, last_change_hidden=FAULTS.hides_last_change())
        actions = ["sts:AssumeRole"]
        actions += ["sts:TagSession"] if self._get_param("Tags") else []
        actions += ["sts:SetSourceIdentity"] if self._get_param("SourceIdentity") else []
        if role is not None and trust_policy is not None:
            refused = [action for action in actions if not self._admitted(role, trust_policy, action)]
            if not refused:
                return role
            actions = refused
        # The same words for a role that is not there: AWS does not tell strangers which roles exist.
        text = f"User: {self.caller.arn} is not authorized to perform: {actions[0]} on resource: {arn}"
        raise AwsError("AccessDenied", text + self._own_denial(role, actions[0]), 403)

    def _own_denial(self, role: Role | None, action: str) -> str:
        """Return what AWS adds when a policy of the caller's own account denies in so many words."""
        if role is None:
            return ""
        caller = self.caller
        request = Request(action, str(role.arn), caller.arn, self._trust_context(role), caller.role_arn)
        why = caller.refusal_of(request) or ""
        return f" {why}" if why.startswith("with an explicit deny") else ""

    def _admitted(self, role: Role, trust_policy: TrustPolicy, action: str) -> bool:
        caller = self.caller
        request = Request(action, str(role.arn), caller.arn, self._trust_context(role), caller.role_arn)
        return (
            caller.exists
            and may_assume(trust_policy, request, caller.identity_policies)
            and caller.is_within_limits(request)
        )

    def _trust_context(self, role: Role) -> dict[str, str | list[str]]:
        context: dict[str, str | list[str]] = {
            **self.request_context(),
            "sts:RoleSessionName": str(self._get_param("RoleSessionName")),
            "aws:ResourceAccount": str(role.account_id),
        }
        for name in ("ExternalId", "SourceIdentity"):
            if self._get_param(name) is not None:
                context[f"sts:{name}"] = str(self._get_param(name))
        tags = {str(tag["Key"]): str(tag.get("Value", "")) for tag in self._get_param("Tags") or []}
        context.update({f"aws:RequestTag/{key}": value for key, value in tags.items()})
        return {**context, "aws:TagKeys": list(tags)}

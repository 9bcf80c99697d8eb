"""Decisions: an explicit Deny wins over every Allow, and what no statement allows is denied."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from chalicelib.trust.patterns import compile_pattern, matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chalicelib.trust.document import PermissionsPolicy, Policy, Statement, TrustPolicy
    from chalicelib.trust.request import Request


class Decision(StrEnum):
    """What policies of one kind say together."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicit_deny"
    IMPLICIT_DENY = "implicit_deny"


def decide(policies: Iterable[Policy], request: Request) -> Decision:
    """Return what the policies say together."""
    decision = Decision.IMPLICIT_DENY
    for policy in policies:
        for statement in policy.statements:
            if _applies(statement, request, variables=policy.variables):
                if not statement.allows:
                    return Decision.EXPLICIT_DENY
                decision = Decision.ALLOWED
    return decision


def may_assume(
    trust_policy: TrustPolicy, request: Request, identity_policies: Sequence[PermissionsPolicy] | None = None
) -> bool:
    """Return whether STS would let the caller assume the role that `request.resource` names.

    `identity_policies` are the caller's own; None leaves that side out. Across accounts both sides must allow it.
    Within one account the trust policy is enough when it names the caller itself; when it names the account, it hands
    the decision to the account's own policies.
    """
    if decide([trust_policy], request) is not Decision.ALLOWED:
        return False
    if identity_policies is None or request.account is None:
        return True
    own = decide(identity_policies, request)
    if own is Decision.EXPLICIT_DENY:
        return False
    return own is Decision.ALLOWED or (_same_account(request) and _named_directly(trust_policy, request))


def _same_account(request: Request) -> bool:
    parts = request.resource.split(":", 5)
    return len(parts) == 6 and (parts[1], parts[4]) == (request.partition, request.account)


def _named_directly(policy: TrustPolicy, request: Request) -> bool:
    return any(
        statement.allows
        and statement.principals is not None
        and statement.principals.names_directly(request)
        and _applies(statement, request, variables=policy.variables)
        for statement in policy.statements
    )


def _applies(statement: Statement, request: Request, *, variables: bool) -> bool:
    principals = statement.principals
    if principals is not None and not principals.covers(request, denies=not statement.allows):
        return False
    if _names_action(statement, request) == statement.actions_excluded:
        return False
    if statement.resources:
        named = any(_fits(text, request, variables=variables) for text in statement.resources)
        if named == statement.resources_excluded:
            return False
    return all(condition.holds(request, variables=variables) for condition in statement.conditions)


def _names_action(statement: Statement, request: Request) -> bool:
    action = request.action.lower()
    for text in statement.actions:
        pattern = compile_pattern(text.lower(), {}, variables=False)
        if pattern is not None and matches(pattern, action):
            return True
    return False


def _fits(text: str, request: Request, *, variables: bool) -> bool:
    # Variables count after an ARN's fifth colon alone (IAM user guide, "Where you can use policy variables"): before it
    # one is plain text, and so matches no ARN.
    if variables and text.startswith("arn:") and "${" in ":".join(text.split(":", 5)[:5]):
        return False
    pattern = compile_pattern(text, request.keys, variables=variables)
    return pattern is not None and matches(pattern, request.resource)

"""What a pasted trust policy would do, told before AWS is asked: for us, and for those who must stay out.

The policy is judged by the evaluator as a whole for the verdict, and statement by statement for the reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from chalicelib.onboarding import probes
from chalicelib.onboarding.documents import trust_policy as documented_policy
from chalicelib.onboarding.findings import Finding
from chalicelib.trust import Decision, MalformedPolicyError, Request, Statement, TrustPolicy, decide, stored_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from chalicelib.identifiers import RoleArn
    from chalicelib.onboarding.connection import Connection
    from chalicelib.onboarding.findings import Severity

STORED_LIMIT: Final = 2048
"""Characters of a trust policy by default, white space not counted (IAM quotas)."""
MOST_STORED: Final = 4096
"""Characters of the longest trust policy that any account's quota allows (as above)."""
_ELSEWHERE: Final = "arn:{partition}:sts::999999999999:assumed-role/somebody/else"


@dataclass(frozen=True, slots=True)
class Lint:
    """What is wrong with a policy, and the policy as it should be."""

    findings: tuple[Finding, ...]
    corrected: dict[str, Any]


def lint(
    connection: Connection,
    service_role: RoleArn,
    document: str | Mapping[str, Any],
    random_bytes: Callable[[int], bytes],
) -> Lint:
    """Judge a pasted policy for a connection. Never raises for what was pasted: rubbish is a finding."""
    ours = documented_policy(service_role, connection.accepted_ids)
    try:
        policy = TrustPolicy.parse(document)
    except MalformedPolicyError as error:
        fix = "Correct it, or replace the whole policy by the corrected one."
        malformed = _finding("trust_policy_malformed", f"AWS would not store this policy: {error}", fix)
        return Lint((malformed,), ours)
    length = stored_length(document)
    if length > MOST_STORED:
        # Judged statement by statement, 64 KB of them would take the processor for half a minute.
        return Lint((_too_long(length, f"IAM stores at most {MOST_STORED}", "Shorten it.", "error"),), ours)
    judge = _Judge(connection, service_role, policy, random_bytes)
    found = [*judge.about_us(), *judge.about_strangers()]
    if length > STORED_LIMIT:
        limit = f"IAM stores {STORED_LIMIT} unless the account's quota was raised"
        fix = "Shorten it, or ask AWS to raise the quota of role trust policy length."
        found.append(_too_long(length, limit, fix, "warning"))
    return Lint(tuple(found), _corrected(document, policy, judge, ours) if found else ours)


class _Judge:
    """Asks the evaluator for us and for strangers."""

    def __init__(
        self, connection: Connection, service_role: RoleArn, policy: TrustPolicy, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._policy = policy
        self._service_role = service_role
        self._id = str(connection.id_under_test)
        self._strangers_ids: dict[str, str | None] = {
            "no external ID": None,
            "another external ID of our form": probes.similar_external_id(self._id, random_bytes),
            "an external ID of another form": probes.foreign_external_id(random_bytes),
            "the external ID in other case": probes.other_case(self._id),
        }

    def about_us(self) -> Iterator[Finding]:
        """Find why we would be refused, if we would."""
        decision = self._decide(self._policy, self._us(self._id))
        if decision is Decision.EXPLICIT_DENY:
            for number, statement in self._statements(allows=False):
                if self._decide(self._alone(statement), self._us(self._id)) is Decision.EXPLICIT_DENY:
                    yield _finding(
                        "trust_policy_denies_us",
                        f"{_name(number, statement)} denies this service, even with the right external ID.",
                        "Take the statement out, or except this service's role in it.",
                        number,
                    )
        elif decision is Decision.IMPLICIT_DENY:
            reasons = list(self._reasons())
            yield from reasons or [
                _finding(
                    "trust_policy_does_not_name_us",
                    f"No statement allows {self._service_role} to assume the role.",
                    "Add this connection's statement.",
                )
            ]

    def about_strangers(self) -> Iterator[Finding]:
        """Find who would be let in besides, and which statement does it."""
        for number, statement in self._statements(allows=True):
            alone = self._alone(statement)
            ways = [way for way, one in self._strangers_ids.items() if self._lets_in(alone, self._us(one))]
            if ways and all(self._lets_in(self._policy, self._us(self._strangers_ids[way])) for way in ways):
                yield _finding(
                    "external_id_not_enforced",
                    f"{_name(number, statement)} lets this service in with {', with '.join(ways)}.{_why(statement)}",
                    "Compare sts:ExternalId by StringEquals, without IfExists or ForAllValues, in every statement.",
                    number,
                )
            if self._lets_in(alone, self._elsewhere()) and self._lets_in(self._policy, self._elsewhere()):
                yield _finding(
                    "trusts_everyone",
                    f"{_name(number, statement)} lets other AWS accounts in.",
                    "Name this service's account as the principal instead of *.",
                    number,
                )
            elif self._lets_in(alone, self._neighbor()) and self._lets_in(self._policy, self._neighbor()):
                yield _finding(
                    "trusts_whole_account",
                    f"{_name(number, statement)} lets all of this service's account in that has the external ID.",
                    "Add aws:PrincipalArn to the condition, as the corrected policy has it.",
                    number,
                    severity="warning",
                )

    def keeps(self, statement: Statement, our_sid: object) -> bool:
        """Whether a statement may stay: it is neither ours nor about us, and does not deny us."""
        if statement.sid is not None and statement.sid == our_sid:
            return False
        us = self._us(self._id)
        if not statement.allows:
            return self._decide(self._alone(statement), us) is Decision.IMPLICIT_DENY
        principals = statement.principals
        return principals is None or not any(map(principals.covers, (us, self._neighbor(), self._elsewhere())))

    def _reasons(self) -> Iterator[Finding]:
        """Leave out one condition at a time: the one without which we would be let in is the reason."""
        for number, statement in self._statements(allows=True):
            for condition in statement.conditions:
                rest = tuple(other for other in statement.conditions if other is not condition)
                if self._lets_in(self._alone(replace(statement, conditions=rest)), self._us(self._id)):
                    yield self._unmet(number, statement, condition.key, condition.values)

    def _unmet(self, number: int, statement: Statement, key: str, values: tuple[str, ...]) -> Finding:
        if key.lower() == "sts:externalid":
            return _finding(
                "trust_policy_has_another_id",
                f"{_name(number, statement)} asks for another external ID ({', '.join(values)[:200]}).",
                f"Put this connection's there: {self._id}",
                number,
            )
        return _finding(
            "trust_policy_condition_not_met",
            f"{_name(number, statement)} asks for {key}, which this service's calls do not satisfy.",
            f"Take {key} out of the condition.",
            number,
        )

    def _statements(self, *, allows: bool) -> Iterator[tuple[int, Statement]]:
        for number, statement in enumerate(self._policy.statements, 1):
            if statement.allows is allows:
                yield number, statement

    def _alone(self, statement: Statement) -> TrustPolicy:
        return TrustPolicy((statement,), self._policy.variables)

    def _lets_in(self, policy: TrustPolicy, request: Request) -> bool:
        return self._decide(policy, request) is Decision.ALLOWED

    def _decide(self, policy: TrustPolicy, request: Request) -> Decision:
        return decide([policy], request)

    def _us(self, external_id: str | None) -> Request:
        role = self._service_role
        session = f"arn:{role.partition}:sts::{role.account_id}:assumed-role/{role.name}/rolecall"
        return self._request(session, external_id, str(role))

    def _neighbor(self) -> Request:
        role = self._service_role
        return self._request(f"arn:{role.partition}:sts::{role.account_id}:assumed-role/another-role/x", self._id)

    def _elsewhere(self) -> Request:
        return self._request(_ELSEWHERE.format(partition=self._service_role.partition), self._id)

    def _request(self, principal: str, external_id: str | None, role_arn: str | None = None) -> Request:
        context = {"aws:SecureTransport": "true", "sts:RoleSessionName": "rolecall"}
        if external_id is not None:
            context["sts:ExternalId"] = external_id
        return Request("sts:AssumeRole", "arn:aws:iam::000000000000:role/the-role", principal, context, role_arn)


def _too_long(length: int, limit: str, fix: str, severity: Severity) -> Finding:
    return _finding("trust_policy_too_long", f"The policy has {length} characters; {limit}.", fix, severity=severity)


def _corrected(
    document: str | Mapping[str, Any], policy: TrustPolicy, judge: _Judge, ours: dict[str, Any]
) -> dict[str, Any]:
    """Return the pasted policy with our statement in place of those that concern us or let strangers in."""
    # Numbers as texts, as IAM compares them: one of five thousand digits is valid JSON, and no int of Python.
    pasted: Any = json.loads(document, parse_int=str, parse_float=str) if isinstance(document, str) else document
    rows = pasted["Statement"] if isinstance(pasted["Statement"], list) else [pasted["Statement"]]
    our_sid = ours["Statement"][0]["Sid"]
    kept = [row for row, statement in zip(rows, policy.statements, strict=True) if judge.keeps(statement, our_sid)]
    return {**ours, "Statement": [*ours["Statement"], *kept]} if kept else ours


def _why(statement: Statement) -> str:
    about_id = [condition for condition in statement.conditions if condition.key.lower() == "sts:externalid"]
    if not about_id:
        return " It has no condition on sts:ExternalId."
    for condition in about_id:
        if condition.if_exists:
            return " IfExists lets a caller in who sends none."
        if condition.quantifier == "ForAllValues":
            return " ForAllValues is true of no value at all."
        if condition.base in {"StringLike", "ArnLike", "StringEqualsIgnoreCase", "Null"} or "Not" in condition.base:
            return f" {condition.base} is no comparison with this one ID."
    return ""


def _name(number: int, statement: Statement) -> str:
    return f"Statement {number} ({statement.sid})" if statement.sid else f"Statement {number}"


def _finding(
    code: str,
    message: str,
    fix: str,
    statement: int | None = None,
    *,
    severity: Severity = "error",
) -> Finding:
    evidence = {} if statement is None else {"statement": str(statement)}
    return Finding(code, severity, "customer", message, fix, evidence)

"""Why STS refused the right external ID: one sentence of AWS's for every cause, told apart by experiment.

What an experiment settles becomes a finding of its own. What is left are suspects, the likeliest first, each with the
edit to make if it is that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.onboarding import edits, probes
from chalicelib.onboarding.documents import expected_role_arn
from chalicelib.onboarding.findings import Finding, Suspect, evidence_of
from chalicelib.onboarding.probes import Passed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chalicelib.bedrock.failures import AwsRefusal
    from chalicelib.bedrock.sessions import Grant, StsClients
    from chalicelib.identifiers import RoleArn
    from chalicelib.onboarding.connection import Connection


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal of the right external ID, and which strangers the role let in meanwhile (ids of checks)."""

    connection: Connection
    grant: Grant
    service_role: RoleArn
    refusal: AwsRefusal
    let_in: Sequence[str]

    def explained(self, sts: StsClients) -> Finding:
        """Return the finding, after the experiments that it takes: at most two calls."""
        if self.refusal.code == "operator_may_not_assume":
            return self._of_the_operator()
        if not probes.runs_as(sts, self.service_role):
            return self._another_identity()
        if self._takes_old_id(sts):
            return self._old_id()
        return self._one_of(tuple(self._suspects()))

    def _of_the_operator(self) -> Finding:
        return Finding(
            self.refusal.code,
            "error",
            "operator",
            f"{self.service_role} lacks the permission sts:AssumeRole on {self.grant.role_arn}, so AWS did not"
            " even look at the role's trust policy.",
            self.refusal.fix or "",
            evidence_of(self.refusal, role_arn=str(self.grant.role_arn)),
        )

    def _another_identity(self) -> Finding:
        return Finding(
            "service_identity_mismatch",
            "error",
            "operator",
            f"This service does not run as {self.service_role}, which the documents name, so every customer's role must"
            " refuse it.",
            "Set SERVICE_ROLE_ARN to the role that the service runs as, or run it as that role; then verify again.",
            evidence_of(self.refusal, service_role_arn=str(self.service_role)),
        )

    def _takes_old_id(self, sts: StsClients) -> bool:
        old = self.connection.external_id
        if str(old) == self.grant.external_id:
            return False
        outcome = probes.assume_as_stranger(sts, self.grant.role_arn, str(old), self.grant.connection_id)
        return isinstance(outcome, Passed)

    def _old_id(self) -> Finding:
        return Finding(
            "role_has_old_external_id",
            "error",
            "customer",
            f"{self.grant.role_arn} still takes the old external ID alone. Calls go on with it; the new one,"
            f" {self.grant.external_id}, is refused.",
            "Replace the role's trust policy by this connection's, which names both IDs, then verify again.",
            evidence_of(self.refusal, role_arn=str(self.grant.role_arn)),
            (edits.trust_policy(self.connection, self.service_role),),
        )

    def _one_of(self, suspects: tuple[Suspect, ...]) -> Finding:
        role = self.grant.role_arn
        return Finding(
            "assume_role_denied",
            "error",
            "customer",
            f"AWS did not let us assume {role} with this connection's external ID. It gives the same answer when the"
            " role does not exist, when its trust policy does not name us, and when it asks for another external ID.",
            " ".join(f"{number}. {suspect.fix}" for number, suspect in enumerate(suspects, 1)),
            evidence_of(self.refusal, role_arn=str(role)),
            suspects=suspects,
        )

    def _suspects(self) -> Iterator[Suspect]:
        role, connection = self.grant.role_arn, self.connection
        edit = edits.trust_policy(connection, self.service_role)
        if [*self.let_in] == ["refused_with_other_case"]:
            yield Suspect(
                "external_id_in_other_case",
                "The role takes the external ID in capitals and not as it was given.",
                f"Copy the external ID exactly: {self.grant.external_id}.",
                (edit,),
            )
        elif self.let_in:
            yield Suspect(
                "condition_inverted",
                "The role lets wrong external IDs in and refuses the right one: its condition says the opposite.",
                "Replace the role's trust policy by this connection's.",
                (edit,),
            )
        expected = expected_role_arn(connection, role.partition)
        if expected is not None and expected != role:
            yield Suspect(
                "role_name_differs",
                f"The documents name the role {expected.name}; you gave {role.path.lstrip('/')}{role.name}.",
                f"Check the role's ARN in the IAM console, path and capitals included; from the documents it is"
                f" {expected}.",
            )
        else:
            yield Suspect(
                "role_missing",
                f"There is no role {role.name} in account {role.account_id}.",
                f"Check that a role named {role.name}, with path {role.path}, exists in account {role.account_id}.",
            )
        yield Suspect(
            "trust_policy_differs",
            f"The role's trust policy does not name {self.service_role}, asks for another external ID, or asks for"
            " something else that our calls do not have.",
            f"Replace its trust policy by this connection's: it names {self.service_role} and external ID"
            f" {self.grant.external_id}. To see what is wrong with yours, have it read: the wizard's box for that,"
            " or POST …/trust-policy.",
            (edit,),
        )
        yield Suspect(
            "iam_not_settled",
            "The role or its trust policy was changed a moment ago, and AWS does not know it everywhere yet.",
            "If you changed it a moment ago, wait a minute and verify again.",
        )
        yield Suspect(
            "organization_denies",
            "A policy of your organization (SCP or RCP) denies sts:AssumeRole to accounts outside it.",
            "If it still fails, ask your AWS administrator to except"
            f" account {self.service_role.account_id} from the policy that denies sts:AssumeRole to other accounts.",
        )
        yield Suspect(
            "operator_may_not_assume",
            "This service's own role lacks sts:AssumeRole on the role; AWS does not always say so.",
            "If other connections fail as well, tell the operator of this service, whose role must be allowed to assume"
            f" {role.name}.",
        )

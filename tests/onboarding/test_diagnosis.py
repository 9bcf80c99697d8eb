"""Why a role refuses us: what experiments settle, and the suspects that are left, each with its cure."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.identifiers import RoleArn
from sandbox.aws.accounts import attach_to_service, detach_from_service
from tests.far_customer import Api, Customer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.world import World

_numbers = itertools.count()


class Subject:
    """A connection at a service, and its customer."""

    def __init__(self, world: World, url: str | None = None) -> None:
        keys = world.accounts.customer
        self.customer = Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)
        self.api = Api(url or world.gateway.url, world.issuer.token(f"diagnosis-{next(_numbers)}"))
        body = {"name": "Acme", "region": "us-east-1", "account_id": keys.account}
        self.connection = self.api.post("/v1/connections", body).json
        self.path = f"/v1/connections/{self.connection['id']}"
        self.files = self.api.get(f"{self.path}/documents").json["files"]
        self.role_arn: str = self.connection["expected_role_arn"]

    def make_role(self, trust_policy: object | None = None, permissions: object | None = None) -> None:
        self.customer.create_role(
            self.role_arn.rpartition("/")[2],
            trust_policy or self.files["trust-policy.json"],
            permissions or self.files["permissions-policy.json"],
        )

    def with_id(self, external_id: str) -> dict[str, Any]:
        policy: dict[str, Any] = json.loads(self.files["trust-policy.json"])
        policy["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = external_id
        return policy

    def verify(self, role_arn: str | None = None) -> dict[str, Any]:
        answer = self.api.post(f"{self.path}/verification", {"role_arn": role_arn or self.role_arn})
        assert answer.status == 200, answer.text
        report: dict[str, Any] = answer.json
        return report

    def paste(self, edit: dict[str, Any]) -> None:
        assert edit["document"] == "trust-policy.json"
        self.customer.replace_trust_policy(self.role_arn, edit["json"])


@pytest.fixture
def subject(world: World) -> Subject:
    """Give a connection whose role does not exist yet."""
    return Subject(world)


def _codes(report: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in report["findings"]]


def test_suspects_are_ranked_and_one_of_them_cures(subject: Subject) -> None:
    """A role with another external ID: the missing role is named first, then the policy to paste, which cures it."""
    subject.make_role(subject.with_id("rolecall-of-another-connection"))
    [finding] = subject.verify()["findings"]

    assert finding["code"] == "assume_role_denied"
    codes = [suspect["code"] for suspect in finding["suspects"]]
    assert codes[:3] == ["role_missing", "trust_policy_differs", "iam_not_settled"]
    [edit] = finding["suspects"][1]["edits"]
    subject.paste(edit)
    assert subject.verify()["status"] == "active"


def test_a_role_of_another_name_is_the_first_suspect(subject: Subject) -> None:
    """Given an ARN that the documents do not have, the one that they have is told."""
    [finding] = subject.verify(subject.role_arn + "x")["findings"]

    assert finding["suspects"][0]["code"] == "role_name_differs"
    assert subject.role_arn in finding["suspects"][0]["fix"]


def test_an_id_in_capitals_is_named(subject: Subject) -> None:
    """The probe in other case is let in and the right one is not: nothing else explains that."""
    subject.make_role(subject.with_id(subject.connection["external_id"].upper()))
    findings = subject.verify()["findings"]

    denied = next(finding for finding in findings if finding["code"] == "assume_role_denied")
    assert denied["suspects"][0]["code"] == "external_id_in_other_case"


def test_an_inverted_condition_is_named(subject: Subject) -> None:
    """StringNotEquals lets everybody in but us."""
    policy = subject.with_id(subject.connection["external_id"])
    condition = policy["Statement"][0]["Condition"]
    condition["StringNotEquals"] = {"sts:ExternalId": condition["StringEquals"].pop("sts:ExternalId")}
    subject.make_role(policy)
    findings = subject.verify()["findings"]

    assert [finding["code"] for finding in findings] == ["external_id_not_enforced", "assume_role_denied"]
    assert findings[1]["suspects"][0]["code"] == "condition_inverted"
    subject.paste(findings[0]["edits"][0])
    assert subject.verify()["status"] == "active"


def test_a_rotation_without_the_new_policy_is_named(subject: Subject) -> None:
    """The old ID still works, so the role is there and trusts us: the customer has yet to paste the new policy."""
    subject.make_role()
    assert subject.verify()["status"] == "active"
    subject.api.post(f"{subject.path}/rotation", {})
    report = subject.verify()

    assert (_codes(report), report["status"]) == (["role_has_old_external_id"], "rotating")
    subject.paste(report["findings"][0]["edits"][0])
    rotated = subject.verify()
    assert _codes(rotated) == ["old_external_id_still_accepted"]
    subject.paste(rotated["findings"][0]["edits"][0])
    assert (_codes(subject.verify()), subject.verify()["status"]) == ([], "active")


def test_a_service_that_runs_as_someone_else_is_the_operators_fault(
    world: World, elsewhere: Callable[..., str]
) -> None:
    """The documents name a role that the service is not: no customer can mend that, and none is asked to."""
    other = RoleArn("aws", world.settings.service_role.account_id, "/", "other")
    subject = Subject(world, elsewhere(service_role=other))
    subject.make_role()
    [finding] = subject.verify()["findings"]

    assert (finding["code"], finding["whose_fix"]) == ("service_identity_mismatch", "operator")
    assert world.accounts.service_role.name not in json.dumps(finding["evidence"])


def test_an_sts_that_does_not_say_who_we_are_accuses_nobody(world: World, subject: Subject) -> None:
    """Only an answer shows that the service is someone else; without one the role's suspects are told."""
    world.aws.faults.add(
        {"service": "sts", "operation": "GetCallerIdentity", "kind": "error", "code": "AccessDenied", "times": None}
    )
    [finding] = subject.verify()["findings"]

    assert (finding["code"], finding["whose_fix"]) == ("assume_role_denied", "customer")
    assert finding["suspects"]


def test_a_service_that_may_not_assume_is_the_operators_fault(world: World, subject: Subject) -> None:
    """AWS refuses before it looks at the role, so nothing is asked of the customer, and nothing more of STS."""
    subject.make_role()
    never = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": subject.role_arn}
    attach_to_service("never", {"Version": "2012-10-17", "Statement": [never]})
    world.aws.calls.clear()
    try:
        report = subject.verify()
    finally:
        detach_from_service("never")
    finding = next(found for found in report["findings"] if found["code"] == "operator_may_not_assume")

    assert (report["status"], finding["whose_fix"]) == ("pending", "operator")
    assert (subject.role_arn in finding["message"], "edits" in finding and finding["edits"]) == (True, [])
    assert world.aws.calls.count("sts", "GetCallerIdentity") == 0


def test_sts_switched_off_for_our_region_is_got_around(world: World, subject: Subject) -> None:
    """The role is assumed in another region, which the report says; a chat then works in the same way."""
    subject.make_role()
    world.aws.faults.add(
        {"service": "sts", "operation": "AssumeRole", "kind": "error", "code": "RegionDisabledException"}
        | {"region": "us-east-1", "times": None}
    )
    report = subject.verify()

    assert (report["verdict"], report["status"], _codes(report)) == ("verified", "active", ["sts_region_disabled"])
    assert report["findings"][0]["severity"] == "warning"
    assert subject.api.get("/v1/models").status == 200


def test_a_role_that_may_do_more_is_active_with_a_warning(world: World, subject: Subject) -> None:
    """The warning carries the narrower policy, and what we can do stays bound to Bedrock."""
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    subject.make_role(permissions=everything)
    world.aws.calls.clear()
    report = subject.verify()

    assert (report["status"], report["usable"], _codes(report)) == ("active", True, ["over_privileged"])
    [edit] = report["findings"][0]["edits"]
    subject.customer.client("iam").put_role_policy(
        RoleName=subject.role_arn.rpartition("/")[2], PolicyName="Rolecall", PolicyDocument=json.dumps(edit["json"])
    )
    assert _codes(subject.verify()) == []
    beyond = {
        (call["service"], call["operation"]) for call in world.aws.calls.rows() if call["account"] != "111122223333"
    }
    assert {call for call in beyond if call[0] not in {"bedrock", "bedrock-runtime", "iam"}} == {
        ("dynamodb", "DescribeLimits")
    }


def test_a_denied_permission_comes_with_the_policy(subject: Subject) -> None:
    """Listing and invoking denied: the JSON to paste is in the finding, and cures both."""
    subject.make_role(
        permissions={"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    )
    report = subject.verify()

    assert _codes(report)[0] == "list_models_denied"
    [edit] = report["findings"][0]["edits"]
    assert edit["document"] == "permissions-policy.json"
    subject.customer.client("iam").put_role_policy(
        RoleName=subject.role_arn.rpartition("/")[2], PolicyName="Rolecall", PolicyDocument=json.dumps(edit["json"])
    )
    assert subject.verify()["usable"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"PermissionsBoundary": "boundary"}, "permissions_boundary_denied"),
        ({"deny": "bedrock:List*"}, "explicitly_denied"),
    ],
    ids=["a boundary without Bedrock", "a statement that denies"],
)
def test_what_no_policy_of_ours_cures_is_told_apart(subject: Subject, more: dict[str, str], code: str) -> None:
    """Where AWS says which kind of policy denies, the finding says it too."""
    subject.make_role()
    iam, name = subject.customer.client("iam"), subject.role_arn.rpartition("/")[2]
    if "deny" in more:
        deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": more["deny"], "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="deny", PolicyDocument=json.dumps(deny))
    else:
        narrow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        made = iam.create_policy(PolicyName=f"narrow-{name}", PolicyDocument=json.dumps(narrow))
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=made["Policy"]["Arn"])
    found = subject.verify()["findings"][0]

    assert (found["code"], found["whose_fix"], found["edits"]) == (code, "customer", [])

"""The twenty behaviours, by their numbers in `tests/cases/behaviours.json`; and that no row of a table is unclaimed."""

from __future__ import annotations

import ast
import importlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import attack_tables
from tests.attack_tables import behaviour
from tests.far_customer import Onboarding

if TYPE_CHECKING:
    from sandbox.world import World

ROOT = Path(__file__).parent.parent


@behaviour(1)
def test_every_external_id_is_another(world: World) -> None:
    """Ten thousand IDs of our form, all different: 160 random bits in letters and digits that need no quoting."""
    from chalicelib.identifiers import ExternalId

    made = {str(ExternalId.generate(world.services.random_bytes)) for _ in range(10_000)}

    assert len(made) == 10_000
    assert all(re.fullmatch(r"rolecall-[a-z2-7]{32}", one) for one in made)


@behaviour(2)
def test_nobody_chooses_an_external_id(world: World) -> None:
    """Sent anywhere, it is refused, and what is stored stays."""
    tenant = Onboarding(world)
    answer = tenant.api.call("PATCH", tenant.path, {"external_id": "x"}, headers={"If-Match": '"1"'})

    assert (answer.status, answer.error["code"]) == (400, "external_id_not_settable")
    assert tenant.shown()["external_id"] == tenant.connection["external_id"]


@behaviour(3, 5)
@pytest.mark.parametrize(
    ("operator", "active"),
    [
        ("StringEquals", True),
        ("StringEqualsIfExists", False),
        ("ForAllValues:StringEquals", False),
        ("StringEqualsIgnoreCase", False),
        ("StringLike", False),
    ],
)
def test_only_an_exact_comparison_is_active(world: World, operator: str, active: bool) -> None:
    """Sessions that a role gave by mistake are not used: Bedrock is called by the verifying session of a safe one."""
    tenant = Onboarding(world)
    policy = tenant.trust_policy
    external_id = policy["Statement"][0]["Condition"]["StringEquals"].pop("sts:ExternalId")
    value = "*" if operator == "StringLike" else external_id
    policy["Statement"][0]["Condition"].setdefault(operator, {})["sts:ExternalId"] = value
    tenant.make_role(policy)
    world.aws.calls.clear()
    report = tenant.verify()

    assert (report["status"] == "active") is active
    sessions = {call["principal"] for call in world.aws.calls.rows() if call["service"].startswith("bedrock")}
    assert {one.rpartition(".")[2] for one in sessions} == ({"verify"} if active else set())


@behaviour(6)
def test_a_role_is_tried_with_the_tenants_own_id(world: World) -> None:
    """Tenant B naming tenant A's role is refused by it."""
    owner, other = Onboarding(world), Onboarding(world)
    owner.make_role()

    assert owner.verify()["status"] == "active"
    assert other.verify(owner.role_arn)["status"] == "pending"


@behaviour(7, 9)
def test_the_documents_say_one_thing_in_every_form(world: World) -> None:
    """One principal, one exact comparison, under AWS's length; no star among principals or actions; the same bytes."""
    tenant = Onboarding(world, models=["us.anthropic.claude-sonnet-4-5-20250929-v1:0"])
    first = tenant.api.get(f"{tenant.path}/documents").json
    again = tenant.api.get(f"{tenant.path}/documents").json
    [statement] = first["trust_policy"]["Statement"]
    text = json.dumps(first["permissions_policy"])

    assert first == again
    assert statement["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert statement["Condition"]["StringEquals"]["sts:ExternalId"] == tenant.connection["external_id"]
    assert len(json.dumps(first["trust_policy"], separators=(",", ":"))) < 2048
    assert "aws-marketplace" not in text
    assert "bedrock:*" not in json.dumps([row["Action"] for row in first["permissions_policy"]["Statement"]])
    for name in ("customer-role.cfn.yaml", "customer-role.tf", "create-role.sh"):
        for part in (tenant.connection["external_id"], "111122223333", "bedrock:InvokeModel"):
            assert part in first["files"][name]


@behaviour(12, 13)
def test_a_role_that_refuses_us_costs_no_call_of_bedrock(world: World) -> None:
    """Without the role's session nothing is called in the customer's account, with nobody's credentials."""
    tenant = Onboarding(world)
    tenant.make_role()
    tenant.verify()
    policy = tenant.trust_policy
    policy["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "rolecall-gone"
    tenant.replace_trust_policy(policy)
    tenant.verify()
    world.aws.calls.clear()
    refused = tenant.api.get("/v1/models")

    assert (refused.status, refused.error["code"]) == (403, "assume_role_denied")
    assert {call["service"] for call in world.aws.calls.rows()} <= {"sts", "dynamodb"}


@behaviour(14)
@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:iam::111122223333:role/x", "own_account_role"),
        ("arn:aws-us-gov:iam::444455556666:role/x", "partition_mismatch"),
        ("arn:aws:iam::444455556666:user/x", "not_a_role_arn"),
        ("arn:aws:iam::444455556666:role/aws-service-role/x/y", "service_linked_role"),
    ],
)
def test_what_can_never_be_right_is_refused_before_sts(world: World, arn: str, code: str) -> None:
    """422 with its own code, and no call."""
    tenant = Onboarding(world)
    before = world.aws.calls.count("sts")
    answer = tenant.api.post(f"{tenant.path}/verification", {"role_arn": arn})

    assert (answer.status, answer.error["code"], world.aws.calls.count("sts")) == (422, code, before)


@behaviour(20)
def test_the_end_of_a_connection_is_proven_and_its_id_never_comes_back(world: World) -> None:
    """Deleted, it says how to take the role away; the same role in a new connection has another ID."""
    tenant = Onboarding(world)
    tenant.make_role()
    tenant.verify()
    ended = tenant.api.call("DELETE", tenant.path).json
    still = tenant.api.post(f"{tenant.path}/removal", {}).json
    iam = tenant.customer.client("iam")
    iam.delete_role_policy(RoleName=tenant.role_name, PolicyName="Rolecall")
    iam.delete_role(RoleName=tenant.role_name)
    gone = tenant.api.post(f"{tenant.path}/removal", {}).json
    again = Onboarding(world, tenant=tenant.tenant)

    assert len(ended["teardown"]) >= 3
    assert (still["removed"], gone["removed"]) == (False, True)
    assert again.connection["external_id"] != tenant.connection["external_id"]
    assert tenant.api.get("/v1/models").status == 400


@pytest.mark.parametrize("table", ["attacks", "behaviours"])
def test_every_row_is_shown_or_says_why_not(table: str) -> None:
    """A number is claimed by a test here, or names tests elsewhere that exist, or has the reason why there is none."""
    for module in ("test_attacks", "test_attacks_on_tenants", "test_behaviours"):
        importlib.import_module(f"tests.{module}")
    rows = attack_tables.rows(table)
    unclaimed = [
        row["number"]
        for row in rows
        if row["number"] not in attack_tables.CLAIMED[table] and not row.get("shown_by") and not row.get("note")
    ]

    assert unclaimed == []
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert attack_tables.CLAIMED[table] <= {row["number"] for row in rows}
    assert [name for row in rows for name in row.get("shown_by", []) if not _exists(name)] == []


def _exists(name: str) -> bool:
    path, _, test = name.partition("::")
    tree: Any = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == test for node in ast.walk(tree))

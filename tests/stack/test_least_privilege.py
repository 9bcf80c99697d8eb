"""The service's own role: the whole journey works under exactly its policy, and not under anything less.

The sandbox asks policies/service-role.json of every call that the service makes, in all tests. Here a part of it is
taken away at a time. The policy is the role's, so a new one counts from the next call on.
"""

from __future__ import annotations

import copy
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from chalice.test import Client

from chalicelib.routes import create_app
from chalicelib.services import Services
from chalicelib.trust import Decision, PermissionsPolicy, Request, decide
from sandbox.aws.accounts import SERVICE_ACCOUNT, SERVICE_ROLE_NAME
from sandbox.gateway import LocalGateway
from sandbox.world import service_policy
from tests.far_customer import Onboarding
from tests.on_lambda import Context
from tools import template
from tools.package import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World

POLICY = service_policy()
BY_SID = {row["Sid"]: row for row in POLICY["Statement"]}


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


@contextmanager
def _under(world: World, policy: dict[str, Any]) -> Iterator[None]:
    """Let the service's role have another policy for a while."""
    iam = world.accounts.operator.session("us-east-1").client("iam", endpoint_url=world.aws.url)

    def put(document: dict[str, Any]) -> None:
        iam.put_role_policy(RoleName=SERVICE_ROLE_NAME, PolicyName="rolecall", PolicyDocument=json.dumps(document))

    put(policy)
    try:
        yield
    finally:
        put(POLICY)


def _journey(world: World) -> list[tuple[str, object]]:
    """Go the whole way in a process of its own, with nothing cached; return each step and how it was answered."""
    app = create_app(Services(world.settings, session=world.accounts.service_session(world.aws.url, "us-east-1")))
    gateway = LocalGateway(app)
    gateway.start()
    try:
        return list(_steps(world, Client(app), gateway.url))
    except (AssertionError, KeyError, ClientError) as stopped:
        # A step that failed left the next one without what it needs; the schedule has nobody to answer and raises.
        return [("stopped", repr(stopped)[:200])]
    finally:
        gateway.stop()


def _steps(world: World, lambdas: Client, url: str) -> Iterator[tuple[str, object]]:
    customer = Onboarding(world, url=url)
    api, path = customer.api, customer.path
    named = {"Rolecall-Connection": customer.connection["id"]}
    yield "list", api.get("/v1/connections").status
    yield "documents", api.get(f"{path}/documents").status
    yield "again", api.call("POST", "/v1/connections", {"name": "x", "region": "us-east-1"}, headers={
        "Idempotency-Key": "once"
    }).status  # fmt: skip
    customer.make_role()
    yield "verify", customer.verify()["status"]
    yield "verify at once", customer.verify()["status"]
    yield "models", api.get(f"{path}/models").status
    question = {"model": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": "Hello"}]}
    yield "chat", api.call("POST", "/v1/chat/completions", question, headers=named).status
    yield (
        "stream",
        "[DONE]" in api.call("POST", "/v1/chat/completions", {**question, "stream": True}, headers=named).text,
    )
    yield "rotate", api.post(f"{path}/rotation", {}).status
    customer.replace_trust_policy()
    yield "verify the new ID", customer.verify()["status"]
    shown = customer.shown()
    yield "change", api.call("PATCH", path, {"name": "y"}, headers={"If-Match": str(shown["version"])}).status
    yield "key", api.post("/v1/keys/verify", {"provider": "openai", "key": "sk-x"}).status
    event = lambdas.events.generate_cw_event("aws.events", "Scheduled Event", {}, [])
    yield "reverify", sum(lambdas._app.handler_map["reverify"](event, Context()).values())
    yield "events", api.get(f"{path}/events").status
    yield "delete", api.call("DELETE", path).status
    yield "removal", api.post(f"{path}/removal", {}).status


def _without(sid: str, action: str | None = None) -> dict[str, Any]:
    """Return the policy without a statement, or without one action of it."""
    policy = copy.deepcopy(POLICY)
    [row] = [row for row in policy["Statement"] if row["Sid"] == sid]
    rest = [] if action is None else [each for each in _listed(row["Action"]) if each != action]
    if rest:
        row["Action"] = rest
    else:
        policy["Statement"].remove(row)
    return policy


def test_the_whole_journey_works_under_exactly_this_policy(world: World) -> None:
    """From the first connection to the proof of its removal, with chats, streams, rotation and the schedule."""
    with _under(world, POLICY):
        answered = _journey(world)

    assert [step for step, answer in answered if not _is_well(answer)] == []
    assert len(answered) == 16


def _is_well(answer: object) -> bool:
    if isinstance(answer, bool) or not isinstance(answer, int):
        return answer in {True, "active", "rotating"}
    return answer < 300


_CALLS = [(sid, action) for sid, row in BY_SID.items() for action in _listed(row["Action"]) if sid != "OwnLogs"]


@pytest.mark.parametrize(("sid", "action"), _CALLS, ids=[f"{sid} {action}" for sid, action in _CALLS])
def test_nothing_of_it_can_be_spared(world: World, sid: str, action: str) -> None:
    """Without any one action of any one statement something on the way fails, so none of them is there in vain."""
    with _under(world, _without(sid, action)):
        answered = _journey(world)

    assert [step for step, answer in answered if not _is_well(answer)], f"{action} of {sid} is not needed"


def test_the_policy_that_is_deployed_is_the_one_that_was_tried() -> None:
    """What the stack makes of policies/service-role.json is what the sandbox enforces, with this stage's names."""
    written = json.loads((ROOT / "policies" / "service-role.json").read_text())
    words = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": SERVICE_ACCOUNT}
    words |= {"TableName": "rolecall-local", "CustomerRoleNames": "*"}

    def resolved(row: dict[str, Any]) -> Any:
        if "Fn::Sub" not in row:
            return row
        text = row["Fn::Sub"] if isinstance(row["Fn::Sub"], str) else row["Fn::Sub"][0]
        return re.sub(r"\$\{([^}]+)\}", lambda mark: words[mark[1]], text)

    deployed = json.dumps(template.policy(written, "local", "rolecall-local"))
    assert json.loads(deployed, object_hook=resolved) == POLICY


@pytest.mark.parametrize("action", _listed(BY_SID["OwnLogs"]["Action"]))
def test_lambda_can_write_the_services_log_and_no_other(action: str) -> None:
    """Lambda writes with the service's role. The sandbox has no Lambda, so its judge is asked for it."""

    def decided(policy: dict[str, Any], group: str) -> Decision:
        resource = f"arn:aws:logs:us-east-1:{SERVICE_ACCOUNT}:log-group:{group}:log-stream:2026/11/27/[$LATEST]0"
        principal = f"arn:aws:sts::{SERVICE_ACCOUNT}:assumed-role/{SERVICE_ROLE_NAME}/function"
        request = Request(action, resource, principal, {}, f"arn:aws:iam::{SERVICE_ACCOUNT}:role/{SERVICE_ROLE_NAME}")
        return decide([PermissionsPolicy.parse(json.dumps(policy))], request)

    assert decided(POLICY, "/aws/lambda/rolecall-local") is Decision.ALLOWED
    assert decided(POLICY, "/aws/lambda/another") is not Decision.ALLOWED
    assert decided(POLICY, "/aws/lambda/rolecall-local-of-another-stage") is not Decision.ALLOWED
    assert decided(_without("OwnLogs", action), "/aws/lambda/rolecall-local") is not Decision.ALLOWED


def test_no_role_of_the_operators_own_account_can_be_assumed(world: World) -> None:
    """Even one that trusts the service: a tenant who got its ARN past every other check would get nothing."""
    iam = world.accounts.operator.session("us-east-1").client("iam", endpoint_url=world.aws.url)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{SERVICE_ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    arn = iam.create_role(RoleName="OperatorsBackup", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    sts = world.services.sts("us-east-1")

    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(RoleArn=arn, RoleSessionName="backup")
    unconditional = copy.deepcopy(POLICY)
    for row in unconditional["Statement"]:
        row.pop("Condition", None)
    with _under(world, unconditional):
        assert sts.assume_role(RoleArn=arn, RoleSessionName="backup")["Credentials"]


def test_the_operator_may_bound_the_names_of_customers_roles(world: World) -> None:
    """With a pattern, roles named by the documents work, and every other one is refused by our own side."""
    with _under(world, service_policy("RolecallAccess-*")):
        customer = Onboarding(world)
        customer.make_role()
        assert customer.verify()["status"] == "active"

        other = Onboarding(world)
        arn = other.customer.create_role("SomeOtherName", other.trust_policy, other.permissions_policy)
        report = other.verify(arn)
    assert (report["status"], report["verdict"]) == ("pending", "refused")

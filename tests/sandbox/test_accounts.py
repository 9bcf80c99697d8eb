"""The accounts of the sandbox: who is there, with which rights, and how a process begins anew."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.conftest import refusal

if TYPE_CHECKING:
    from sandbox.world import World
    from tests.sandbox.conftest import Aws, Keys

FRESH = """
import json, sys
from sandbox.aws.accounts import create_accounts, reset
from sandbox.aws.server import AwsServer
server = AwsServer()
server.start()
url = server.url
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
first = create_accounts(policy)
def client(user, service): return user.session("us-east-1").client(service, endpoint_url=url)
client(first.customer, "iam").create_user(UserName="somebody")
client(first.customer, "bedrock").list_foundation_models()
session = first.service_session(url, "us-east-1").create_client("sts", region_name="us-east-1", endpoint_url=url)
session.get_caller_identity()
server.faults.add({"service": "sts", "operation": "*", "kind": "cut"})
reset()
second = create_accounts(policy)
def outcome(call):
    try: call()
    except Exception as error: return type(error).__name__
    return "answered"
print(json.dumps({
    "recorded": server.calls.rows(), "faults": server.faults.rows(),
    "old key": outcome(client(first.customer, "sts").get_caller_identity),
    "old session": outcome(session.get_caller_identity),
    "new key": outcome(client(second.customer, "sts").get_caller_identity),
    "users": [user["UserName"] for user in client(second.customer, "iam").list_users()["Users"]],
    "same key": first.customer.access_key_id == second.customer.access_key_id,
}))
server.stop()
"""


@pytest.mark.parametrize(
    ("who", "arn"),
    [
        ("operator", "arn:aws:iam::111122223333:user/operator"),
        ("stranger", "arn:aws:iam::111122223333:user/stranger"),
        ("customer", "arn:aws:iam::444455556666:user/administrator"),
        ("other_customer", "arn:aws:iam::777788889999:user/administrator"),
        ("service", "arn:aws:sts::111122223333:assumed-role/rolecall-local/tests"),
    ],
)
def test_everyone_is_who_they_are_said_to_be(aws: Aws, who: str, arn: str) -> None:
    """Keys look like AWS's: AKIA for users, ASIA for sessions, twenty characters."""
    keys: Keys = getattr(aws, who)

    assert aws.client("sts", keys).get_caller_identity()["Arn"] == arn
    assert keys.access_key_id[:4] == ("AKIA" if keys.session_token is None else "ASIA")
    assert (len(keys.access_key_id), len(keys.secret_access_key)) == (20, 40)


def test_the_service_role_has_the_policy_that_it_was_given_and_no_other(aws: Aws) -> None:
    """Nothing is attached to it, and users of the customers can't become it.

    Where the process has had a whole sandbox as well, that has given it the built-in model's policy.
    """
    iam, name = aws.client("iam", aws.operator), "rolecall-local"

    given = iam.list_role_policies(RoleName=name)["PolicyNames"]

    assert given in (["rolecall"], ["rolecall", "built-in-model"])
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    for other in (aws.customer, aws.other_customer, aws.stranger):
        assert not aws.lets_in(aws.service_role, by=other)
    assert refusal(aws.client("dynamodb", aws.service).list_tables)[:2] == (400, "AccessDeniedException")


def test_the_services_session_is_a_session_of_its_role(world: World) -> None:
    """What Rolecall runs on in the sandbox is what it runs on in Lambda: a role's session, not a user."""
    session = world.accounts.service_session(world.aws.url, "us-east-1")
    sts: Any = session.create_client("sts", region_name="us-east-1", endpoint_url=world.aws.url)

    assert sts.get_caller_identity()["Arn"] == ("arn:aws:sts::111122223333:assumed-role/rolecall-local/rolecall-local")


def test_a_process_can_begin_anew(tmp_path: object) -> None:
    """After reset nothing is left of the old accounts, sessions, calls and faults; the server goes on.

    In a process of its own: the state that is thrown away belongs to every server of the process.
    """
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=60, check=True)
    seen = json.loads(done.stdout)

    assert done.stderr == ""
    assert seen == {
        "recorded": [],
        "faults": [],
        "old key": "ClientError",
        "old session": "ClientError",
        "new key": "answered",
        "users": ["administrator", "BedrockAPIKey-sandbox"],
        "same key": False,
    }

"""What each probe asks of STS, word for word: how long, under which policy, with which ID, and named how."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.bedrock.sessions import Grant, Sessions
from chalicelib.bedrock.wire import Wire
from chalicelib.identifiers import RoleArn
from chalicelib.onboarding import probes
from chalicelib.onboarding.probes import Passed

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.bedrock.sessions import StsClients

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BEDROCK = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"bedrock:InvokeModel","Resource":"*"}]}'
OWN, OTHER = "rolecall-own", "rolecall-other"
GRANT = Grant(
    tenant="acme",
    connection_id="conn-a",
    version=3,
    role_arn=RoleArn("aws", "444455556666", "/", "RolecallAccess"),
    external_id=OWN,
    region="eu-west-1",
    session_policy=BEDROCK,
)


def _allows(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


NOTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
NOBODY = Wire(endpoint="http://127.0.0.1:1")
ASKED: dict[str, tuple[Callable[[StsClients], object], dict[str, Any], int, str | None, str]] = {
    "as agreed": (lambda sts: probes.assume_as_agreed(sts, GRANT), json.loads(BEDROCK), 900, OWN, "conn-a.verify"),
    "as a stranger with another ID": (
        lambda sts: probes.assume_as_stranger(sts, GRANT.role_arn, OTHER, "conn-a"), NOTHING, 900, OTHER,
        "conn-a.negprobe",
    ),
    "as a stranger without one": (
        lambda sts: probes.assume_as_stranger(sts, GRANT.role_arn, None, "conn-a"), NOTHING, 900, None,
        "conn-a.negprobe",
    ),
    "for rights beyond Bedrock": (
        lambda sts: probes.may_do_more(sts, GRANT, NOBODY), _allows("dynamodb:DescribeLimits"), 900, OWN,
        "conn-a.excess",
    ),
    "for a call": (
        lambda sts: Sessions(sts, lambda: NOW).credentials(GRANT), json.loads(BEDROCK), 3600, OWN, "conn-a.invoke"
    ),
}  # fmt: skip
"""Who asks, and what: the session's policy, its seconds, the external ID and the session's name."""


@pytest.mark.parametrize(("ask", "policy", "seconds", "external_id", "name"), ASKED.values(), ids=ASKED)
def test_what_is_asked_for_and_no_more(
    ask: Callable[[StsClients], object], policy: dict[str, Any], seconds: int, external_id: str | None, name: str
) -> None:
    """A stranger's session may do nothing; the others' may do what they are for. Nothing personal is in a name."""
    client = boto3.client("sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    seen: list[dict[str, Any]] = []
    client.meta.events.register("provide-client-params.sts.AssumeRole", lambda params, **_: seen.append(dict(params)))
    with Stubber(client) as stub:
        stub.add_response("assume_role", _given())
        ask([lambda: client])

    [asked] = seen
    assert json.loads(asked.pop("Policy")) == policy
    assert asked == {
        "RoleArn": str(GRANT.role_arn),
        "RoleSessionName": name,
        "DurationSeconds": seconds,
        **({} if external_id is None else {"ExternalId": external_id}),
    }


def test_what_a_stranger_is_given_goes_no_further() -> None:
    """AWS let it in: that is all that is told, and the credentials are in nothing that is returned."""
    client = boto3.client("sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_response("assume_role", _given())
        outcome = probes.assume_as_stranger([lambda: client], GRANT.role_arn, OTHER, "conn-a")

    assert outcome == Passed()
    assert "canary" not in repr(outcome)


def _given() -> dict[str, Any]:
    return {
        "Credentials": {
            "AccessKeyId": "ASIA" + "X" * 16,
            "SecretAccessKey": "canary",
            "SessionToken": "canary",
            "Expiration": NOW.replace(hour=13),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": "AROAEXAMPLEEXAMPLE:x",
            "Arn": "arn:aws:sts::444455556666:assumed-role/a/b",
        },
    }

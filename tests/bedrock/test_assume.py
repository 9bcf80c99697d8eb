"""The one AssumeRole: what it asks of STS, where, and what a failure is."""

from __future__ import annotations

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.bedrock.failures import AwsError
from chalicelib.bedrock.sessions import assume
from chalicelib.bedrock.signing import Credentials
from chalicelib.identifiers import RoleArn, sts_regions

ROLE = RoleArn("aws", "444455556666", "/", "RolecallAccess")
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_what_is_asked_of_sts() -> None:
    """AssumeRole carries the grant's ID and session policy, a name of connection and purpose, and an hour at most."""
    client = boto3.client("sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    asked = {
        "RoleArn": str(ROLE),
        "RoleSessionName": "conn-a.invoke",
        "Policy": "{}",
        "DurationSeconds": 3600,
        "ExternalId": "rolecall-x",
    }
    given = {"AccessKeyId": "ASIA" + "X" * 16, "SecretAccessKey": "s", "SessionToken": "t", "Expiration": START}
    user = {"AssumedRoleId": "AROAEXAMPLEEXAMPLE:conn-a.invoke", "Arn": "arn:aws:sts::444455556666:assumed-role/a/b"}
    with Stubber(client) as stub:
        stub.add_response("assume_role", {"Credentials": given, "AssumedRoleUser": user}, asked)
        session = assume(
            [lambda: client],
            ROLE,
            "rolecall-x",
            session_policy="{}",
            name="conn-a.invoke",
            seconds=3600,
        )

    assert session.credentials == Credentials("ASIA" + "X" * 16, "s", "t")
    assert (session.expires_at, session.role_unique_id) == (START, "AROAEXAMPLEEXAMPLE")


def test_a_failure_of_sts_is_typed() -> None:
    """`assume` raises what STS said as a value that can be classified."""
    client = boto3.client("sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_client_error("assume_role", "AccessDenied", "no", 403)
        with pytest.raises(AwsError) as refused:
            assume([lambda: client], ROLE, None, session_policy="{}", name="conn-a.negprobe", seconds=900)

    assert (refused.value.service, refused.value.operation, refused.value.status, refused.value.code) == (
        "sts",
        "AssumeRole",
        403,
        "AccessDenied",
    )


def test_sts_is_asked_elsewhere_where_an_account_has_it_off() -> None:
    """RegionDisabled is about the region of STS, not about the role: one other region is asked, and says where."""
    here, there = (
        boto3.client("sts", region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
        for region in sts_regions("eu-south-2")
    )
    given = {"AccessKeyId": "ASIA" + "X" * 16, "SecretAccessKey": "s", "SessionToken": "t", "Expiration": START}
    user = {"AssumedRoleId": "AROAEXAMPLEEXAMPLE:conn-a.invoke", "Arn": "arn:aws:sts::444455556666:assumed-role/a/b"}
    with Stubber(here) as off, Stubber(there) as on:
        off.add_client_error("assume_role", "RegionDisabledException", "STS is not activated in this region", 403)
        on.add_response("assume_role", {"Credentials": given, "AssumedRoleUser": user})
        session = assume(
            [lambda: here, lambda: there], ROLE, "rolecall-x", session_policy="{}", name="conn-a.verify", seconds=900
        )
        off.add_client_error("assume_role", "AccessDenied", "no", 403)
        with pytest.raises(AwsError, match="AccessDenied"):
            assume([lambda: here, lambda: there], ROLE, None, session_policy="{}", name="conn-a.negprobe", seconds=900)

    assert session.sts_region == "us-east-1"


@pytest.mark.parametrize(
    ("home", "asked"),
    [
        ("eu-central-1", ("eu-central-1", "us-east-1")),
        ("us-east-1", ("us-east-1", "us-west-2")),
        ("us-gov-west-1", ("us-gov-west-1", "us-gov-east-1")),
        ("eusc-de-east-1", ("eusc-de-east-1",)),
    ],
)
def test_sts_never_leaves_its_partition(home: str, asked: tuple[str, ...]) -> None:
    """The other region is one of the same partition; a partition of one region has none."""
    assert sts_regions(home) == asked

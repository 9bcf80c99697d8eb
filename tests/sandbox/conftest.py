"""Who calls the local AWS in these tests, and how: plain boto3 over HTTP, with keys of the sandbox's accounts."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.aws.switches import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.aws.accounts import User
    from sandbox.world import World

ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Keys(NamedTuple):
    """What signs a call."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    @classmethod
    def of(cls, user: User) -> Self:
        """Return a user's keys."""
        return cls(user.access_key_id, user.secret_access_key)


class Aws:
    """The local AWS, seen from outside."""

    def __init__(self, world: World) -> None:
        self.url = world.aws.url
        self.service_role = str(world.accounts.service_role)
        self.operator = Keys.of(world.accounts.operator)
        self.stranger = Keys.of(world.accounts.stranger)
        self.customer = Keys.of(world.accounts.customer)
        self.other_customer = Keys.of(world.accounts.other_customer)
        self._clients: dict[object, Any] = {}
        self._numbers = itertools.count()
        self.service = self.assume(self.service_role, by=self.operator)

    def client(self, service: str, keys: Keys | None = None, region: str = "us-east-1") -> Any:
        """Return a boto3 client that does not retry; the customer's administrator unless somebody else is named."""
        keys = keys or self.customer
        if (service, keys, region) not in self._clients:
            self._clients[service, keys, region] = boto3.client(
                service,  # type: ignore[call-overload]  # any service by name
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id=keys.access_key_id,
                aws_secret_access_key=keys.secret_access_key,
                aws_session_token=keys.session_token,
                config=Config(retries={"total_max_attempts": 1}, read_timeout=10),
            )
        return self._clients[service, keys, region]

    def name(self) -> str:
        """Return a name that no other test has."""
        return f"test-{next(self._numbers)}"

    def role(self, trust_policy: object, permissions: object = None, by: Keys | None = None, **more: Any) -> str:
        """Create a role in the account of `by` (the customer's); return its ARN."""
        iam, name = self.client("iam", by), self.name()
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust_policy), **more)["Role"]["Arn"]
        if permissions is not None:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(permissions))
        return str(arn)

    def assume(self, role_arn: str, by: Keys | None = None, **more: Any) -> Keys:
        """Return the keys of a new session; the service assumes unless somebody else is named."""
        sts = self.client("sts", by or self.service)
        keys = sts.assume_role(**{"RoleArn": role_arn, "RoleSessionName": "tests", **more})["Credentials"]
        return Keys(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])

    def lets_in(self, role_arn: str, by: Keys | None = None, **more: Any) -> bool:
        """Whether a role can be assumed; anything but AccessDenied in the way is an error."""
        try:
            self.assume(role_arn, by, **more)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return False
        return True


def trust(principal: str = "111122223333", condition: object = None) -> dict[str, Any]:
    """Return a trust policy of one statement."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return {
        "Version": "2012-10-17",
        "Statement": [statement if condition is None else {**statement, "Condition": condition}],
    }


def refusal(call: Callable[..., object], **arguments: object) -> tuple[int, str, str]:
    """Return status, code and text of the error that a call meets, as boto3 shows them; fail when it meets none."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        body = error.response
        return body["ResponseMetadata"]["HTTPStatusCode"], body["Error"]["Code"], body["Error"]["Message"]
    raise AssertionError(f"not refused: {answer!r}")


@pytest.fixture(scope="session")
def aws(world: World) -> Aws:
    """Give the local AWS with its callers. Tests share it, so each makes its own roles."""
    return Aws(world)


@pytest.fixture(autouse=True)
def _no_faults_left() -> Iterator[None]:
    yield
    FAULTS.clear()

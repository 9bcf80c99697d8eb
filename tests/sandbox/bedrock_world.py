"""A local AWS for tests of Bedrock alone, with customers who have an account each, driven by plain boto3."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.iam.models import iam_backends

from sandbox.aws.server import AwsServer
from sandbox.aws.switches import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HAIKU: Final = "anthropic.claude-haiku-4-5-20251001-v1:0"
US_HAIKU: Final = f"us.{HAIKU}"
NOVA: Final = "amazon.nova-lite-v1:0"
QWEN: Final = "qwen.qwen3-32b-v1:0"

ANYTHING: Final = {"Effect": "Allow", "Action": "*", "Resource": "*"}
WEATHER: Final = {
    "toolSpec": {
        "name": "get_weather",
        "description": "Tells the weather",
        "inputSchema": {
            "json": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
                "required": ["city"],
            }
        },
    }
}


@dataclass(frozen=True)
class Refusal:
    """An error as boto3 shows it."""

    status: int
    code: str
    message: str


@dataclass(frozen=True)
class Customer:
    """Keys of somebody in an account of its own."""

    url: str
    account: str
    keys: tuple[str, str, str | None]

    def client(self, service: str, region: str = "us-east-1", **config: Any) -> Any:
        """Return a boto3 client that neither retries nor waits long."""
        return _client(self.url, service, region, *self.keys, **config)

    def assume(self, allowed: Iterable[dict[str, Any]], session_policy: dict[str, Any] | None = None) -> Customer:
        """Return a session of a new role with these statements, under a session policy."""
        iam, name = self.client("iam"), f"role-{secrets.token_hex(4)}"
        trust = {"Effect": "Allow", "Principal": {"AWS": self.account}, "Action": "sts:AssumeRole"}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document([trust]))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allowed))
        policy = {"Policy": document([session_policy])} if session_policy else {}
        got = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test", **policy)["Credentials"]
        return Customer(self.url, self.account, (got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"]))


class BedrockWorld:
    """The server, and customers as many as are asked for."""

    def __init__(self) -> None:
        self._server = AwsServer()
        self.url = self._server.url

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._server.stop()

    def customer(self, *statements: dict[str, Any]) -> Customer:
        """Return a user with these statements (anything, when there are none) in a new account."""
        account = f"9{secrets.randbelow(10**11):011d}"
        iam = iam_backends[account]["aws"]
        iam.create_user("aws", "tester")
        iam.put_user_policy("tester", "p", document(statements or [ANYTHING]))
        key = iam.create_access_key("tester")
        return Customer(self.url, account, (key.access_key_id, key.secret_access_key, None))


def document(statements: Iterable[dict[str, Any]]) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@lru_cache(maxsize=64)
def _client(
    url: str, service: str, region: str, key: str, secret: str, token: str | None, read_timeout: float = 10
) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout, parameter_validation=False)
    return boto3.client(
        service,  # type: ignore[call-overload]  # any service by name
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )


def refusal(call: Callable[[], object]) -> Refusal:
    """Return the error that a call meets; fail when it meets none."""
    try:
        answer = call()
    except ClientError as error:
        body = error.response
        return Refusal(body["ResponseMetadata"]["HTTPStatusCode"], body["Error"]["Code"], body["Error"]["Message"])
    raise AssertionError(f"not refused: {answer!r}")


def cases(name: str) -> pytest.MarkDecorator:
    """Return the marks of a table in tests/cases: each row is one `case`, named by its sentence."""
    rows = json.loads((Path(__file__).parents[1] / "cases" / f"bedrock_sandbox_{name}.json").read_text("utf-8"))
    return pytest.mark.parametrize("case", rows, ids=[row["sentence"] for row in rows])


def said(text: str) -> dict[str, Any]:
    """Return a message of the user."""
    return {"role": "user", "content": [{"text": text}]}


def play(**fault: Any) -> None:
    """Set a fault for the next stream."""
    FAULTS.add({"service": "bedrock-runtime", "operation": "ConverseStream", **fault})

"""The accounts of the sandbox: the service's own with its role, and two customers with an administrator each."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import boto3
import botocore.session
from botocore.credentials import RefreshableCredentials
from moto.core.base_backend import BackendDict
from moto.iam.models import iam_backends

from chalicelib.identifiers import RoleArn
from sandbox.aws.callers import CALLERS, PARTITION
from sandbox.aws.iam import TRUST
from sandbox.aws.switches import CALLS, FAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE_ACCOUNT: Final = "111122223333"
CUSTOMER_ACCOUNT: Final = "444455556666"
OTHER_CUSTOMER_ACCOUNT: Final = "777788889999"
SERVICE_ROLE_NAME: Final = "rolecall-local"
_BEDROCK_ALONE: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "bedrock:CallWithBearerToken",
                "bedrock:List*",
                "bedrock:Get*",
                "bedrock:InvokeModel",
                "bedrock:InvokeModelWithResponseStream",
            ],
            "Resource": "*",
        }
    ],
}
_ANYTHING: Final = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True, slots=True)
class User:
    """A user with an access key, to be used from outside with plain boto3."""

    account: str
    access_key_id: str
    secret_access_key: str

    def session(self, region: str) -> boto3.Session:
        """Return a boto3 session with the user's key."""
        return boto3.Session(
            aws_access_key_id=self.access_key_id, aws_secret_access_key=self.secret_access_key, region_name=region
        )


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who there is. `stranger` may do anything in the service's account, but is not the service's role."""

    service_role: RoleArn
    operator: User
    stranger: User
    customer: User
    other_customer: User
    bedrock_key: str
    """A Bedrock API key of a user in the customer's account, who may call Bedrock and nothing else."""

    def service_session(self, aws_url: str, region: str) -> botocore.session.Session:
        """Return a session of the service's role, renewed for as long as the sandbox runs; Lambda's is, too."""
        sts = self.operator.session(region).client("sts", endpoint_url=aws_url)

        def renew() -> dict[str, str]:
            answer = sts.assume_role(
                RoleArn=str(self.service_role), RoleSessionName="rolecall-local", DurationSeconds=3600
            )["Credentials"]
            return {
                "access_key": answer["AccessKeyId"],
                "secret_key": answer["SecretAccessKey"],
                "token": answer["SessionToken"],
                "expiry_time": answer["Expiration"].isoformat(),
            }

        session = botocore.session.get_session()
        session._credentials = RefreshableCredentials.create_from_metadata(  # type: ignore[attr-defined]
            renew(), refresh_using=renew, method="sandbox"
        )
        return session


def create_accounts(service_policy: Mapping[str, object]) -> Accounts:
    """Make the accounts; the service's role gets `service_policy` and nothing else."""
    backend = iam_backends[SERVICE_ACCOUNT][PARTITION]
    operator = _user(SERVICE_ACCOUNT, "operator")
    trust_policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{PARTITION}:iam::{SERVICE_ACCOUNT}:user/operator"},
                "Action": "sts:AssumeRole",
            },
        ],
    }
    role = backend.create_role(SERVICE_ROLE_NAME, json.dumps(trust_policy), "/", None, "", [], "3600")
    backend.put_role_policy(SERVICE_ROLE_NAME, "rolecall", json.dumps(service_policy))
    TRUST.store(role)
    return Accounts(
        service_role=RoleArn(PARTITION, SERVICE_ACCOUNT, "/", SERVICE_ROLE_NAME),
        operator=operator,
        stranger=_user(SERVICE_ACCOUNT, "stranger"),
        customer=_user(CUSTOMER_ACCOUNT, "administrator"),
        other_customer=_user(OTHER_CUSTOMER_ACCOUNT, "administrator"),
        bedrock_key=_bedrock_key(),
    )


def attach_to_service(name: str, policy: Mapping[str, object]) -> None:
    """Give the service's role one more policy."""
    iam_backends[SERVICE_ACCOUNT][PARTITION].put_role_policy(SERVICE_ROLE_NAME, name, json.dumps(policy))


def detach_from_service(name: str) -> None:
    """Take such a policy off again."""
    iam_backends[SERVICE_ACCOUNT][PARTITION].delete_role_policy(SERVICE_ROLE_NAME, name)


def _bedrock_key() -> str:
    """Make a long-term Bedrock API key, as the Bedrock console does: a user of its own, with a policy for Bedrock."""
    user = _user(CUSTOMER_ACCOUNT, "BedrockAPIKey-sandbox", _BEDROCK_ALONE)
    api_key = "ABSK" + b64encode(f"BedrockAPIKey-sandbox:{secrets.token_urlsafe(32)}".encode()).decode()
    CALLERS.remember_api_key(api_key, user.access_key_id)
    return api_key


def _user(account: str, name: str, policy: Mapping[str, object] = _ANYTHING) -> User:
    """Make a user with a policy in an account, and a key that is new at each start."""
    backend = iam_backends[account][PARTITION]
    backend.create_user(PARTITION, name)
    backend.put_user_policy(name, "policy", json.dumps(policy))
    key = backend.create_access_key(name)
    return User(account, key.access_key_id, key.secret_access_key)


def reset() -> None:
    """Forget every account, session, table, call and fault, for a fresh world in this process.

    moto keeps its state in its modules, so this concerns each server that the process runs.
    """
    BackendDict.reset()
    CALLERS.forget_all()
    TRUST.forget_all()
    CALLS.clear()
    FAULTS.clear()
